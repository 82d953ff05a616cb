"""One entry of the table of routes."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from attrs import field, frozen

from bridge.core.errors import BridgeError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen(kw_only=True)
class Parameter:
    """What a request says beside its body; ``place`` is ``path``, ``query`` or ``header``."""

    name: str
    place: str
    description: str
    schema: dict[str, Any] = field(factory=lambda: {"type": "string"})
    example: str | None = None


@frozen(kw_only=True)
class Operation:
    """What a program, or a person, has to know to call an endpoint.

    Schemas are named: they are components of :mod:`bridge.web.schemas`. ``request`` is that of
    the body, ``answer`` that of a whole answer, which comes with ``status``; ``stream`` that of the
    data of each server-sent event; ``error`` that of every error. Without an ``answer`` it is a
    page. ``example`` is a body that can be sent as it is. ``errors`` are those of this endpoint;
    what can happen to any request is added by :mod:`bridge.web.openapi`.
    """

    group: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    request: str | None = None
    may_be_empty: bool = False
    example: dict[str, Any] | None = None
    status: int = 200
    answer: str | None = None
    stream: str | None = None
    headers: tuple[str, ...] = ()
    error: str = "Error"
    errors: tuple[type[BridgeError], ...] = ()


NOT_TOLD = Operation(group="")


@frozen(kw_only=True)
class Endpoint:
    """One method of one path.

    ``open`` endpoints need no key. Paths under ``/v1`` are also served under ``/api/v1``, and those
    of an OpenAI client without any prefix (``bare``); every path answers with a trailing slash as
    well. ``operation`` is what is told about it; a test wants it of each.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    open: bool = False
    bare: bool = False
    operation: Operation = NOT_TOLD

    @property
    def id(self) -> str:
        """Its name in the OpenAPI document, and on the pages."""
        return self.handler.__name__

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it answers to, as aiohttp's router wants them."""
        if self.path == "/":
            return ("/",)
        path = self.path.replace("{id}", "{id:[^/]+}")  # aiohttp's own pattern takes no braces
        paths = [path]
        if path.startswith("/v1/"):
            paths.append(f"/api{path}")
            if self.bare:
                paths.append(path.removeprefix("/v1"))
        return tuple(f"{path}{slash}" for path in paths for slash in ("", "/"))
