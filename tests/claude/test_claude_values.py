"""The pure parts of the Claude room: names, environment, settings of a turn, history."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.claude.history import script
from bridge.claude.names import ListedModel, Names, listed_models
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
from bridge.core.conversation import Message, Role, Text, ToolCall, ToolResult
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


THINKERS = (
    ListedModel(value="default", resolved="claude-opus-9", thinks_always=True),
    ListedModel(value="opus", resolved="claude-opus-9", thinks_always=True),
    ListedModel(value="haiku", resolved="claude-haiku-9"),
    ListedModel(value="old", resolved="claude-sonnet-4-5", thinks_always=True),
)

FORCED: list[tuple[tuple[ListedModel, ...], str | None, bool]] = [
    # what the CLI lists, the model as resolved, whether it can be forced
    (THINKERS, "claude-opus-9", False),
    (THINKERS, "claude-haiku-9", True),
    (THINKERS, "claude-sonnet-4-5", False),  # the list knows better than the name
    (THINKERS, None, False),
    (LISTED, None, True),
    (LISTED[1:], None, False),  # no default is listed
    ((), None, False),
    *[
        ((), name, True)
        for name in (
            "claude-2.1",
            "claude-instant-1",
            "claude-3-opus-20240229",
            "claude-3-5-sonnet-20241022",
            "claude-3-7-sonnet-latest",
            "claude-3.5-haiku",
            "claude-sonnet-4",
            "claude-sonnet-4-20250514",
            "claude-sonnet-4-5",
            "claude-sonnet-4-5-20250929[1m]",
            "claude-opus-4-1-20250805",
            "claude-opus-4@20250514",
            "anthropic.claude-3-haiku-20240307-v1:0",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        )
    ],
    *[
        ((), name, False)
        for name in (
            "claude-opus-5",
            "claude-opus-5-5",
            "claude-sonnet-5-4-1",
            "claude-haiku-5-5@20261001",
            "claude-5-opus",
            "claude-10-opus",
            "claude-opus-10",
            "claude-sonnet-45",
            "claude-sonnet-20250929",
            "us.anthropic.claude-opus-5-5-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x4",
            "opus",
            "default",
            "anything-4",
        )
    ],
]


@pytest.mark.parametrize(("listed", "resolved", "can"), FORCED)
def test_which_models_can_be_forced_to_call(
    listed: tuple[ListedModel, ...], resolved: str | None, can: bool
) -> None:
    assert Names(listed=listed).can_force(resolved) is can


@pytest.mark.parametrize(
    ("described", "thinks_always"),
    [
        ({}, False),
        ({"supportsThinkingOff": None}, False),
        ({"supportsThinkingOff": True}, False),
        ({"supportsThinkingOff": False}, True),
    ],
)
def test_the_list_tells_which_models_always_think(
    described: dict[str, Any], thinks_always: bool
) -> None:
    (model,) = listed_models([{"value": "m", **described}])
    assert model == ListedModel(value="m", resolved="m", thinks_always=thinks_always)


def test_offered_names_lead_to_listed_models() -> None:
    offered = Names(model_map={"mine": "haiku", "lost": "claude-gone"}, listed=LISTED).offered()
    assert offered["mine"] == "claude-haiku-9"
    assert "default" not in offered
    assert "lost" not in offered
    assert set(offered.values()) == {model.resolved for model in LISTED}


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
