"""What the server tells of itself: models, health, version."""

import contextlib
import datetime as dt
import re

from aiohttp import web

from bridge import __version__
from bridge.claude.failures import LOGIN_ADVICE
from bridge.core.errors import ModelNotFound, NotLoggedIn
from bridge.web.errors import json_response
from bridge.web.keys import ENGINE, SETTINGS, STARTED_AT


async def list_models(request: web.Request) -> web.Response:
    """``GET /v1/models``: the models that this login may use, and the names that lead to them."""
    offered = await _offered(request)
    data = [_model(request, name, target) for name, target in offered.items()]
    return json_response({"object": "list", "data": data})


async def get_model(request: web.Request) -> web.Response:
    """``GET /v1/models/{id}``"""
    offered = await _offered(request)
    name = request.match_info["id"]
    if name not in offered:
        raise ModelNotFound(
            f"The model {name[:200]!r} does not exist here. GET /v1/models lists the ones that "
            "this login may use.",
            param="model",
        )
    return json_response(_model(request, name, offered[name]))


async def _offered(request: web.Request) -> dict[str, str]:
    engine = request.app[ENGINE]
    if not (await engine.account.current_login()).logged_in:
        raise NotLoggedIn(LOGIN_ADVICE)
    return (await engine.account.known_names()).offered()


def _model(request: web.Request, name: str, target: str) -> dict[str, object]:
    """``created`` is the date in the id; where there is none, the time this server started."""
    created = request.app[STARTED_AT]
    if match := re.search(r"(?<!\d)(20\d{6})(?!\d)", target):
        with contextlib.suppress(ValueError):  # an account number can look like a date
            date = dt.datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=dt.UTC)
            created = int(date.timestamp())
    model: dict[str, object] = {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "anthropic",
    }
    if name != target:
        model["alias_of"] = target
    return model


async def health(request: web.Request) -> web.Response:
    """``GET /health``"""
    return json_response(
        {
            "status": "healthy",
            "service": "bridge",
            "backend": backend_name(request.app),
            "logged_in": request.app[ENGINE].account.login.logged_in,
        }
    )


async def version(_: web.Request) -> web.Response:
    """``GET /version``"""
    return json_response({"version": __version__, "service": "bridge", "api_version": "v1"})


def backend_name(app: web.Application) -> str:
    """``demo`` when the built-in model answers, else ``claude``."""
    return "demo" if app[SETTINGS].demo else "claude"
