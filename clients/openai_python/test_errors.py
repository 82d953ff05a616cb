"""What goes wrong, as the client's own exceptions."""

from typing import Any

import openai
import pytest
from asking import MODEL, WEATHER, user
from conftest import URL


def test_a_model_that_does_not_exist(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="llama-3", messages=[user("hi")])
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "llama-3" in caught.value.message
    assert caught.value.request_id
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("llama-3")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": [{"role": "pirate", "content": "Arr"}]}, "messages[0].role", "invalid_value"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
            "invalid_value",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "array"}},
                }
            },
            "response_format.json_schema.schema.type",
            "invalid_json_schema",
        ),
    ],
)
def test_a_field_at_fault_is_named(
    client: openai.OpenAI, fields: dict[str, Any], param: str, code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": MODEL, "messages": [user("hi")], **fields})
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.type == "invalid_request_error"


def test_a_limit_of_the_models_side(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=MODEL, messages=[user("[[fail 429 retry-after 1]]")])
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError, match="not today"):
        client.chat.completions.create(
            model=MODEL, messages=[user("[[fail 400 not today]]")], stream=stream
        )


def test_an_error_in_mid_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=[user("[[stream-error 20]] [[words 60]]")], stream=True
    )
    said = ""
    with pytest.raises(openai.APIError, match="overloaded"):
        for chunk in stream:
            said += chunk.choices[0].delta.content or ""
    assert len(said.split()) == 20


def test_a_client_that_does_not_wait() -> None:
    with (
        openai.OpenAI(base_url=URL, api_key="unused", max_retries=0, timeout=1) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(model=MODEL, messages=[user("[[stall]]")])


def test_a_path_that_does_not_exist(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.moderations.create(input="hi")
    assert caught.value.code == "unknown_route"
