"""Models, and how many tokens a prompt has."""

from datetime import datetime
from typing import Any

import anthropic
import pytest
from asking import MODEL, NEWEST, WEATHER, assistant, user
from media import PNG_DATA


def test_the_models(client: anthropic.Anthropic) -> None:
    page = client.models.list(limit=1000)
    assert page.has_more is False
    ids = [model.id for model in page.data]
    assert {NEWEST, "claude-sonnet-5-5"} <= set(ids)
    assert (page.first_id, page.last_id) == (ids[0], ids[-1])
    for model in page.data:
        assert model.type == "model"
        assert model.display_name
        assert isinstance(model.created_at, datetime)
        assert model.lifecycle == "active"


def test_the_pages(client: anthropic.Anthropic) -> None:
    everything = [model.id for model in client.models.list(limit=1000)]
    assert len(everything) > 2
    first = client.models.list(limit=2)
    assert len(first.data) == 2
    assert first.has_more is True
    assert [model.id for model in first] == everything  # page after page
    assert [model.id for model in client.models.list(limit=1, after_id=everything[0])] == (
        everything[1:]
    )
    before = client.models.list(limit=1000, before_id=everything[-1])
    assert [model.id for model in before.data] == everything[:-1]


async def test_the_async_pages(async_client: anthropic.AsyncAnthropic) -> None:
    ids = [model.id async for model in async_client.models.list(limit=3)]
    assert NEWEST in ids
    assert len(ids) == len(set(ids))


def test_one_model(client: anthropic.Anthropic) -> None:
    one = client.models.retrieve(NEWEST)
    assert (one.id, one.type) == (NEWEST, "model")
    assert one.display_name
    assert isinstance(one.created_at, datetime)
    beta = client.beta.models.retrieve(NEWEST)
    assert beta.id == NEWEST


def test_a_model_that_does_not_exist(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="llama-3") as caught:
        client.models.retrieve("llama-3")
    assert caught.value.type == "not_found_error"


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_of_a_size_that_is_none(client: anthropic.Anthropic, limit: int) -> None:
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        client.models.list(limit=limit)


def test_counting(client: anthropic.Anthropic, model: str) -> None:
    def count(**more: Any) -> int:
        return client.messages.count_tokens(
            **{"model": model, "messages": [user("Hello there")], **more}
        ).input_tokens

    little = count()
    assert little > 0
    for fields in (
        {"system": "Be brief, and as kind as can be."},
        {"system": [{"type": "text", "text": "Be brief, and as kind as can be."}]},
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": {"type": "auto"}},
        {"messages": [user("Hello there"), assistant("Hello yourself!"), user("And now?")]},
        {
            "messages": [
                user(
                    [
                        {"type": "text", "text": "Hello there"},
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": PNG_DATA,
                            },
                        },
                    ]
                )
            ]
        },
    ):
        assert count(**fields) > little


def test_counting_with_thinking_and_a_format(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(
        model=MODEL,
        messages=[user("Hello there")],
        thinking={"type": "enabled", "budget_tokens": 2000},
        output_config={
            "format": {
                "type": "json_schema",
                "schema": {"type": "object", "properties": {}, "additionalProperties": False},
            }
        },
    )
    assert counted.input_tokens > 0


async def test_the_async_and_the_beta_client_count(
    async_client: anthropic.AsyncAnthropic,
) -> None:
    messages = [user("Hello there")]
    plain = await async_client.messages.count_tokens(model=MODEL, messages=messages)
    beta = await async_client.beta.messages.count_tokens(model=MODEL, messages=messages)
    assert plain.input_tokens == beta.input_tokens > 0


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"messages": []}, anthropic.BadRequestError, "messages"),
        ({"model": "llama-3"}, anthropic.NotFoundError, "llama-3"),
        ({"system": 7}, anthropic.BadRequestError, "system"),
        ({"tools": [{"name": "x"}]}, anthropic.BadRequestError, "input_schema"),
    ],
)
def test_what_can_not_be_counted(
    client: anthropic.Anthropic, fields: dict[str, Any], kind: Any, words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        client.messages.count_tokens(**{"model": MODEL, "messages": [user("hi")], **fields})
    assert caught.value.request_id
