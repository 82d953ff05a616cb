"""Events → the Messages API's server-sent events; a completion → one document; errors.

Source of the events' order: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

import json
from typing import Any

from attrs import define, evolve, field

from bridge.core.errors import BridgeError, Kind
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    CitationDelta,
    Event,
    FinishReason,
    SignatureDelta,
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

STOP_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.CONTEXT_WINDOW: "model_context_window_exceeded",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.REFUSAL: "refusal",
}

ERROR_TYPES = {
    Kind.INVALID_REQUEST: "invalid_request_error",
    Kind.AUTHENTICATION: "authentication_error",
    Kind.PERMISSION: "permission_error",
    Kind.NOT_FOUND: "not_found_error",
    Kind.RATE_LIMIT: "rate_limit_error",
    Kind.INTERNAL: "api_error",
    Kind.UPSTREAM: "api_error",
    Kind.UNAVAILABLE: "overloaded_error",
    Kind.TIMEOUT: "timeout_error",
}

OVERLOADED = 529
"""The API's own status for it, which some clients wait longer after than after a 503."""


def _frame(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: ".encode() + dumps(value) + b"\n\n"


PING = _frame({"type": "ping"})


def render_error(error: BridgeError, request_id: str) -> dict[str, Any]:
    """The body of an error, and the data of an error event."""
    kind = "request_too_large" if error.status == 413 else ERROR_TYPES[error.kind]
    return {
        "type": "error",
        "error": {"type": kind, "message": error.message},
        "request_id": request_id,
    }


def status_of(error: BridgeError) -> int:
    """The HTTP status of an error, which differs from everybody else's for an overload."""
    return OVERLOADED if error.code == "overloaded" else error.status


def render_usage(usage: Usage) -> dict[str, Any]:
    """Token counts; those of the reasoning are left out where nobody tells them."""
    told = usage.reasoning_tokens
    details = {} if told is None else {"output_tokens_details": {"thinking_tokens": told}}
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.hour_cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.hour_cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        **details,
    }


def render(completion: Completion) -> dict[str, Any]:
    """A whole message, whose id is the one that the model's side gave it."""
    return {
        "id": completion.message_id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": [_block(block) for block in completion.blocks],
        **_stopped(completion.reason, completion.stop_sequence, completion.refusal),
        "usage": render_usage(completion.usage),
    }


def _stopped(reason: FinishReason, sequence: str | None, refusal: Any) -> dict[str, Any]:
    details = {} if refusal is None else {"stop_details": dict(refusal)}
    return {"stop_reason": STOP_REASONS[reason], "stop_sequence": sequence, **details}


def _block(block: Block) -> dict[str, Any]:
    match block.kind:
        case BlockKind.TEXT:
            cited = {"citations": [dict(c) for c in block.citations]} if block.citations else {}
            return {"type": "text", "text": block.text, **cited}
        case BlockKind.THINKING:
            return {"type": "thinking", "thinking": block.text, "signature": block.signature}
        case BlockKind.REDACTED_THINKING:
            return {"type": "redacted_thinking", "data": block.data}
        case BlockKind.TOOL_CALL:
            return {
                "type": "tool_use",
                "id": block.call_id,
                "name": block.name,
                "input": _arguments(block.text),
            }


def _arguments(text: str) -> dict[str, Any]:
    """The arguments of a call; of one that was cut off there are none, since half of them could be
    taken for the whole."""
    try:
        value = json.loads(text or "{}")
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@define(kw_only=True)
class EventEncoder:
    """Encodes one turn's events, in their order, to the API's; after an error none comes."""

    request_id: str
    _usage: Usage = field(factory=Usage, init=False)
    _signature: str = field(default="", init=False)
    _pinged: bool = field(default=False, init=False)

    def encode(self, event: Event) -> bytes:
        """The frames of an event."""
        match event:
            case TextDelta(index=index, text=text):
                return _delta(index, {"type": "text_delta", "text": text})
            case ThinkingDelta(index=index, text=text):
                return _delta(index, {"type": "thinking_delta", "thinking": text})
            case CitationDelta(index=index, citation=citation):
                return _delta(index, {"type": "citations_delta", "citation": dict(citation)})
            case SignatureDelta(signature=signature):
                self._signature += signature
                return b""
            case ToolArgsDelta(index=index, json=piece):
                return _delta(index, {"type": "input_json_delta", "partial_json": piece})
            case BlockStarted():
                return self._block_start(event)
            case BlockEnded(index=index):
                return self._block_stop(index)
            case TurnStarted():
                return _message_start(event)
            case UsageReported(usage=usage):
                self._usage = usage
                return b""
            case TurnFinished():
                return self._finish(event)
            case TurnFailed(error=error):
                return _frame(render_error(error, self.request_id))

    def _block_start(self, event: BlockStarted) -> bytes:
        """One ping comes after the first block's start, as it does from the API."""
        empty = _block(
            Block(kind=event.kind, text="", call_id=event.call_id, name=event.name, data=event.data)
        )
        start = _frame(
            {"type": "content_block_start", "index": event.index, "content_block": empty}
        )
        ping = b"" if self._pinged else PING
        self._pinged = True
        return start + ping

    def _block_stop(self, index: int) -> bytes:
        """A signature goes in one piece: clients take each for the whole of it."""
        signature, self._signature = self._signature, ""
        delta = {"type": "signature_delta", "signature": signature}
        return (_delta(index, delta) if signature else b"") + _frame(
            {"type": "content_block_stop", "index": index}
        )

    def _finish(self, event: TurnFinished) -> bytes:
        delta = {
            "type": "message_delta",
            "delta": _stopped(event.reason, event.stop_sequence, event.refusal),
            "usage": render_usage(self._usage),
        }
        return _frame(delta) + _frame({"type": "message_stop"})


def _message_start(event: TurnStarted) -> bytes:
    """Nobody knows yet how much the model will think, and what is said here stays with clients."""
    usage = evolve(event.usage, reasoning_tokens=None)
    message: dict[str, Any] = {
        "id": event.message_id,
        "type": "message",
        "role": "assistant",
        "model": event.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": render_usage(usage),
    }
    return _frame({"type": "message_start", "message": message})


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return _frame({"type": "content_block_delta", "index": index, "delta": delta})
