"""The application: the only place that joins the concrete parts."""

import os
import time
from collections.abc import AsyncIterator, Mapping

import aiohttp_jinja2
import jinja2
from aiohttp import web

from bridge.settings import Settings
from bridge.web import endpoints
from bridge.web.assets import templates_folder
from bridge.web.keyring import keyring
from bridge.web.keys import DEMO, ENGINE, KEYRING, PATIENCE, SETTINGS, STARTED_AT
from bridge.web.middlewares import ALL, add_headers
from bridge.web.runtime import backend
from bridge.web.stream import Patience


def build_app(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    patience: Patience | None = None,
    demo_keep: int | None = 0,
) -> web.Application:
    """The application for these settings; ``environ`` is where Claude Code's environment is from.

    ``patience`` is that of streams, ``demo_keep`` how many requests the demo upstream remembers
    (tests look at them; None keeps all).

    Starting it may raise :class:`bridge.web.runtime.StartupError`.
    """
    app = web.Application(middlewares=ALL, client_max_size=settings.max_request_size)
    app[SETTINGS] = settings
    app[KEYRING] = keyring(settings.api_keys)
    app[PATIENCE] = patience or Patience()
    app[STARTED_AT] = int(time.time())
    endpoints.register(app)
    aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(templates_folder()), autoescape=True)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_end_turns)
    started_from = os.environ if environ is None else environ

    async def _backend(app: web.Application) -> AsyncIterator[None]:
        async with backend(settings, started_from, demo_keep=demo_keep) as behind:
            app[ENGINE] = behind.engine
            if behind.demo is not None:
                app[DEMO] = behind.demo
            yield

    app.cleanup_ctx.append(_backend)
    return app


async def _end_turns(app: web.Application) -> None:
    await app[ENGINE].stop_turns()
