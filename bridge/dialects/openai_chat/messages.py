"""``messages`` → the system prompt and the conversation."""

from collections.abc import Iterable
from typing import assert_never

from bridge.core.conversation import (
    Document,
    LinkedDocument,
    Message,
    Part,
    RedactedThinking,
    ResultPart,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from bridge.core.errors import InvalidRequest
from bridge.core.mending import mended
from bridge.dialects.blocks import (
    DocumentBlock,
    ImageBlock,
    SearchResultBlock,
    ToolUseBlock,
    media_in,
    only_words,
    read,
    thoughts,
)
from bridge.dialects.media import check_count, document, picture
from bridge.dialects.openai_chat.models import (
    AssistantContent,
    AssistantMessage,
    FileData,
    FilePart,
    FunctionMessage,
    ImagePart,
    ImageUrl,
    RefusalPart,
    SystemMessage,
    TextPart,
    TextParts,
    ToolContent,
    ToolMessage,
    ToolPart,
    ToolResultPart,
    UserContent,
    UserMessage,
    WireMessage,
)
from bridge.dialects.policy import JsonObject
from bridge.dialects.wire import Fault, check_sendable, load_object


def conversation(
    wire: tuple[WireMessage, ...], *, continues: bool
) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """The system prompt's texts, and the conversation; checks what no single message shows.

    One that ``continues`` another may begin with whatever that one can be gone on with.
    """
    if not wire:
        raise InvalidRequest(
            "'messages' is empty: send at least one message.", param="messages", code="empty_array"
        )
    check_count(sum(map(_media, wire)), "messages")  # before any of them is looked at
    front = 0
    while front < len(wire) and isinstance(wire[front], SystemMessage):
        front += 1
    system = tuple(
        text
        for message in wire[:front]
        if isinstance(message, SystemMessage)
        for text in _texts(message.content)
    )
    reader = _Reader(continues=continues)
    messages = tuple(
        message
        for index, item in enumerate(wire[front:], start=front)
        if (message := reader.read(item, f"messages[{index}]")).parts
    )
    reader.finish(f"messages[{len(wire) - 1}]")
    if not messages or (messages[0].role is Role.ASSISTANT and not continues):
        raise InvalidRequest(
            "'messages' must hold a message of the user that says something"
            + (", before the first one of the assistant." if messages else "."),
            param="messages",
            code="invalid_value",
        )
    if messages[-1].role is Role.ASSISTANT:
        raise InvalidRequest(
            "The last message is the assistant's. Continuing an answer (prefill) is not supported "
            "by current Claude models: end with a message of the user or a tool.",
            param=f"messages[{len(wire) - 1}]",
            code="invalid_value",
        )
    return system, messages


def _media(wire: WireMessage) -> int:
    """How many pictures and files it holds."""
    content = wire.content if isinstance(wire, UserMessage | ToolMessage) else None
    parts = list(content) if isinstance(content, tuple) else []
    results = [part.content for part in parts if isinstance(part, ToolResultPart)]
    inner = [piece for pieces in results if isinstance(pieces, tuple) for piece in pieces]
    return sum(isinstance(part, ImagePart | FilePart) + media_in(part) for part in (*parts, *inner))


class _Reader:
    """Reads messages in their order; remembers the calls that still want a result."""

    def __init__(self, *, continues: bool) -> None:
        self._continues = continues  # and no answer was read that results could belong to
        self._pending: dict[str, str] = {}  # call id → name
        self._answered: set[str] = set()  # since the last message of the assistant
        self._legacy = 0

    def read(self, wire: WireMessage, path: str) -> Message:
        if isinstance(wire, ToolMessage | FunctionMessage):
            return Message(role=Role.USER, parts=(self._result(wire, path),))
        if isinstance(wire, UserMessage):
            return Message(role=Role.USER, parts=self._user(wire.content, path))
        self.finish(path)
        match wire:
            case SystemMessage():
                parts = tuple(part for text in _texts(wire.content) for part in _said(text))
                return Message(role=Role.SYSTEM, parts=parts)
            case AssistantMessage():
                return Message(role=Role.ASSISTANT, parts=self._assistant(wire, path))
            case _:
                assert_never(wire)

    def finish(self, path: str) -> None:
        """Nothing but results may come between calls and the next message."""
        if self._pending:
            missing = ", ".join(self._pending)
            raise InvalidRequest(
                f"'{path}': these tool calls have no result before it: {missing}. Every call of an "
                "assistant message needs a 'tool' message with its id right after it.",
                param=path,
                code="missing_tool_result",
            )

    def _user(self, content: UserContent | None, path: str) -> tuple[Part, ...]:
        """Results first, as the Messages API wants them."""
        if content is None or isinstance(content, str):
            self.finish(path)
            return _said(content)
        places = [(f"{path}.content[{index}]", part) for index, part in enumerate(content)]
        results = [
            self._answer_to(part.tool_use_id, part, where, name="tool_use_id")
            for where, part in places
            if isinstance(part, ToolResultPart)
        ]
        if len(results) < len(places):
            self.finish(path)
        read = [
            piece
            for where, part in places
            if not isinstance(part, ToolResultPart)
            for piece in _piece(part, where)
            if not isinstance(piece, Text) or piece.text.strip()
        ]
        return (*results, *read)

    def _assistant(self, wire: AssistantMessage, path: str) -> tuple[Part, ...]:
        self._continues = False
        self._answered.clear()
        if wire.audio is not None:
            raise InvalidRequest(
                f"'{path}.audio': this server keeps no spoken answers. Send their words as "
                "'content'.",
                param=f"{path}.audio",
                code="unsupported_parameter",
            )
        parts = list(self._content(wire.content, path))
        if not any(isinstance(part, Thinking | RedactedThinking) for part in parts):
            parts = [*thoughts(wire.thinking_blocks or ()), *parts]  # or it would be there twice
        parts += _said(wire.refusal)
        for index, call in enumerate(wire.tool_calls or ()):
            where = f"{path}.tool_calls[{index}]"
            arguments = _arguments(call.function.arguments, f"{where}.function.arguments")
            parts.append(self._call(call.id, call.function.name, arguments, f"{where}.id"))
        if wire.function_call is not None:
            self._legacy += 1
            while (call_id := f"call_legacy_{self._legacy}") in self._pending:
                self._legacy += 1
            arguments = _arguments(wire.function_call.arguments, f"{path}.function_call.arguments")
            parts.append(self._call(call_id, wire.function_call.name, arguments, path))
        says = any(isinstance(part, Text | ToolCall) for part in parts)
        return tuple(parts) if says else ()

    def _content(self, content: AssistantContent | None, path: str) -> Iterable[Part]:
        if content is None or isinstance(content, str):
            yield from _said(content)
            return
        for index, part in enumerate(content):
            match part:
                case TextPart():
                    yield from _said(part.text)
                case RefusalPart():
                    yield from _said(part.refusal)
                case ToolUseBlock():
                    yield self._call(part.id, part.name, part.input, f"{path}.content[{index}].id")
                case _:
                    yield from thoughts((part,))

    def _call(self, call_id: str, name: str, arguments: JsonObject, where: str) -> ToolCall:
        if call_id in self._pending:
            raise InvalidRequest(
                f"'{where}': the id {call_id[:100]!r} is used twice.",
                param=where,
                code="invalid_value",
            )
        self._pending[call_id] = name
        return ToolCall(id=call_id, name=name, arguments=arguments)

    def _result(self, wire: ToolMessage | FunctionMessage, path: str) -> ToolResult:
        if isinstance(wire, FunctionMessage):
            return self._function_result(wire, path)
        return self._answer_to(wire.tool_call_id, wire, path, name="tool_call_id")

    def _answer_to(
        self, call_id: str, wire: ToolMessage | ToolResultPart, path: str, *, name: str
    ) -> ToolResult:
        where = f"{path}.{name}"
        if call_id in self._answered:
            raise InvalidRequest(
                f"'{where}': {call_id[:100]!r} has a result already. Every call takes one.",
                param=where,
                code="invalid_value",
            )
        # without an id a result is one whose call is to be found by its function's name
        if call_id not in self._pending and not (self._continues and call_id):
            raise _no_call(call_id, where)
        self._answer(call_id)
        content = tuple(_result_content(wire.content, f"{path}.content"))
        result = ToolResult(call_id=call_id, content=content, is_error=bool(wire.is_error))
        return only_words(result, f"{path}.content")

    def _function_result(self, wire: FunctionMessage, path: str) -> ToolResult:
        content = (Text(text=wire.content),) if wire.content else ()
        call_id = next((i for i, name in self._pending.items() if name == wire.name), None)
        if call_id is not None:
            self._answer(call_id)
            return ToolResult(call_id=call_id, content=content)
        if not self._continues:
            raise _no_call(wire.name, f"{path}.name")
        return ToolResult(call_id="", name=wire.name, content=content)

    def _answer(self, call_id: str) -> None:
        self._pending.pop(call_id, None)
        self._answered.add(call_id)


def _no_call(named: str, where: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{where}': {named[:100]!r} answers no call of the assistant message before it.",
        param=where,
        code="invalid_value",
    )


def _texts(content: TextParts | None) -> tuple[str, ...]:
    if content is None or isinstance(content, str):
        return (content,) if content else ()
    return tuple(part.text for part in content if part.text)


def _said(text: str | None) -> tuple[Text, ...]:
    """The text, if it says something: the Messages API refuses empty blocks."""
    return (Text(text=text),) if text and text.strip() else ()


def _result_content(content: ToolContent | None, path: str) -> Iterable[ResultPart]:
    if content is None or isinstance(content, str):
        content = (TextPart(text=content),)
    for index, part in enumerate(content):
        yield from _piece(part, f"{path}[{index}]")


def _piece(part: ToolPart, path: str) -> Iterable[ResultPart]:
    """What a part holds to be read: a text, a picture or a file."""
    match part:
        case TextPart():
            if part.text:
                yield Text(text=part.text)
        case ImagePart(image_url=ImageUrl(url=url)):
            yield picture(url, f"{path}.image_url.url")
        case ImagePart(image_url=str(url)):
            yield picture(url, f"{path}.image_url")
        case FilePart():
            yield _file(part.file, f"{path}.file")
        case ImageBlock() | DocumentBlock() | SearchResultBlock():
            yield read(part, path)


def _file(file: FileData, path: str) -> Document | LinkedDocument:
    if file.file_id is not None:
        raise InvalidRequest(
            f"'{path}.file_id': this server keeps no files. Send the file itself as 'file_data', "
            "a data: URL in base64.",
            param=f"{path}.file_id",
            code="unsupported_parameter",
        )
    if file.file_data is None:
        raise InvalidRequest(
            f"'{path}.file_data' is missing.",
            param=f"{path}.file_data",
            code="missing_required_parameter",
        )
    return document(file.file_data, file.filename, file.context, f"{path}.file_data")


def _arguments(text: str, path: str) -> JsonObject:
    if not text.strip():  # a function without parameters
        return {}
    try:
        return check_sendable(mended(load_object(text.encode())))
    except InvalidRequest as error:
        problem = error.message
    except Fault as fault:
        problem = fault.problem
    raise InvalidRequest(
        f"'{path}' must be a string that holds a JSON object. {problem}",
        param=path,
        code="invalid_value",
    )
