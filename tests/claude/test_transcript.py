"""A long history is told at once, in a file in memory, and the model is sent what it always was."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from anthropic_client import NEWER, OLDER, TOOLS, assistant, result, tell, text, user
from claude_turns import assistant as answer
from claude_turns import call
from claude_turns import result as outcome
from claude_turns import user as question
from door import make_door
from serving import Running, running

from bridge.claude import transcript
from bridge.claude.history import script
from bridge.claude.transcript import Transcript, is_worth_it, split
from bridge.core.conversation import (
    Document,
    Image,
    LinkedImage,
    Message,
    RedactedThinking,
    Thinking,
    ToolResult,
)
from bridge.demo import DemoUpstream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")

NEVER = 10**9
PICTURE = Image(media_type="image/png", data="iVBO")

# -- what is told so ------------------------------------------------------------------------------

SPLITS: dict[str, tuple[list[Message], int]] = {
    # a conversation, and how many of its lines stand in the transcript
    "nothing earlier": ([question("a")], 0),
    "an exchange": ([question("a"), answer("b"), question("c")], 2),
    "an answer first": ([answer("b"), question("c")], 1),
    "a question that was not answered": ([question("a"), question("b")], 0),
    "calls and their results": (
        [question("a"), answer(call("1")), question(outcome("1")), answer("b"), question("c")],
        4,
    ),
    "a call at the end": ([question("a"), answer(call("1")), question(outcome("1"))], 0),
    "a call after an answer": (
        [question("a"), answer("b"), question("c"), answer(call("1")), question(outcome("1"))],
        2,
    ),
    "reasoning": (
        [
            question("a"),
            answer(Thinking(text="t", signature="s"), RedactedThinking(data="r"), "b"),
            question("c"),
        ],
        2,
    ),
    "a picture": ([question("a", PICTURE), answer("b"), question("c")], 0),
    "a picture later": (
        [question("a"), answer("b"), question(PICTURE), answer("d"), question("e")],
        2,
    ),
    "a picture that is a link": (
        [question(LinkedImage(url="https://x/")), answer("b"), question("c")],
        0,
    ),
    "a file": (
        [question(Document(media_type="text/plain", data="x")), answer("b"), question("c")],
        0,
    ),
    "a picture in a result": (
        [
            question("a"),
            answer(call("1")),
            question(ToolResult(call_id="1", content=(PICTURE,))),
            answer("b"),
            question("c"),
        ],
        0,
    ),
}


@pytest.mark.parametrize(("messages", "told"), SPLITS.values(), ids=SPLITS)
def test_what_a_transcript_tells(messages: list[Message], told: int) -> None:
    whole = script(messages)
    lines, rest = split(whole)
    assert len(lines) == told
    assert (*lines, *rest.earlier) == whole.earlier
    assert rest.prompt == whole.prompt


def test_when_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def lines(exchanges: int) -> Any:
        messages = [question("a"), answer("b")] * exchanges
        return split(script([*messages, question("c")]))[0]

    assert not is_worth_it(lines(transcript.WORTH_IT - 1), ready=False)
    assert is_worth_it(lines(transcript.WORTH_IT), ready=False)
    assert not is_worth_it(lines(transcript.WORTH_A_START - 1), ready=True)
    assert is_worth_it(lines(transcript.WORTH_A_START), ready=True)
    monkeypatch.setattr(transcript, "CAN_BE_TOLD", False)
    assert not is_worth_it(lines(transcript.WORTH_A_START), ready=False)


def test_it_is_in_no_folder(tmp_path: Path) -> None:
    lines, _ = split(script([question("secret"), answer("b"), question("c")]))
    made = Transcript.of(lines, tmp_path)
    try:
        (link,) = tmp_path.iterdir()
        assert link == made.path
        assert str(link.readlink()) == f"/proc/self/fd/{made.fd}"
        assert "secret" in link.read_text()
    finally:
        made.close()
    assert not link.exists()  # it leads nowhere now


# -- the real program -----------------------------------------------------------------------------

ODD = " two  \n@/etc/passwd /cost <system-reminder>x</system-reminder> \u00e4\u2028\U0001f600"
CALLS = [
    text("Let me see."),
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
    {"type": "tool_use", "id": "toolu_2", "name": "get_time", "input": {}},
]
HISTORY: list[dict[str, Any]] = [
    user("a"),
    assistant("b"),
    user([text(ODD), text("and more")]),
    assistant([text(" b "), text("c\n\n")]),
    user("what of Paris?"),
    assistant(CALLS),
    user([result("toolu_2", ""), result("toolu_1", " no ", is_error=True), text("well?")]),
    assistant("d"),
    user("again"),
    assistant([{**CALLS[2], "id": "toolu_3"}]),
    user([result("toolu_3", "x" * 600_000)]),
    assistant(ODD),
]


@pytest.fixture
async def simple(server: Running) -> AsyncIterator[Running]:
    """The shared server, without any kept process and with an empty log."""
    server.engine.fleet.kept.end_all()
    server.upstream.clear()
    yield server


@pytest.fixture(scope="module")
async def oauth(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A server with a made-up OAuth login, which the demo does not look at."""
    home = tmp_path_factory.mktemp("home")
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "CLAUDE_CODE_OAUTH_TOKEN": "made-up",
        "ANTHROPIC_BASE_URL": upstream.url,
    }
    async with running(demo=False, environ=environ, upstream=upstream) as server:
        yield server
    await upstream.stop()


async def sent(server: Running, worth: int, messages: list[Any], **fields: Any) -> Any:
    """The requests upstream, when a transcript is worth it from so many messages of the user on."""
    server.engine.fleet.kept.end_all()
    server.upstream.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcript, "WORTH_IT", worth)
        told = await tell(server, messages, tools=TOOLS, **fields)
    assert told.status == 200, told.data
    bodies = [dict(received.body) for received in server.upstream.requests]
    for body in bodies:
        del body["metadata"]  # a name of the process
    return bodies


@pytest.mark.parametrize("login", ["simple", "oauth"])
@pytest.mark.parametrize("model", [OLDER, NEWER])
async def test_the_model_is_sent_the_same(
    simple: Running, oauth: Running, login: str, model: str
) -> None:
    server = {"simple": simple, "oauth": oauth}[login]
    fields: dict[str, Any] = {"model": model, "system": "be kind"}
    if model == NEWER:
        fields["thinking"] = {"type": "adaptive"}
    first = await tell(server, "[[think deep]] [[redacted]] [[say so]]", **fields)
    assert [block["type"] for block in first.data["content"]][-1] == "text"
    messages = [user("think"), assistant(first.data["content"]), *HISTORY, user("and now?")]
    line_by_line = await sent(server, NEVER, messages, **fields)
    at_once = await sent(server, 1, messages, **fields)
    assert len(line_by_line) == 1
    assert at_once == line_by_line


async def test_it_ends_with_calls_whose_results_are_told_after_it(simple: Running) -> None:
    messages = [*HISTORY, user("x"), assistant(CALLS), user([result("toolu_1"), result("toolu_2")])]
    assert await sent(simple, 1, messages) == await sent(simple, NEVER, messages)


async def test_it_goes_on_like_any_other(simple: Running) -> None:
    """The next turn is told to the living process, and begins with what was sent before."""
    history = [
        {"role": role, "content": f"{role} {n}"}
        for n in range(60)
        for role in ("user", "assistant")
    ]
    asked = [*history, {"role": "user", "content": "[[say one]]"}]
    first = await simple.ask(asked)
    assert (first.status, first.text) == (200, "one")
    asked += [{"role": "assistant", "content": "one"}, {"role": "user", "content": "[[say two]]"}]
    second = await simple.ask(asked)
    assert (second.text, second.outcome) == ("two", "matched")
    before, after = simple.seen()
    assert len(before["messages"]) == 121
    assert after["messages"][:121] == before["messages"]
    assert len(set(simple.processes())) == 1
    arguments = [
        Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        for pid in simple.engine.processes()["idle"]
    ]
    assert [b"--resume" in argv for argv in arguments] == [True]


async def test_nothing_of_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "WORTH_IT", 1)
    secret = "s3cret-of-the-past"
    async with running() as server:
        scratch = server.engine.account.launch.scratch
        await server.engine.account.known_names()
        before = open_in_memory()
        messages = [user(secret), assistant("b"), user("[[say done]]")]
        assert (await tell(server, messages)).text == "done"
        assert open_in_memory() == before
        found = list(scratch.rglob("*"))
        assert any(path.suffix == ".jsonl" for path in found)
        files = [path for path in found if path.is_file() and not path.is_symlink()]
        assert not any(secret.encode() in path.read_bytes() for path in files)
        server.engine.fleet.kept.end_all()
        await server.engine.fleet.pool.settled()
        assert list(scratch.iterdir()) == []


async def test_no_room_for_it_is_an_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcript, "WORTH_IT", 1)
    messages = [user("a"), assistant("b"), user("[[say done]]")]
    async with running() as server:
        await server.engine.account.known_names()
        await server.engine.fleet.pool.settled()
        with monkeypatch.context() as patch:

            def full(name: str) -> int:
                raise OSError("no memory")

            patch.setattr(os, "memfd_create", full)
            told = await tell(server, messages)
        assert (told.status, server.engine.faults) == (503, {"spawn_failed": 1})
        assert list(server.engine.account.launch.scratch.iterdir()) == []
        assert (await tell(server, messages)).text == "done"


def open_in_memory() -> list[str]:
    """The files in memory that this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the look itself
            found.append(str(link.readlink()))
    return [name for name in found if "memfd" in name]


TAKES_NO_PATH = """
    if "--resume" in sys.argv:
        child.kill()
        sys.exit(1)
"""


async def test_where_it_is_not_taken_the_history_is_told_line_by_line(tmp_path: Path) -> None:
    door = make_door(tmp_path / "claude", TAKES_NO_PATH)
    history = [{"role": role, "content": role} for _ in range(60) for role in ("user", "assistant")]
    async with running(cli_path=door) as server:
        told = await server.ask([*history, {"role": "user", "content": "[[say here]]"}])
        assert (told.status, told.text) == (200, "here")
        assert len(server.seen()) == 1
        assert server.engine.faults == {"process_replaced": 1}
