"""The application: the only place that joins the concrete parts."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp_jinja2
import jinja2
from aiohttp import web

from bridge.claude.meter import Spent
from bridge.core.errors import BridgeError
from bridge.settings import Settings
from bridge.web import endpoints, sessions
from bridge.web.assets import templates_folder
from bridge.web.keyring import keyring
from bridge.web.keys import (
    DEMO,
    EMBEDDINGS,
    ENGINE,
    KEYRING,
    LEDGER,
    PATIENCE,
    REQUEST_LOG,
    SESSIONS,
    SETTINGS,
    STARTED_AT,
    TOLD,
)
from bridge.web.ledger import Ledger
from bridge.web.middlewares import ALL, add_headers
from bridge.web.requests import RequestLog
from bridge.web.runtime import backend, embeddings, session_manager, steady_clock
from bridge.web.stream import Patience

log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
"""How often the memory of the processes is looked at; a look takes some 50 µs for each."""


def build_app(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    patience: Patience | None = None,
    demo_keep: int | None = 0,
    clock: Callable[[], float] | None = None,
) -> web.Application:
    """The application for these settings; ``environ`` is where Claude Code's environment is from.

    ``patience`` is that of streams, ``demo_keep`` how many requests the demo upstream remembers
    (tests look at them; None keeps all). ``clock`` is the time that sessions live by, in seconds
    since 1970.

    Starting it may raise :class:`bridge.web.runtime.StartupError`.
    """
    app = web.Application(middlewares=ALL, client_max_size=settings.max_request_size)
    app[SETTINGS] = settings
    app[KEYRING] = keyring(settings.api_keys)
    app[PATIENCE] = patience or Patience()
    now = clock or steady_clock()
    app[STARTED_AT] = int(time.time())
    app[LEDGER] = Ledger(clock=now)
    app[REQUEST_LOG] = RequestLog(clock=now)
    app[TOLD] = set()
    endpoints.register(app)
    aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(templates_folder()), autoescape=True)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_end_turns)
    started_from = os.environ if environ is None else environ

    def _pay(spent: Spent) -> None:
        app[LEDGER].pay(spent)
        app[REQUEST_LOG].pay(spent)

    async def _backend(app: web.Application) -> AsyncIterator[None]:
        async with backend(settings, started_from, demo_keep=demo_keep) as behind:
            app[ENGINE] = behind.engine
            behind.engine.meter.began = app[LEDGER].began
            behind.engine.meter.spent = _pay
            if behind.demo is not None:
                app[DEMO] = behind.demo
            yield

    async def _sessions(app: web.Application) -> AsyncIterator[None]:
        async with session_manager(settings, app[ENGINE], now) as manager:
            app[SESSIONS] = manager
            yield

    async def _embeddings(app: web.Application) -> AsyncIterator[None]:
        async with embeddings(settings) as app[EMBEDDINGS]:
            yield

    app.cleanup_ctx.append(_embeddings)
    app.cleanup_ctx.append(_backend)
    app.cleanup_ctx.append(_sessions)
    app.cleanup_ctx.append(_sweeping)
    return app


async def _sweeping(app: web.Application) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            app[ENGINE].end_overgrown()

    async def sweep() -> None:
        while True:
            await asyncio.sleep(sessions.SWEEP_SECONDS)
            app[ENGINE].sweep()
            try:
                await app[SESSIONS].sweep()
            except BridgeError as error:
                log.error("expired sessions could not be deleted: %s", error)

    tasks = [asyncio.create_task(sweep()), asyncio.create_task(watch())]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _end_turns(app: web.Application) -> None:
    await app[ENGINE].stop_turns()
