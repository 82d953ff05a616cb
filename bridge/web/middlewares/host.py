"""Refuses requests for another host: a web page must not reach us by a name of its own.

DNS rebinding points a page's own name at 127.0.0.1, and the browser then lets the page read our
answers. It needs a name, so addresses are always allowed.
"""

import ipaddress
import re
import socket

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.core.errors import Forbidden
from bridge.settings import Settings
from bridge.web.keys import SETTINGS

_HOST = re.compile(r"(\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+?))\.?(:\d{1,5})?")


@web.middleware
async def host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request pass whose Host header names this server."""
    header = request.headers.get("Host")
    if header is not None and not is_ours(header, request.app[SETTINGS]):
        raise Forbidden(
            f"The Host header names {header[:100]!r}, which is not a name of this server. Whoever "
            "runs it can add the name with ALLOWED_HOSTS.",
            param="host",
            code="host_not_allowed",
        )
    return await handler(request)


def is_ours(header: str, settings: Settings) -> bool:
    """Whether a Host header's value names this server."""
    match = _HOST.fullmatch(header.lower())
    if match is None:
        return False
    name = match["address"] or match["name"]
    allowed = {host.lower() for host in settings.allowed_hosts}
    if "*" in allowed or name in allowed or name in {"localhost", settings.host.lower()}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == socket.gethostname().lower()
    return True
