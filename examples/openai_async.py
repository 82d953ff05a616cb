"""Several questions at once with the official async client, each answer streamed.

pip install openai; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import asyncio
import os
import sys

from openai import AsyncOpenAI, OpenAIError

QUESTIONS = (
    "My favourite colour is green.",
    "My dog is called Rex.",
    "Hello, who are you?",
)


async def ask(client: AsyncOpenAI, question: str) -> str:
    """The whole answer to one question, put together from its stream."""
    stream = await client.chat.completions.create(
        model="haiku",
        messages=[{"role": "user", "content": question}],
        max_completion_tokens=300,
        stream=True,
    )
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    return "".join(pieces)


async def main() -> None:
    """Ask all questions at the same time."""
    async with AsyncOpenAI(
        base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
        api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
    ) as client:
        answers = await asyncio.gather(*(ask(client, question) for question in QUESTIONS))
    for question, answer in zip(QUESTIONS, answers, strict=True):
        print(f"> {question}\n{answer}\n")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OpenAIError as error:
        sys.exit(f"The request failed: {error}")
