"""An error → the answer that a client gets, in its dialect's shape."""

from aiohttp import web

from bridge.core.errors import BridgeError
from bridge.dialects.frames import dumps
from bridge.web.dialects import error_document


def error_response(
    request: web.BaseRequest, error: BridgeError, request_id: str, *, allow: str | None = None
) -> web.Response:
    """The whole answer to a request that failed before its first byte."""
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if allow is not None:
        headers["Allow"] = allow
    status, body = error_document(request, error, request_id)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return json_response(body, status=status, headers=headers)


def json_response(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON document."""
    return web.Response(
        body=dumps(value), status=status, headers=headers, content_type="application/json"
    )
