"""The nearest of a few sentences, by their vectors, with the official openai client.

pip install openai; and pip install wordllama where the server runs, which needs a model for this.
BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import os
import sys

from openai import OpenAI, OpenAIError

client = OpenAI(
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)

SENTENCES = [
    "The stock market fell sharply on Tuesday.",
    "Baking bread needs flour, water, salt and yeast.",
    "Cats sleep for most of the day.",
    "A loaf is done when it sounds hollow.",
]
QUESTION = "How do I bake bread?"


def main() -> None:
    """Ask for all vectors at once, and sort the sentences by how near they are."""
    made = client.embeddings.create(model="text-embedding-3-small", input=[QUESTION, *SENTENCES])
    question, *vectors = (item.embedding for item in made.data)
    near = [  # the vectors are of length 1, so this is the cosine of the angle between them
        sum(a * b for a, b in zip(question, vector, strict=True)) for vector in vectors
    ]
    print(f"> {QUESTION}")
    for nearness, sentence in sorted(zip(near, SENTENCES, strict=True), reverse=True):
        print(f"{nearness:6.2f}  {sentence}")
    print(f"{len(question)} dimensions, made by {made.model}, {made.usage.total_tokens} tokens")


if __name__ == "__main__":
    try:
        main()
    except OpenAIError as error:
        sys.exit(f"the server answered: {error}")
