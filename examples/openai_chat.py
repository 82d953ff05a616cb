"""The official openai client: a plain answer, then one more turn as a stream, with its usage.

pip install openai; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import os
import sys

from openai import OpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessageParam

client = OpenAI(
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)
MODEL = "sonnet"


def main() -> None:
    """Two turns of one conversation; the server is told all of it each time."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "My name is Ada."},
    ]
    completion = client.chat.completions.create(model=MODEL, messages=messages)
    answer = completion.choices[0].message.content
    print(f"{completion.model}: {answer}")

    messages += [
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "What is my name?"},
    ]
    stream = client.chat.completions.create(
        model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        if chunk.usage:  # the last chunk, which has no choices
            print(f"\n{chunk.usage.prompt_tokens} tokens in, {chunk.usage.completion_tokens} out")


if __name__ == "__main__":
    try:
        main()
    except OpenAIError as error:
        sys.exit(f"The request failed: {error}")
