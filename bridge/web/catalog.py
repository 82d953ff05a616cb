"""What the server tells of itself: models, health, version."""

import contextlib
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from bridge import __version__
from bridge.claude.failures import LOGIN_ADVICE
from bridge.claude.names import Offer
from bridge.core.errors import ModelNotFound, NotLoggedIn
from bridge.dialects.policy import invalid
from bridge.web.errors import json_response
from bridge.web.keys import ENGINE, SETTINGS, STARTED_AT
from bridge.web.query import limit_of

MAX_PAGE = 1_000
"""Most models of a page, as in Anthropic's API."""


async def list_models(request: web.Request) -> web.Response:
    """``GET /v1/models``: the models that this login may use, and the names that lead to them.

    One document that OpenAI's and Anthropic's clients take; the page that the latter ask for.
    """
    models = [_model(request, offer) for offer in await _offered(request)]
    page = _page([model["id"] for model in models], request.query)
    data = models[page]
    return json_response(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": page.start > 0 if "before_id" in request.query else page.stop < len(models),
        }
    )


async def get_model(request: web.Request) -> web.Response:
    """``GET /v1/models/{id}``"""
    name = request.match_info["id"]
    for offer in await _offered(request):
        if offer.name == name:
            return json_response(_model(request, offer))
    raise ModelNotFound(
        f"The model {name[:200]!r} does not exist here. GET /v1/models lists the ones that "
        "this login may use.",
        param="model",
    )


async def _offered(request: web.Request) -> tuple[Offer, ...]:
    engine = request.app[ENGINE]
    if not (await engine.account.current_login()).logged_in:
        raise NotLoggedIn(LOGIN_ADVICE)
    return (await engine.account.known_names()).offered()


def _page(ids: Sequence[str], query: Mapping[str, str]) -> slice:
    """The part of the list that ``limit``, ``after_id`` and ``before_id`` ask for; without any of
    them it is all, since OpenAI's clients know no pages.

    Raises :class:`InvalidRequest`.
    """
    limit = limit_of(query, default=MAX_PAGE, most=MAX_PAGE)
    places = {}
    for name in ("after_id", "before_id"):
        if name in query:
            if query[name] not in ids:
                raise invalid(f"'{name}': there is no model {query[name][:100]!r}.", name)
            places[name] = ids.index(query[name])
    if len(places) > 1:
        raise invalid("'after_id' and 'before_id' exclude each other: send one.", "before_id")
    if "before_id" in places:
        end = places["before_id"]
        return slice(max(0, end - limit), end)
    start = places.get("after_id", -1) + 1
    return slice(start, min(len(ids), start + limit))


def _model(request: web.Request, offer: Offer) -> dict[str, Any]:
    """When it was made is the date in the id; where there is none, when this server started."""
    created = request.app[STARTED_AT]
    if match := re.search(r"(?<!\d)(20\d{6})(?!\d)", offer.model):
        with contextlib.suppress(ValueError):  # an account number can look like a date
            date = dt.datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=dt.UTC)
            created = int(date.timestamp())
    return {
        "id": offer.name,
        "object": "model",
        "type": "model",
        "created": created,
        "created_at": dt.datetime.fromtimestamp(created, dt.UTC).isoformat()[:-6] + "Z",
        "owned_by": "anthropic",
        "display_name": offer.display_name,
        "lifecycle": "active",
        **({} if offer.name == offer.model else {"alias_of": offer.model}),
    }


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
