"""What several tests send."""

import json
from typing import Any

MODEL = "claude-sonnet-4-5"
NEWEST = "claude-opus-5-5"

WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
}
CLOCK: Any = {
    "name": "now",
    "description": "The time of day",
    "input_schema": {"type": "object", "properties": {}},
}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Any:
    return {"role": "assistant", "content": content}


def asked(name: str, **arguments: Any) -> str:
    """Words that make the demo model call a tool."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def result(call: Any, content: Any, **more: Any) -> Any:
    """The block with a call's result."""
    return {"type": "tool_result", "tool_use_id": call.id, "content": content, **more}


def said(message: Any) -> str:
    """All text of an answer."""
    return "".join(block.text for block in message.content if block.type == "text")


def calls(message: Any) -> list[Any]:
    """The calls in an answer."""
    return [block for block in message.content if block.type == "tool_use"]
