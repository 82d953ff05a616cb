"""One declaration of every knob: flags, environment, documentation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bridge import cli
from bridge.claude.options import inherited_environment
from bridge.reference import configuration
from bridge.settings import (
    AuthMethod,
    NamedKnob,
    Settings,
    is_loopback,
    knobs,
    own_environment_names,
    parse_list,
)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings | str]:
    """The settings that a command line and an environment lead to, or what was complained of."""

    def parse(*args: str, **environ: str) -> Settings | str:
        found: list[Settings] = []

        def remember(**values: Any) -> None:
            found.append(cli.settings_from(values))

        monkeypatch.setattr(cli, "_main", remember)
        for name in own_environment_names():
            monkeypatch.delenv(name, raising=False)
        outcome = CliRunner().invoke(cli.command(), args, env=environ, catch_exceptions=False)
        return found[0] if found else outcome.output

    return parse


def test_nothing_given_is_the_defaults(given: Callable[..., Settings | str]) -> None:
    assert given() == Settings()


@pytest.mark.parametrize(
    ("args", "environ", "expected"),
    [
        (("--port", "1"), {}, {"port": 1}),
        ((), {"PORT": "2"}, {"port": 2}),
        ((), {"SERVER_PORT": "3"}, {"port": 3}),
        ((), {"PORT": "2", "SERVER_PORT": "3"}, {"port": 2}),
        (("--port", "1"), {"PORT": "2"}, {"port": 1}),
        ((), {"PORT": ""}, {}),
        (("--demo",), {}, {"demo": True}),
        ((), {"BRIDGE_DEMO": "true", "VERBOSE": "0"}, {"demo": True, "verbose": False}),
        ((), {"DEBUG_MODE": "1"}, {"verbose": True}),
        ((), {"API_KEYS": '["aaaaaaaa", "bbbbbbbb"]'}, {"api_keys": ("aaaaaaaa", "bbbbbbbb")}),
        ((), {"API_KEY": "aaaaaaaa, bbbbbbbb"}, {"api_keys": ("aaaaaaaa", "bbbbbbbb")}),
        ((), {"MODEL_MAP": '{"a": "opus"}'}, {"model_map": {"a": "opus"}}),
        ((), {"CLAUDE_TIMEOUT": "90"}, {"max_timeout": 90.0}),
        (("-w", "0"), {"POOL_SIZE": "3"}, {"pool_size": 0}),
        (("--auth-method", "Bedrock"), {}, {"auth_method": AuthMethod.BEDROCK}),
        (
            (),
            {"EMBEDDINGS_BASE_URL": "https://Host.example:8443/v1/"},
            {"embeddings_base_url": "https://Host.example:8443/v1"},
        ),
        ((), {"EMBEDDINGS_API_KEY": "sk-1"}, {"embeddings_api_key": "sk-1"}),
        ((), {"EMBEDDINGS_MODEL": "nomic"}, {"embeddings_model": "nomic"}),
        ((), {"CLAUDE_CLI_PATH": "/x/claude"}, {"cli_path": Path("/x/claude")}),
    ],
)
def test_what_is_given(
    given: Callable[..., Settings | str],
    args: tuple[str, ...],
    environ: dict[str, str],
    expected: dict[str, Any],
) -> None:
    assert given(*args, **environ) == Settings(**expected)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PORT": "65536"}, "between 0 and 65535"),
        ({"PORT": "eighty"}, "not a whole number"),
        ({"MAX_TIMEOUT": "600000"}, "in seconds, not in milliseconds (did you mean 600?)"),
        ({"MAX_TIMEOUT": "nan"}, "between"),
        ({"MAX_TIMEOUT": "soon"}, "not a number of seconds"),
        ({"API_KEYS": "[5]"}, "must be a string"),
        ({"API_KEYS": "[broken"}, "not a valid JSON list"),
        ({"API_KEY": "with space in it"}, "8 to 512"),
        ({"MODEL_MAP": '{"a": 5}'}, "JSON object of strings"),
        ({"BRIDGE_DEMO": "perhaps"}, "boolean"),
        ({"EMBEDDINGS_BASE_URL": "localhost:11434/v1"}, "no URL such as"),
        ({"EMBEDDINGS_BASE_URL": "file:///etc/passwd"}, "no URL such as"),
        ({"EMBEDDINGS_BASE_URL": "https:///v1"}, "no URL such as"),
        ({"EMBEDDINGS_BASE_URL": "https://host:99999/v1"}, "not a URL"),
        ({"EMBEDDINGS_BASE_URL": "https://[host/v1"}, "not a URL"),
        ({"EMBEDDINGS_BASE_URL": "https://a:b@host/v1"}, "no user name"),
        ({"EMBEDDINGS_BASE_URL": "https://host/v1?key=1"}, "must end with its path"),
        ({"EMBEDDINGS_BASE_URL": "https://host/v1/embeddings"}, "stop before /embeddings"),
        ({"EMBEDDINGS_API_KEY": "with space"}, "visible ASCII"),
        ({"CLAUDE_AUTH_METHOD": "magic"}, "cli, api_key, bedrock, vertex"),
    ],
)
def test_what_is_wrong_is_named(
    given: Callable[..., Settings | str], environ: dict[str, str], words: str
) -> None:
    (name,) = environ
    said = given(**environ)
    assert isinstance(said, str)
    assert words in " ".join(said.split())
    flag = next(knob.knob.flags[0] for knob in knobs() if name in knob.knob.env)
    assert flag in said


@pytest.mark.parametrize("named", knobs(), ids=lambda named: named.name)
def test_every_knob_is_in_the_help(named: NamedKnob) -> None:
    text = cli.command().get_help(click.Context(cli.command()))
    assert all(flag in text for flag in named.knob.flags)
    assert all(name in text for name in named.knob.env)


def test_no_name_is_used_twice() -> None:
    for names in (
        [f for k in knobs() for f in k.knob.flags],
        [e for k in knobs() for e in k.knob.env],
    ):
        assert len(names) == len(set(names))


def test_the_documentation_is_made_from_the_declaration() -> None:
    written = Path(__file__).parent.parent / "docs" / "configuration.md"
    assert written.read_text(encoding="utf-8") == configuration(), "run `make docs`"


def test_keys_are_never_shown() -> None:
    assert "secret-key" not in repr(Settings(api_keys=("secret-key",)))
    assert "secret-key" not in repr(Settings(embeddings_api_key="secret-key"))


def test_what_is_the_servers_own_never_reaches_claude_code() -> None:
    own = {name: "own" for knob in knobs() for name in knob.knob.env}
    assert {"API_KEY", "EMBEDDINGS_API_KEY"} <= set(own)
    assert inherited_environment({**own, "HOME": "/home/ada"}) == {"HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("127.0.0.1.evil", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("text", "items"),
    [("a, b,,c ", ("a", "b", "c")), ('["a,b", "c"]', ("a,b", "c")), ("", ()), ("[]", ())],
)
def test_lists(text: str, items: tuple[str, ...]) -> None:
    assert parse_list(text) == items
