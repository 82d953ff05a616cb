"""Sessions over REST: what a key sees of its own, and what it may do with them."""

import asyncio
import contextlib
import statistics
import uuid
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote

import psutil
from aiohttp import web
from attrs import frozen

from bridge.core.errors import InvalidRequest
from bridge.dialects.openai.frames import render_usage
from bridge.dialects.openai_chat import render_messages
from bridge.dialects.wire import Fault, hardened_converter, load_object
from bridge.sessions.manager import Seen
from bridge.sessions.merging import Outcome
from bridge.sessions.session import SessionKey, check_id
from bridge.web.body import read_json_body
from bridge.web.errors import json_response, rfc3339
from bridge.web.keys import ENGINE, LEDGER, PRINCIPAL, REQUEST_LOG, SESSIONS, SETTINGS

SWEEP_SECONDS = 60.0
"""How often expired sessions, and processes that have waited for too long, are looked for."""

_CONVERTER = hardened_converter()
_FORK_FIELDS = frozenset({"session_id", "message_count"})


@frozen(kw_only=True)
class ForkRequest:
    """The body of a fork: the new session's id, and how much of the history it gets."""

    session_id: str | None = None
    message_count: int | None = None


async def list_sessions(request: web.Request) -> web.Response:
    """``GET /v1/sessions``: the most recently used first."""
    sessions = [_describe(seen) for seen in request.app[SESSIONS].list(request[PRINCIPAL].id)]
    return json_response({"sessions": sessions, "total": len(sessions)})


async def session_stats(request: web.Request) -> web.Response:
    """``GET /v1/sessions/stats``: counts of one's own sessions; the processes are the server's."""
    engine = request.app[ENGINE]
    processes = engine.processes()
    memory = await asyncio.to_thread(
        lambda: {state: _memory(pids) for state, pids in processes.items()}
    )
    return json_response(
        {
            "session_stats": request.app[SESSIONS].stats(request[PRINCIPAL].id),
            "cleanup_interval_minutes": SWEEP_SECONDS / 60,
            "default_ttl_hours": request.app[SETTINGS].session_ttl / 3600,
            "matched_requests": engine.matched,
            "processes": {
                state: {
                    "count": len(pids),
                    "memory_bytes": sum(memory[state]),
                    "memory_bytes_each": memory[state],
                }
                for state, pids in processes.items()
            },
            "limits": {
                "max_live": engine.limits.max_live,
                "max_concurrent": engine.places.limit,
                "pool_size": engine.limits.pool_size,
                "max_queue": engine.limits.max_queue,
            },
            "queue": {"running": engine.places.taken, "waiting": engine.places.waiting},
            "spawn_ms": _spread(engine.fleet.pool.spawned),
            "faults": dict(engine.faults),
            "server_memory_bytes": psutil.Process().memory_info().rss,
        }
    )


async def get_session(request: web.Request) -> web.Response:
    """``GET /v1/sessions/{id}``"""
    return json_response(_describe(request.app[SESSIONS].get(_key(request))))


async def session_messages(request: web.Request) -> web.Response:
    """``GET /v1/sessions/{id}/messages``: as they can be sent to chat completions again."""
    session = request.app[SESSIONS].get(_key(request)).session
    messages = render_messages(session.system, session.messages)
    return json_response(
        {"session_id": session.key.id, "messages": messages, "total": len(session.messages)}
    )


async def fork_session(request: web.Request) -> web.Response:
    """``POST /v1/sessions/{id}/fork``"""
    body = await read_json_body(request)
    raw = load_object(body) if body.strip() else {}
    if unknown := sorted(raw.keys() - _FORK_FIELDS):
        raise InvalidRequest(
            f"{unknown[0][:100]!r} is no field of a fork; it takes 'session_id' and "
            "'message_count'.",
            param=unknown[0][:100],
            code="unknown_parameter",
        )
    try:
        asked = _CONVERTER.structure(raw, ForkRequest)
    except Fault as fault:
        raise fault.as_error() from None
    new_id = asked.session_id
    if new_id is None:
        new_id = f"session-{uuid.uuid4().hex}"
    check_id(new_id, "session_id")
    forked = await request.app[SESSIONS].fork(_key(request), new_id, asked.message_count)
    headers = {"x-session-id": encoded(new_id), "x-bridge-session": Outcome.FORKED.value}
    return json_response(_describe(forked), status=201, headers=headers)


async def delete_session(request: web.Request) -> web.Response:
    """``DELETE /v1/sessions/{id}``"""
    key = _key(request)
    try:
        await request.app[SESSIONS].delete(key)
    finally:  # also of one that has expired, or that a store could not delete
        request.app[LEDGER].forget(key.owner, key.id)
        request.app[REQUEST_LOG].forget(key.owner, key.id)
    return json_response({"message": f"Session {key.id} deleted successfully"})


async def delete_sessions(request: web.Request) -> web.Response:
    """``DELETE /v1/sessions``"""
    owner = request[PRINCIPAL].id
    try:
        deleted = await request.app[SESSIONS].delete_all(owner)
    finally:
        request.app[LEDGER].forget_all(owner)
        request.app[REQUEST_LOG].forget_all(owner)
    sessions = "1 session" if deleted == 1 else f"{deleted} sessions"
    return json_response({"message": f"{sessions} deleted successfully", "deleted": deleted})


# -- ids -----------------------------------------------------------------------------------------


def named_in_header(request: web.Request) -> str | None:
    """The session that ``X-Session-Id`` names; percent-encoded, as it is in our answers."""
    values = request.headers.getall("X-Session-Id", [])
    if not values:
        return None
    if len(set(values)) > 1:
        raise InvalidRequest(
            "There are several X-Session-Id headers: send one.", param="x-session-id"
        )
    try:
        named = unquote(values[0], errors="strict")
        named.encode()
    except UnicodeError:
        raise InvalidRequest(
            "The header X-Session-Id is not percent-encoded UTF-8.",
            param="x-session-id",
            code="invalid_session_id",
        ) from None
    return check_id(named, "x-session-id")


def encoded(session_id: str) -> str:
    """A session's id as the header ``x-session-id`` tells it."""
    return quote(session_id, safe="")


def _key(request: web.Request) -> SessionKey:
    return SessionKey(owner=request[PRINCIPAL].id, id=request.match_info["id"])


# -- documents -----------------------------------------------------------------------------------


def _describe(seen: Seen) -> dict[str, object]:
    session = seen.session
    return {
        "session_id": session.key.id,
        "created_at": rfc3339(session.created_at),
        "last_accessed": rfc3339(session.last_accessed),
        "expires_at": rfc3339(seen.expires_at),
        "message_count": len(session.messages),
        "model": session.model,
        "state": seen.state.value,
        "usage": render_usage(session.usage),
    }


def _memory(pids: Iterable[int]) -> list[int]:
    """Resident memory of each of these processes in bytes, what they share counted for each."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):  # it has just ended
            found.append(psutil.Process(pid).memory_info().rss)
    return found


def _spread(seconds: Sequence[float]) -> dict[str, float | int | None]:
    """Of the last times: how many, their median and their longest, in milliseconds."""
    return {
        "count": len(seconds),
        "median": round(statistics.median(seconds) * 1000, 1) if seconds else None,
        "longest": round(max(seconds) * 1000, 1) if seconds else None,
    }
