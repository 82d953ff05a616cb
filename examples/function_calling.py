"""Functions that this program runs and the model calls, with the official openai client, streamed.

Every round is one request; the server keeps the model's turn open while this program works.

pip install openai; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from openai import OpenAI, OpenAIError
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

client = OpenAI(
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)
MODEL = "sonnet"


def get_weather(city: str) -> str:
    """What a weather service would say."""
    return f"It is sunny in {city}, 21 degrees."


FUNCTIONS: dict[str, Callable[..., str]] = {"get_weather": get_weather}
TOOLS: list[ChatCompletionFunctionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city, now",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "Its name"}},
                "required": ["city"],
            },
        },
    }
]


def run(call: Any) -> ChatCompletionMessageParam:
    """Run the function that the model called; the message with its result."""
    arguments = json.loads(call.function.arguments)
    print(f"  {call.function.name}({arguments})")
    found = FUNCTIONS[call.function.name](**arguments)
    return {"role": "tool", "tool_call_id": call.id, "content": found}


def ask(question: str) -> None:
    """Ask, run what is called, and print the answer as it comes."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": question}]
    print(f"> {question}")
    while True:
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
            for event in stream:
                if event.type == "content.delta":
                    print(event.delta, end="", flush=True)
            message = stream.get_final_completion().choices[0].message
        if not message.tool_calls:
            print()
            return
        messages.append(
            {
                "role": "assistant",
                "content": message.content,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {
                            "name": call.function.name,
                            "arguments": call.function.arguments,
                        },
                    }
                    for call in message.tool_calls
                ],
            }
        )
        messages += [run(call) for call in message.tool_calls]


def main() -> None:
    """One question that needs a function."""
    ask("What is the weather in Paris?")


if __name__ == "__main__":
    try:
        main()
    except OpenAIError as error:
        sys.exit(f"the server answered: {error}")
