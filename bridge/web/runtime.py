"""The server's private directory, and the settings and login that a run starts from."""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from attrs import frozen

from bridge.claude.engine import Engine
from bridge.claude.limits import Limits as EngineLimits
from bridge.claude.names import Names
from bridge.claude.options import (
    Launch,
    bundled_cli,
    choose_login,
    inherited_environment,
    missing_for,
)
from bridge.claude.own_settings import OwnSettings, read_own_settings
from bridge.claude.translate import RetryPolicy
from bridge.demo import DemoUpstream
from bridge.embeddings.engine import Embeddings
from bridge.embeddings.engine import Engine as EmbeddingsEngine
from bridge.embeddings.forward import ForwardEngine
from bridge.embeddings.local import LocalEngine
from bridge.sessions.entries import Limits
from bridge.sessions.manager import SessionManager
from bridge.sessions.sqlite import open_sqlite
from bridge.sessions.store import MemoryStore, SessionStore, StoreError
from bridge.settings import AuthMethod, Settings, is_loopback

log = logging.getLogger(__name__)

LOCK = "in-use"

PROCESS_BYTES = 170 * 2**20
"""What a Claude Code process takes after some turns (PSS); a fresh one takes 120 MB."""


class StartupError(Exception):
    """The server can't start as it was asked to; the message says what to change."""


@frozen(kw_only=True)
class Backend:
    """What answers the turns of a running server."""

    engine: Engine
    demo: DemoUpstream | None


@contextlib.asynccontextmanager
async def backend(
    settings: Settings, environ: Mapping[str, str], *, demo_keep: int | None
) -> AsyncIterator[Backend]:
    """Everything behind the HTTP side, from start to a stop that leaves nothing behind.

    ``demo_keep`` is how many requests the demo upstream remembers, None for all. Raises
    :class:`StartupError`.
    """
    with private_directory() as root:
        async with contextlib.AsyncExitStack() as stack:
            demo, own = None, OwnSettings()
            if settings.demo:
                demo = DemoUpstream(pace=settings.demo_pace, keep=demo_keep)
                await demo.start()
                stack.push_async_callback(demo.stop)
                environment = demo_environment(environ, root, demo.url)
            else:
                environment = inherited_environment(environ)
                own = read_own_settings(environment)
                environment = choose_login({**own.environment, **environment}, settings.auth_method)
                own = own.for_login(settings.auth_method, environment)
                helper = "apiKeyHelper" in own.login
                if missing := missing_for(settings.auth_method, environment, has_helper=helper):
                    raise StartupError(missing)
            engine = make_engine(settings, environment, own, root)
            stack.push_async_callback(engine.aclose)
            await engine.start()
            if settings.auth_method is not None and not settings.demo:
                _require_login(settings, engine)
            yield Backend(engine=engine, demo=demo)


def make_engine(
    settings: Settings, environment: Mapping[str, str], own: OwnSettings, root: Path
) -> Engine:
    """The engine for these settings, in the private directory ``root``."""
    try:
        cli = settings.cli_path or bundled_cli()
    except FileNotFoundError as error:
        raise StartupError(
            f"claude-agent-sdk has no Claude Code program inside ({error}). Install the wheel for "
            "your platform, or name a program with CLAUDE_CLI_PATH."
        ) from None
    if not (cli.is_file() and os.access(cli, os.X_OK)):
        raise StartupError(f"CLAUDE_CLI_PATH: {cli} is not a program that can be run.")
    for name in ("work", "scratch"):
        (root / name).mkdir(mode=0o700)
    return Engine(
        launch=Launch(
            cli=cli,
            environment=environment,
            workdir=root / "work",
            scratch=root / "scratch",
            simple=False,  # until the login is known
            cli_retries=settings.retries + 1,  # the one too many tells the wait, and is stopped
            login_settings=_login_settings(own, root),
        ),
        names=Names(
            model_map=settings.model_map,
            default=settings.default_model or own.model,
        ),
        policy=RetryPolicy(retries=settings.retries, max_wait=settings.retry_max_wait),
        limits=engine_limits(settings),
        match=not settings.no_match,
        lenient=settings.lenient_sampling,
    )


def engine_limits(settings: Settings) -> EngineLimits:
    """How much may go on at once, by the settings and by this machine."""
    return EngineLimits(
        max_concurrent=settings.max_concurrent,
        max_queue=settings.max_queue,
        max_timeout=settings.max_timeout,
        pool_size=default_pool_size() if settings.pool_size is None else settings.pool_size,
        max_live=default_max_live() if settings.max_live is None else settings.max_live,
        process_idle=settings.process_idle,
        tool_wait=settings.tool_wait,
        max_process_memory=settings.max_process_memory,
    )


@contextlib.asynccontextmanager
async def session_manager(
    settings: Settings, engine: Engine, clock: Callable[[], float]
) -> AsyncIterator[SessionManager]:
    """The sessions, as they were left. Raises :class:`StartupError`."""
    try:
        store: SessionStore = MemoryStore()
        if settings.session_store is not None:
            store = await open_sqlite(settings.session_store)
        manager = SessionManager(
            runner=engine,
            store=store,
            limits=Limits(
                ttl=settings.session_ttl,
                max_wait=settings.session_wait,
                max_sessions=settings.max_sessions,
                max_messages=settings.max_session_messages,
                max_bytes=settings.max_session_bytes,
                evict=settings.evict_sessions,
            ),
            clock=clock,
        )
        try:
            await manager.start()
            yield manager
        finally:
            await manager.aclose()
    except StoreError as error:
        raise StartupError(f"SESSION_STORE: {error}") from None


@contextlib.asynccontextmanager
async def embeddings(settings: Settings) -> AsyncIterator[Embeddings]:
    """What makes embeddings. Raises :class:`StartupError`."""
    engine: EmbeddingsEngine = LocalEngine()
    url = settings.embeddings_base_url
    if url is None and (settings.embeddings_api_key or settings.embeddings_model):
        raise StartupError(
            "EMBEDDINGS_API_KEY and EMBEDDINGS_MODEL say how to ask another server, but "
            "EMBEDDINGS_BASE_URL does not say which."
        )
    if url is not None and settings.demo and not is_loopback(urlsplit(url).hostname or ""):
        log.warning("--demo sends nothing away: EMBEDDINGS_BASE_URL is not used")
    elif url is not None:
        engine = ForwardEngine(
            base_url=url,
            key=settings.embeddings_api_key,
            model=settings.embeddings_model,
            at_once=settings.max_concurrent,
        )
    try:
        yield Embeddings(
            engine=engine, max_waiting=settings.max_queue, timeout=settings.max_timeout
        )
    finally:
        await engine.aclose()


def steady_clock() -> Callable[[], float]:
    """The time in seconds since 1970, by a clock that nobody can set while the server runs."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


def default_pool_size() -> int:
    """Starting a process takes a processor for a while: half of them may do that.

    Two there are at least: one for a new conversation, one for a history.
    """
    return min(4, max(2, (os.cpu_count() or 1) // 2))


def default_max_live() -> int:
    """As many processes as a quarter of the memory holds, within reason."""
    return min(16, max(4, psutil.virtual_memory().total // 4 // PROCESS_BYTES))


def _login_settings(own: OwnSettings, root: Path) -> Path | None:
    if not own.login:
        return None
    path = root / "login.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(dict(own.login)), encoding="utf-8")
    return path


def demo_environment(environ: Mapping[str, str], root: Path, url: str) -> dict[str, str]:
    """A Claude Code with nothing of the person's: no login, no settings, no proxy, no home."""
    home = root / "home"
    home.mkdir(mode=0o700)
    kept = {name: environ[name] for name in ("PATH", "LANG", "TZ") if name in environ}
    return kept | {
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "demo",
    }


def _require_login(settings: Settings, engine: Engine) -> None:
    if not engine.account.login.logged_in:
        advice = f"Log in with `{engine.account.launch.cli} auth login`, or choose "
        raise StartupError(
            f"CLAUDE_AUTH_METHOD={settings.auth_method} is chosen, but Claude Code is not logged "
            f"in that way. {advice if settings.auth_method is AuthMethod.CLI else 'Choose '}"
            "another method."
        )


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A directory that only this user can read, gone afterwards.

    A server that was killed could not delete its own; the next one to start does. A lock tells
    whether the owner lives: a process id would not, from inside another container.
    """
    base = Path(tempfile.gettempdir())
    _sweep(base)
    root = Path(tempfile.mkdtemp(prefix="bridge-", dir=base))
    try:
        with (root / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _sweep(base: Path) -> None:
    for lock in base.glob(f"bridge-*/{LOCK}"):
        with contextlib.suppress(OSError), lock.open("r+") as held:
            if os.fstat(held.fileno()).st_uid == os.getuid():
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
