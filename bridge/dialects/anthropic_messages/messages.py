"""``messages`` and ``system`` → the system prompt and the conversation."""

from collections.abc import Iterable
from typing import assert_never

from bridge.core.conversation import (
    Message,
    Part,
    ResultPart,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from bridge.core.errors import InvalidRequest
from bridge.dialects.anthropic_messages.models import (
    AssistantMessage,
    SystemMessage,
    TextContent,
    ToolResultBlock,
    UserMessage,
    WireMessage,
)
from bridge.dialects.blocks import (
    TextBlock,
    ToolUseBlock,
    media_in,
    only_words,
    read,
    said,
    thoughts,
)
from bridge.dialects.media import check_count
from bridge.dialects.policy import invalid


def conversation(wire: tuple[WireMessage, ...], *, continues: bool) -> tuple[Message, ...]:
    """The conversation; checks what no single message shows.

    One that ``continues`` another may begin with whatever that one can be gone on with. Raises
    :class:`InvalidRequest`.
    """
    if not wire:
        raise InvalidRequest(
            "'messages' is empty: send at least one message.", param="messages", code="empty_array"
        )
    check_count(sum(map(_media, wire)), "messages")  # before any of them is looked at
    reader = _Reader(continues=continues)
    messages = tuple(
        message
        for index, item in enumerate(wire)
        if (message := reader.read(item, f"messages[{index}]")).parts
    )
    last = f"messages[{len(wire) - 1}]"
    reader.finish(last)
    if not messages or (messages[0].role is Role.ASSISTANT and not continues):
        raise invalid(
            "'messages[0]': the conversation must begin with a message of the role 'user'.",
            "messages[0]",
        )
    if messages[-1].role is Role.ASSISTANT:
        raise invalid(
            f"'{last}': the last message is the assistant's, but an answer can't be begun for the "
            "model here (prefill), as it can't with current Claude models: the conversation must "
            "end with a message of the role 'user'.",
            last,
        )
    return messages


def texts(content: TextContent | None) -> tuple[str, ...]:
    """The texts of a system prompt, those that say something."""
    if content is None or isinstance(content, str):
        return (content,) if content and content.strip() else ()
    return tuple(block.text for block in content if block.text.strip())


def _media(wire: WireMessage) -> int:
    """How many pictures and documents it holds."""
    blocks = list(wire.content) if isinstance(wire.content, tuple) else []
    results = [block.content for block in blocks if isinstance(block, ToolResultBlock)]
    inner = [piece for pieces in results if isinstance(pieces, tuple) for piece in pieces]
    return sum(map(media_in, (*blocks, *inner)))


class _Reader:
    """Reads messages in their order; remembers the calls that still want a result."""

    def __init__(self, *, continues: bool) -> None:
        self._continues = continues  # and no answer was read that results could belong to
        self._pending: dict[str, None] = {}  # ids of calls, in their order
        self._answered: set[str] = set()  # since the last message of the assistant

    def read(self, wire: WireMessage, path: str) -> Message:
        match wire:
            case UserMessage():
                return Message(role=Role.USER, parts=tuple(self._user(wire, path)))
            case AssistantMessage():
                self.finish(path)
                return Message(role=Role.ASSISTANT, parts=self._assistant(wire, path))
            case SystemMessage():
                self.finish(path)
                said = tuple(Text(text=text) for text in texts(wire.content))
                return Message(role=Role.SYSTEM, parts=said)
            case _:
                assert_never(wire)

    def finish(self, path: str) -> None:
        """Nothing but results may come between calls and the next message."""
        if self._pending:
            missing = ", ".join(self._pending)
            raise InvalidRequest(
                f"'{path}': these 'tool_use' blocks have no 'tool_result' right after them: "
                f"{missing}. Every one needs a 'tool_result' block with its id in the next message "
                "of the user.",
                param=path,
                code="missing_tool_result",
            )

    def _user(self, wire: UserMessage, path: str) -> list[Part]:
        """Results first, as the Messages API wants them."""
        if isinstance(wire.content, str):
            self.finish(path)
            return [said(wire.content, f"{path}.content")]
        if not wire.content:
            raise invalid(f"'{path}.content' is empty.", f"{path}.content")
        places = [(f"{path}.content[{index}]", block) for index, block in enumerate(wire.content)]
        results: list[Part] = [
            self._result(block, where)
            for where, block in places
            if isinstance(block, ToolResultBlock)
        ]
        if len(results) < len(places):
            self.finish(path)
        return results + [
            read(block, where) for where, block in places if not isinstance(block, ToolResultBlock)
        ]

    def _assistant(self, wire: AssistantMessage, path: str) -> tuple[Part, ...]:
        """Reasoning that nothing came of is no answer; an answer of our own is not kept either."""
        parts = tuple(self._answer(wire, path))
        return parts if any(isinstance(part, Text | ToolCall) for part in parts) else ()

    def _answer(self, wire: AssistantMessage, path: str) -> Iterable[Part]:
        self._continues = False
        self._answered.clear()
        content = wire.content
        if isinstance(content, str):
            content = (TextBlock(text=content),)
        for index, block in enumerate(content):
            match block:
                case TextBlock():
                    if block.text.strip():  # an answer may hold an empty one
                        yield Text(text=block.text)
                case ToolUseBlock():
                    yield self._call(block, f"{path}.content[{index}].id")
                case _:
                    yield from thoughts((block,))

    def _call(self, block: ToolUseBlock, where: str) -> ToolCall:
        if block.id in self._pending:
            raise invalid(f"'{where}': the id {block.id[:100]!r} is used twice.", where)
        self._pending[block.id] = None
        return ToolCall(id=block.id, name=block.name, arguments=block.input)

    def _result(self, block: ToolResultBlock, path: str) -> ToolResult:
        where = f"{path}.tool_use_id"
        call_id = block.tool_use_id
        if call_id in self._answered:
            raise invalid(
                f"'{where}': {call_id[:100]!r} has a result already. Every call takes one.", where
            )
        if call_id not in self._pending and not (self._continues and call_id):
            raise invalid(
                f"'{where}': {call_id[:100]!r} is the id of no 'tool_use' block in the message of "
                "the assistant before it.",
                where,
            )
        self._pending.pop(call_id, None)
        self._answered.add(call_id)
        content = tuple(_result_content(block, f"{path}.content"))
        result = ToolResult(call_id=call_id, content=content, is_error=bool(block.is_error))
        return only_words(result, f"{path}.content")


def _result_content(block: ToolResultBlock, path: str) -> Iterable[ResultPart]:
    content = block.content or ()
    if isinstance(content, str):
        content = (TextBlock(text=content),)
    for index, piece in enumerate(content):
        if not isinstance(piece, TextBlock):
            yield read(piece, f"{path}[{index}]")
        elif piece.text:
            yield Text(text=piece.text)
