"""Events → ``chat.completion.chunk`` frames; a completion → one document; an error → its body."""

import base64
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from bridge.core.blocks import block_of
from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Message,
    Passages,
    ResultPart,
    SearchResult,
    Text,
    ToolCall,
    ToolResult,
)
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
from bridge.dialects.frames import dumps
from bridge.dialects.media import PDF
from bridge.dialects.openai.frames import DONE, FINISH_REASONS, frame, render_error, render_usage


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
    the model's reasoning. What stands beside results comes after them, in a message of its own.
    """
    rendered: list[dict[str, Any]] = [{"role": "system", "content": text} for text in system]
    for message in messages:
        content = _content([part for part in message.parts if isinstance(part, ResultPart)])
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        rendered += [
            {
                "role": "tool",
                "tool_call_id": part.call_id,
                "content": _content(part.content),
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


def _content(parts: Sequence[ResultPart]) -> str | list[dict[str, Any]]:
    """A string; several texts stay apart, as the model was given them."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(parts) == len(texts) < 2:
        return "".join(texts)
    return [_part(part) for part in parts]


def _part(part: ResultPart) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            url = f"data:{part.media_type};base64,{part.data}"
            return {"type": "image_url", "image_url": {"url": url}}
        case LinkedImage():
            return {"type": "image_url", "image_url": {"url": part.url}}
        case Passages() | SearchResult() | Document(cited=True) | LinkedDocument(cited=True):
            return block_of(part)
        case Document() | LinkedDocument():
            told = {"filename": part.title, "context": part.context}
            about = {name: text for name, text in told.items() if text}
            return {"type": "file", "file": {"file_data": _file_data(part), **about}}


def _file_data(document: Document | LinkedDocument) -> str:
    if isinstance(document, LinkedDocument):
        return document.url
    data = document.data
    if document.media_type != PDF:
        data = base64.b64encode(data.encode()).decode()
    return f"data:{document.media_type};base64,{data}"


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
