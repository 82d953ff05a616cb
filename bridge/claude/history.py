"""Core messages → the lines that the CLI reads on its standard input.

A conversation is told to the CLI as what it is: user, assistant, tool_use and tool_result turns.
See docs/architecture.md for the protocol (``shouldQuery: false``, one result for each line).
"""

import functools
import hashlib
import itertools
import re
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from bridge.core.blocks import block_of
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

_PLAIN = re.compile(r"[a-zA-Z0-9_-]+")
_ODD = re.compile(r"[^a-zA-Z0-9_-]")
MAX_NAME = 128


@frozen(kw_only=True)
class Script:
    """What a fresh process is told: ``earlier`` lines in order, then the ``prompt``."""

    earlier: tuple[Line, ...]
    prompt: Line


def script(messages: Sequence[Message], model: str | None = None) -> Script:
    """The lines for a conversation whose last message is not the assistant's.

    Messages of one side that follow each other become one, since the CLI would join consecutive
    user messages itself and split a tool result from the words beside it. An answer is told with
    the model that gave it: the CLI sends reasoning, whose signature is bound to its model, to that
    one and to no other. Where that is not known it is taken to be ``model``, the one that is asked.
    """
    merged = alternating(messages)
    return Script(
        earlier=tuple(
            _user_line(side.blocks, query=False)
            if side.role is Role.USER
            else _assistant_line(side.blocks, side.model or model)
            for side in merged[:-1]
        ),
        prompt=_user_line(merged[-1].blocks, query=True),
    )


@define
class Side:
    """What one side says before the other one does: blocks of the Messages API."""

    role: Role
    blocks: list[dict[str, Any]]
    model: str | None


@define
class _CallIds:
    """The ids of calls as the Messages API takes them: of plain characters, and each used once.

    Other models' histories have ids of all sorts, and begin at ``call_0`` in every answer.
    """

    _given: dict[str, str] = field(factory=dict)  # as they came → as they go
    _taken: dict[str, int] = field(factory=dict)  # how often they were wanted

    def call(self, call_id: str) -> str:
        """The id of a new call."""
        plain = call_id if _PLAIN.fullmatch(call_id) else f"call_{_digest(call_id)}"
        free = plain
        while free in self._taken:
            self._taken[plain] += 1
            free = f"{plain}_{self._taken[plain]}"
        self._taken[free] = 1
        self._given[call_id] = free
        return free

    def result(self, call_id: str) -> str:
        """The id of the latest call that was given as ``call_id``."""
        return self._given.get(call_id, call_id)


def fit_name(name: str) -> str:
    """The name of a function that was called, as the Messages API takes it."""
    return _ODD.sub("_", name)[:MAX_NAME] or "unnamed"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]


def alternating(messages: Iterable[Message]) -> list[Side]:
    """The messages as the Messages API takes them: one side after the other."""
    merged: list[Side] = []
    ids = _CallIds()
    for message in messages:
        role = Role.ASSISTANT if message.role is Role.ASSISTANT else Role.USER
        blocks = [_block(part, message.role, ids) for part in message.parts]
        if merged and merged[-1].role is role:
            merged[-1].blocks.extend(blocks)
        elif blocks:
            merged.append(Side(role, blocks, message.model))
    for before, side in itertools.pairwise(merged):
        if side.role is Role.USER:  # the API wants results first; a live process has them in order
            places = {block["id"]: n for n, block in enumerate(before.blocks) if "id" in block}
            side.blocks.sort(key=functools.partial(_place, places))
    return merged


def _place(places: Mapping[Any, int], block: dict[str, Any]) -> int:
    """A result's place is that of its call; words come after all of them."""
    return places.get(block.get("tool_use_id"), sys.maxsize)


def _block(part: Part, role: Role, ids: _CallIds) -> dict[str, Any]:
    match part:
        case Text(text=text):
            if role is Role.SYSTEM:
                text = f"<system-message>\n{text}\n</system-message>"
            return {"type": "text", "text": text}
        case ToolCall():
            return {
                "type": "tool_use",
                "id": ids.call(part.id),
                "name": fit_name(part.name),
                "input": dict(part.arguments),
            }
        case ToolResult():
            return {
                "type": "tool_result",
                "tool_use_id": ids.result(part.call_id),
                "content": [block_of(piece) for piece in part.content],
                **({"is_error": True} if part.is_error else {}),
            }
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case RedactedThinking():
            return {"type": "redacted_thinking", "data": part.data}
        case _:
            return block_of(part)


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
