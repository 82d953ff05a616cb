"""What can be made to go wrong with a request, as plain values."""

from typing import Literal

import attrs

from bridge.demo.errors import MESSAGE_OF_STATUS, status_of, type_of

FaultKind = Literal[
    "error", "break", "stall", "stream_error", "refusal", "empty", "cut", "slow"
]  # fmt: skip


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong with one request; made by the classmethods below.

    `after` counts streamed deltas (pieces of text, thinking or tool input); an answer with fewer of
    them fails after its last one, before `message_delta`. `retry_after` and `seconds` are seconds.
    """

    kind: FaultKind
    status: int = 200
    type: str = ""
    message: str = ""
    retry_after: float | None = None
    after: int | None = None
    seconds: float = 0.0

    @classmethod
    def error(
        cls,
        status: int,
        message: str | None = None,
        type: str | None = None,  # noqa: A002  the API's own word for it
        retry_after: float | None = None,
    ) -> "Fault":
        """An error answer instead of the message; ValueError unless `status` is 400-599."""
        if not 400 <= status <= 599:
            raise ValueError(f"an error status is 400-599, not {status}")
        return cls(
            kind="error",
            status=status,
            type=type or type_of(status),
            message=message or MESSAGE_OF_STATUS.get(status, "Error"),
            retry_after=retry_after,
        )

    @classmethod
    def break_stream(cls, after: int = 3) -> "Fault":
        """The connection is dropped after `after` deltas; not streamed: half way in the body."""
        return cls(kind="break", after=after)

    @classmethod
    def stall(cls, after: int | None = None) -> "Fault":
        """Silence after `after` deltas, or before any byte (None, or not streamed), for ever."""
        return cls(kind="stall", after=after)

    @classmethod
    def stream_error(
        cls,
        after: int = 3,
        type: str = "overloaded_error",  # noqa: A002  the API's own word for it
        message: str = "Overloaded",
    ) -> "Fault":
        """An SSE `event: error` after `after` deltas; not streamed: the plain error answer."""
        return cls(
            kind="stream_error", after=after, type=type, message=message, status=status_of(type)
        )

    @classmethod
    def refusal(cls) -> "Fault":
        """The model declines: a short text and stop_reason "refusal"."""
        return cls(kind="refusal")

    @classmethod
    def empty(cls) -> "Fault":
        """An answer without content, stop_reason "end_turn"."""
        return cls(kind="empty")

    @classmethod
    def cut(cls, after: int = 5) -> "Fault":
        """The answer ends after `after` deltas with stop_reason "max_tokens"."""
        return cls(kind="cut", after=after)

    @classmethod
    def slow(cls, seconds: float) -> "Fault":
        """`seconds` pass before the first byte; then all goes as it would."""
        return cls(kind="slow", seconds=seconds)
