"""From settings to a listening server, and from a signal to an empty process table."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable

from aiohttp import web
from attrs import frozen

from bridge.settings import Settings, is_loopback
from bridge.web.app import build_app
from bridge.web.connection import Connection
from bridge.web.runtime import StartupError

log = logging.getLogger(__name__)

DEFAULT_PORT = 8000
PORTS_TRIED = 20
DRAIN_SECONDS = 1.0
"""How long answers may take to end, after their turns were ended, when the server stops.

aiohttp waits up to twice as long: once for the handlers, once for their connections.
"""


@frozen(kw_only=True)
class Listening:
    """A server that listens, and how to end it."""

    app: web.Application
    port: int
    stop: Callable[[], "asyncio.Future[None]"]


async def listen(app: web.Application, sock: socket.socket) -> Listening:
    """Start the application on a bound socket.

    Raises :class:`StartupError` when what is behind it can't start.
    """
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=DRAIN_SECONDS
    )
    try:
        await runner.setup()
    except BaseException:
        await runner.cleanup()
        raise
    manager = runner.server
    assert manager is not None  # noqa: S101 - setup() made it
    server = await loop.create_server(
        lambda: Connection(
            manager,
            loop=loop,
            # None turns aiohttp's own access log off, as in AppRunner; its type does not say so.
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,  # whoever reads a body tells what is wrong with it
        ),
        sock=sock,
    )

    async def stop() -> None:
        server.close()
        await runner.cleanup()

    return Listening(
        app=app,
        port=sock.getsockname()[1],
        stop=lambda: asyncio.ensure_future(stop()),
    )


def bind(settings: Settings) -> socket.socket:
    """A socket on the chosen port; without a choice the first free one from 8000 on.

    Raises :class:`StartupError`.
    """
    check_exposure(settings)
    chosen = settings.port is not None
    first = settings.port if settings.port is not None else DEFAULT_PORT
    for port in range(first, first + (1 if chosen else PORTS_TRIED)):
        try:
            return _bound(settings.host, port)
        except OSError as error:
            fault = error
    hint = "" if chosen else f" to {first + PORTS_TRIED - 1}"
    raise StartupError(
        f"Can't listen on {settings.host} port {first}{hint}: {fault.strerror or fault}."
        + (" Choose another one with --port, or leave --port out." if chosen else "")
    )


def check_exposure(settings: Settings) -> None:
    """Refuse to serve other machines without a key. Raises :class:`StartupError`."""
    if is_loopback(settings.host) or settings.api_keys or settings.insecure:
        return
    raise StartupError(
        f"Listening on {settings.host} would let everybody who reaches this machine spend your "
        "tokens. Set API_KEY, or listen on 127.0.0.1, or say --insecure if that is what you want."
    )


def _bound(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


async def serve(settings: Settings, *, announce: Callable[[Listening], None]) -> None:
    """Run until SIGTERM or SIGINT; when this returns no child process is left.

    Raises :class:`StartupError`.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    with bind(settings) as sock:
        starting = asyncio.create_task(listen(build_app(settings), sock))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return
        stopping.cancel()
        listening = await starting
        try:
            log.info(
                "listening on port %s; %s answers",
                listening.port,
                "the demo model" if settings.demo else "Claude",
            )
            announce(listening)
            await stopped.wait()
            log.info("stopping")
        finally:
            await listening.stop()
