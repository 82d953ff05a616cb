"""The pure parts of the Claude room: names, environment, settings of a turn, history."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from claude_turns import assistant, call, result, user

from bridge.claude.history import script
from bridge.claude.names import ListedModel, Names, Offer
from bridge.claude.options import (
    Launch,
    choose_login,
    flag_settings,
    inherited_environment,
    locked,
    missing_for,
    unlocked,
)
from bridge.claude.own_settings import OwnSettings, read_own_settings
from bridge.core.conversation import (
    Document,
    LinkedDocument,
    Message,
    RedactedThinking,
    ResultPart,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from bridge.core.errors import ModelNotFound
from bridge.settings import AuthMethod, own_environment_names

LISTED = (
    ListedModel(value="default", resolved="claude-opus-9"),
    ListedModel(value="opus", resolved="claude-opus-9"),
    ListedModel(value="sonnet", resolved="claude-sonnet-9"),
    ListedModel(value="haiku", resolved="claude-haiku-9"),
)


@pytest.mark.parametrize(
    ("asked", "resolved"),
    [
        (None, None),
        ("", None),
        ("default", None),
        ("opus", "claude-opus-9"),
        ("claude-opus", "claude-opus-9"),
        ("gpt-4", "claude-opus-9"),
        ("gpt-4o", "claude-sonnet-9"),
        ("gpt-3.5-turbo", "claude-haiku-9"),
        ("claude-3.5-sonnet", "claude-sonnet-9"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5[1m]"),
        ("claude-opus-4@20250514", "claude-opus-4@20250514"),
        ("us.anthropic.claude-x-v1:0", "us.anthropic.claude-x-v1:0"),
        ("mine", "claude-haiku-9"),
        ("gpt-4-turbo", "claude-opus-7"),
        ("fable", "fable"),  # not listed: the CLI may know it
    ],
)
def test_a_name_is_resolved(asked: str | None, resolved: str | None) -> None:
    names = Names(model_map={"mine": "haiku", "gpt-4-turbo": "claude-opus-7"}, listed=LISTED)
    assert names.resolve(asked) == resolved


@pytest.mark.parametrize(
    "asked", ["llama", "gpt-5", "claude", "CLAUDE-X", "claude-x; rm", "--help", "o/p"]
)
def test_a_name_that_nobody_knows(asked: str) -> None:
    if asked == "claude":
        assert Names(listed=LISTED).resolve(asked) == "claude-sonnet-9"
        return
    with pytest.raises(ModelNotFound):
        Names(listed=LISTED).resolve(asked)


def test_the_default_model() -> None:
    assert Names(default="haiku", listed=LISTED).resolve(None) == "claude-haiku-9"
    assert Names(default="haiku", listed=LISTED).resolve("opus") == "claude-opus-9"
    assert Names(default="opusplan", listed=LISTED).resolve(None) == "opusplan"


def test_offered_names_lead_to_listed_models() -> None:
    names = Names(model_map={"mine": "haiku", "lost": "claude-gone"}, listed=LISTED)
    offered = {offer.name: offer for offer in names.offered()}
    assert len(offered) == len(names.offered())
    assert offered["mine"] == Offer(
        name="mine", model="claude-haiku-9", display_name="Claude Haiku 9"
    )
    assert "default" not in offered
    assert "lost" not in offered
    ids = [model.resolved for model in LISTED[1:]]
    assert {offer.model for offer in offered.values()} == set(ids)
    assert list(offered)[: len(ids)] == ids


@pytest.mark.parametrize(
    ("model", "called"),
    [
        ("claude-opus-5", "Claude Opus 5"),
        ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5"),
        ("claude-3-5-haiku-20241022", "Claude Haiku 3.5"),
        ("claude-opus-4@20250514", "Claude Opus 4"),
        ("claude-sonnet-5[1m]", "Claude Sonnet 5 (1M context)"),
        ("us.anthropic.claude-x-v1:0", "us.anthropic.claude-x-v1:0"),
        ("my-own", "my-own"),
    ],
)
def test_what_a_model_is_called(model: str, called: str) -> None:
    listed = ListedModel(value="m", resolved=model, display_name="Default (recommended)")
    offered = Names(listed=(listed,)).offered()
    assert {offer.name: offer.display_name for offer in offered}["m"] == called


def test_the_persons_own_default_model(tmp_path: Path) -> None:
    folder = tmp_path / ".claude"
    folder.mkdir()
    home = {"HOME": str(tmp_path)}
    settings = folder / "settings.json"
    assert read_own_settings(home) == OwnSettings()
    for odd in ("{ broken", "[]", '{"model": 5, "env": [], "apiKeyHelper": {}}', "\xff"):
        settings.write_text(odd)
        assert read_own_settings(home) == OwnSettings()
    settings.write_text('{"model": "opus", "hooks": {}}')
    assert read_own_settings(home) == OwnSettings(model="opus")
    assert read_own_settings({"CLAUDE_CONFIG_DIR": str(folder)}).model == "opus"
    assert read_own_settings({**home, "ANTHROPIC_MODEL": "sonnet"}).model == "sonnet"


def test_the_persons_own_login_settings(tmp_path: Path) -> None:
    settings = {
        "apiKeyHelper": "get-key",
        "hooks": {"Stop": []},
        "env": {"CLAUDE_CODE_USE_BEDROCK": "1", "LD_PRELOAD": "x", "AWS_REGION": 5},
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert read_own_settings({"CLAUDE_CONFIG_DIR": str(tmp_path)}) == OwnSettings(
        environment={"CLAUDE_CODE_USE_BEDROCK": "1"}, login={"apiKeyHelper": "get-key"}
    )


def test_the_environment_is_allow_listed() -> None:
    passed = {
        "PATH": "1",
        "HOME": "1",
        "LC_ALL": "1",
        "ANTHROPIC_API_KEY": "1",
        "CLAUDE_CONFIG_DIR": "1",
        "AWS_PROFILE": "1",
        "GOOGLE_APPLICATION_CREDENTIALS": "1",
        "CLOUD_ML_REGION": "1",
        "VERTEX_REGION_X": "1",
        "https_proxy": "1",
        "NODE_EXTRA_CA_CERTS": "1",
    }
    kept_back = {"OPENAI_API_KEY", "SSH_AUTH_SOCK", "CLAUDECODE", "LD_PRELOAD", "PWD", "TMPDIR"}
    everything = passed | dict.fromkeys(kept_back | own_environment_names(), "secret")
    assert inherited_environment(everything) == passed


@pytest.mark.parametrize(
    ("method", "kept", "gone"),
    [
        (None, {"CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_API_KEY"}, set()),
        (
            AuthMethod.CLI,
            {"CLAUDE_CODE_OAUTH_TOKEN"},
            {"ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK"},
        ),
        (
            AuthMethod.API_KEY,
            {"ANTHROPIC_API_KEY"},
            {"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"},
        ),
        (AuthMethod.BEDROCK, {"CLAUDE_CODE_USE_BEDROCK"}, {"ANTHROPIC_API_KEY"}),
        (
            AuthMethod.VERTEX,
            {"CLAUDE_CODE_USE_VERTEX"},
            {"CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_API_KEY"},
        ),
    ],
)
def test_a_chosen_login_is_the_one_used(
    method: AuthMethod | None, kept: set[str], gone: set[str]
) -> None:
    environment = {
        "ANTHROPIC_API_KEY": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": "1",
        "CLAUDE_CODE_USE_BEDROCK": "1",
    }
    chosen = choose_login(environment, method)
    assert kept <= set(chosen)
    assert not gone & set(chosen)


def test_what_is_missing_for_a_login() -> None:
    assert missing_for(None, {}) is None
    assert missing_for(AuthMethod.CLI, {}) is None
    assert "ANTHROPIC_API_KEY" in (missing_for(AuthMethod.API_KEY, {}) or "")
    assert missing_for(AuthMethod.API_KEY, {"ANTHROPIC_AUTH_TOKEN": "t"}) is None
    assert missing_for(AuthMethod.BEDROCK, {"AWS_REGION": "eu"}) is None
    project = {"ANTHROPIC_VERTEX_PROJECT_ID": "p"}
    assert "CLOUD_ML_REGION" in (missing_for(AuthMethod.VERTEX, project) or "")


def test_the_command_keeps_everything_private_out_of_sight(tmp_path: Path) -> None:
    launch = Launch(
        cli=Path("/cli"),
        environment={"ANTHROPIC_API_KEY": "secret-key"},
        workdir=tmp_path,
        scratch=tmp_path,
        simple=True,
        cli_retries=3,
    )
    command = launch.command(tmp_path / "t")
    assert "secret-key" not in " ".join(command.argv)
    assert "secret-key" not in repr(launch)
    assert command.argv[0] == "/cli"
    assert command.env["TMPDIR"] == str(tmp_path / "t")
    assert command.env["CLAUDE_CODE_SIMPLE"] == "1"
    assert command.env["CLAUDE_CODE_MAX_RETRIES"] == "3"


@pytest.mark.parametrize(
    "fields", [{}, {"tools": [{"name": "f", "z": 1, "a": "\u2028 \u00e9"}], "temperature": 0.0}]
)
def test_the_settings_of_a_turn_say_the_whole_extra_body(fields: dict[str, Any]) -> None:
    settings = flag_settings(None, fields)
    body = json.loads(settings["env"]["CLAUDE_CODE_EXTRA_BODY"])
    assert json.dumps(body) == json.dumps(fields), "in the order given"
    assert "model" not in settings
    assert flag_settings("m", fields) == {**settings, "model": "m"}
    assert unlocked(settings) == {"env": settings["env"]}
    lock = dict(locked(settings)["env"].items() - settings["env"].items())
    assert list(lock.values()) == ["1"]
    assert settings["env"].keys() == locked(settings)["env"].keys() > lock.keys()


def says(role: Role, *words: str) -> Message:
    return Message(role=role, parts=tuple(Text(text=w) for w in words))


def shape(line: dict[str, Any]) -> tuple[str, list[Any]]:
    """A line's role and, for each block, its words or its id."""
    message = line["message"]
    assert message["role"] == line["type"]
    return line["type"], [
        block.get("text") or block.get("id") or block["tool_use_id"] for block in message["content"]
    ]


def test_a_history_is_told_as_what_it_is() -> None:
    told = script(
        [
            says(Role.USER, "a", "b"),
            says(Role.USER, "c"),
            says(Role.ASSISTANT, "d"),
            Message(role=Role.ASSISTANT, parts=(ToolCall(id="t1", name="f", arguments={"x": 1}),)),
            says(Role.SYSTEM, "s"),
            Message(
                role=Role.USER,
                parts=(ToolResult(call_id="t1", content=(Text(text="r"),), is_error=True),),
            ),
        ]
    )
    assert [shape(line) for line in told.earlier] == [
        ("user", ["a", "b", "c"]),
        ("assistant", ["d", "t1"]),
    ]
    assert shape(told.prompt) == (
        "user",
        ["t1", "<system-message>\ns\n</system-message>"],
    )
    assert [line.get("shouldQuery") for line in told.earlier] == [False, None]
    assert "shouldQuery" not in told.prompt
    assert told.prompt["client_composed"] is True
    assert told.earlier[0]["client_composed"] is True
    assert told.prompt["message"]["content"][0]["is_error"] is True
    ids = [line["uuid"] for line in (*told.earlier, told.prompt)]
    assert len(set(ids)) == len(ids)


BOTH = assistant("a", call("1"), "b", call("2", "g"))
R1, R2 = result("1", "one"), result("2", "two")

RESULTS: dict[str, tuple[list[Message], list[str]]] = {
    # what comes after the two calls, and the blocks of the prompt: ids and words
    "in order": ([user(R1, R2)], ["1", "2"]),
    "in reverse": ([user(R2, R1)], ["1", "2"]),
    "in a message each, in reverse": ([user(R2), user(R1)], ["1", "2"]),
    "words after them": ([user(R2, R1, "x", "y")], ["1", "2", "x", "y"]),
    "words before them": ([user("x", R1, R2, "y")], ["1", "2", "x", "y"]),
    "words in between": ([user(R2, "x"), user("y", R1)], ["1", "2", "x", "y"]),
    "words alone": ([user("x", "y")], ["x", "y"]),
    "a result of no call": ([user("x", result("9"), R1)], ["1", "x", "9"]),
}


@pytest.mark.parametrize("opening", ["hi", result("0")], ids=["words", "a result"])
@pytest.mark.parametrize("kind", RESULTS)
def test_results_come_first_in_the_order_of_their_calls(kind: str, opening: Any) -> None:
    after, blocks = RESULTS[kind]
    told = script([user(opening), BOTH, *after])
    assert shape(told.earlier[-1]) == ("assistant", ["a", "1", "b", "2"])
    assert shape(told.prompt) == ("user", blocks)


ABOUT = {"title": "A title", "context": "From a friend."}
LINKED = {"type": "url", "url": "https://a/b"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
TEXT = {"type": "text", "media_type": "text/plain", "data": "x"}

DOCUMENTS: list[tuple[ResultPart, dict[str, Any]]] = [
    (LinkedDocument(url="https://a/b"), {"source": LINKED}),
    (LinkedDocument(url="https://a/b", **ABOUT), {"source": LINKED, **ABOUT}),
    (LinkedDocument(url="https://a/b", context="c"), {"source": LINKED, "context": "c"}),
    (Document(media_type="application/pdf", data="AAAA"), {"source": PDF}),
    (Document(media_type="application/pdf", data="AAAA", **ABOUT), {"source": PDF, **ABOUT}),
    (Document(media_type="text/plain", data="x", title="t"), {"source": TEXT, "title": "t"}),
    (Document(media_type="text/plain", data="x", context="c"), {"source": TEXT, "context": "c"}),
]


@pytest.mark.parametrize(("part", "block"), DOCUMENTS)
def test_a_document_is_told_with_all_that_is_known_of_it(
    part: ResultPart, block: dict[str, Any]
) -> None:
    told = script(
        [user(part), assistant(call("1")), user(ToolResult(call_id="1", content=(part,)))]
    )
    expected = [{"type": "document", **block}]
    assert told.earlier[0]["message"]["content"] == expected
    assert told.prompt["message"]["content"][0]["content"] == expected


def test_reasoning_is_told_as_it_came() -> None:
    parts = (Thinking(text="", signature="sig"), RedactedThinking(data="secret"), "yo")
    told = script([user("hi"), assistant(*parts), user("so")])
    assert told.earlier[1]["message"]["content"] == [
        {"type": "thinking", "thinking": "", "signature": "sig"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "yo"},
    ]


PLAIN = re.compile("[a-zA-Z0-9_-]+")

IDS: dict[str, list[str]] = {
    # the ids of calls, one answer after another
    "plain ones": ["toolu_1", "call-2", "3"],
    "one again and again": ["call_0", "call_0", "call_0"],
    "ones that look like others made new": ["a", "a", "a_2", "a", "a_2", "a_3"],
    "odd ones": ["a.b", "a:b", "", "\u00e9", "\ud800", "functions.f:0", "functions.f:0", "a b\n"],
}


@pytest.mark.parametrize("kind", IDS)
def test_every_call_has_a_plain_id_of_its_own_and_its_result_has_it_too(kind: str) -> None:
    messages = [user("hi")]
    for number, call_id in enumerate(IDS[kind]):
        messages += [assistant(call(call_id)), user(result(call_id, f"result {number}"))]
    told = script(messages)
    lines = [*told.earlier, told.prompt]
    calls = [b for line in lines for b in line["message"]["content"] if b["type"] == "tool_use"]
    results = [
        b for line in lines for b in line["message"]["content"] if b["type"] == "tool_result"
    ]
    ids = [block["id"] for block in calls]
    assert len(set(ids)) == len(ids)
    assert all(PLAIN.fullmatch(found) for found in ids)
    assert ids[0] == IDS[kind][0] or kind == "odd ones"
    assert [block["tool_use_id"] for block in results] == ids
    assert [b["content"][0]["text"] for b in results] == [f"result {n}" for n in range(len(ids))]
    again = script(messages).earlier
    assert [shape(line) for line in again] == [shape(line) for line in told.earlier]


def test_many_calls_of_one_id_are_told_soon() -> None:
    messages = [user("hi"), assistant(*[call("x")] * 20_000), user("so?")]
    ids = [block["id"] for block in script(messages).earlier[-1]["message"]["content"]]
    assert len(set(ids)) == 20_000


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("get_weather-2", "get_weather-2"),
        ("files.read", "files_read"),
        ("a b/c:d\u00e9", "a_b_c_d_"),
        ("", "unnamed"),
        ("x" * 200, "x" * 128),
    ],
)
def test_the_name_of_a_call_is_one_that_the_messages_api_takes(name: str, fit: str) -> None:
    told = script([user("hi"), assistant(call("1", name)), user(result("1"))])
    (block,) = told.earlier[-1]["message"]["content"]
    assert block["name"] == fit


@pytest.mark.parametrize(
    ("method", "environment", "kept"),
    [
        (None, {"ANTHROPIC_API_KEY": "k"}, {"apiKeyHelper", "awsAuthRefresh"}),
        (AuthMethod.CLI, {}, set()),
        (AuthMethod.API_KEY, {}, {"apiKeyHelper"}),
        (AuthMethod.API_KEY, {"ANTHROPIC_API_KEY": "k"}, set()),
        (AuthMethod.BEDROCK, {}, {"awsAuthRefresh"}),
        (AuthMethod.VERTEX, {}, set()),
    ],
)
def test_commands_of_another_login_are_left_out(
    method: AuthMethod | None, environment: dict[str, str], kept: set[str]
) -> None:
    own = OwnSettings(login={"apiKeyHelper": "a", "awsAuthRefresh": "b"})
    assert set(own.for_login(method, environment).login) == kept
