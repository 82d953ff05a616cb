"""The model's raw blocks, gathered from its stream as they will be sent back.

A later turn must find in the history what the model's side said, signatures included, or the
prompt cache is lost and signed reasoning is refused.
"""

import json
import math
from typing import Any, NoReturn

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
from bridge.core.mending import mended

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

    def message(self, *, cut: bool = False) -> Message:
        """What was said; without parts when nothing of it can be seen, for then nothing was.

        An answer that was ``cut`` called nothing: the last call may not be whole, and others may be
        missing. Raises ``ValueError`` when the arguments of a call are not a JSON object.
        """
        blocks = [b for b in self._blocks if not (cut and b.start.get("type") == "tool_use")]
        parts = tuple(part for block in blocks if (part := _part(block)) is not None)
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
            return ToolCall(
                id=block.start.get("id", ""),
                name=block.start.get("name", ""),
                arguments=json_object(whole or "{}"),
            )
        case _:
            return None


def json_object(text: str) -> dict[str, Any]:
    """A JSON object that a model wrote, as it can be sent back: mended, and without infinities.

    Raises ``ValueError`` for anything else.
    """
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        found: dict[str, Any] = mended(value)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number
