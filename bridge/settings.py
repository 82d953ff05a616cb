"""Every knob of the server, declared once: its flag, environment names, default and help.

The command line (:mod:`bridge.cli`) and ``docs/configuration.md`` are made from this declaration.
A flag wins over the environment, the environment over a ``.env`` file in the working directory.
"""

import json
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from attrs import field, frozen

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class AuthMethod(StrEnum):
    """Which of Claude Code's ways to log in is used."""

    CLI = "cli"
    API_KEY = "api_key"
    BEDROCK = "bedrock"
    VERTEX = "vertex"


@frozen(kw_only=True)
class Knob:
    """How one setting is given.

    ``parse`` takes the text and raises ``ValueError`` with words for a person. ``switch`` marks a
    setting that is on by its flag's mere presence. ``secret`` values are never printed.
    """

    flags: tuple[str, ...]
    env: tuple[str, ...]
    help: str
    group: str
    parse: Callable[[str], Any] = str
    metavar: str = "TEXT"
    default_text: str = ""
    switch: bool = False
    secret: bool = False


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return value

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number of seconds") from None
        if value >= 10_000:
            raise ValueError(
                f"{text} is too large: this is in seconds, not in milliseconds (did you mean "
                f"{value / 1000:g}?)"
            )
        if not low <= value <= high:
            raise ValueError(f"{text} seconds is not between {low:g} and {high:g}")
        return value

    return parse


def _long_seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None
    if not 1 <= value <= 31_536_000:
        raise ValueError(f"{text} seconds is not between 1 and 31536000 (a year)")
    return value


def parse_session_store(text: str) -> Path | None:
    """``memory`` (None) or ``sqlite:///FILE``; a fourth slash begins an absolute path."""
    if text == "memory":
        return None
    scheme, found, name = text.partition("sqlite:///")
    if scheme or not found or not name:
        raise ValueError(f"{text!r} is neither 'memory' nor 'sqlite:///FILE'")
    return _parse_path(name)


def parse_list(text: str) -> tuple[str, ...]:
    """A list as people write it: a JSON list of strings, or words between commas."""
    text = text.strip()
    if text.startswith("["):
        try:
            value = json.loads(text)
        except ValueError:
            raise ValueError("not a valid JSON list") from None
        if not all(isinstance(item, str) for item in value):
            raise ValueError("every item of the list must be a string")
        return tuple(value)
    return tuple(item.strip() for item in text.split(",") if item.strip())


def parse_keys(text: str) -> tuple[str, ...]:
    """API keys: visible ASCII without spaces, at least 8 characters each."""
    keys = parse_list(text)
    for key in keys:
        if not re.fullmatch(r"[!-~]{8,512}", key):
            raise ValueError(
                "an API key must be 8 to 512 visible ASCII characters without spaces or commas"
            )
    return keys


def parse_model_map(text: str) -> dict[str, str]:
    """A JSON object from the names that clients use to the models that answer."""
    try:
        value = json.loads(text)
    except ValueError:
        raise ValueError("not valid JSON") from None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError('must be a JSON object of strings, such as {"gpt-4": "opus"}')
    return value


def parse_auth_method(text: str) -> AuthMethod:
    """One of the names of :class:`AuthMethod`."""
    try:
        return AuthMethod(text.strip().lower())
    except ValueError:
        raise ValueError(f"{text!r} is not one of {', '.join(AuthMethod)}") from None


def parse_base_url(text: str) -> str:
    """Where an OpenAI-compatible API begins, such as ``http://127.0.0.1:11434/v1``."""
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user name and no password; a key has a setting of its own")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is no URL such as https://host/v1")
    if parts.query or parts.fragment:
        raise ValueError(f"{text!r} must end with its path, such as https://host/v1")
    if parts.path.rstrip("/").endswith("/embeddings"):
        raise ValueError(f"{text!r} must stop before /embeddings, as in https://host/v1")
    return parts.geturl().rstrip("/")


def parse_key(text: str) -> str:
    """A key as other servers give them out: visible ASCII without spaces."""
    if not re.fullmatch(r"[!-~]{1,4096}", text):
        raise ValueError("must be visible ASCII characters without spaces")
    return text


def _parse_path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _knob(default: Any, *flags: str, env: tuple[str, ...], **rest: Any) -> Any:
    knob = Knob(flags=flags, env=env, **rest)
    return field(default=default, metadata={"knob": knob}, repr=not knob.secret)


@frozen(kw_only=True)
class Settings:
    """What the server runs with. See :func:`knobs` for how each value is given."""

    host: str = _knob(
        "127.0.0.1",
        "--host",
        env=("HOST", "SERVER_HOST"),
        group="Server",
        metavar="ADDRESS",
        help="Address to listen on. Beyond loopback a key is required.",
    )
    port: int | None = _knob(
        None,
        "--port",
        env=("PORT", "SERVER_PORT"),
        group="Server",
        parse=_integer(0, 65535),
        metavar="NUMBER",
        default_text="8000, or the next free one",
        help="Port to listen on; 0 lets the system choose. A port given here must be free.",
    )
    demo: bool = _knob(
        False,
        "--demo",
        env=("BRIDGE_DEMO",),
        group="Server",
        switch=True,
        help="Answer from the built-in demo model: no login, no cost, nothing leaves the machine.",
    )
    demo_pace: float = _knob(
        0.025,
        "--demo-pace",
        env=("BRIDGE_DEMO_PACE",),
        group="Server",
        parse=_seconds(0, 10),
        metavar="SECONDS",
        help="Time between two words of the demo model.",
    )
    api_keys: tuple[str, ...] = _knob(
        (),
        "--api-key",
        env=("API_KEY", "API_KEYS"),
        group="Access",
        parse=parse_keys,
        metavar="KEY[,KEY…]",
        default_text="none: anyone who reaches the port may use it",
        secret=True,
        help="Keys, one or several, of which clients must send one, as Bearer token or x-api-key. "
        "Prefer the environment: other users of the machine can read a command line.",
    )
    insecure: bool = _knob(
        False,
        "--insecure",
        env=("BRIDGE_INSECURE",),
        group="Access",
        switch=True,
        help="Allow listening beyond loopback without a key.",
    )
    allowed_hosts: tuple[str, ...] = _knob(
        (),
        "--allowed-hosts",
        env=("ALLOWED_HOSTS",),
        group="Access",
        parse=parse_list,
        metavar="NAME[,NAME…]",
        default_text="loopback names, and the address listened on",
        help="Further host names that clients may use for this server; * allows any.",
    )
    default_model: str | None = _knob(
        None,
        "--default-model",
        env=("DEFAULT_MODEL",),
        group="Models",
        metavar="MODEL",
        default_text="the model of your own Claude settings",
        help="Model for requests that name none.",
    )
    model_map: dict[str, str] = _knob(
        attrs.Factory(dict),
        "--model-map",
        env=("MODEL_MAP",),
        group="Models",
        parse=parse_model_map,
        metavar="JSON",
        default_text="none; built in are gpt-4 → opus, gpt-4o → sonnet, gpt-4o-mini → haiku …",
        help="Names that clients use, mapped to models; added to the built-in map, and stronger.",
    )
    max_concurrent: int = _knob(
        16,
        "--max-concurrent",
        env=("MAX_CONCURRENT",),
        group="Limits",
        parse=_integer(1, 1000),
        metavar="NUMBER",
        help="Turns that run at once; more wait, the keys in turn. Never more than MAX_LIVE.",
    )
    max_queue: int = _knob(
        100,
        "--max-queue",
        env=("MAX_QUEUE",),
        group="Limits",
        parse=_integer(0, 100_000),
        metavar="NUMBER",
        help="Turns that may wait; one more is answered with 503 and a retry-after.",
    )
    pool_size: int | None = _knob(
        None,
        "--pool-size",
        "--workers",
        "-w",
        env=("POOL_SIZE",),
        group="Limits",
        parse=_integer(0, 100),
        metavar="NUMBER",
        default_text="half the processors, 2 to 4",
        help="Claude Code processes kept ready, about 120 MB each: every other one for a "
        "conversation that has a history.",
    )
    max_live: int | None = _knob(
        None,
        "--max-live",
        env=("MAX_LIVE",),
        group="Limits",
        parse=_integer(1, 1000),
        metavar="NUMBER",
        default_text="a quarter of the memory at 170 MB each, 4 to 16",
        help="Claude Code processes in all. Beyond it the least recently used idle one is ended; "
        "its conversation goes on by replay.",
    )
    max_process_memory: int = _knob(
        2 * 1024**3,
        "--max-process-memory",
        env=("MAX_PROCESS_MEMORY",),
        group="Limits",
        parse=_integer(256 * 1024**2, 2**50),
        metavar="BYTES",
        help="Memory that a Claude Code process may take; one that takes more is ended.",
    )
    process_idle: float = _knob(
        300.0,
        "--process-idle",
        env=("PROCESS_IDLE_SECONDS",),
        group="Limits",
        parse=_seconds(0, 9999),
        metavar="SECONDS",
        help="How long a conversation's process waits for its next turn before it is ended.",
    )
    tool_wait: float = _knob(
        600.0,
        "--tool-wait",
        env=("TOOL_WAIT_SECONDS",),
        group="Limits",
        parse=_seconds(0, 9999),
        metavar="SECONDS",
        help="How long a process waits for the results of the functions that the model called. "
        "Results that come later are taken all the same, by replay.",
    )
    session_ttl: float = _knob(
        3600.0,
        "--session-ttl",
        env=("SESSION_TTL_SECONDS",),
        group="Sessions",
        parse=_long_seconds,
        metavar="SECONDS",
        help="How long a session lives after its last use.",
    )
    session_wait: float = _knob(
        300.0,
        "--session-wait",
        env=("SESSION_WAIT_SECONDS",),
        group="Sessions",
        parse=_seconds(0, 9999),
        metavar="SECONDS",
        help="How long a request waits for earlier ones on the same session before it ends with "
        "503.",
    )
    session_store: Path | None = _knob(
        None,
        "--session-store",
        env=("SESSION_STORE",),
        group="Sessions",
        parse=parse_session_store,
        metavar="memory|sqlite:///FILE",
        default_text="memory: sessions end with the server",
        help="Where sessions are kept. A SQLite file keeps them over restarts and crashes; it "
        "holds the conversations in plain text.",
    )
    max_sessions: int = _knob(
        1000,
        "--max-sessions",
        env=("MAX_SESSIONS",),
        group="Sessions",
        parse=_integer(1, 1_000_000),
        metavar="NUMBER",
        help="Sessions that a key may have at once; one more is refused.",
    )
    max_session_messages: int = _knob(
        2000,
        "--max-session-messages",
        env=("MAX_SESSION_MESSAGES",),
        group="Sessions",
        parse=_integer(2, 1_000_000),
        metavar="NUMBER",
        help="Messages that a session may have.",
    )
    max_session_bytes: int = _knob(
        256 * 1024 * 1024,
        "--max-session-bytes",
        env=("MAX_SESSION_BYTES",),
        group="Sessions",
        parse=_integer(1024, 2**40),
        metavar="BYTES",
        help="Memory that the histories of all sessions of a key may take together.",
    )
    evict_sessions: bool = _knob(
        False,
        "--evict-sessions",
        env=("EVICT_SESSIONS",),
        group="Sessions",
        switch=True,
        help="Where a key has too many sessions, or too large ones, delete its least recently used "
        "instead of refusing the request.",
    )
    lenient_sampling: bool = _knob(
        False,
        "--lenient-sampling",
        env=("LENIENT_SAMPLING",),
        group="Models",
        switch=True,
        help="Leave temperature and top_p out for the models that refuse them (those from 4.7 on), "
        "and name them in x-bridge-ignored. By default such a request gets the model's own error.",
    )
    no_match: bool = _knob(
        False,
        "--no-match",
        env=("NO_MATCH",),
        group="Sessions",
        switch=True,
        help="Do not keep the processes of requests without a session_id. By default one is kept "
        "in case the client sends the same conversation again with something new at its end.",
    )
    max_timeout: float = _knob(
        600.0,
        "--timeout",
        env=("MAX_TIMEOUT", "CLAUDE_TIMEOUT"),
        group="Limits",
        parse=_seconds(0.1, 9999),
        metavar="SECONDS",
        help="Longest time for one answer, waiting for a free place included; then the turn ends "
        "with 504.",
    )
    max_request_size: int = _knob(
        20 * 1024 * 1024,
        "--max-request-size",
        env=("MAX_REQUEST_SIZE",),
        group="Limits",
        parse=_integer(1024, 2**30),
        metavar="BYTES",
        help="Largest request body; a larger one is answered with 413.",
    )
    retries: int = _knob(
        2,
        "--retries",
        env=("MAX_RETRIES",),
        group="Limits",
        parse=_integer(0, 10),
        metavar="NUMBER",
        help="How often a model call that failed before its first token (429, 5xx, 529, no "
        "network) is made again.",
    )
    retry_max_wait: float = _knob(
        6.0,
        "--retry-max-wait",
        env=("RETRY_MAX_WAIT",),
        group="Limits",
        parse=_seconds(0, 3600),
        metavar="SECONDS",
        help="Longest wait before one such retry; if the model's side asks for more, the client "
        "gets the error instead. Two such waits are over before the 15 seconds after which a "
        "silent stream gets its head, so that the error is still a status.",
    )
    auth_method: AuthMethod | None = _knob(
        None,
        "--auth-method",
        env=("CLAUDE_AUTH_METHOD",),
        group="Claude Code",
        parse=parse_auth_method,
        metavar="|".join(AuthMethod),
        default_text="whatever Claude Code finds",
        help="Use just this way to log in, and refuse to start when it is not set up.",
    )
    cli_path: Path | None = _knob(
        None,
        "--cli-path",
        env=("CLAUDE_CLI_PATH",),
        group="Claude Code",
        parse=_parse_path,
        metavar="FILE",
        default_text="the one inside claude-agent-sdk",
        help="The Claude Code program to run.",
    )
    embeddings_base_url: str | None = _knob(
        None,
        "--embeddings-base-url",
        env=("EMBEDDINGS_BASE_URL",),
        group="Embeddings",
        parse=parse_base_url,
        metavar="URL",
        default_text="none: WordLlama makes them in this process, if it is installed",
        help="OpenAI-compatible API that embeddings are asked of, such as "
        "http://127.0.0.1:11434/v1. With --demo only one on this machine is.",
    )
    embeddings_api_key: str | None = _knob(
        None,
        "--embeddings-api-key",
        env=("EMBEDDINGS_API_KEY",),
        group="Embeddings",
        parse=parse_key,
        metavar="KEY",
        default_text="none",
        secret=True,
        help="Key for that API. Prefer the environment: other users of the machine can read a "
        "command line.",
    )
    embeddings_model: str | None = _knob(
        None,
        "--embeddings-model",
        env=("EMBEDDINGS_MODEL",),
        group="Embeddings",
        metavar="MODEL",
        default_text="the one that the client names",
        help="Model to ask of that API, whichever the client names.",
    )
    verbose: bool = _knob(
        False,
        "--verbose",
        "-v",
        env=("VERBOSE", "DEBUG_MODE"),
        group="Server",
        switch=True,
        help="Log more. Prompts, answers and keys are never logged.",
    )


@frozen(kw_only=True)
class NamedKnob:
    """A knob together with the setting that it gives."""

    name: str
    knob: Knob
    default: Any


def knobs() -> tuple[NamedKnob, ...]:
    """All knobs, in the order of their declaration."""
    defaults = Settings()
    return tuple(
        NamedKnob(name=a.name, knob=a.metadata["knob"], default=getattr(defaults, a.name))
        for a in attrs.fields(Settings)
    )


def own_environment_names() -> frozenset[str]:
    """The environment variables that are the bridge's: they never reach Claude Code."""
    return frozenset(name for knob in knobs() for name in knob.knob.env)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on ``host``."""
    return host in LOOPBACK or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def default_text(knob: NamedKnob) -> str:
    """The default of a knob in words, for help and documentation."""
    if knob.knob.default_text:
        return knob.knob.default_text
    if knob.knob.switch:
        return "off"
    value = knob.default
    return f"{value:g}" if isinstance(value, float) else str(value)
