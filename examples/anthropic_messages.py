"""The official anthropic client: a streamed answer, and a tool that this program runs.

pip install anthropic; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import os
import sys

from anthropic import Anthropic, AnthropicError
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam, ToolUseBlock

client = Anthropic(  # it puts /v1 behind the URL by itself
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1").removesuffix("/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)
MODEL = "sonnet"
TOOL = ToolParam(
    name="get_time",
    description="The time in a city.",
    input_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)


def get_time(call: ToolUseBlock) -> ToolResultBlockParam:
    """Run a call; what it gives back is the model's to read."""
    return {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": f"In {call.input['city']} it is a quarter past nine.",
    }


def main() -> None:
    """A stream, then a loop that ends when the model calls no more."""
    hello: MessageParam = {"role": "user", "content": "Hello, who are you?"}
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=[hello]) as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
        usage = stream.get_final_message().usage
    print(f"\n{usage.input_tokens} tokens in beside the cache, {usage.output_tokens} out")

    messages: list[MessageParam] = [
        {"role": "user", "content": "What time is it in Oslo? Use the tool."}
    ]
    while True:
        message = client.messages.create(
            model=MODEL, max_tokens=1000, messages=messages, tools=[TOOL]
        )
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            break
        print(*(f"{call.name}({call.input})" for call in calls), sep="\n")
        messages += [
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [get_time(call) for call in calls]},
        ]
    print(*(block.text for block in message.content if block.type == "text"))


if __name__ == "__main__":
    try:
        main()
    except AnthropicError as error:
        sys.exit(f"The request failed: {error}")
