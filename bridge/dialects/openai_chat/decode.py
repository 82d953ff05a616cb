"""Bytes of a chat completion request → a turn, or an error that names the field."""

import json
from collections.abc import Iterable
from typing import Any, assert_never

from attrs import frozen

from bridge.core.conversation import Message, Part, Role, Sampling, Text, ToolCall, ToolResult, Turn
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.openai_chat.models import (
    IGNORED,
    NEUTRAL,
    AssistantMessage,
    FunctionMessage,
    RefusalPart,
    SystemMessage,
    TextParts,
    ToolMessage,
    UserMessage,
    WireMessage,
    WireRequest,
    converter,
)
from bridge.dialects.wire import Fault, load_object

_CONVERTER = converter()
_HONOURED = frozenset(WireRequest.__annotations__)


@frozen(kw_only=True)
class ChatRequest:
    """A decoded request.

    ``ignored`` and ``changed`` name the fields that had no effect, or another one than asked;
    the client is told in headers.
    """

    turn: Turn
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def decode(body: bytes, *, session: str | None = None) -> ChatRequest:
    """Decode a request; ``session`` is the one that it was sent to by other means than its body.

    The messages to a session need not be a whole conversation: they may begin with the results of
    calls that the session's last answer made. Raises
    :class:`bridge.core.errors.InvalidRequest` or its kin, with ``param`` set to the path of the
    field at fault.
    """
    raw = load_object(body)
    if "messages" not in raw and "input" in raw:
        raise InvalidRequest(
            "'messages' is missing. A body with 'input' belongs to POST /v1/responses, which this "
            "server does not have; send 'messages' to POST /v1/chat/completions.",
            param="messages",
            code="missing_required_parameter",
        )
    _refuse_unsupported(raw)
    try:
        wire: WireRequest = _CONVERTER.structure(raw, WireRequest)
    except Fault as fault:
        raise fault.as_error() from None
    if session is not None and wire.session_id not in (None, session):
        raise InvalidRequest(
            "'session_id' and the header X-Session-Id name different sessions: send one of them.",
            param="session_id",
            code="invalid_value",
        )
    session = wire.session_id if session is None else session
    system, messages = _conversation(wire.messages, continues=session is not None)
    changed = []
    temperature = wire.temperature
    if temperature is not None and 1 < temperature <= 2:
        temperature = 1.0
        changed.append("temperature")
    return ChatRequest(
        turn=Turn(
            messages=messages,
            system=system,
            model=wire.model or None,
            session=session,
            sampling=Sampling(
                temperature=_within(temperature, 0, 2, "temperature"),
                top_p=_within(wire.top_p, 0, 1, "top_p"),
                max_tokens=_max_tokens(wire),
                stop=_stop(wire.stop),
            ),
        ),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        ignored=tuple(_ignored(raw)),
        changed=tuple(changed),
    )


# -- parameters ----------------------------------------------------------------------------------


def _refuse_unsupported(raw: dict[str, Any]) -> None:
    for name, is_neutral in NEUTRAL.items():
        value = raw.get(name)
        if value is not None and not is_neutral(value):
            raise UnsupportedParameter(
                f"'{name}' can't be honoured by this version of the server, and to leave it out "
                "would change the answer. Remove it from the request.",
                param=name,
            )


def _ignored(raw: dict[str, Any]) -> Iterable[str]:
    for name, value in raw.items():
        if name in _HONOURED or name in NEUTRAL:
            continue
        asks_for_nothing = IGNORED.get(name)
        if asks_for_nothing is None or not (value is None or asks_for_nothing(value)):
            yield name


def _within(value: float | None, low: float, high: float, name: str) -> float | None:
    if value is not None and not low <= value <= high:
        raise InvalidRequest(
            f"'{name}' must be between {low:g} and {high:g}, but it is {value:g}.",
            param=name,
            code="invalid_value",
        )
    return value


def _max_tokens(wire: WireRequest) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value: int | None = getattr(wire, name)
        if value is not None and value < 1:
            raise InvalidRequest(
                f"'{name}' must be at least 1, but it is {value}.", param=name, code="invalid_value"
            )
    return wire.max_completion_tokens or wire.max_tokens


def _stop(stop: str | tuple[str, ...] | None) -> tuple[str, ...]:
    sequences = (stop,) if isinstance(stop, str) else stop or ()
    if len(sequences) > 4:
        raise InvalidRequest(
            f"'stop' takes up to 4 sequences, but there are {len(sequences)}.",
            param="stop",
            code="invalid_value",
        )
    for index, sequence in enumerate(sequences):
        if not sequence.strip():  # the Messages API refuses them
            where = "stop" if isinstance(stop, str) else f"stop[{index}]"
            raise InvalidRequest(
                f"'{where}': a stop sequence must hold more than white space.",
                param=where,
                code="invalid_value",
            )
    return sequences


# -- messages ------------------------------------------------------------------------------------


def _conversation(
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
            call_id = next((i for i, name in self._pending.items() if name == wire.name), None)
            where, named = f"{path}.name", wire.name
        else:
            known = self._continues or wire.tool_call_id in self._pending
            call_id = wire.tool_call_id if known else None
            where, named = f"{path}.tool_call_id", wire.tool_call_id
        if call_id is None:
            raise InvalidRequest(
                f"'{where}': {named[:100]!r} answers no call of the assistant message before it.",
                param=where,
                code="invalid_value",
            )
        self._pending.pop(call_id, None)
        texts = tuple(Text(text=text) for text in _texts(wire.content or "") if text)
        return ToolResult(call_id=call_id, content=texts)


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


def _arguments(text: str, path: str) -> dict[str, Any]:
    if not text.strip():  # a function without parameters
        return {}
    try:
        value = load_object(text.encode())
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # can it be sent on?
    except InvalidRequest as error:
        problem = error.message
    except ValueError:
        problem = "It holds a number that is too large, or half of a surrogate pair."
    else:
        return value
    raise InvalidRequest(
        f"'{path}' must be a string that holds a JSON object. {problem}",
        param=path,
        code="invalid_value",
    )
