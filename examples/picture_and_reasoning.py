"""A picture and a file in a question, and the reasoning before the answer, as it is streamed.

pip install openai; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
Name a picture of yours on the command line, or see a small one that comes with this program.
"""

import base64
import mimetypes
import os
import sys
from pathlib import Path

from openai import OpenAI, OpenAIError

client = OpenAI(
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)

RED_DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4"
    "//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="
)


def data_url(raw: bytes, media_type: str) -> str:
    """Bytes as a URL that holds them."""
    return f"data:{media_type};base64,{base64.b64encode(raw).decode()}"


def main() -> None:
    """Ask about a picture and a note, and print what is thought before what is said."""
    picture = RED_DOT
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        picture = data_url(path.read_bytes(), mimetypes.guess_type(path)[0] or "image/png")
    note = data_url(b"The dot should be blue.", "text/plain")
    stream = client.chat.completions.create(
        model="sonnet",
        reasoning_effort="high",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Think: does the picture agree with the note?"},
                    {"type": "image_url", "image_url": {"url": picture}},
                    {"type": "file", "file": {"file_data": note, "filename": "note.txt"}},
                ],
            }
        ],
        stream=True,
    )
    shown = ""
    for chunk in stream:
        for choice in chunk.choices:
            thought = getattr(choice.delta, "reasoning_content", None)  # no field of OpenAI's
            for kind, piece in (("thinks", thought), ("says", choice.delta.content)):
                if piece:
                    print(f"\n{kind}: " * (kind != shown) + piece, end="", flush=True)
                    shown = kind
    print()


if __name__ == "__main__":
    try:
        main()
    except OpenAIError as error:
        sys.exit(f"the server answered: {error}")
