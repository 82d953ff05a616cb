"""The tree of errors: every class has a row, and a class without one fails the last test."""

from collections.abc import Iterator

import pytest

from bridge.core import errors
from bridge.core.errors import BridgeError, Kind

# class → status, kind, the code that it carries when the raiser names none
TREE: dict[type[BridgeError], tuple[int, Kind, str | None]] = {
    errors.BridgeError: (500, Kind.INTERNAL, None),
    errors.InvalidRequest: (400, Kind.INVALID_REQUEST, None),
    errors.SessionLimit: (400, Kind.INVALID_REQUEST, "session_limit"),
    errors.UnsupportedParameter: (400, Kind.INVALID_REQUEST, "unsupported_parameter"),
    errors.ContextLengthExceeded: (400, Kind.INVALID_REQUEST, "context_length_exceeded"),
    errors.MethodNotAllowed: (405, Kind.INVALID_REQUEST, None),
    errors.TooLarge: (413, Kind.INVALID_REQUEST, "request_too_large"),
    errors.HeadTooLarge: (431, Kind.INVALID_REQUEST, "head_too_large"),
    errors.BodyTooSlow: (408, Kind.INVALID_REQUEST, "body_timeout"),
    errors.UnsupportedMediaType: (415, Kind.INVALID_REQUEST, None),
    errors.Unauthenticated: (401, Kind.AUTHENTICATION, "invalid_api_key"),
    errors.Forbidden: (403, Kind.PERMISSION, None),
    errors.NotFound: (404, Kind.NOT_FOUND, None),
    errors.ModelNotFound: (404, Kind.NOT_FOUND, "model_not_found"),
    errors.SessionNotFound: (404, Kind.NOT_FOUND, "session_not_found"),
    errors.RequestNotFound: (404, Kind.NOT_FOUND, "request_not_found"),
    errors.SessionDeleted: (404, Kind.NOT_FOUND, "session_deleted"),
    errors.RateLimited: (429, Kind.RATE_LIMIT, "rate_limit_exceeded"),
    errors.Internal: (500, Kind.INTERNAL, "internal_error"),
    errors.StorageFault: (500, Kind.INTERNAL, "storage_failed"),
    errors.NotProvided: (501, Kind.INTERNAL, "not_provided"),
    errors.UpstreamFault: (502, Kind.UPSTREAM, "upstream_error"),
    errors.WrongAnswer: (502, Kind.UPSTREAM, "wrong_answer"),
    errors.UpstreamRefusedLogin: (502, Kind.UPSTREAM, "upstream_authentication"),
    errors.ProcessLost: (502, Kind.UPSTREAM, "process_lost"),
    errors.Unavailable: (503, Kind.UNAVAILABLE, "overloaded"),
    errors.NotLoggedIn: (503, Kind.UNAVAILABLE, "not_logged_in"),
    errors.SessionBusy: (503, Kind.UNAVAILABLE, "session_busy"),
    errors.ShuttingDown: (503, Kind.UNAVAILABLE, "shutting_down"),
    errors.TurnTimeout: (504, Kind.TIMEOUT, "timeout"),
}


def family(cls: type[BridgeError]) -> Iterator[type[BridgeError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_a_class_carries_its_status_kind_and_code(cls: type[BridgeError]) -> None:
    error = cls("what is wrong")
    assert (error.status, error.kind, error.code) == TREE[cls]
    assert error.message == str(error) == "what is wrong"
    assert error.param is None
    assert error.retry_after is None


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_what_the_raiser_says_wins(cls: type[BridgeError]) -> None:
    error = cls("no", param="messages[0]", code="my_code", retry_after=7)
    assert (error.param, error.code, error.retry_after) == ("messages[0]", "my_code", 7)


def test_every_class_has_a_row() -> None:
    ours = {cls for cls in family(BridgeError) if cls.__module__ == errors.__name__}
    assert ours == set(TREE)


def test_every_kind_is_used() -> None:
    assert {kind for _, kind, _ in TREE.values()} == set(Kind)
