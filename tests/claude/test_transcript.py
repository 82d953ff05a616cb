"""A long history is told at once, through a pipe, and the model is sent what it always was."""

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from anthropic_client import NEWER, OLDER, TOOLS, assistant, result, tell, text, user
from claude_agent_sdk import CLIConnectionError
from claude_turns import assistant as answer
from claude_turns import call
from claude_turns import result as outcome
from claude_turns import user as question
from door import make_door
from serving import Running, running, until

from bridge.claude import transcript
from bridge.claude.history import script
from bridge.claude.meter import Bill, Meter
from bridge.claude.options import flag_settings
from bridge.claude.pool import RESUMING_AGAIN
from bridge.claude.process import CliProcess, TurnPlan, is_last
from bridge.claude.transcript import Beginning, Transcript, beginnings, split
from bridge.core.conversation import (
    Document,
    Image,
    LinkedImage,
    Message,
    RedactedThinking,
    Thinking,
    ToolResult,
)
from bridge.core.events import TurnFinished
from bridge.demo import DemoUpstream

pytestmark = pytest.mark.skipif(not transcript.CAN_BE_TOLD, reason="there are no named pipes")

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
    "reasoning of another model at the end": (
        [
            question("a"),
            answer("b", model="other"),
            question("c"),
            answer(Thinking(text="t", signature="s"), "d", model="other"),
            question("e"),
        ],
        2,
    ),
    "reasoning of another model before the end": (
        [
            question("a"),
            answer(Thinking(text="t", signature="s"), "b", model="other"),
            question("c"),
            answer("d", model="other"),
            question("e"),
        ],
        4,
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
    whole = script(messages, "asked")
    lines, rest = split(whole, "asked")
    assert len(lines) == told
    contents = [line["message"]["content"] for line in (*lines, *rest.earlier)]
    assert contents == [line["message"]["content"] for line in whole.earlier]
    assert all(line["message"]["model"] == "asked" for line in lines[-1:])
    assert rest.prompt == whole.prompt


BLANK, RESUMED = Beginning
CHOICES = {
    # exchanges before the prompt, and the processes that would do
    0: (BLANK, RESUMED),
    transcript.WORTH_IT - 1: (BLANK, RESUMED),
    transcript.WORTH_IT: (RESUMED, BLANK),
    transcript.WORTH_A_START - 1: (RESUMED, BLANK),
    transcript.WORTH_A_START: (RESUMED,),
}


@pytest.mark.parametrize(("exchanges", "expected"), CHOICES.items(), ids=map(str, CHOICES))
def test_which_process_is_best(
    exchanges: int, expected: tuple[Beginning, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = script([*[question("a"), answer("b")] * exchanges, question("c")])
    assert beginnings(told, "asked") == expected
    assert beginnings(told, None) == (BLANK, RESUMED)
    monkeypatch.setattr(transcript, "CAN_BE_TOLD", False)
    assert beginnings(told, "asked") == (BLANK,)


def test_what_can_not_be_told_does_not_count() -> None:
    picture = [question(PICTURE), answer("b")]
    assert beginnings(script([*picture * 60, question("c")]), "asked") == (BLANK, RESUMED)


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_it_is_handed_over_and_gone(tmp_path: Path, size: int) -> None:
    """It waits for the reader, however long that takes, and is never a file with something in it."""
    lines, _ = split(script([question("s" * size), answer("b"), question("c")]), "asked")
    made = Transcript.within(tmp_path)
    assert stat.S_ISFIFO(made.path.stat().st_mode)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    telling = asyncio.create_task(made.tell(lines, lambda: True))
    await asyncio.sleep(0)
    assert not telling.done()
    read = await asyncio.to_thread(made.path.read_text)
    await telling
    told = [json.loads(line) for line in read.splitlines()]
    assert [entry["message"]["content"][0]["text"] for entry in told] == ["s" * size, "b"]
    assert [entry["parentUuid"] for entry in told] == [None, told[0]["uuid"]]
    assert {entry["sessionId"] for entry in told} == {made.path.stem}
    assert list(tmp_path.iterdir()) == [made.path]
    assert made.path.readlink() == Path(os.devnull)
    assert made.path.read_text() == ""


async def test_nobody_waits_for_a_reader_that_is_gone(tmp_path: Path) -> None:
    lines, _ = split(script([question("a"), answer("b"), question("c")]), "asked")
    with pytest.raises(CLIConnectionError, match="ended before"):
        await Transcript.within(tmp_path).tell(lines, lambda: False)


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


@pytest.mark.parametrize("asked", ["sonnet", "opus", OLDER, NEWER, None])
@pytest.mark.parametrize("reasons", [True, False], ids=["reasoning", "words"])
@pytest.mark.parametrize("login", ["simple", "oauth"])
async def test_nothing_is_said_of_a_change_of_the_model(
    simple: Running, oauth: Running, login: str, reasons: bool, asked: str | None
) -> None:
    """The answers before came from other models, and the last one not from the one asked now."""
    server = {"simple": simple, "oauth": oauth}[login]
    adaptive = {"model": NEWER, "thinking": {"type": "adaptive"}}
    first = await tell(server, "[[think deep]] [[say so]]", **adaptive)
    thought = first.data["content"][0]
    signed = Thinking(text=thought["thinking"], signature=thought["signature"])
    told = [
        question("a"),
        answer("b", model=OLDER),
        question("[[think deep]] [[say so]]"),
        answer(*[signed] * reasons, "so", model=NEWER),
        question("and now?"),
    ]
    bodies = [await sent_by(server, begun, told, asked) for begun in Beginning]
    assert bodies[0] == bodies[1]
    assert "command-name" not in str(bodies[0])


async def sent_by(
    server: Running, begun: Beginning, messages: list[Message], asked: str | None
) -> Any:
    """What a process of the test's own sends to the model."""
    process = CliProcess(server.engine.account.launch, beginning=begun)
    server.upstream.clear()
    try:
        await process.spawn()
        said = script(messages, asked)
        plan = TurnPlan(system=("be kind",), settings=flag_settings(asked, {}), said=said)
        events = process.begin(plan, server.engine.account.policy, Bill(Meter(), "me", None))
        while not is_last(event := await events.get()):
            pass
        assert isinstance(event, TurnFinished), event
        (received,) = server.upstream.requests
        assert isinstance(received.body, dict)
        return {name: value for name, value in received.body.items() if name != "metadata"}
    finally:
        await process.aclose()


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
    secret, before = "s3cret-of-the-past", open_pipes()
    async with running() as server:
        scratch = server.engine.account.launch.scratch
        await ready(server)
        await until(lambda: open_pipes() <= before)
        messages = [user(secret), assistant("b"), user("[[say done]]")]
        assert (await tell(server, messages)).text == "done"
        assert len(open_pipes() - before) == 3, "standard input and output of the one that is kept"
        found = list(scratch.rglob("*"))
        assert [path.resolve() for path in found if path.suffix == ".jsonl"] == [Path(os.devnull)]
        files = [path for path in found if path.is_file()]
        assert not any(secret.encode() in path.read_bytes() for path in files)
        server.engine.fleet.kept.end_all()
        await server.engine.fleet.pool.settled()
        await until(lambda: open_pipes() <= before)
        assert list(scratch.iterdir()) == []


def open_pipes() -> set[str]:
    """The pipes that this process has open."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the look itself
            found.add(str(link.readlink()))
    return {name for name in found if name.startswith("pipe:") or name.endswith(".jsonl")}


async def test_no_room_for_it_is_an_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcript, "WORTH_IT", 1)
    messages = [user("a"), assistant("b"), user("[[say done]]")]
    async with running() as server:
        await server.engine.account.known_names()
        await server.engine.fleet.pool.settled()
        with monkeypatch.context() as patch:

            def full(path: Path, mode: int) -> None:
                raise OSError("no space")

            patch.setattr(os, "mkfifo", full)
            told = await tell(server, messages)
        assert (told.status, server.engine.faults) == (503, {"spawn_failed": 1})
        assert list(server.engine.account.launch.scratch.iterdir()) == []
        assert (await tell(server, messages)).text == "done"


# -- ready processes ------------------------------------------------------------------------------


def exchanges(count: int) -> list[Any]:
    return [told for n in range(count) for told in (user(f"q{n}"), assistant(f"a{n}"))]


async def ready(server: Running) -> dict[Beginning, list[int | None]]:
    """The ids of the ready processes, when all are there, by how they begin."""
    await server.engine.account.known_names()
    await server.engine.fleet.pool.settled()
    found: dict[Beginning, list[int | None]] = {BLANK: [], RESUMED: []}
    for process in server.engine.fleet.pool.ready:
        found[process.beginning].append(process.pid)
    return found


def answered_by(server: Running) -> list[int]:
    """The ids of the processes that are kept, by whose turn was the latest."""
    return server.engine.processes()["idle"]


async def test_half_of_the_ready_ones_wait_for_a_history() -> None:
    async with running(pool_size=3, max_live=8) as server:
        waiting = await ready(server)
        assert {begun: len(pids) for begun, pids in waiting.items()} == {BLANK: 2, RESUMED: 1}
        messages = [*exchanges(transcript.WORTH_IT), user("[[say with a past]]")]
        assert (await tell(server, messages)).text == "with a past"
        assert answered_by(server) == waiting[RESUMED]
        waiting = await ready(server)
        assert {begun: len(pids) for begun, pids in waiting.items()} == {BLANK: 2, RESUMED: 1}
        server.engine.fleet.kept.end_all()
        assert (await tell(server, "[[say new]]")).text == "new"
        assert set(answered_by(server)) < set(waiting[BLANK])
        assert server.engine.faults == {}


async def test_one_kind_steps_in_for_the_other() -> None:
    """To the model it makes no difference."""
    async with running(pool_size=2, max_live=8) as server:
        for messages in (
            [user("[[say new]]")],
            [*exchanges(transcript.WORTH_IT), user("[[say new]]")],
        ):
            requests = []
            for missing in Beginning:
                server.engine.fleet.kept.end_all()
                waiting = await ready(server)
                for process in server.engine.fleet.pool.ready:
                    if process.beginning is missing:
                        process.kill()
                server.upstream.clear()
                assert (await tell(server, messages, system="be kind")).text == "new"
                (other,) = set(Beginning) - {missing}
                assert answered_by(server) == waiting[other]
                (received,) = server.upstream.requests
                assert isinstance(received.body, dict)
                requests.append({k: v for k, v in received.body.items() if k != "metadata"})
            assert requests[0] == requests[1]


async def test_a_long_history_does_not_take_a_process_that_it_would_wait_for() -> None:
    async with running(pool_size=1, max_live=8) as server:
        waiting = await ready(server)
        assert waiting[RESUMED] == []
        messages = [*exchanges(transcript.WORTH_A_START), user("[[say with a past]]")]
        assert (await tell(server, messages)).text == "with a past"
        assert answered_by(server) != waiting[BLANK]


async def test_after_a_silence_the_one_that_is_left_is_for_anybody() -> None:
    async with running(pool_size=4, max_live=8) as server:
        await ready(server)
        server.engine.fleet.pool.shrink(3)
        waiting = await ready(server)
        assert {begun: len(pids) for begun, pids in waiting.items()} == {BLANK: 2, RESUMED: 1}
        server.engine.fleet.pool.shrink(1)
        waiting = await ready(server)
        assert {begun: len(pids) for begun, pids in waiting.items()} == {BLANK: 1, RESUMED: 0}


async def test_one_that_dies_as_it_is_told_is_replaced() -> None:
    async with running(pool_size=2, max_live=8) as server:
        await ready(server)
        (doomed,) = (p for p in server.engine.fleet.pool.ready if p.beginning is RESUMED)
        begin = doomed.begin

        def begin_and_die(*args: Any) -> Any:
            assert doomed.pid is not None
            os.kill(doomed.pid, 9)
            return begin(*args)

        doomed.begin = begin_and_die  # type: ignore[method-assign]
        messages = [*exchanges(transcript.WORTH_A_START), user("[[say still here]]")]
        assert (await tell(server, messages)).text == "still here"
        assert server.engine.faults == {"process_replaced": 1}
        assert not doomed.gave_up


TAKES_NO_PATH = """
if "--resume" in sys.argv:
    sys.exit(1)
"""


async def test_where_it_is_not_taken_the_history_is_told_line_by_line(tmp_path: Path) -> None:
    """A minute later it is tried again: the program may have been another one meanwhile."""
    door = make_door(tmp_path / "claude", at_once=TAKES_NO_PATH)
    messages = [*exchanges(transcript.WORTH_A_START), user("[[say here]]")]
    async with running(cli_path=door) as server:
        clock = server.stand_still()

        async def ask() -> None:
            server.engine.fleet.kept.end_all()
            server.upstream.clear()
            told = await tell(server, messages)
            assert (told.status, told.text) == (200, "here")
            assert len(server.upstream.requests) == 1
            await server.engine.fleet.pool.settled()

        await ask()
        assert server.engine.faults == {"process_replaced": 1}
        await ask()
        assert server.engine.faults == {"process_replaced": 1}
        clock.now += RESUMING_AGAIN
        await ask()
        assert server.engine.faults == {"process_replaced": 2}


async def test_ready_ones_that_give_up_are_replaced_by_blank_ones(tmp_path: Path) -> None:
    door = make_door(tmp_path / "claude", at_once=TAKES_NO_PATH)
    async with running(cli_path=door, pool_size=2, max_live=8) as server:
        await ready(server)
        await until(lambda: [p.alive for p in server.engine.fleet.pool.ready] == [True, False])
        for _ in range(2):
            assert (await tell(server, "[[say well]]")).text == "well"
            waiting = await ready(server)
        assert {begun: len(pids) for begun, pids in waiting.items()} == {BLANK: 2, RESUMED: 0}
        assert server.engine.faults == {}
