"""The Messages API's errors: one class, one table of types, one body shape.

Source: the API's documented error list (400 invalid_request_error … 529 overloaded_error) and its
body `{"type": "error", "error": {"type", "message"}, "request_id"}`.
"""

from typing import Any

import attrs

TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

MESSAGE_OF_STATUS = {
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API.",
    403: "Your API key does not have permission to use the specified resource.",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your rate limit. Please try again later.",
    500: "Internal server error",
    504: "The request timed out.",
    529: "Overloaded",
}


def type_of(status: int) -> str:
    """The error type the API gives with an HTTP `status` (400-599)."""
    return TYPE_OF_STATUS.get(status, "api_error" if status >= 500 else "invalid_request_error")


def status_of(type_: str) -> int:
    """The HTTP status the API gives an error `type_`; 500 for one it does not know."""
    return next((status for status, name in TYPE_OF_STATUS.items() if name == type_), 500)


@attrs.frozen(kw_only=True)
class ApiError(Exception):
    """An answer other than 200: its HTTP status, error type, message and `retry-after` seconds."""

    status: int
    type: str
    message: str
    retry_after: float | None = None

    @classmethod
    def of(cls, status: int, message: str | None = None) -> "ApiError":
        """The error the API itself gives with `status`, in its own words unless told others."""
        text = message or MESSAGE_OF_STATUS.get(status, "Error")
        return cls(status=status, type=type_of(status), message=text)

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON document of this error."""
        return error_body(self.type, self.message, request_id)


def invalid(message: str) -> ApiError:
    """A 400 `invalid_request_error`; `message` names the path at fault first."""
    return ApiError.of(400, message)


def error_body(type_: str, message: str, request_id: str) -> dict[str, Any]:
    """The body of an error answer, and the data of an SSE `event: error`."""
    return {
        "type": "error",
        "error": {"type": type_, "message": message},
        "request_id": request_id,
    }
