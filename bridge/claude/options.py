"""Settings and a turn → how the CLI is run and what it is told.

Everything that shapes the CLI's behaviour stands here: its flags, its environment, the SDK's
options and the per-turn flag settings. Flags and variables that ``claude --help`` does not list
are guarded by tests against the real CLI.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen
from claude_agent_sdk import ClaudeAgentOptions, McpSdkServerConfig
from claude_agent_sdk import __version__ as sdk_version
from claude_agent_sdk.types import McpServerConfig

from bridge.claude.calls import SERVER
from bridge.claude.transcript import Transcript
from bridge.claude.transport import Command
from bridge.settings import AuthMethod, own_environment_names

PASSED_PREFIXES = ("ANTHROPIC_", "CLAUDE_", "AWS_", "GOOGLE_", "CLOUD_", "VERTEX_", "LC_")
PASSED_NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    }
)
"""What the CLI inherits. macOS looks the login up in the keychain under USER."""

PROVIDER_SWITCHES = {
    AuthMethod.BEDROCK: "CLAUDE_CODE_USE_BEDROCK",
    AuthMethod.VERTEX: "CLAUDE_CODE_USE_VERTEX",
}
API_KEY_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")

LOGIN_VARIABLES = (
    *API_KEY_VARIABLES,
    "CLAUDE_CODE_OAUTH_TOKEN",
    *PROVIDER_SWITCHES.values(),
    "ANTHROPIC_BASE_URL",
)
"""What in the environment decides which login Claude Code uses, and where."""

_QUIET = {
    # The server speaks to the model and to nobody else.
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
_NO_SECOND_CALL = {
    # The bridge decides when the model is called.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_CODE_NO_MODEL_FALLBACK": "1",  # its beta header has a refused request sent again
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",
    "DISABLE_COMPACT": "1",
}
_FUNCTIONS = {
    # The client's functions have the names that the client gave them, none is hidden from the
    # model, any number may be called at once, and a call waits for as long as we let it.
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    "ENABLE_TOOL_SEARCH": "false",
    "CLAUDE_CODE_MAX_TOOL_USE_CONCURRENCY": "1000",
    "MCP_TOOL_TIMEOUT": "2000000000",  # ms: 23 days, about the longest that a timer there can be
}
_SIMPLE = {
    # Sends the system prompt and the messages alone. It never reads an OAuth login. Without the
    # beta headers a refused request is not sent a second time with fewer of them; with an OAuth
    # login they stay, since the hour-long prompt cache is one.
    "CLAUDE_CODE_SIMPLE": "1",
    "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
}


def inherited_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the server's environment that Claude Code gets; never the bridge's own."""
    own = own_environment_names()
    return {
        name: value
        for name, value in environ.items()
        if name not in own and (name in PASSED_NAMES or name.startswith(PASSED_PREFIXES))
    }


def config_dir(environment: Mapping[str, str]) -> Path:
    """Claude Code's own directory, as the CLI itself finds it."""
    chosen = environment.get("CLAUDE_CONFIG_DIR")
    return Path(chosen) if chosen else Path(environment.get("HOME", "/nonexistent")) / ".claude"


def choose_login(environment: Mapping[str, str], method: AuthMethod | None) -> dict[str, str]:
    """The environment narrowed to one way to log in; unchanged when none was chosen.

    What the other ways would use is taken away, so that the chosen one is the one used.
    """
    narrowed = dict(environment)
    if method is None:
        return narrowed
    for other, switch in PROVIDER_SWITCHES.items():
        if other is not method:
            narrowed.pop(switch, None)
    if method in PROVIDER_SWITCHES:
        narrowed[PROVIDER_SWITCHES[method]] = "1"
    if method is not AuthMethod.API_KEY:
        for name in API_KEY_VARIABLES:
            narrowed.pop(name, None)
    else:
        narrowed.pop("CLAUDE_CODE_OAUTH_TOKEN", None)
    return narrowed


def missing_for(
    method: AuthMethod | None, environment: Mapping[str, str], *, has_helper: bool = False
) -> str | None:
    """What is not set for the chosen way to log in, in words; None when nothing is.

    ``has_helper`` says that the person's own settings name a command that gives an API key.
    """
    has_key = has_helper or any(environment.get(name) for name in API_KEY_VARIABLES)
    if method is AuthMethod.API_KEY and not has_key:
        return "CLAUDE_AUTH_METHOD=api_key needs ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN)"
    if method is AuthMethod.BEDROCK and not (
        environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    ):
        return "CLAUDE_AUTH_METHOD=bedrock needs AWS_REGION, and AWS credentials"
    if method is AuthMethod.VERTEX:
        for name in ("ANTHROPIC_VERTEX_PROJECT_ID", "CLOUD_ML_REGION"):
            if not environment.get(name):
                return f"CLAUDE_AUTH_METHOD=vertex needs {name}"
    return None


@frozen(kw_only=True)
class Launch:
    """How CLI processes of this server are run.

    ``workdir`` is an empty directory of the server's own that all of them stand in: with an OAuth
    login the CLI tells the model its path, and one path for all keeps prompts cacheable.
    ``scratch`` is where each process gets a temporary directory of its own. ``login_settings`` is
    a settings file with the person's own commands for a login, if they have any.
    """

    cli: Path
    environment: Mapping[str, str] = field(repr=False)
    workdir: Path
    scratch: Path
    simple: bool
    cli_retries: int
    login_settings: Path | None = None

    @property
    def config_dir(self) -> Path:
        """Where the CLI keeps its own files."""
        return config_dir(self.environment)

    def command(
        self,
        tmp: Path,
        system: tuple[str, ...] | None = None,
        transcript: Transcript | None = None,
    ) -> Command:
        """The command of one process that keeps its temporary files in ``tmp``.

        ``system`` is the system prompt, if it can't be told later; it is put into a file there.
        ``transcript`` is where it waits for the history that it begins with.
        """
        env = {
            **self.environment,
            **_QUIET,
            **_NO_SECOND_CALL,
            **_FUNCTIONS,
            **(_SIMPLE if self.simple else {}),
            "CLAUDE_CODE_MAX_RETRIES": str(self.cli_retries),
            "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
            "CLAUDE_AGENT_SDK_VERSION": sdk_version,
            "TMPDIR": str(tmp),
            "PWD": str(self.workdir),
        }
        prompt = ("--system-prompt", "")  # the real one comes with initialize
        if system:
            path = tmp / "system-prompt"  # an argument list is public, and short
            path.touch(mode=0o600)
            path.write_text("\n\n".join(system), encoding="utf-8")
            prompt = ("--system-prompt-file", str(path))
        history = ("--resume", str(transcript.path)) if transcript else ()
        return Command(
            argv=(str(self.cli), *_FLAGS, *prompt, *history, *self.settings_flags),
            env=env,
            cwd=self.workdir,
        )

    @property
    def settings_flags(self) -> tuple[str, ...]:
        """Which settings the CLI reads: none of the person's files, but their login."""
        login = ("--settings", str(self.login_settings)) if self.login_settings else ()
        return ("--setting-sources=", *login)


_FLAGS = (
    *("--output-format", "stream-json", "--input-format", "stream-json", "--verbose"),
    "--include-partial-messages",
    *("--tools", ""),
    "--strict-mcp-config",
    "--no-session-persistence",
    "--disable-slash-commands",  # there are none, and each turn would look for them anew
    *("--thinking", "disabled"),  # left unset, an older model is asked for 31,999 tokens of it
    *("--permission-prompt-tool", "stdio"),
    *("--allowedTools", f"mcp__{SERVER}"),
)

_LOCK = "CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE"
"""Set to 1, the CLI takes every prompt for too long and makes no further call to the model. It
looks before it says ``requesting``, so a call that it has announced is not held up."""


_NO_LIMIT = "100000000"
"""And this it is otherwise, so that the model's side says how long a prompt may be. The CLI by
itself refuses what it takes for too long, and it counts 2,000 tokens for the smallest picture."""


def sdk_options(server: McpSdkServerConfig | None = None) -> ClaudeAgentOptions:
    """The SDK options that are not flags of the CLI: with our transport only these count."""
    servers: dict[str, McpServerConfig] = {} if server is None else {SERVER: server}
    return ClaudeAgentOptions(verbatim_prompts=True, mcp_servers=servers)


def flag_settings(model: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What ``apply_flag_settings`` sets for one request: the model, and extra fields of its body.

    CLAUDE_CODE_EXTRA_BODY is merged into every request that the CLI makes until it is set again,
    so it is always set, to nothing if nothing was asked.
    """
    body = json.dumps(fields)
    settings: dict[str, Any] = {"env": {"CLAUDE_CODE_EXTRA_BODY": body, _LOCK: _NO_LIMIT}}
    if model is not None:
        settings["model"] = model
    return settings


def locked(settings: dict[str, Any]) -> dict[str, Any]:
    """What keeps a process with these flag settings from calling the model again."""
    return {"env": {**settings["env"], _LOCK: "1"}}


def unlocked(settings: dict[str, Any]) -> dict[str, Any]:
    """What lets it call again, in its next turn."""
    return {"env": settings["env"]}


NO_CLEARING: Mapping[str, Any] = {"context_management": {"edits": []}}
"""With an OAuth login the CLI asks that reasoning be cleared if it takes the model to be thinking,
which the API refuses of one that is not."""


def taken_to_think(on: bool) -> dict[str, Any]:
    """The control request that makes the CLI take the model to be thinking, or not.

    Taken to be, it adds no temperature of its own and lets every effort be. Whether the model does
    think is said in the extra fields of the request.
    """
    return {"subtype": "set_max_thinking_tokens", "max_thinking_tokens": 1_024 if on else 0}


def bundled_cli() -> Path:
    """The CLI inside the claude-agent-sdk wheel. Raises ``FileNotFoundError`` if it is not."""
    import claude_agent_sdk

    name = "claude.exe" if os.name == "nt" else "claude"
    path = Path(claude_agent_sdk.__file__).with_name("_bundled") / name
    if not path.is_file():
        raise FileNotFoundError(path)
    return path
