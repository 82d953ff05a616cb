"""Which conversations can be: what the Messages API asks of their order."""

from collections.abc import Sequence

from bridge.core.conversation import Message, Role, ToolCall, ToolResult
from bridge.core.errors import InvalidRequest


def check_conversation(messages: Sequence[Message]) -> None:
    """Let a conversation pass that a model can be asked to go on with.

    Raises :class:`InvalidRequest`. For histories that were put together of several requests; a
    dialect checks a single request itself, where it can name the very field.
    """
    if not messages or messages[0].role is Role.ASSISTANT:
        raise _fault("the conversation must begin with a message of the user that says something.")
    if messages[-1].role is Role.ASSISTANT:
        raise _fault("the last message is the assistant's: end with one of the user or a tool.")
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


def _missing(pending: set[str]) -> InvalidRequest:
    return _fault(
        f"these tool calls have no result: {', '.join(sorted(pending))}. Every call needs a 'tool' "
        "message with its id right after it.",
        code="missing_tool_result",
    )


def _fault(problem: str, code: str = "invalid_value") -> InvalidRequest:
    return InvalidRequest(f"'messages': {problem}", param="messages", code=code)
