"""The pages, from Jinja templates."""

import contextlib
import functools
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

import aiohttp_jinja2
from aiohttp import hdrs, web

from bridge import __version__
from bridge.web.catalog import backend_name
from bridge.web.endpoint import Endpoint
from bridge.web.errors import json_response
from bridge.web.keys import ENDPOINTS, ENGINE, OPENAPI, SETTINGS
from bridge.web.middlewares.envelope import COMMON_HEADERS
from bridge.web.operations import GROUPS

POLICY = COMMON_HEADERS[hdrs.CONTENT_SECURITY_POLICY].replace(
    "img-src 'self'", "img-src 'self' data:"
)
"""What the explorer's page may load: pictures of a conversation, too, which are in the messages."""


async def index(request: web.Request) -> web.Response:
    """``GET /``: the explorer, a page on which everything can be seen and tried."""
    origin = f"{request.scheme}://{request.host}"
    context: dict[str, Any] = {
        "version": __version__,
        "backend": backend_name(request.app),
        "login": await request.app[ENGINE].account.current_login(),
        "key_needed": bool(request.app[SETTINGS].api_keys),
        "origin": origin,
        "base_url": f"{origin}/v1",
        "groups": _grouped(request.app[ENDPOINTS]),
        "project": project_url(),
    }
    response = aiohttp_jinja2.render_template("index.html", request, context)
    response.headers[hdrs.CONTENT_SECURITY_POLICY] = POLICY
    return response


def _grouped(endpoints: tuple[Endpoint, ...]) -> dict[str, list[Endpoint]]:
    """The endpoints by their group, in the order in which a person meets them."""
    return {
        group: [endpoint for endpoint in endpoints if endpoint.operation.group == group]
        for group in GROUPS
    }


@functools.cache
def project_url() -> str | None:
    """The project's home, if the package that is installed names one."""
    with contextlib.suppress(PackageNotFoundError):
        named = metadata("claude-openai-bridge").get_all("Project-URL", [])
        return next((url.partition(",")[2].strip() for url in named), None)
    return None


async def openapi_document(request: web.Request) -> web.Response:
    """``GET /openapi.json``: the endpoints, for programs."""
    return json_response(request.app[OPENAPI])
