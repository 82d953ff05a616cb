"""What every request gets: an id, headers, one line in the log, and errors in one shape."""

import logging
import re
import time
import uuid

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.core import errors
from bridge.web.dialects import is_anthropic
from bridge.web.errors import error_response
from bridge.web.keys import ARRIVED, DELIVERED, NOTES, PRINCIPAL, REQUEST_ID

access = structlog.get_logger("bridge.access")
log = logging.getLogger(__name__)

_SAFE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)

CLIENT_GONE = 499
"""The status that the log shows when the client left before the answer was whole (nginx's)."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost middleware."""
    arrived = time.monotonic()
    request[ARRIVED] = arrived
    request[REQUEST_ID] = request_id(request.headers.get("X-Request-Id"))
    request[NOTES] = {}
    status = CLIENT_GONE
    try:
        response = await _answer(request, handler)
        status = response.status
        return response
    finally:
        if status == CLIENT_GONE and request.get(DELIVERED):
            status = 200  # many clients close as soon as they have seen the last frame
        principal = request.get(PRINCIPAL)
        access.info(
            "request",
            method=request.method,
            path=request.path,
            status=status,
            ms=round((time.monotonic() - arrived) * 1000, 1),
            key=principal.id if principal else None,
            request_id=request[REQUEST_ID],
            **request[NOTES],
        )


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.BridgeError as error:
        return _told(request, error)
    except web.HTTPException as error:
        return _told(request, _from_http(request, error), allow=error.headers.get("Allow"))
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
    return error_response(request, error, request[REQUEST_ID], allow=allow)


def _from_http(request: web.Request, error: web.HTTPException) -> errors.BridgeError:
    match error:
        case web.HTTPNotFound():
            return errors.NotFound(
                f"There is nothing at {request.method} {request.path[:200]}. GET / shows what "
                "there is.",
                code="unknown_route",
            )
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return errors.MethodNotAllowed(
                f"{request.path[:200]} takes {allowed}, not {request.method}.",
                code="method_not_allowed",
            )
        case web.HTTPRequestEntityTooLarge():
            return errors.TooLarge(f"The body is too large. {error.text or ''}".strip())
        case _ if error.status < 500:
            return errors.InvalidRequest(error.text or error.reason)
        case _:
            return errors.Internal(error.text or error.reason)


def request_id(given: str | None) -> str:
    """The client's own id if it is safe to send back, else a new one."""
    if given and _SAFE_ID.fullmatch(given):
        return given
    return f"req_{uuid.uuid4().hex}"


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """``on_response_prepare``: the headers of every answer, streams included."""
    headers = response.headers
    headers["Server"] = "bridge"
    if REQUEST_ID in request:
        headers["x-request-id"] = request[REQUEST_ID]
        if is_anthropic(request):
            headers["request-id"] = request[REQUEST_ID]
        else:
            elapsed = (time.monotonic() - request[ARRIVED]) * 1000
            headers["openai-processing-ms"] = str(round(elapsed))
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
