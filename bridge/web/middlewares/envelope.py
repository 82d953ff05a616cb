"""What every request gets: an id, headers, one line in the log, and errors in one shape."""

import logging
import re
import time
import uuid

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from bridge.core import errors
from bridge.web.dialects import is_anthropic
from bridge.web.errors import error_response
from bridge.web.keys import (
    ARRIVED,
    DELIVERED,
    ENTRY,
    NOTES,
    OPEN_ROUTES,
    PRINCIPAL,
    REQUEST_ID,
    REQUEST_LOG,
    TEMPLATES,
)
from bridge.web.requests import MAX_TEXT

access = structlog.get_logger("bridge.access")
log = logging.getLogger(__name__)

_SAFE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)

REFRESH = "X-Bridge-Refresh"
"""With ``1`` in it: a page asks again what it shows. That is no use of the server's that a person
would look for, so it is not listed, and told to the log only if it goes wrong."""

_SESSION_PATH = re.compile(r"((?:/api)?/v1/sessions/).+", re.DOTALL)

CLIENT_GONE = 499
"""The status that the log shows when the client left before the answer was whole (nginx's)."""

COMMON_HEADERS = {
    "Server": "bridge",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
}
"""Those of every answer that does not set them itself."""


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost middleware."""
    arrived = time.monotonic()
    request[ARRIVED] = arrived
    request[REQUEST_ID] = request_id(request.headers.get("X-Request-Id"))
    request[NOTES] = {}
    request[ENTRY] = request.app[REQUEST_LOG].begin(request[REQUEST_ID], request.method)
    status = CLIENT_GONE
    try:
        response = await _answer(request, handler)
        status = response.status
        return response
    finally:
        if status == CLIENT_GONE and request.get(DELIVERED):
            status = 200  # many clients close as soon as they have seen the last frame
        principal = request.get(PRINCIPAL)
        ms = round((time.monotonic() - arrived) * 1000, 1)
        _list(request, status, ms)
        tell = access.debug if _is_refresh(request) and status < 400 else access.info
        tell(
            "request",
            method=request.method,
            path=request.path,
            status=status,
            ms=ms,
            key=principal.id if principal else None,
            request_id=request[REQUEST_ID],
            **request[NOTES],
        )


def _list(request: web.Request, status: int, ms: float) -> None:
    """Put a request that has ended among the last ones of its key, if it is anybody's."""
    principal, notes, entry = request.get(PRINCIPAL), request[NOTES], request[ENTRY]
    entry.status, entry.duration_ms = status, ms
    entry.stream, entry.error = notes.get("stream", False), notes.get("error", "")[:MAX_TEXT]
    route = request.match_info.route
    entry.route = request.app[TEMPLATES].get(route) or _unknown_route(request)
    is_listed = not (_is_refresh(request) or route in request.app[OPEN_ROUTES])
    request.app[REQUEST_LOG].end(entry, principal.id if principal and is_listed else None)


def _is_refresh(request: web.Request) -> bool:
    """Whether a page asks again; what is no mere look at something can't pass for that."""
    is_look = request.method in {hdrs.METH_GET, hdrs.METH_HEAD}
    return is_look and request.headers.get(REFRESH) == "1"


def _unknown_route(request: web.Request) -> str:
    """The path of a request that is in no table; the name of a session is not part of it."""
    if match := _SESSION_PATH.match(request.path):
        return f"{match[1]}…"
    return request.rel_url.raw_path[:MAX_TEXT]


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.BridgeError as error:
        return _told(request, error)
    except web.HTTPMethodNotAllowed as error:
        return _other_method(request, error.allowed_methods)
    except web.HTTPException as error:
        return _told(request, _from_http(request, error))
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("a request failed (%s)", request[REQUEST_ID])
        mistake = errors.Internal(
            "The server made a mistake; its log tells more under the request id "
            f"{request[REQUEST_ID]}."
        )
        return _told(request, mistake)


def _told(
    request: web.Request, error: errors.BridgeError, *, allow: str | None = None
) -> web.Response:
    request[NOTES]["error"] = error.code or error.kind.value
    response = error_response(request, error, request[REQUEST_ID], allow=allow)
    if not request.content.is_eof():  # the rest of the body would be taken for another request
        response.force_close()
        if request.content.exception() is not None:
            request.content.feed_eof()  # nothing is left to be waited for
    return response


def _other_method(request: web.Request, allowed: set[str]) -> web.Response:
    """The answer to a method that a path does not take; ``OPTIONS`` asks which it takes."""
    allow = ", ".join(sorted({*allowed, hdrs.METH_OPTIONS}))
    if request.method == hdrs.METH_OPTIONS:
        return web.Response(status=204, headers={"Allow": allow})
    error = errors.MethodNotAllowed(
        f"{request.rel_url.raw_path[:200]} takes {', '.join(sorted(allowed))}, not "
        f"{request.method}.",
        code="method_not_allowed",
    )
    return _told(request, error, allow=allow)


def _from_http(request: web.Request, error: web.HTTPException) -> errors.BridgeError:
    match error:
        case web.HTTPNotFound():
            path = request.rel_url.raw_path
            return errors.NotFound(
                f"There is nothing at {request.method} {path[:200]}. {_advice(path)}",
                code="unknown_route",
            )
        case web.HTTPRequestEntityTooLarge():
            return errors.TooLarge(f"The body is too large. {error.text or ''}".strip())
        case _ if error.status < 500:
            return errors.InvalidRequest(error.text or error.reason)
        case _:
            return errors.Internal(error.text or error.reason)


def _advice(path: str) -> str:
    """What to do about a path that is not there: most such paths come from a wrong base URL."""
    if "//" in path:
        return "Its two slashes in a row may come from a base URL that ends with one."
    if "/v1/v1/" in path:
        return "Leave /v1 out of the base URL: this client adds it."
    return "GET / shows what there is."


def request_id(given: str | None) -> str:
    """The client's own id if it is safe to send back, else a new one."""
    if given and _SAFE_ID.fullmatch(given):
        return given
    return f"req_{uuid.uuid4().hex}"


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """``on_response_prepare``: the headers of every answer, streams included."""
    headers = response.headers
    headers["Server"] = COMMON_HEADERS["Server"]
    if REQUEST_ID in request:
        headers["x-request-id"] = request[REQUEST_ID]
        if is_anthropic(request):
            headers["request-id"] = request[REQUEST_ID]
        else:
            elapsed = (time.monotonic() - request[ARRIVED]) * 1000
            headers["openai-processing-ms"] = str(round(elapsed))
    for name, value in COMMON_HEADERS.items():
        headers.setdefault(name, value)
