"""What goes wrong, as the client's own exceptions."""

import time
from typing import Any

import anthropic
import pytest
from asking import MODEL, said, user
from conftest import URL


def ask(client: anthropic.Anthropic, text: str, **more: Any) -> Any:
    return client.messages.create(
        **{"model": MODEL, "max_tokens": 99, "messages": [user(text)], **more}
    )


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.APIStatusError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_of_the_models_side(
    client: anthropic.Anthropic, status: int, kind: Any, name: str, streamed: bool
) -> None:
    with pytest.raises(kind) as caught:
        ask(client, f"[[fail {status} not today]]", stream=streamed)
    error = caught.value
    assert error.request_id
    assert error.body["type"] == "error"
    assert error.body["request_id"] == error.request_id
    assert error.body["error"]["type"] == error.type == name
    assert error.status_code == (502 if status == 500 else status)
    assert ("not today" in error.message) == (status == 400)  # Claude Code has its own words


@pytest.mark.parametrize("status", [401, 403])
def test_the_servers_own_credentials_are_not_the_clients(
    client: anthropic.Anthropic, status: int
) -> None:
    with pytest.raises(anthropic.InternalServerError):
        ask(client, f"[[fail {status}]]")


def test_a_model_that_does_not_exist(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="llama-3") as caught:
        ask(client, "hi", model="llama-3")
    assert caught.value.type == "not_found_error"
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"max_tokens": "many"}}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "pirate", "content": "Arr"}]}, r"messages\W0\W+role"),
        ({"messages": [user([])]}, r"messages\W0"),
        ({"messages": [user([{"type": "text"}])]}, r"messages\W0\W+content\W0\W+text"),
        ({"messages": [user([{"type": "text", "text": "hi"}, {"type": "text", "text": 7}])]}, "1"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, r"messages|user"),
        ({"system": 7}, "system"),
        ({"system": [{"type": "image"}]}, r"system\W0"),
        ({"stop_sequences": [" "]}, "stop_sequences"),
        ({"metadata": {"user_id": 7}}, r"metadata\.user_id"),
        ({"extra_body": {"temperature": 1.5}}, "temperature"),
        (
            {"extra_body": {"mcp_servers": [{"type": "url", "url": "x", "name": "x"}]}},
            "mcp_servers",
        ),
        ({"extra_body": {"container": "container_1"}}, "container"),
        ({"extra_body": {"stream": "yes"}}, "stream"),
    ],
)
def test_a_field_at_fault_is_named(
    client: anthropic.Anthropic, fields: dict[str, Any], place: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=place) as caught:
        ask(client, "hi", **fields)
    assert caught.value.type == "invalid_request_error"


def test_a_prompt_that_is_too_long(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"too long|context") as caught:
        ask(client, "word " * 250_000)
    assert caught.value.type == "invalid_request_error"


def test_an_error_in_mid_stream(client: anthropic.Anthropic) -> None:
    text = ""
    with (
        pytest.raises(anthropic.APIStatusError, match="verloaded") as caught,
        client.messages.stream(
            model=MODEL, max_tokens=999, messages=[user("[[stream-error 20]] [[words 60]]")]
        ) as stream,
    ):
        for piece in stream.text_stream:
            text += piece
    assert len(text.split()) == 20
    assert caught.value.type in ("overloaded_error", "api_error")
    assert caught.value.request_id


def test_a_stream_that_breaks(client: anthropic.Anthropic) -> None:
    with (
        pytest.raises(anthropic.APIError),
        client.messages.stream(
            model=MODEL, max_tokens=999, messages=[user("[[break 20]] [[words 60]]")]
        ) as stream,
    ):
        stream.until_done()


async def test_an_async_error_in_mid_stream(async_client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.APIStatusError, match="verloaded"):
        async with async_client.messages.stream(
            model=MODEL, max_tokens=999, messages=[user("[[stream-error 3]] [[words 60]]")]
        ) as stream:
            await stream.get_final_message()


def test_a_client_that_tries_again() -> None:
    with anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=1) as client:
        began = time.monotonic()
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask(client, "[[fail 429 retry-after 2]]")
    response = caught.value.response
    assert int(response.headers["retry-after"]) >= 1
    assert response.request.headers["x-stainless-retry-count"] == "1"
    assert time.monotonic() - began >= 1


def test_what_is_not_worth_another_try() -> None:
    with anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=3) as client:
        with pytest.raises(anthropic.BadRequestError) as caught:
            ask(client, "[[fail 400 never]]")
        assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
        assert said(ask(client, "[[say well]]")) == "well"


def test_a_client_that_does_not_wait() -> None:
    with (
        anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0, timeout=1) as client,
        pytest.raises(anthropic.APITimeoutError),
    ):
        ask(client, "[[stall]]")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.messages.batches.list(),
        lambda client: client.messages.batches.create(requests=[]),
        lambda client: client.messages.batches.retrieve("msgbatch_1"),
        lambda client: client.beta.files.list(),
        lambda client: client.beta.files.upload(file=("a.txt", b"hi", "text/plain")),
        lambda client: client.post("/v1/complete", cast_to=object, body={}),
        lambda client: client.post("/v1/nowhere", cast_to=object, body={}),
    ],
)
def test_what_is_not_served(client: anthropic.Anthropic, call: Any) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        call(client)
    assert caught.value.type == "not_found_error"
    assert caught.value.request_id
    assert "/v1/" in caught.value.message
