"""Core messages → the lines that the CLI reads on its standard input.

A conversation is told to the CLI as what it is: user, assistant, tool_use and tool_result turns.
See docs/architecture.md for the protocol (``shouldQuery: false``, one result for each line).
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, frozen

from bridge.core.conversation import (
    Image,
    LinkedImage,
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

Line = dict[str, Any]


@frozen(kw_only=True)
class Script:
    """What a fresh process is told: ``earlier`` lines in order, then the ``prompt``."""

    earlier: tuple[Line, ...]
    prompt: Line


def script(messages: Sequence[Message]) -> Script:
    """The lines for a conversation whose last message is not the assistant's.

    Messages of one side that follow each other become one, since the CLI would join consecutive
    user messages itself and split a tool result from the words beside it. An answer is told with
    the model that gave it: the CLI sends reasoning, whose signature is bound to its model, to that
    one and to no other.
    """
    merged = _alternating(messages)
    return Script(
        earlier=tuple(
            _user_line(side.blocks, query=False)
            if side.role is Role.USER
            else _assistant_line(side.blocks, side.model)
            for side in merged[:-1]
        ),
        prompt=_user_line(merged[-1].blocks, query=True),
    )


@define
class _Side:
    """What one side says before the other one does."""

    role: Role
    blocks: list[dict[str, Any]]
    model: str | None


def _alternating(messages: Iterable[Message]) -> list[_Side]:
    merged: list[_Side] = []
    for message in messages:
        role = Role.ASSISTANT if message.role is Role.ASSISTANT else Role.USER
        blocks = [_block(part, message.role) for part in message.parts]
        if merged and merged[-1].role is role:
            merged[-1].blocks.extend(blocks)
        elif blocks:
            merged.append(_Side(role, blocks, message.model))
    for side in merged:
        if side.role is Role.USER:  # the API wants results first: they answer what was just said
            side.blocks.sort(key=lambda block: block["type"] != "tool_result")
    return merged


def _block(part: Part, role: Role) -> dict[str, Any]:
    match part:
        case Text(text=text):
            if role is Role.SYSTEM:
                text = f"<system-message>\n{text}\n</system-message>"
            return {"type": "text", "text": text}
        case ToolCall():
            return {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": dict(part.arguments),
            }
        case ToolResult():
            return {
                "type": "tool_result",
                "tool_use_id": part.call_id,
                "content": [_result(piece) for piece in part.content],
                **({"is_error": True} if part.is_error else {}),
            }
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case RedactedThinking():
            return {"type": "redacted_thinking", "data": part.data}


def _result(part: ResultPart) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            source = {"type": "base64", "media_type": part.media_type, "data": part.data}
        case LinkedImage():
            source = {"type": "url", "url": part.url}
    return {"type": "image", "source": source}


def _user_line(blocks: list[dict[str, Any]], *, query: bool) -> Line:
    line: Line = {
        "type": "user",
        "message": {"role": "user", "content": blocks},
        "parent_tool_use_id": None,
        "uuid": str(uuid.uuid4()),
        "client_composed": True,  # `@/etc/passwd` and `/cost` are words, not commands
    }
    return line if query else {**line, "shouldQuery": False}


def _assistant_line(blocks: list[dict[str, Any]], model: str | None) -> Line:
    calls = any(block["type"] == "tool_use" for block in blocks)
    return {
        "type": "assistant",
        "message": {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": model or "claude",
            "content": blocks,
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
        "parent_tool_use_id": None,
        "uuid": str(uuid.uuid4()),
    }
