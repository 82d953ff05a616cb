"""Anthropic's Messages API: what goes wrong, before the first byte and after it."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic_client import (
    NEWER,
    OLDER,
    WEATHER,
    assistant,
    official,
    result,
    tell,
    text,
    user,
)
from serving import Running, new_id, running

UPSTREAM: dict[str, tuple[str, int, str, str, type[anthropic.APIStatusError]]] = {
    # message → status, type, words in the message, the package's own error
    "400": (
        "[[fail 400 the moon is wrong]]",
        *(400, "invalid_request_error", "the moon is wrong", anthropic.BadRequestError),
    ),
    "401": ("[[fail 401]]", 502, "api_error", "claude auth login", anthropic.InternalServerError),
    "404": ("[[fail 404]]", 404, "not_found_error", "model", anthropic.NotFoundError),
    "429": (
        "[[fail 429 retry-after 7]]",
        *(429, "rate_limit_error", "limits the rate", anthropic.RateLimitError),
    ),
    "409": ("[[fail 409]]", 502, "api_error", "(409)", anthropic.InternalServerError),
    "529": ("[[fail 529]]", 529, "overloaded_error", "(529)", anthropic.OverloadedError),
    "an over-long prompt": (
        "[[fail 400 prompt is too long: 9 tokens > 5 maximum]]",
        *(400, "invalid_request_error", "too long", anthropic.BadRequestError),
    ),
}


@pytest.fixture
async def client(server: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with official(server) as made:
        yield made


@pytest.mark.parametrize("case", UPSTREAM)
async def test_a_failure_of_the_models_side(
    server: Running, client: anthropic.AsyncAnthropic, case: str
) -> None:
    content, status, kind, words, error = UPSTREAM[case]
    with pytest.raises(error) as caught:
        await client.messages.create(
            model=OLDER, max_tokens=9, messages=[user(content)], stream=case in {"400", "529"}
        )
    found = caught.value
    assert (found.status_code, found.type) == (status, kind)
    assert words in found.message
    assert "API Error" not in str(found)
    document: Any = found.body
    assert set(document) == {"type", "error", "request_id"}
    assert set(document["error"]) == {"type", "message"}
    ids = {found.response.headers[name] for name in ("request-id", "x-request-id")}
    assert ids == {document["request_id"]} == {found.request_id}
    assert ("retry-after" in found.response.headers) == (case in {"409", "429", "529"})
    assert len(server.upstream.requests) >= 1


async def test_a_failure_in_mid_stream_is_an_event_and_the_last_one(server: Running) -> None:
    content = "[[stream-error 30]] [[words 90]]"
    told = await tell(server, content, stream=True, headers={"x-request-id": "mine"})
    assert told.status == 200
    assert told.text.startswith("word1 word2")
    assert told.error["type"] == "overloaded_error"
    assert told.data[-1]["request_id"] == told.headers["request-id"] == "mine"
    assert not {"message_delta", "message_stop"} & set(told.kinds)
    assert len(server.upstream.requests) == 1


CALL = {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {}}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    # fields → what the message names
    "no max_tokens": ({"max_tokens": None}, "max_tokens"),
    "max_tokens of 0": ({"max_tokens": 0}, "max_tokens"),
    "max_tokens as words": ({"max_tokens": "9"}, "max_tokens"),
    "no messages": ({"messages": []}, "messages"),
    "a strange role": ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    "a strange block": ({"messages": [user([{"type": "audio"}])]}, "messages[0].content[0]"),
    "prefill": ({"messages": [user("hi"), assistant("It is")]}, "messages[1]"),
    "the assistant first": ({"messages": [assistant("hi"), user("hi")]}, "'messages[0]'"),
    "no result": (
        {"messages": [user("hi"), assistant([CALL]), user("and?")]},
        "messages[2]",
    ),
    "a result of nothing": ({"messages": [user([result("c9")])]}, "messages[0].content[0]"),
    "a choice of nothing": (
        {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}},
        "tool_choice",
    ),
    "a tool of Anthropic's": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "tools[0]",
    ),
    "temperature above 1": ({"temperature": 1.2}, "temperature"),
    "a beta's field": ({"mcp_servers": [{"type": "url", "url": "x", "name": "y"}]}, "mcp_servers"),
    "an open schema": (
        {"output_config": {"format": {"type": "json_schema", "schema": []}}},
        "output_config.format.schema",
    ),
    "an unknown effort": ({"output_config": {"effort": "huge"}}, "output_config.effort"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_request_that_can_not_be_is_refused_by_name(server: Running, case: str) -> None:
    fields, place = WRONG[case]
    told = await tell(server, fields.get("messages", "hi"), **{"stream": True, **fields})
    assert (told.status, told.error["type"]) == (400, "invalid_request_error"), told.data
    assert place in told.error["message"]
    assert told.headers["request-id"] == told.data["request_id"]
    assert not server.upstream.requests


async def test_thinking_that_a_model_does_not_take_is_the_apis_own_error(server: Running) -> None:
    told = await tell(
        server,
        "hi",
        model=NEWER,
        thinking={"type": "enabled", "budget_tokens": 2_000},
        max_tokens=3_000,
    )
    assert (told.status, told.error["type"]) == (400, "invalid_request_error")
    assert "not supported for this model" in told.error["message"]


async def test_what_is_not_there(server: Running, client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        await client.messages.create(model="llama-3", max_tokens=9, messages=[user("hi")])
    assert caught.value.type == "not_found_error"
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await client.messages.batches.list()
    assert unknown.value.type == "not_found_error"
    async with server.http.get(f"{server.url}/v1/messages") as response:
        document = await response.json()
        assert (response.status, document["error"]["type"]) == (405, "invalid_request_error")
        assert response.headers["Allow"] == "OPTIONS, POST"


async def test_a_failure_in_mid_stream_is_raised(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.APIError, match="overloaded"):
        async with client.messages.stream(
            model=OLDER, max_tokens=900, messages=[user("[[stream-error 30]] [[words 90]]")]
        ) as stream:
            await stream.until_done()


async def test_a_message_thread_is_refused_as_the_package_knows_it(server: Running) -> None:
    told = await tell(server, "hi", thread={"type": "create"})
    assert (told.status, told.error["type"]) == (400, "invalid_request_error")
    assert told.error["details"] == {"error_code": "thread_unsupported_request"}
    assert "session_id" in told.error["message"]


async def test_a_body_that_is_not_json(server: Running) -> None:
    async with server.http.post(
        f"{server.url}/v1/messages", data=b"{", headers={"Content-Type": "application/json"}
    ) as response:
        document = await response.json()
    assert (response.status, document["type"]) == (400, "error")
    assert document["error"]["type"] == "invalid_request_error"


async def test_keys() -> None:
    async with running(api_keys=("ours",), pool_size=1) as server:
        session = new_id()
        for sent in ({"x-api-key": "ours"}, {"Authorization": "Bearer ours"}):
            told = await tell(server, "[[say yes]]", headers=sent, session_id=session)
            assert (told.status, told.text) == (200, "yes"), sent
        for wrong in ({}, {"x-api-key": "theirs"}, {"Authorization": "Bearer theirs"}):
            told = await tell(server, "hi", headers=wrong)
            assert (told.status, told.error["type"]) == (401, "authentication_error")
            assert "theirs" not in str(told.data)
        async with official(server, "theirs") as client:
            with pytest.raises(anthropic.AuthenticationError):
                await client.messages.create(model=OLDER, max_tokens=9, messages=[user("hi")])
        async with official(server, None, auth_token="ours") as client:
            message = await client.messages.create(
                model=OLDER,
                max_tokens=9,
                messages=[user("[[say yes]]")],
                extra_body={"session_id": session},
            )
            assert message.content[0].to_dict() == text("yes")
