"""One concern a file; :data:`ALL` is their order, outermost first."""

from bridge.web.middlewares.auth import auth
from bridge.web.middlewares.envelope import add_headers, envelope
from bridge.web.middlewares.host import host

ALL = (envelope, host, auth)

__all__ = ["ALL", "add_headers"]
