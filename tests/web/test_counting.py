"""Tokens of a request, counted before it is made."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
import structlog
from anthropic_client import NEWER, OLDER, TOOLS, assistant, official, tell, text, user
from serving import Running, new_id

from bridge.demo.cache import measure
from bridge.demo.rules import check

COUNT = "/v1/messages/count_tokens"


def tokens(**body: Any) -> int:
    """What the model's side counts for a request."""
    return measure(check(body, counting=True)).tokens


@pytest.fixture
async def client(server: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with official(server) as made:
        yield made


async def test_the_count_is_the_model_sides_own(
    server: Running, client: anthropic.AsyncAnthropic
) -> None:
    messages: list[Any] = [user("one two"), assistant("three"), user([text("four five six")])]
    fields: dict[str, Any] = {"system": "Be brief.", "tools": TOOLS}
    count = await client.messages.count_tokens(model=OLDER, messages=messages, **fields)
    system = [text("Be brief.")]
    assert count.input_tokens == tokens(model=OLDER, messages=messages, system=system, tools=TOOLS)
    alone = await client.messages.count_tokens(model="opus", messages=messages)
    thinking = {"type": "adaptive"}
    assert alone.input_tokens == tokens(model=NEWER, messages=messages, thinking=thinking)
    assert 0 < alone.input_tokens < count.input_tokens
    forced = await client.messages.count_tokens(
        model=OLDER, messages=messages, **fields, tool_choice={"type": "any"}
    )
    assert forced.input_tokens == tokens(
        model=OLDER, messages=messages, system=system, tools=TOOLS, tool_choice={"type": "any"}
    )
    assert not server.upstream.requests  # no model was asked


async def test_the_history_of_a_session_counts(server: Running) -> None:
    session = new_id()
    await tell(server, "[[say a b c]]", session_id=session, system="Be brief.", tools=TOOLS)
    counted = await tell(server, "and?", session_id=session, path=COUNT, max_tokens=None)
    assert counted.status == 200, counted.data
    whole = [user("[[say a b c]]"), assistant("a b c"), user("and?")]
    expected = tokens(model=OLDER, messages=whole, system=[text("Be brief.")], tools=TOOLS)
    assert counted.data == {"input_tokens": expected}
    again = await tell(server, "and?", session_id=session, path=COUNT, max_tokens=None)
    assert again.data == counted.data
    assert [m["content"] for m in await server.messages(session)] == [
        *("Be brief.", "[[say a b c]]", "a b c"),
    ]
    nobodys = await tell(server, "and?", session_id=new_id(), path=COUNT, max_tokens=None)
    assert nobodys.data == {"input_tokens": tokens(model=OLDER, messages=[user("and?")])}


async def test_what_can_not_be_counted(server: Running) -> None:
    with structlog.testing.capture_logs() as lines:
        for fields, status, words in (
            ({"messages": []}, 400, "messages"),
            ({"model": "llama-3"}, 404, "llama-3"),
            ({"messages": [user("hi"), assistant("a")]}, 400, "messages[1]"),
            ({"tools": [{"name": "x"}]}, 400, "tools[0].input_schema"),
            ({"thinking": {"type": "enabled", "budget_tokens": 5}}, 400, "budget_tokens"),
        ):
            sent: dict[str, Any] = {"max_tokens": None, **fields}
            told = await tell(server, sent.pop("messages", "hi"), path=COUNT, **sent)
            assert told.status == status, told.data
            assert words in told.error["message"]
            assert told.headers["request-id"] == told.data["request_id"]
    assert len([line for line in lines if line["event"] == "request"]) == 5
    ignored = await tell(server, "hi", path=COUNT, max_tokens=5, something_new=1)
    assert ignored.status == 200
    assert set(ignored.headers["x-bridge-ignored"].split(", ")) == {"max_tokens", "something_new"}


async def test_what_is_counted_otherwise_is_named(server: Running) -> None:
    for fields, headers, name in (
        ({"output_config": {"effort": "low"}}, {}, "output_config.effort"),
        (
            {"model": NEWER, "thinking": {"type": "adaptive", "display": "updates"}},
            {"anthropic-beta": "thinking-display-updates-2026-08-18"},
            "thinking.display",
        ),
    ):
        sent: dict[str, Any] = {"max_tokens": None, **fields}
        told = await tell(server, "hi", path=COUNT, headers=headers, **sent)
        assert told.status == 200, told.data
        assert told.headers.get("x-bridge-changed") == name
