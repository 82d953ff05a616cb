"""One entry of the table of routes."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from attrs import frozen

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen(kw_only=True)
class Endpoint:
    """One method of one path.

    ``open`` endpoints need no key. Paths under ``/v1`` are also served under ``/api/v1``; every
    path answers with a trailing slash as well.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    open: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it answers to, as aiohttp's router wants them."""
        if self.path == "/":
            return ("/",)
        path = self.path.replace("{id}", "{id:[^/]+}")  # aiohttp's own pattern takes no braces
        prefixes = ("", "/api") if path.startswith("/v1/") else ("",)
        return tuple(f"{p}{path}{slash}" for p in prefixes for slash in ("", "/"))
