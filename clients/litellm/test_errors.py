"""What goes wrong, as the library's own exceptions."""

from typing import Any

import litellm
import pytest
from asking import SONNET, WEATHER, ask, ask_async, each_model


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("[[fail 400 not today]]", litellm.BadRequestError, "not today"),
        ("[[fail 429]]", litellm.RateLimitError, "limits the rate"),
        ("[[fail 529]]", litellm.ServiceUnavailableError, "overloaded"),
        ("[[fail 401]]", litellm.BadGatewayError, "your key is not at fault"),
        (
            "[[fail 400 prompt is too long: 300000 tokens > 200000 maximum]]",
            litellm.ContextWindowExceededError,
            "longer than the model's context",
        ),
    ],
    ids=["refused", "limited", "overloaded", "logged out", "too long"],
)
def test_what_the_models_side_refuses(
    stream: bool, text: str, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        ask(SONNET, text, stream=stream)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
            "invalid_value",
        ),
    ],
)
def test_a_field_at_fault_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(litellm.BadRequestError) as caught:
        ask(SONNET, "hi", **fields)
    assert (caught.value.param, caught.value.code) == (param, code)


async def test_a_model_that_does_not_exist() -> None:
    with pytest.raises(litellm.NotFoundError, match="llama-3"):
        ask("openai/llama-3", "hi")
    with pytest.raises(litellm.NotFoundError, match="llama-3"):
        await ask_async("openai/llama-3", "hi", stream=True)


@each_model
def test_an_error_in_mid_stream(model: str) -> None:
    said = ""
    with pytest.raises(litellm.exceptions.MidStreamFallbackError, match="overloaded"):
        for chunk in ask(model, "[[stream-error 20]] [[words 60]]", stream=True):
            said += chunk.choices[0].delta.content or ""
    assert len(said.split()) == 20


def test_a_client_that_does_not_wait() -> None:
    with pytest.raises(litellm.Timeout):
        ask(SONNET, "[[stall]]", timeout=1)
    after = ask(SONNET, "[[say still here]]")
    assert after.choices[0].message.content == "still here"
