"""What the server knows of its own login, what has been used of it, and by which requests."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bridge import __version__
from bridge.claude.failures import LOGIN_ADVICE
from bridge.claude.login import Login
from bridge.claude.meter import Quota
from bridge.claude.options import LOGIN_VARIABLES
from bridge.core.errors import RequestNotFound
from bridge.dialects.policy import invalid
from bridge.web.catalog import backend_name
from bridge.web.errors import json_response, rfc3339
from bridge.web.keys import ENGINE, LEDGER, PRINCIPAL, REQUEST_LOG, SETTINGS
from bridge.web.query import limit_of
from bridge.web.requests import MAX_REQUESTS
from bridge.web.series import STEPS

DEFAULT_STEP = 3_600
DEFAULT_LIMIT = 100


async def auth_status(request: web.Request) -> web.Response:
    """``GET /v1/auth/status``: the login as Claude Code itself tells it now; no secret is in it."""
    account = request.app[ENGINE].account
    login = await account.refresh()
    has_keys = bool(request.app[SETTINGS].api_keys)
    return json_response(
        {
            "claude_code_auth": {
                "method": login.method,
                "provider": login.provider,
                "backend": backend_name(request.app),
                "status": {"valid": login.logged_in, "errors": _errors(login)},
                "environment_variables": _set(account.launch.environment),
            },
            "server_info": {
                "api_key_required": has_keys,
                "api_key_source": "settings" if has_keys else "none",
                "version": __version__,
            },
        }
    )


async def usage(request: web.Request) -> web.Response:
    """``GET /v1/usage``: what the caller's key has used, and the state of the server's plan."""
    ledger = request.app[LEDGER]
    quotas = request.app[ENGINE].meter.quotas.values()
    return json_response(
        {
            "object": "usage",
            "since": rfc3339(ledger.since),
            **ledger.render(request[PRINCIPAL].id),
            "plan": [_quota(quota) for quota in quotas],
        }
    )


async def usage_series(request: web.Request) -> web.Response:
    """``GET /v1/usage/series``: what the caller's key has used in each minute, hour or day."""
    steps = {str(step): step for step in STEPS}
    step = steps.get(asked := request.query.get("step", str(DEFAULT_STEP)))
    if step is None:
        told = ", ".join(steps)
        raise invalid(f"'step' must be one of {told}, but it is {asked[:20]!r}.", "step")
    series = request.app[LEDGER].render_series(request[PRINCIPAL].id, step)
    return json_response({"object": "usage.series", **series})


async def list_requests(request: web.Request) -> web.Response:
    """``GET /v1/requests``: the last ones of the caller's key."""
    limit = limit_of(request.query, default=DEFAULT_LIMIT, most=MAX_REQUESTS)
    entries = request.app[REQUEST_LOG].list(request[PRINCIPAL].id)
    data = [entry.render() for entry in entries[:limit]]
    return json_response({"object": "list", "data": data, "total": len(entries)})


async def get_request(request: web.Request) -> web.Response:
    """``GET /v1/requests/{id}``: the last one of that id."""
    asked = request.match_info["id"]
    entry = request.app[REQUEST_LOG].find(request[PRINCIPAL].id, asked)
    if entry is None:
        raise RequestNotFound(
            f"There is no request {asked[:100]!r} among the last {MAX_REQUESTS} of your key that "
            "have ended.",
            param="id",
        )
    return json_response(entry.render())


def _quota(quota: Quota) -> dict[str, Any]:
    return {
        "window": quota.window,
        "status": quota.status,
        "utilization": quota.utilization,
        "resets_at": None if quota.resets_at is None else rfc3339(quota.resets_at),
        "overage_status": quota.overage_status,
        "told_at": rfc3339(quota.told_at),
    }


def _errors(login: Login) -> list[str]:
    return [] if login.logged_in else [login.error or LOGIN_ADVICE]


def _set(environment: Mapping[str, str]) -> dict[str, bool]:
    """Which of the variables that decide about the login are set; never what to."""
    return {name: bool(environment.get(name)) for name in LOGIN_VARIABLES}
