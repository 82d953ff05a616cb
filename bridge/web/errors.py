"""An error → the answer that a client gets, in its dialect's shape."""

import datetime as dt

from aiohttp import web

from bridge.core.errors import BridgeError, NotLoggedIn
from bridge.dialects.frames import dumps
from bridge.web.dialects import error_document


def error_response(
    request: web.BaseRequest, error: BridgeError, request_id: str, *, allow: str | None = None
) -> web.Response:
    """The whole answer to a request that failed before its first byte."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if allow is not None:
        headers["Allow"] = allow
    status, body = error_document(request, error, request_id)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 501 or isinstance(error, NotLoggedIn):  # the official clients would try twice more
        headers["x-should-retry"] = "false"
    return json_response(body, status=status, headers=headers)


def rfc3339(seconds: float) -> str:
    """A time in seconds since 1970, in UTC, to the millisecond."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def json_response(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON document."""
    return web.Response(
        body=dumps(value), status=status, headers=headers, content_type="application/json"
    )
