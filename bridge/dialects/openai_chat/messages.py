"""``messages`` → the system prompt and the conversation."""

import base64
import re
from collections.abc import Iterable
from typing import assert_never

from bridge.core.conversation import (
    Image,
    LinkedImage,
    Message,
    Part,
    ResultPart,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from bridge.core.errors import InvalidRequest
from bridge.core.mending import mended
from bridge.dialects.openai_chat.models import (
    AssistantMessage,
    FunctionMessage,
    ImagePart,
    JsonObject,
    RefusalPart,
    SystemMessage,
    TextPart,
    TextParts,
    ToolContent,
    ToolMessage,
    UserMessage,
    WireMessage,
    check_sendable,
)
from bridge.dialects.wire import Fault, load_object

_MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # those of the Messages API
_LISTED_TYPES = ", ".join(_MEDIA_TYPES)
_LINK = re.compile(r"https://[^\s/]\S*")
_DATA_URL = re.compile(r"data:([^,;]*);base64,(.*)", re.DOTALL)


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
    front = 0
    while front < len(wire) and isinstance(wire[front], SystemMessage):
        front += 1
    system = tuple(
        text
        for message in wire[:front]
        if isinstance(message, SystemMessage)
        for text in _texts(message.content)
        if text
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
        self.finish(path)
        match wire:
            case SystemMessage():
                return Message(role=Role.SYSTEM, parts=_text_parts(wire.content))
            case UserMessage():
                return Message(role=Role.USER, parts=_text_parts(wire.content))
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

    def _assistant(self, wire: AssistantMessage, path: str) -> tuple[Part, ...]:
        self._continues = False
        self._answered.clear()
        parts: list[Part] = list(_assistant_text(wire))
        for index, call in enumerate(wire.tool_calls or ()):
            where = f"{path}.tool_calls[{index}]"
            arguments = _arguments(call.function.arguments, f"{where}.function.arguments")
            if call.id in self._pending:
                raise InvalidRequest(
                    f"'{where}.id': the id {call.id[:100]!r} is used twice.",
                    param=f"{where}.id",
                    code="invalid_value",
                )
            self._pending[call.id] = call.function.name
            parts.append(ToolCall(id=call.id, name=call.function.name, arguments=arguments))
        if wire.function_call is not None:
            self._legacy += 1
            while (call_id := f"call_legacy_{self._legacy}") in self._pending:
                self._legacy += 1
            arguments = _arguments(wire.function_call.arguments, f"{path}.function_call.arguments")
            self._pending[call_id] = wire.function_call.name
            parts.append(ToolCall(id=call_id, name=wire.function_call.name, arguments=arguments))
        return tuple(parts)

    def _result(self, wire: ToolMessage | FunctionMessage, path: str) -> ToolResult:
        if isinstance(wire, FunctionMessage):
            return self._function_result(wire, path)
        call_id, where = wire.tool_call_id, f"{path}.tool_call_id"
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
        return ToolResult(
            call_id=call_id,
            content=tuple(_result_parts(wire.content, f"{path}.content")),
            is_error=bool(wire.is_error),
        )

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


def _texts(content: TextParts) -> tuple[str, ...]:
    return (content,) if isinstance(content, str) else tuple(part.text for part in content)


def _text_parts(content: TextParts) -> tuple[Text, ...]:
    """The texts that say something: the Messages API refuses empty blocks."""
    return tuple(Text(text=text) for text in _texts(content) if text.strip())


def _assistant_text(wire: AssistantMessage) -> Iterable[Text]:
    content = wire.content or ()
    if isinstance(content, str):
        texts = [content]
    else:
        texts = [part.refusal if isinstance(part, RefusalPart) else part.text for part in content]
    if wire.refusal:
        texts.append(wire.refusal)
    return [Text(text=text) for text in texts if text.strip()]


def _result_parts(content: ToolContent, path: str) -> Iterable[ResultPart]:
    if isinstance(content, str):
        content = (TextPart(text=content),)
    for index, part in enumerate(content):
        if isinstance(part, ImagePart):
            yield _image(part.image_url.url, f"{path}[{index}].image_url.url")
        elif part.text:
            yield Text(text=part.text)


def _image(url: str, path: str) -> Image | LinkedImage:
    if _LINK.fullmatch(url):
        return LinkedImage(url=url)
    found = _DATA_URL.fullmatch(url)
    if found is None:
        problem = "must begin with https://, or be a data: URL such as data:image/png;base64,…"
    elif (media_type := found[1].lower()) not in _MEDIA_TYPES:
        problem = f"is of the type {media_type[:100]!r}, but must be one of {_LISTED_TYPES}."
    elif not _is_base64(found[2]):
        problem = "must hold a picture in base64 after the comma, and nothing else."
    else:
        return Image(media_type=media_type, data=found[2])
    raise InvalidRequest(f"'{path}' {problem}", param=path, code="invalid_value")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


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
