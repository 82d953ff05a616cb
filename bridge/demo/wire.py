"""A reply as the Messages API writes it: one JSON document, or server-sent events.

The order of events, from the documentation: `message_start`, `ping`, then for each block
`content_block_start`, its deltas, `content_block_stop`, then `message_delta`, `message_stop`. A
redacted block is whole in its start.
"""

import json
from collections.abc import Iterator
from typing import Any

import attrs

from bridge.demo.cache import InputUsage
from bridge.demo.reply import Block, Reply, deltas, whole

_DELTA = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


@attrs.frozen(kw_only=True)
class Envelope:
    """What surrounds a reply: its id, the request it answers, and what the prompt cost."""

    id: str
    body: dict[str, Any] = attrs.field(repr=False)
    input: InputUsage


@attrs.frozen
class Frame:
    """One server-sent event; `paced` when it carries a piece of the answer."""

    data: dict[str, Any]
    paced: bool = False

    def encode(self) -> bytes:
        """Its bytes, blank line included."""
        return f"event: {self.data['type']}\ndata: {_json(self.data)}\n\n".encode()


def document(reply: Reply, envelope: Envelope) -> bytes:
    """The answer to a request without `stream`."""
    ending = _ending(reply, envelope)
    message = {
        **_message(envelope, ending["usage"]),
        **ending["delta"],
        "content": [whole(block) for block in reply.sent],
    }
    if "context_management" in ending:
        message["context_management"] = ending["context_management"]
    return _json(message).encode()


def frames(reply: Reply, envelope: Envelope) -> Iterator[Frame]:
    """The answer to a request with `stream: true`, event by event."""
    yield Frame({"type": "message_start", "message": _message(envelope, _usage(envelope, 1))})
    yield Frame({"type": "ping"})
    for index, block in enumerate(reply.sent):
        yield from _block(index, block)
    yield Frame(_ending(reply, envelope))
    yield Frame({"type": "message_stop"})


def _block(index: int, block: Block) -> Iterator[Frame]:
    yield Frame({"type": "content_block_start", "index": index, "content_block": _opening(block)})
    for piece in deltas(block):
        kind, key = _DELTA[block["type"]]
        delta = {"type": kind, key: piece}
        yield Frame({"type": "content_block_delta", "index": index, "delta": delta}, paced=True)
    for citation in block.get("citations", ()):
        delta = {"type": "citations_delta", "citation": citation}
        yield Frame({"type": "content_block_delta", "index": index, "delta": delta})
    if "signature" in block:
        if not block["thinking"]:  # documented: one empty delta stands for what is left out
            empty = {"type": "thinking_delta", "thinking": ""}
            yield Frame({"type": "content_block_delta", "index": index, "delta": empty})
        signed = {"type": "signature_delta", "signature": block["signature"]}
        yield Frame({"type": "content_block_delta", "index": index, "delta": signed})
    yield Frame({"type": "content_block_stop", "index": index})


def _opening(block: Block) -> Block:
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "tool_use":
            return {**block, "input": {}}
        case _:
            return block


def _message(envelope: Envelope, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "id": envelope.id,
        "role": "assistant",
        "model": envelope.body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _ending(reply: Reply, envelope: Envelope) -> dict[str, Any]:
    delta: dict[str, Any] = {
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
    }
    if reply.stop_reason == "refusal":
        delta["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    usage = _usage(envelope, reply.output_tokens)
    if reply.thinking_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": reply.thinking_tokens}
    end: dict[str, Any] = {"type": "message_delta", "delta": delta, "usage": usage}
    if envelope.body.get("context_management") is not None:
        end["context_management"] = {"applied_edits": []}
    return end


def _usage(envelope: Envelope, output: int) -> dict[str, Any]:
    return {
        "input_tokens": envelope.input.plain,
        "cache_creation_input_tokens": envelope.input.created,
        "cache_read_input_tokens": envelope.input.read,
        "output_tokens": output,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
