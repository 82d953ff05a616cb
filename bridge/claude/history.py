"""Core messages → the lines that the CLI reads on its standard input.

A conversation is told to the CLI as what it is: user, assistant, tool_use and tool_result turns.
See docs/architecture.md for the protocol (``shouldQuery: false``, one result for each line).
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from bridge.core.conversation import (
    Message,
    Part,
    RedactedThinking,
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


def script(messages: Sequence[Message], model: str | None = None) -> Script:
    """The lines for a conversation whose last message is not the assistant's.

    Messages of one side that follow each other become one, since the CLI would join consecutive
    user messages itself and split a tool result from the words beside it. Reasoning is told to the
    ``model`` that it is from and to no other: its signature is bound to that one.
    """
    merged = _alternating(messages, model)
    return Script(
        earlier=tuple(
            _user_line(blocks, query=False) if role is Role.USER else _assistant_line(blocks)
            for role, blocks in merged[:-1]
        ),
        prompt=_user_line(merged[-1][1], query=True),
    )


def _alternating(
    messages: Iterable[Message], model: str | None
) -> list[tuple[Role, list[dict[str, Any]]]]:
    merged: list[tuple[Role, list[dict[str, Any]]]] = []
    for message in messages:
        role = Role.ASSISTANT if message.role is Role.ASSISTANT else Role.USER
        blocks = [
            _block(part, message.role)
            for part in message.parts
            if message.model == model or not isinstance(part, Thinking | RedactedThinking)
        ]
        if merged and merged[-1][0] is role:
            merged[-1][1].extend(blocks)
        elif blocks:
            merged.append((role, blocks))
    for role, blocks in merged:
        if role is Role.USER:  # the API wants results first: they answer what was just said
            blocks.sort(key=lambda block: block["type"] != "tool_result")
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
                "content": [{"type": "text", "text": text.text} for text in part.content],
                **({"is_error": True} if part.is_error else {}),
            }
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case RedactedThinking():
            return {"type": "redacted_thinking", "data": part.data}


def _user_line(blocks: list[dict[str, Any]], *, query: bool) -> Line:
    line: Line = {
        "type": "user",
        "message": {"role": "user", "content": blocks},
        "parent_tool_use_id": None,
        "uuid": str(uuid.uuid4()),
        "client_composed": True,  # `@/etc/passwd` and `/cost` are words, not commands
    }
    return line if query else {**line, "shouldQuery": False}


def _assistant_line(blocks: list[dict[str, Any]]) -> Line:
    calls = any(block["type"] == "tool_use" for block in blocks)
    return {
        "type": "assistant",
        "message": {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": blocks,
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
        "parent_tool_use_id": None,
        "uuid": str(uuid.uuid4()),
    }
