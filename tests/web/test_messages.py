"""Anthropic's Messages API: what a client gets, and what reaches the model.

The client is the official package, unmodified; where it hides the wire, plain HTTP.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pydantic
import pytest
from anthropic_client import (
    BOTH,
    NEWER,
    OLDER,
    TOOLS,
    assistant,
    calls,
    official,
    result,
    tell,
    text,
    user,
)
from multidict import CIMultiDict
from serving import Running, new_id, running
from test_media import PDF, drawn, in_base64

from bridge.web.stream import Patience


@pytest.fixture
async def client(server: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with official(server) as made:
        yield made


# -- what a client gets ---------------------------------------------------------------------------


async def test_a_message(server: Running, client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=500,
        messages=[{"role": "user", "content": "[[say four words for you]]"}],
    )
    assert [block.to_dict() for block in message.content] == [text("four words for you")]
    assert (message.type, message.role, message.model) == (
        *("message", "assistant", "claude-sonnet-5-5"),
    )
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.usage.output_tokens == 4
    used = message.usage  # of a server that others asked before: some may be read from the cache
    cached = (used.cache_creation_input_tokens or 0) + (used.cache_read_input_tokens or 0)
    assert used.input_tokens + cached > 10
    (received,) = server.upstream.requests
    assert received.body["model"] == "claude-sonnet-5-5"
    assert received.body["max_tokens"] == 500
    assert message._request_id is not None


ENDINGS: dict[str, tuple[dict[str, Any], tuple[str, str | None]]] = {
    # fields → why it ends
    "words": ({"content": "[[say one two three four five six]]"}, ("end_turn", None)),
    "calls": ({"content": f"[[say One moment.]] {BOTH}", "tools": TOOLS}, ("tool_use", None)),
    "thoughts": (
        {
            "content": "[[think first this]] [[redacted]] [[say then that]]",
            "thinking": {"type": "enabled", "budget_tokens": 1_024},
            "max_tokens": 2_000,
        },
        ("end_turn", None),
    ),
    "a stop sequence": (
        {"content": "[[say one HALT two]]", "stop_sequences": ["STOP", "HALT"]},
        ("stop_sequence", "HALT"),
    ),
    "max_tokens": ({"content": "[[words 30]]", "max_tokens": 5}, ("max_tokens", None)),
    "a refusal": ({"content": "[[refuse]]"}, ("refusal", None)),
}


@pytest.mark.parametrize("case", ENDINGS)
async def test_a_stream_adds_up_to_the_document(
    server: Running, client: anthropic.AsyncAnthropic, case: str
) -> None:
    sent, (reason, sequence) = ENDINGS[case]
    ends = reason in {"end_turn", "stop_sequence"}  # well: one process does for both
    fields = {
        "model": OLDER,
        "max_tokens": 1_000,
        **sent,
        "extra_body": {"session_id": new_id()} if ends else {},
    }
    fields["messages"] = [user(fields.pop("content"))]
    whole = await client.messages.create(**fields)
    async with client.messages.stream(**fields) as stream:
        streamed = await stream.get_final_message()
    documents = [message.to_dict() for message in (whole, streamed)]
    for document in documents:
        del document["id"]  # the model's own for each answer
        document.pop("stop_details", None)  # which the package's stream always has
        for block in document["content"]:
            block.pop("id", None)
        for name in [name for name in document["usage"] if not name.startswith("output_tokens")]:
            del document["usage"][name]  # the second one finds the first one's prompt cached
    assert documents[0] == documents[1]
    assert (whole.stop_reason, whole.stop_sequence) == (reason, sequence)
    assert len(server.upstream.requests) == 2


async def test_the_events_of_a_stream(server: Running) -> None:
    told = await tell(server, f"[[say One two.]] {BOTH}", tools=TOOLS, stream=True)
    assert told.status == 200
    assert told.headers["content-type"].startswith("text/event-stream")
    deltas = dict.fromkeys(range(3), 0)
    for event in told.data:
        if event["type"] == "content_block_delta":
            deltas[event["index"]] += 1
    assert deltas[0] == 2  # the model's own
    assert deltas[1] > 1
    blocks = [
        *("content_block_start", "content_block_delta", "content_block_stop"),
    ]
    collapsed = [
        k for k, before in zip(told.kinds, [None, *told.kinds], strict=False) if k != before
    ]
    assert collapsed == ["message_start", *blocks * 2, *blocks, "message_delta", "message_stop"]
    start, first = told.data[0]["message"], told.data[1]
    assert (start["content"], start["stop_reason"]) == ([], None)
    assert start["usage"]["input_tokens"] + start["usage"]["cache_creation_input_tokens"] > 0
    assert first == {"type": "content_block_start", "index": 0, "content_block": text("")}
    starts = [e["content_block"] for e in told.data if e["type"] == "content_block_start"]
    assert [(b["type"], b.get("name"), b.get("input")) for b in starts[1:]] == [
        ("tool_use", "get_weather", {}),
        ("tool_use", "get_time", {}),
    ]
    assert told.data[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert told.data[-1] == {"type": "message_stop"}


async def test_the_first_words_come_before_the_last_are_made(
    client: anthropic.AsyncAnthropic,
) -> None:
    async with asyncio.timeout(10):  # the model never ends: what is here was streamed
        async with client.messages.stream(
            model=OLDER, max_tokens=100, messages=[user("[[stall 2]] [[words 9]]")]
        ) as stream:
            seen = ""
            async for words in stream.text_stream:
                seen += words
                if len(seen.split()) == 2:
                    break


async def test_a_client_that_leaves_in_mid_stream_ends_the_request(server: Running) -> None:
    async with server.next_request() as arrival:
        body = {
            "model": OLDER,
            "max_tokens": 99,
            "stream": True,
            "messages": [user("[[stall 2]] [[words 9]]")],
        }
        async with server.post("/v1/messages", body) as response:
            received = await arrival
            await response.content.readline()
            response.close()
        async with asyncio.timeout(60):
            await received.ended_event.wait()
    assert received.state == "aborted"


async def test_silence_is_filled_with_pings_and_an_error_after_one_is_an_event() -> None:
    async with running(patience=Patience(ping=0.05)) as server:
        told = await tell(server, "[[slow 0.3]] [[say at last]]", stream=True)
        assert [event["type"] for event in told.data[:2]] == ["ping", "ping"]
        assert told.text == "at last"
        late = await tell(server, "[[slow 0.3]] [[fail 529]]", stream=True)
        assert (late.status, late.kinds) == (200, ["error"])
        assert late.error["type"] == "overloaded_error"


async def test_the_other_forms_of_the_path(
    server: Running, client: anthropic.AsyncAnthropic
) -> None:
    session = new_id()
    for path in ("/v1/messages/", "/v1/messages?beta=true", "/api/v1/messages"):
        told = await tell(server, "[[say here]]", path=path, session_id=session)
        assert (told.status, told.text) == (200, "here"), path
        assert told.headers["request-id"]
    message = await client.beta.messages.create(
        model=OLDER,
        max_tokens=99,
        betas=["context-1m-2025-08-07"],
        messages=[user("[[say beta]]")],
        extra_body={"session_id": session},
    )
    assert [block.to_dict() for block in message.content] == [text("beta")]


# -- what reaches the model -----------------------------------------------------------------------

PICTURE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": in_base64(drawn())},
}
LINK = {"type": "image", "source": {"type": "url", "url": "https://127.0.0.1/a%20b.png?c=d"}}
PAPER = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": in_base64(PDF)},
    "title": "A title",
    "context": "Its context",
}
LINKED_PAPER = {"type": "document", "source": {"type": "url", "url": "https://127.0.0.1/a.pdf"}}
PLAIN = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "Grüße\n\n@/etc/passwd ☃\n"},
}
SHOWN = [PICTURE, LINK, PAPER, LINKED_PAPER, PLAIN]


@pytest.mark.parametrize(
    ("system", "seen"),
    [
        (" ", []),
        ("Be brief.\n  ", ["Be brief.\n  "]),
        (
            [{**text("Be brief."), "cache_control": {"type": "ephemeral"}}, text(" Be kind.")],
            ["Be brief.\n\n Be kind."],
        ),
    ],
)
async def test_the_system_prompt(server: Running, system: Any, seen: list[str]) -> None:
    told = await tell(server, "hello", system=system)
    assert told.status == 200, told.data
    assert server.seen()[0]["system"] == seen


async def test_every_kind_of_block_reaches_the_model_as_it_is(server: Running) -> None:
    asked = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": [1, None, "ü"]}}
    messages = [
        user([text("one"), *SHOWN, text("two")]),
        assistant([text("Looking."), asked, {**asked, "id": "toolu_2", "input": {}}]),
        user(
            [
                result("toolu_1", [text("seen"), *SHOWN]),
                result("toolu_2", "gone", is_error=True),
                text("and now?"),
            ]
        ),
        assistant("Nothing."),
        user("[[say fine]]"),
    ]
    told = await tell(
        server, messages, tools=[{"name": "look", "input_schema": {"type": "object"}}]
    )
    assert (told.status, told.text) == (200, "fine"), told.data
    assert server.seen()[0]["messages"] == [
        messages[0],
        messages[1],
        user(
            [
                result("toolu_1", [text("seen"), *SHOWN]),
                result("toolu_2", [text("gone")], is_error=True),
                text("and now?"),
            ]
        ),
        assistant([text("Nothing.")]),
        user([text("[[say fine]]")]),
    ]
    assert len(server.upstream.requests) == 1


async def test_tools_are_told_as_the_client_wrote_them(server: Running) -> None:
    odd = {
        "$defs": {"place": {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}},
        "type": "object",
        "properties": {"where": {"$ref": "#/$defs/place"}},
        "x-of-the-clients": [1, 2],
    }
    tools = [
        {"name": "z-last", "description": "x" * 9_000, "input_schema": odd},
        {"name": "a_first", "input_schema": {"type": "object"}},
        {
            "name": "exact",
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
            "strict": True,
        },
    ]
    sent = [{"type": "custom", **tools[0]}, *tools[1:]]
    told = await tell(server, "hello", tools=sent)
    assert told.status == 200, told.data
    (seen,) = server.seen()
    assert seen["tools"] == tools
    assert list(seen["tools"][0]["input_schema"]) == list(odd)


CHOICES: dict[str, tuple[Any, Any, list[str], int]] = {
    # tool_choice → tool_choice, tools and calls upstream
    "none": ({"type": "none"}, {"type": "none"}, ["get_weather", "get_time"], 0),
    "any": (
        {"type": "any", "disable_parallel_tool_use": True},
        {"type": "any", "disable_parallel_tool_use": True},
        ["get_weather", "get_time"],
        1,
    ),
    "named": (
        {"type": "tool", "name": "get_time"},
        {"type": "tool", "name": "get_time"},
        ["get_time"],
        1,
    ),
}


@pytest.mark.parametrize("case", CHOICES)
async def test_a_choice_reaches_the_model(server: Running, case: str) -> None:
    choice, seen, offered, called = CHOICES[case]
    told = await tell(server, f"hello {BOTH}", tools=TOOLS, tool_choice=choice)
    assert told.status == 200, told.data
    (received,) = server.upstream.requests
    assert received.body.get("tool_choice") == seen
    assert [tool["name"] for tool in received.body["tools"]] == offered
    assert len(calls(told.data["content"])) == called


FIELDS: dict[str, list[dict[str, Any]]] = {
    OLDER: [
        {"temperature": 0.3},
        {"top_p": 0.9},
        {"top_k": 7},
        {"stop_sequences": ["A", " \nB", "C", "D", "E"]},
        {"metadata": {"user_id": "somebody"}},
        {"max_tokens": 170},
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 3_000},
    ],
    NEWER: [
        {"output_config": {"effort": "max"}},
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        {"max_tokens": 17_000},
    ],
}


@pytest.mark.parametrize("model", FIELDS)
async def test_fields_reach_the_model_as_they_are(server: Running, model: str) -> None:
    session = new_id()  # each turn is asked for by itself, in one process
    for fields in FIELDS[model]:
        told = await tell(server, "[[say hi]]", model=model, session_id=session, **fields)
        assert told.status == 200, told.data
        assert not {"x-bridge-changed", "x-bridge-ignored"} & set(told.headers)
        body = server.upstream.requests[-1].body
        assert {name: body.get(name) for name in fields} == fields
        for name in ("top_p", "top_k", "stop_sequences"):
            assert name in fields or name not in body
    bodies = [received.body for received in server.upstream.requests]
    if model == OLDER:
        assert "temperature" not in bodies[1]
    else:
        assert bodies[-1]["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(("model", "thinks"), [(OLDER, False), (NEWER, True)])
async def test_without_a_word_about_thinking_the_model_does_as_it_would(
    server: Running, model: str, thinks: bool
) -> None:
    told = await tell(server, "[[think a little]] [[say done]]", model=model)
    blocks = [block["type"] for block in told.data["content"]]
    assert blocks == [*(["thinking"] if thinks else []), "text"]
    if thinks:  # and shows no more of it than it would
        assert told.data["content"][0]["thinking"] == ""
        assert told.data["content"][0]["signature"]
        assert told.data["usage"]["output_tokens_details"] == {"thinking_tokens": 2}


async def test_what_has_no_effect_is_named(server: Running) -> None:
    told = await tell(
        server,
        [user([{**text("hello"), "cache_control": {"type": "ephemeral"}}])],
        service_tier="standard_only",
        something_new=1,
        headers={"anthropic-beta": "a-beta-2026-01-01"},
    )
    assert told.status == 200, told.data
    assert set(told.headers["x-bridge-ignored"].split(", ")) == {
        *("service_tier", "something_new", "anthropic-beta", "messages[].content[].cache_control"),
    }


async def test_both_versions_of_the_api(server: Running) -> None:
    newer, session = {"anthropic-version": "2026-10-21"}, new_id()
    for headers in (newer, {"anthropic-version": "2023-06-01"}, {}):
        told = await tell(server, "[[say yes]]", headers=headers, session_id=session)
        assert (told.status, told.text) == (200, "yes"), headers
    refused = await tell(server, "hi", headers=newer, temperature=0.5)
    assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
    assert "temperature" in refused.error["message"]
    wrong = await tell(server, "hi", headers={"anthropic-version": "2020-01-01"})
    assert (wrong.status, wrong.error["type"]) == (400, "invalid_request_error")
    assert len(server.upstream.requests) == 3


async def test_a_header_in_several_lines(server: Running) -> None:
    thinking = {"type": "adaptive", "display": "updates"}
    hidden, betas, version = {"thinking": thinking}, "anthropic-beta", "anthropic-version"
    for name, values, fields, status in (
        (betas, ("a", "thinking-display-updates-2026-08-18"), hidden, 200),
        (betas, ("a", "b"), hidden, 400),
        (version, ("2023-06-01", "2023-06-01"), {}, 200),
        (version, ("2023-06-01", "2020-01-01"), {}, 400),
        (version, ("2023-06-01", "2026-10-21"), {}, 400),
    ):
        body = {"model": NEWER, "max_tokens": 1_000, "messages": [user("[[say yes]]")], **fields}
        headers = CIMultiDict((name, value) for value in values)
        async with server.http.post(server.url + "/v1/messages", json=body, headers=headers) as got:
            assert got.status == status, (name, values, await got.text())


# -- structured output ----------------------------------------------------------------------------


class Person(pydantic.BaseModel):
    """What is asked for."""

    name: str
    age: int


@pytest.mark.parametrize("model", [OLDER, NEWER])
async def test_an_answer_in_json_is_a_block_of_text(
    server: Running, client: anthropic.AsyncAnthropic, model: str
) -> None:
    parsed = await client.messages.parse(
        model=model,
        max_tokens=1_000,
        messages=[{"role": "user", "content": '[[json {"name": "Ada", "age": 36}]]'}],
        output_format=Person,
    )
    assert parsed.parsed_output == Person(name="Ada", age=36)
    assert parsed.stop_reason == "end_turn"
    assert [block.type for block in parsed.content][-1] == "text"
    assert len(server.upstream.requests) == 1


async def test_json_is_streamed_as_text_and_held_against_the_schema(server: Running) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    config = {"format": {"type": "json_schema", "schema": schema}}
    told = await tell(server, "Ada is 36", output_config=config, stream=True)
    assert set(json.loads(told.text)) == {"name", "age"}
    deltas = [e["delta"]["type"] for e in told.data if e["type"] == "content_block_delta"]
    assert set(deltas) == {"text_delta"}
    assert len(deltas) > 2
    assert told.data[-2]["delta"]["stop_reason"] == "end_turn"
    wrong = await tell(server, '[[json {"name": 1}]]', output_config=config)
    assert (wrong.status, wrong.error["type"]) == (502, "api_error")
    assert "schema" in wrong.error["message"]


@pytest.mark.parametrize("more", [{}, {"max_tokens": 100}, {"temperature": 0.5}], ids=str)
@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-sonnet-4-6", "claude-sonnet-4-5", "claude-opus-4-5"]
)
async def test_an_effort_alone_makes_no_older_model_think(
    server: Running, model: str, more: dict[str, Any]
) -> None:
    asked = {"max_tokens": 20_000, "output_config": {"effort": "max"}, "model": model, **more}
    told = await tell(server, "[[think deep]] [[say so]]", **asked)
    assert told.status == 200, told.data
    assert [block["type"] for block in told.data["content"]] == ["text"]
    known = model.endswith("4-6")
    assert told.headers.get("x-bridge-changed") == (None if known else "output_config.effort")
