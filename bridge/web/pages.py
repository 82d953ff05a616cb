"""The pages, from Jinja templates."""

import aiohttp_jinja2
from aiohttp import web

from bridge import __version__
from bridge.web.catalog import backend_name
from bridge.web.errors import json_response
from bridge.web.keys import ENDPOINTS, ENGINE, OPENAPI, SETTINGS


async def index(request: web.Request) -> web.Response:
    """``GET /``: what this is, whether it works, and how to use it."""
    context = {
        "version": __version__,
        "backend": backend_name(request.app),
        "login": await request.app[ENGINE].account.current_login(),
        "key_needed": bool(request.app[SETTINGS].api_keys),
        "base_url": f"{request.scheme}://{request.host}/v1",
        "endpoints": [endpoint for endpoint in request.app[ENDPOINTS] if endpoint.path != "/"],
    }
    return aiohttp_jinja2.render_template("index.html", request, context)


async def openapi_document(request: web.Request) -> web.Response:
    """``GET /openapi.json``: the endpoints, for programs."""
    return json_response(request.app[OPENAPI])
