"""Keys, betas, and what is the bridge's own: sessions, and other names of models."""

import os
import uuid
from typing import Any

import anthropic
import pytest
from asking import CLOCK, MODEL, asked, calls, result, said, user
from conftest import SAMPLES

KEYED = os.environ["BRIDGE_KEYED_URL"].removesuffix("/v1")
KEY = os.environ["BRIDGE_KEY"]


@pytest.mark.parametrize("way", ["api_key", "auth_token"])
def test_a_key(way: str) -> None:
    given: Any = {way: KEY}
    with anthropic.Anthropic(base_url=KEYED, max_retries=0, **given) as client:
        raw = client.messages.with_raw_response.create(
            model=MODEL, max_tokens=99, messages=[user("[[say let in]]")]
        )
        assert said(raw.parse()) == "let in"
        headers = raw.http_response.request.headers
        assert ("x-api-key" in headers) == (SAMPLES and way == "api_key")
        assert client.models.list().data
        assert client.messages.count_tokens(model=MODEL, messages=[user("hi")]).input_tokens


def test_a_wrong_key() -> None:
    with anthropic.Anthropic(base_url=KEYED, max_retries=0, api_key="wrong") as client:
        for call in (
            lambda: client.messages.create(model=MODEL, max_tokens=9, messages=[user("hi")]),
            lambda: client.messages.create(
                model=MODEL, max_tokens=9, messages=[user("hi")], stream=True
            ),
            lambda: client.messages.count_tokens(model=MODEL, messages=[user("hi")]),
            client.models.list,
        ):
            with pytest.raises(anthropic.AuthenticationError) as caught:
                call()
            assert caught.value.type == "authentication_error"
            assert caught.value.request_id
            assert caught.value.body["request_id"] == caught.value.request_id
            assert "wrong" not in caught.value.message.replace("is wrong", "")


@pytest.mark.parametrize(
    "betas",
    [
        [],
        ["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"],
        ["never-heard-of-2030-01-01"],
    ],
)
def test_betas(client: anthropic.Anthropic, betas: list[Any]) -> None:
    message = client.beta.messages.create(
        model=MODEL, max_tokens=99, messages=[user("[[say as ever]]")], betas=betas
    )
    assert said(message) == "as ever"
    with client.beta.messages.stream(
        model=MODEL, max_tokens=99, messages=[user("[[say as ever]]")], betas=betas
    ) as stream:
        assert said(stream.get_final_message()) == "as ever"


def test_a_session(client: anthropic.Anthropic) -> None:
    sent: Any = {
        "model": MODEL,
        "max_tokens": 99,
        "extra_body": {"session_id": f"clients-{uuid.uuid4()}"},
    }
    first = client.messages.with_raw_response.create(
        messages=[user("My name is Ada.")], system="Be brief.", **sent
    )
    assert first.headers["x-bridge-session"] == "created"
    second = client.messages.with_raw_response.create(messages=[user("What is my name?")], **sent)
    assert second.headers["x-bridge-session"] == "continued"
    assert said(second.parse()) == "Your name is Ada."
    with client.messages.stream(messages=[user("What is my name?")], **sent) as stream:
        assert stream.get_final_text() == "Your name is Ada."
        assert stream.response.headers["x-bridge-session"] == "continued"


def test_a_session_with_tools_and_thinking(client: anthropic.Anthropic) -> None:
    sent: Any = {
        "model": MODEL,
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [CLOCK],
        "extra_headers": {"X-Session-Id": f"clients-{uuid.uuid4()}"},
    }
    first = client.messages.create(messages=[user(f"[[think what]] {asked('now')}")], **sent)
    (call,) = calls(first)
    second = client.messages.create(messages=[user([result(call, "noon")])], **sent)
    assert "noon" in said(second)


@pytest.mark.parametrize("name", ["sonnet", "claude-sonnet-4-5-20250929", "gpt-4o"])
def test_other_names_of_models(client: anthropic.Anthropic, name: str) -> None:
    message = client.messages.create(model=name, max_tokens=99, messages=[user("[[say me]]")])
    assert said(message) == "me"
    assert message.model.startswith("claude-sonnet-")


def test_fields_without_effect_are_named(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=99,
        messages=[user("[[say as ever]]")],
        extra_body={"colour": "red", "service_tier": "standard_only"},
    )
    assert said(raw.parse()) == "as ever"
    assert sorted(raw.headers["x-bridge-ignored"].split(", ")) == ["colour", "service_tier"]


def test_threads_are_refused_as_the_clients_know_it(client: anthropic.Anthropic) -> None:
    """The tool runner of the newer clients asks for one, and does without one after this answer."""
    for thread in ({"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}):
        with pytest.raises(anthropic.BadRequestError) as caught:
            client.beta.messages.create(
                model=MODEL,
                max_tokens=99,
                messages=[user("hi")],
                betas=["message-threads-2026-08-12"],
                extra_body={"thread": thread},
            )
        assert caught.value.body["error"]["details"]["error_code"] == "thread_unsupported_request"
    message = client.beta.messages.create(
        model=MODEL,
        max_tokens=99,
        messages=[user("[[say by itself]]")],
        extra_body={"thread": None},
    )
    assert said(message) == "by itself"


def test_a_thread_goes_on_without_the_server(client: anthropic.Anthropic) -> None:
    if SAMPLES:
        assert not hasattr(client.beta.messages, "thread")
        return
    thread = client.beta.messages.thread(
        model=MODEL, max_tokens=99, unsupported_request_behavior="continue_unthreaded"
    )
    thread.send(user("My name is Ada."))
    assert said(thread.send(user("What is my name?"))) == "Your name is Ada."
