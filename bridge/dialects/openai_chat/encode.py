"""Events → ``chat.completion.chunk`` frames; a completion → one document; an error → its body."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field

from bridge.core.conversation import (
    Image,
    LinkedImage,
    Message,
    ResultPart,
    Text,
    ToolCall,
    ToolResult,
)
from bridge.core.errors import BridgeError, Kind
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    Event,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.core.fold import Block, Completion

FINISH_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.REFUSAL: "content_filter",
}

ERROR_TYPES = {
    Kind.INVALID_REQUEST: "invalid_request_error",
    Kind.AUTHENTICATION: "authentication_error",
    Kind.PERMISSION: "permission_error",
    Kind.NOT_FOUND: "invalid_request_error",
    Kind.RATE_LIMIT: "rate_limit_error",
    Kind.INTERNAL: "api_error",
    Kind.UPSTREAM: "api_error",
    Kind.UNAVAILABLE: "service_unavailable_error",
    Kind.TIMEOUT: "timeout_error",
}

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"

_LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def dumps(value: object) -> bytes:
    """JSON as the wire wants it: compact UTF-8; half a surrogate pair becomes a question mark.

    U+0085, U+2028 and U+2029 are escaped: some clients' line readers (httpx's) end a line there.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for end, escaped in _LINE_ENDS.items():
        text = text.replace(end, escaped)
    return text.encode(errors="replace")


def frame(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + dumps(value) + b"\n\n"


def render_error(error: BridgeError) -> dict[str, Any]:
    """The body of an error, and the data of an error frame."""
    return {
        "error": {
            "message": error.message,
            "type": ERROR_TYPES[error.kind],
            "param": error.param,
            "code": error.code,
        }
    }


def render_usage(usage: Usage) -> dict[str, Any]:
    """Token counts in OpenAI's shape: cached tokens are part of the prompt's."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def render(
    completion: Completion, *, completion_id: str, created: int, legacy: bool = False
) -> dict[str, Any]:
    """A whole ``chat.completion``; ``created`` is in seconds since 1970.

    A ``legacy`` one calls in the older form, which holds one call.
    """
    text = completion.text_of(BlockKind.TEXT)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or None,
        "refusal": None,
    }
    if reasoning := completion.text_of(BlockKind.THINKING):
        message["reasoning_content"] = reasoning
    calls = [_render_call(b) for b in completion.blocks if b.kind is BlockKind.TOOL_CALL]
    if calls and legacy:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    elif completion.reason is FinishReason.REFUSAL:
        message["content"] = text  # a string, even when the model said nothing
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": completion.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": _finish_reason(completion.reason, legacy=legacy),
            }
        ],
        "usage": render_usage(completion.usage),
    }


def _finish_reason(reason: FinishReason, *, legacy: bool) -> str:
    if legacy and reason is FinishReason.TOOL_CALLS:
        return "function_call"
    return FINISH_REASONS[reason]


def _render_call(block: Block) -> dict[str, Any]:
    return {
        "id": block.call_id,
        "type": "function",
        "function": {"name": block.name, "arguments": block.text or "{}"},
    }


def render_messages(system: Sequence[str], messages: Sequence[Message]) -> list[dict[str, Any]]:
    """A conversation as ``messages`` of a request, the system prompt first.

    What :func:`bridge.dialects.openai_chat.decode` reads of it is the same conversation, without
    the model's reasoning, which the request has no place for.
    """
    rendered: list[dict[str, Any]] = [{"role": "system", "content": text} for text in system]
    for message in messages:
        content = _content(part.text for part in message.parts if isinstance(part, Text))
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        rendered += [
            {
                "role": "tool",
                "tool_call_id": part.call_id,
                "content": _result(part.content),
                **({"is_error": True} if part.is_error else {}),
            }
            for part in message.parts
            if isinstance(part, ToolResult)
        ]
        if calls:
            rendered.append(
                {
                    "role": "assistant",
                    "content": content or None,
                    "tool_calls": [
                        _render_call(
                            Block(
                                kind=BlockKind.TOOL_CALL,
                                text=dumps(call.arguments).decode(),
                                call_id=call.id,
                                name=call.name,
                            )
                        )
                        for call in calls
                    ],
                }
            )
        elif content:
            rendered.append({"role": message.role.value, "content": content})
    return rendered


def _result(content: Sequence[ResultPart]) -> str | list[dict[str, Any]]:
    texts = [part.text for part in content if isinstance(part, Text)]
    if len(texts) == len(content):
        return _content(texts)
    return [_result_part(part) for part in content]


def _result_part(part: ResultPart) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            url = f"data:{part.media_type};base64,{part.data}"
        case LinkedImage():
            url = part.url
    return {"type": "image_url", "image_url": {"url": url}}


def _content(texts: Iterable[str]) -> str | list[dict[str, Any]]:
    """A string; several texts stay apart, as the model was given them."""
    found = list(texts)
    if len(found) > 1:
        return [{"type": "text", "text": text} for text in found]
    return "".join(found)


@define(kw_only=True)
class ChunkEncoder:
    """Encodes one turn's events, in their order, to frames.

    The first chunk carries the role; then one chunk for each delta; then the finish reason; then
    the usage, if it was asked for; then ``[DONE]``. After an error there is no ``[DONE]``.
    ``legacy`` asks for calls in the older form, which holds one call.
    """

    completion_id: str
    created: int
    include_usage: bool
    legacy: bool = False
    _model: str = field(default="", init=False)
    _usage: Usage = field(factory=Usage, init=False)
    _calls: dict[int, int] = field(factory=dict, init=False)  # a block's index → its call's
    _silent: set[int] = field(factory=set, init=False)  # calls without any arguments so far

    def encode(self, event: Event) -> bytes:
        """The frames of an event; none for most of them."""
        match event:
            case TextDelta(text=text):
                return self._delta({"content": text})
            case ThinkingDelta(text=text):
                return self._delta({"reasoning_content": text})
            case ToolArgsDelta(index=index, json=piece):
                return self._arguments(index, piece)
            case BlockStarted(kind=BlockKind.TOOL_CALL):
                return self._call(event)
            case BlockEnded(index=index) if index in self._silent:
                return self._arguments(index, "{}")
            case TurnStarted(model=model):
                self._model = model
                return self._delta({"role": "assistant", "content": "", "refusal": None})
            case UsageReported(usage=usage):
                self._usage = usage
                return b""
            case TurnFinished():
                return self._finish(event)
            case TurnFailed(error=error):
                return frame(render_error(error))
            case _:
                return b""

    def _call(self, event: BlockStarted) -> bytes:
        number = self._calls[event.index] = len(self._calls)
        self._silent.add(event.index)
        function = {"name": event.name, "arguments": ""}
        return self._piece(number, function, {"id": event.call_id, "type": "function"})

    def _arguments(self, index: int, piece: str) -> bytes:
        if piece:
            self._silent.discard(index)
        return self._piece(self._calls[index], {"arguments": piece}, {})

    def _piece(self, number: int, function: dict[str, str], head: dict[str, str]) -> bytes:
        """A part of a call; ``head`` is what the older form does not have."""
        if not self.legacy:
            return self._delta({"tool_calls": [{"index": number, **head, "function": function}]})
        return b"" if number else self._delta({"function_call": function})

    def _finish(self, event: TurnFinished) -> bytes:
        frames = self._chunk({}, _finish_reason(event.reason, legacy=self.legacy))
        if self.include_usage:
            frames += frame(self._envelope([], render_usage(self._usage)))
        return frames + DONE

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return self._chunk(delta, None)

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return frame(self._envelope([choice], None))

    def _envelope(self, choices: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
        envelope = {
            "id": self.completion_id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self._model,
            "choices": choices,
        }
        if self.include_usage:
            envelope["usage"] = usage  # null in every chunk but the last
        return envelope
