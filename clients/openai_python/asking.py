"""What several tests send."""

import json
from typing import Any

MODEL = "claude-sonnet-4-5"

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "now", "description": "The time of day"}}

STRICT_CLOCK: Any = {
    "type": "function",
    "function": {
        **CLOCK["function"],
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {},
            "required": [],
            "additionalProperties": False,
        },
    },
}
"""As the client wants it where it parses."""


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def asked(name: str, **arguments: Any) -> str:
    """Words that make the demo model call a function."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def answered(call: Any, content: str) -> Any:
    """The message with a call's result."""
    return {"role": "tool", "tool_call_id": call.id, "content": content}
