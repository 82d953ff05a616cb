"""The model's raw blocks, gathered from its stream as they will be sent back.

A later turn must find in the history what the model's side said, signatures included, or the
prompt cache is lost and signed reasoning is refused.
"""

import json
from typing import Any

from attrs import define, field

from bridge.core.conversation import (
    Message,
    Part,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ToolCall,
)

_PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


@define
class _Block:
    start: dict[str, Any]
    pieces: list[str] = field(factory=list)
    signature: str = ""


@define
class Answer:
    """Takes the Messages API's stream events of one answer."""

    _blocks: list[_Block] = field(factory=list, init=False)

    def feed(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        match event.get("type"):
            case "content_block_start":
                self._blocks.append(_Block(event["content_block"]))
            case "content_block_delta" if self._blocks:
                delta, block = event["delta"], self._blocks[-1]
                kind = delta.get("type")
                if kind in _PIECES:
                    block.pieces.append(delta[_PIECES[kind]])
                elif kind == "signature_delta":
                    block.signature += delta["signature"]

    def message(self) -> Message:
        """What was said; without parts when nothing of it can be seen, for then nothing was.

        Raises ``ValueError`` when the arguments of a call are not a JSON object.
        """
        parts = tuple(part for block in self._blocks if (part := _part(block)) is not None)
        seen = any(isinstance(part, Text | ToolCall) for part in parts)
        return Message(role=Role.ASSISTANT, parts=parts if seen else ())


def _part(block: _Block) -> Part | None:
    whole = "".join(block.pieces)
    match block.start.get("type"):
        case "text" if whole.strip():  # the Messages API refuses empty blocks
            return Text(text=whole)
        case "thinking":
            return Thinking(text=whole, signature=block.signature)
        case "redacted_thinking":
            return RedactedThinking(data=block.start.get("data", ""))
        case "tool_use":
            arguments = json.loads(whole or "{}")
            if not isinstance(arguments, dict):
                raise ValueError("not an object")
            return ToolCall(
                id=block.start.get("id", ""),
                name=block.start.get("name", ""),
                arguments=arguments,
            )
        case _:
            return None
