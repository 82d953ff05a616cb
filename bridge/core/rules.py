"""Which conversations can be: what the Messages API asks of their order."""

from collections.abc import Iterable, Sequence

from bridge.core.conversation import (
    Media,
    Message,
    Part,
    Passages,
    Role,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from bridge.core.errors import InvalidRequest

MAX_MEDIA = 100
"""Most pictures and files of a conversation: of more than that Claude Code drops the oldest."""


def media_of(messages: Iterable[Message]) -> int:
    """How many pictures and files these messages hold, those in results included."""
    return sum(
        _media_in(piece)
        for message in messages
        for part in message.parts
        for piece in (part.content if isinstance(part, ToolResult) else (part,))
    )


def _media_in(part: Part) -> int:
    pictures = sum(map(_media_in, part.content)) if isinstance(part, Passages) else 0
    return pictures + isinstance(part, Media)


def check_conversation(messages: Sequence[Message]) -> None:
    """Let a conversation pass that a model can be asked to go on with.

    Raises :class:`InvalidRequest`. For histories that were put together of several requests; a
    dialect checks a single request itself, where it can name the very field.
    """
    if not messages or messages[0].role is Role.ASSISTANT:
        raise _fault("the conversation must begin with a message of the user that says something.")
    if messages[-1].role is Role.ASSISTANT:
        raise _fault("the last message is the assistant's: end with one of the user or a tool.")
    if (media := media_of(messages)) > MAX_MEDIA:
        raise _fault(
            f"the conversation holds {media} pictures and files, with those of its history, and up "
            f"to {MAX_MEDIA} are taken. Begin another one."
        )
    pending: set[str] = set()
    for message in messages:
        results = [part.call_id for part in message.parts if isinstance(part, ToolResult)]
        for call_id in results:
            if call_id not in pending:
                raise _fault(f"no call waits for the result {call_id[:100]!r}.")
            pending.discard(call_id)
        if pending and not results:
            raise _missing(pending)
        pending |= {part.id for part in message.parts if isinstance(part, ToolCall)}
    if pending:
        raise _missing(pending)


def check_tool_choice(tools: Sequence[Tool], choice: ToolChoice) -> None:
    """Let a choice pass that can be made among these functions.

    Raises :class:`InvalidRequest`.
    """
    known = [tool.name for tool in tools]
    problem = None
    if unknown := [name for name in choice.names or () if name not in known]:
        problem = f"there is no function {unknown[0][:100]!r} in 'tools'."
    elif choice.required and not (known and choice.names != ()):
        problem = "it asks for a call, but 'tools' has no function that may be called."
    if problem is not None:
        raise InvalidRequest(f"'tool_choice': {problem}", param="tool_choice", code="invalid_value")


def _missing(pending: set[str]) -> InvalidRequest:
    return _fault(
        f"these tool calls have no result: {', '.join(sorted(pending))}. Every call needs its "
        "result, by its id, right after it.",
        code="missing_tool_result",
    )


def _fault(problem: str, code: str = "invalid_value") -> InvalidRequest:
    return InvalidRequest(f"'messages': {problem}", param="messages", code=code)
