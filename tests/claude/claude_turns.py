"""Turns and their parts, written once for the tests of this room."""

from typing import Any

from bridge.core.conversation import Message, Part, Role, Text, Tool, ToolCall, ToolResult, Turn

OBJECT = {"type": "object", "properties": {}}
CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}


def user(*parts: str | Part) -> Message:
    return Message(role=Role.USER, parts=_parts(parts))


def assistant(*parts: str | Part, model: str | None = None) -> Message:
    return Message(role=Role.ASSISTANT, parts=_parts(parts), model=model)


def _parts(parts: tuple[str | Part, ...]) -> tuple[Part, ...]:
    return tuple(Text(text=part) if isinstance(part, str) else part for part in parts)


def tool(name: str, schema: Any = OBJECT, **more: Any) -> Tool:
    return Tool(name=name, schema=schema, **more)


def tools(names: str) -> tuple[Tool, ...]:
    """A function for each of the words."""
    return tuple(tool(name) for name in names.split())


def call(call_id: str, name: str = "f", **arguments: Any) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def result(call_id: str, *texts: str, is_error: bool = False) -> ToolResult:
    content = tuple(Text(text=text) for text in texts or ("ok",))
    return ToolResult(call_id=call_id, content=content, is_error=is_error)


def asking(*messages: str | Message, **more: Any) -> Turn:
    """A turn; words are the user's."""
    told = tuple(user(message) if isinstance(message, str) else message for message in messages)
    return Turn(messages=told or (user("hi"),), **more)
