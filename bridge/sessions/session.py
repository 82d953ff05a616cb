"""A session as a value: a conversation's history, and what is told about it."""

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from sys import getsizeof
from typing import Any

from attrs import field, frozen

from bridge.core.conversation import (
    LinkedDocument,
    LinkedImage,
    Message,
    Passages,
    SearchResult,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from bridge.core.errors import InvalidRequest
from bridge.core.events import Usage

MAX_ID = 256
_RESERVED = frozenset({"stats", ".", ".."})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

MESSAGE_BYTES = 200
"""What a message costs in memory beside its text, about, in bytes."""


class State(StrEnum):
    """What a session does now."""

    LIVE = "live"  # a process holds it
    BUSY = "busy"  # a turn runs
    WAITING = "waiting"  # for the results of the model's tool calls
    PARKED = "parked"  # its history is all there is


@frozen(kw_only=True)
class SessionKey:
    """Whose it is, and the name that the owner gave it."""

    owner: str
    id: str


@frozen(kw_only=True)
class Session:
    """A conversation as far as it has come. Times are in seconds since 1970.

    ``tools`` are the functions that were offered last; ``model`` is the name that the last turn
    asked for, None for the default; ``usage`` the sum of all turns; ``size`` about the bytes that
    it takes in memory.
    """

    key: SessionKey
    created_at: float
    last_accessed: float
    messages: tuple[Message, ...] = ()
    system: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    model: str | None = None
    usage: Usage = field(factory=Usage)
    size: int = field(default=0, eq=False)

    @property
    def waits_for_results(self) -> bool:
        """Whether the model has called functions and not heard of their results."""
        return bool(self.messages) and any(
            isinstance(part, ToolCall) for part in self.messages[-1].parts
        )


def check_id(session_id: str, param: str) -> str:
    """A name that a session may have.

    Raises :class:`InvalidRequest`, with ``param`` in it.
    """
    problem = None
    if not 1 <= len(session_id) <= MAX_ID:
        problem = f"must have 1 to {MAX_ID} characters, but it has {len(session_id)}"
    elif _CONTROL.search(session_id):
        problem = "must not hold control characters"
    elif session_id in _RESERVED:
        problem = f"can't be {session_id!r}: that name is taken by a path"
    if problem is not None:
        raise InvalidRequest(f"'{param}' {problem}.", param=param, code="invalid_session_id")
    return session_id


def size_of(
    messages: Sequence[Message], system: Sequence[str] = (), tools: Sequence[Tool] = ()
) -> int:
    """About how many bytes a history takes in memory, with what stands before it."""
    said = sum(MESSAGE_BYTES + sum(_size(part) for part in m.parts) for m in messages)
    return said + sum(getsizeof(text) for text in system) + sum(_size(tool) for tool in tools)


def _size(part: Any) -> int:
    match part:
        case Text(text=text):
            return getsizeof(text)
        case Thinking():
            return getsizeof(part.text) + getsizeof(part.signature)
        case ToolCall():
            return getsizeof(str(part.arguments))
        case ToolResult():
            return sum(_size(piece) for piece in part.content)
        case Passages():
            return sum(_size(piece) for piece in part.content)
        case SearchResult():
            return sum(getsizeof(text) for text in part.texts)
        case LinkedImage() | LinkedDocument():
            return getsizeof(part.url)
        case Tool():
            return getsizeof(json.dumps(part.schema)) + getsizeof(part.description or "")
        case _:
            return getsizeof(part.data)
