"""A session with the official openai client: only what is new is sent, the server knows the rest.

Two turns of a named conversation, then what can be done with it: list, read, fork, delete.

pip install openai; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.
"""

import os
import sys
import uuid
from typing import Any

from openai import OpenAI, OpenAIError

client = OpenAI(
    base_url=os.environ.get("BRIDGE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("BRIDGE_API_KEY", "unused"),
)
MODEL = "sonnet"


def check(found: object, expected: object, what: str) -> None:
    """Leave with a message when something is not as promised."""
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def tell(session: str, text: str) -> str | None:
    """One turn of a session, and what became of the session: created, continued …"""
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": text}],
        extra_body={"session_id": session},
    )
    print(f"> {text}\n{raw.parse().choices[0].message.content}")
    return raw.headers.get("x-bridge-session")


def ask_streaming(session: str, text: str) -> tuple[str, str | None]:
    """The same as a stream; the answer, and what became of the session."""
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": text}],
        extra_body={"session_id": session},
        stream=True,
    )
    print(f"> {text}")
    answer = ""
    for chunk in raw.parse():
        if chunk.choices:
            piece = chunk.choices[0].delta.content or ""
            print(piece, end="", flush=True)
            answer += piece
    print()
    return answer, raw.headers.get("x-bridge-session")


def get(path: str) -> Any:
    """A document about sessions; with ``cast_to=object`` the client gives plain dicts and lists."""
    return client.get(path, cast_to=object)


def main() -> None:
    """Tell a name, ask for it, and look at what the server kept."""
    session = f"example-{uuid.uuid4()}"  # these need no percent-encoding in a path
    branch = f"{session}-fork"

    check(tell(session, "My name is Ada."), "created", "x-bridge-session of the first turn")

    answer, became = ask_streaming(session, "What is my name?")
    check(became, "continued", "x-bridge-session of the second turn")
    check("Ada" in answer, True, "the model knows the name")

    listed = {item["session_id"]: item for item in get("/sessions")["sessions"]}
    check(session in listed, True, "the session is listed")
    print(f"listed: {listed[session]['message_count']} messages, {listed[session]['state']}")

    messages = get(f"/sessions/{session}/messages")["messages"]
    roles = [message["role"] for message in messages]
    check(roles, ["user", "assistant", "user", "assistant"], "the roles of the messages")
    check(messages[-1]["content"], answer, "the last message")
    print(f"read: {len(messages)} messages")

    fork: Any = client.post(
        f"/sessions/{session}/fork",
        cast_to=object,
        body={"session_id": branch, "message_count": 2},  # up to the first answer
    )
    check(fork["session_id"], branch, "the fork's name")
    answer, became = ask_streaming(branch, "Do you know my name?")
    check(became, "continued", "x-bridge-session of a turn on the fork")
    check("Ada" in answer, True, "the fork knows the name")
    check(get(f"/sessions/{session}")["message_count"], 4, "the first session's messages")

    for name in (session, branch):
        deleted: Any = client.delete(f"/sessions/{name}", cast_to=object)
        print(deleted["message"])
    left = {item["session_id"] for item in get("/sessions")["sessions"]}
    check({session, branch} & left, set(), "sessions left")


if __name__ == "__main__":
    try:
        main()
    except OpenAIError as error:
        sys.exit(f"The request failed: {error}")
