"""One tree of errors. Each class carries its kind and the HTTP status to answer with.

A dialect turns a kind into its own words; nothing else decides a status. The message is written
for the person who reads it in a client: what is wrong, and what to do.
"""

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What sort of fault it is; every dialect has a word of its own for each."""

    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    RATE_LIMIT = "rate_limit"
    INTERNAL = "internal"
    UPSTREAM = "upstream"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"


class BridgeError(Exception):
    """A fault that a client is told about.

    ``param`` is the path of the field at fault (``messages[0].content``), ``code`` a stable word
    for programs, ``retry_after`` the seconds after which the same request may succeed.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL
    status: ClassVar[int] = 500
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code
        self.retry_after = retry_after


class InvalidRequest(BridgeError):
    """The request can't be answered as it is."""

    kind = Kind.INVALID_REQUEST
    status = 400


class SessionLimit(InvalidRequest):
    """A session, or all of a key's together, have grown as large as they may."""

    default_code = "session_limit"


class UnsupportedParameter(InvalidRequest):
    """A parameter that would change the answer, and that can't be honoured."""

    default_code = "unsupported_parameter"


class ContextLengthExceeded(InvalidRequest):
    """The conversation is longer than the model's context."""

    default_code = "context_length_exceeded"


class MethodNotAllowed(InvalidRequest):
    """The path is there, the method is not."""

    status = 405


class TooLarge(InvalidRequest):
    """The body is larger than is taken."""

    status = 413
    default_code = "request_too_large"


class HeadTooLarge(InvalidRequest):
    """The first line or the headers are longer than is taken, or too many."""

    status = 431
    default_code = "head_too_large"


class BodyTooSlow(InvalidRequest):
    """Nothing more of the body came for too long."""

    status = 408
    default_code = "body_timeout"


class UnsupportedMediaType(InvalidRequest):
    """The body says that it is something other than JSON."""

    status = 415


class Unauthenticated(BridgeError):
    """The client's key is missing or wrong."""

    kind = Kind.AUTHENTICATION
    status = 401
    default_code = "invalid_api_key"


class Forbidden(BridgeError):
    """The client is known and may not do this."""

    kind = Kind.PERMISSION
    status = 403


class NotFound(BridgeError):
    """There is nothing under that name."""

    kind = Kind.NOT_FOUND
    status = 404


class ModelNotFound(NotFound):
    """No model has that name, or this login may not use it."""

    default_code = "model_not_found"


class SessionNotFound(NotFound):
    """The caller has no session of that name."""

    default_code = "session_not_found"


class RequestNotFound(NotFound):
    """None of the caller's last requests has that id."""

    default_code = "request_not_found"


class SessionDeleted(NotFound):
    """The session was deleted while a request was on it, or waited for it."""

    default_code = "session_deleted"


class RateLimited(BridgeError):
    """Too many requests: ours, or the plan's quota."""

    kind = Kind.RATE_LIMIT
    status = 429
    default_code = "rate_limit_exceeded"


class Internal(BridgeError):
    """A fault of the bridge itself."""

    default_code = "internal_error"


class StorageFault(Internal):
    """A session could not be written to where it is kept."""

    default_code = "storage_failed"


class NotProvided(BridgeError):
    """The server could do this, but whoever runs it has not set it up."""

    status = 501
    default_code = "not_provided"


class UpstreamFault(BridgeError):
    """The model's side answered with something that is not an answer."""

    kind = Kind.UPSTREAM
    status = 502
    default_code = "upstream_error"


class WrongAnswer(UpstreamFault):
    """The model's answer is not what was asked for: no call, or not the JSON."""

    default_code = "wrong_answer"


class UpstreamRefusedLogin(UpstreamFault):
    """The model's side does not accept the server's own credentials."""

    default_code = "upstream_authentication"


class ProcessLost(UpstreamFault):
    """The Claude Code process went away under the turn."""

    default_code = "process_lost"


class Unavailable(BridgeError):
    """Not now; later it may work."""

    kind = Kind.UNAVAILABLE
    status = 503
    default_code = "overloaded"


class NotLoggedIn(Unavailable):
    """Claude Code has no credentials on this machine."""

    default_code = "not_logged_in"


class SessionBusy(Unavailable):
    """Earlier requests on the same session took too long."""

    default_code = "session_busy"


class ShuttingDown(Unavailable):
    """The server is stopping."""

    default_code = "shutting_down"
    advice: ClassVar[str] = "The server is shutting down. Send the request again later."


class TurnTimeout(BridgeError):
    """The turn took longer than it may."""

    kind = Kind.TIMEOUT
    status = 504
    default_code = "timeout"
