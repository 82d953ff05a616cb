"""One entry of the table of routes."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from attrs import frozen

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen(kw_only=True)
class Endpoint:
    """One method of one path.

    ``open`` endpoints need no key. Paths under ``/v1`` are also served under ``/api/v1``, and those
    of an OpenAI client without any prefix (``bare``); every path answers with a trailing slash as
    well.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    open: bool = False
    bare: bool = False

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
