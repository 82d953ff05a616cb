"""Conversations that the server remembers, by ``extra_body``."""

import uuid

import openai
from asking import CLOCK, MODEL, answered, asked, user


def session() -> dict[str, str]:
    return {"session_id": f"clients-{uuid.uuid4()}"}


def test_a_session(client: openai.OpenAI) -> None:
    named = session()
    first = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("My name is Ada.")], extra_body=named
    )
    assert first.headers["x-bridge-session"] == "created"
    assert first.headers["x-session-id"] == named["session_id"]
    stream = client.chat.completions.create(
        model=MODEL, messages=[user("What is my name?")], extra_body=named, stream=True
    )
    assert "".join(c.choices[0].delta.content or "" for c in stream) == "Your name is Ada."
    other = client.chat.completions.create(
        model=MODEL, messages=[user("What is my name?")], extra_body=session()
    )
    assert "Ada" not in (other.choices[0].message.content or "")


def test_a_session_goes_on_with_a_result(client: openai.OpenAI) -> None:
    named = session()
    first = client.chat.completions.create(
        model=MODEL, messages=[user(asked("now"))], tools=[CLOCK], extra_body=named
    )
    (call,) = first.choices[0].message.tool_calls or ()
    second = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[answered(call, "It is noon")], tools=[CLOCK], extra_body=named
    )
    assert second.headers["x-bridge-session"] == "continued"
    assert "It is noon" in (second.parse().choices[0].message.content or "")


def test_sessions_by_the_clients_own_requests(client: openai.OpenAI) -> None:
    named = session()
    client.chat.completions.create(model=MODEL, messages=[user("Hello")], extra_body=named)
    path = f"/sessions/{named['session_id']}"
    found = client.get(path, cast_to=dict[str, object])
    assert found["message_count"] == 2
    client.delete(path, cast_to=dict[str, object])
