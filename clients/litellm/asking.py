"""What several tests send."""

import json
import os
from typing import Any

import litellm
import pytest

URL = os.environ["BRIDGE_URL"]
SONNET = "openai/claude-sonnet-4-5"

each_model = pytest.mark.parametrize("model", [SONNET, "openai/gpt-4o"])
"""One that can be told not to think, and one that always does."""

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "now", "description": "The time of day"}}


def server(model: str) -> dict[str, Any]:
    """Where a request goes."""
    return {"model": model, "api_base": URL, "api_key": "unused", "max_retries": 0, "timeout": 30}


def user(text: object) -> Any:
    return {"role": "user", "content": text}


def said(answer: Any) -> str | None:
    """The words of an answer."""
    return answer.choices[0].message.content


def ask(model: str, text: str, **more: Any) -> Any:
    """The answer, or the stream, to one message."""
    return litellm.completion(messages=[user(text)], **{**server(model), **more})


async def ask_async(model: str, text: str, **more: Any) -> Any:
    """The same without waiting."""
    return await litellm.acompletion(messages=[user(text)], **{**server(model), **more})


def asked(name: str, **arguments: object) -> str:
    """Words that make the demo model call a function."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def words(number: int) -> list[str]:
    """What ``[[words]]`` asks for."""
    return [f"word{at}" for at in range(1, number + 1)]
