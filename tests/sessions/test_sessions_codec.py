"""What a store writes, it reads again."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_bench import answer, any_message, any_text, any_tool, result, thinking, user

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Message,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from bridge.core.events import Usage
from bridge.sessions.codec import dump, load

steady = settings(deadline=None, derandomize=True, database=None, max_examples=100)


@steady
@given(any_message)
def test_any_message_is_read_as_it_was_written(message: Message) -> None:
    again = load(dump(message, Message), Message)
    assert again == message
    assert again.model == message.model
    assert repr(again) == repr(message), "1 is not True, nor 1.0"


@steady
@given(
    st.lists(any_text).map(tuple),
    st.builds(
        Usage,
        input_tokens=st.integers(),
        output_tokens=st.integers(),
        hour_cache_write_tokens=st.integers(),
        reasoning_tokens=st.none() | st.integers(),
    ),
)
def test_any_other_value_of_a_session(texts: tuple[str, ...], usage: Usage) -> None:
    assert load(dump(texts, tuple[str, ...]), tuple[str, ...]) == texts
    assert load(dump(usage, Usage), Usage) == usage


@steady
@given(st.lists(any_tool, max_size=3).map(tuple))
def test_any_functions_are_read_as_they_were_written(tools: tuple[Tool, ...]) -> None:
    again = load(dump(tools, tuple[Tool, ...]), tuple[Tool, ...])
    assert again == tools
    assert repr(again) == repr(tools), "1 is not True, and the order of keys is the model's matter"


USAGES = {
    "nothing": (Usage(), {}),
    "told": (Usage(output_tokens=5, reasoning_tokens=3), {"output_tokens": 5, "reasoning_tokens": 3}),
    "kept-for-an-hour": (
        Usage(cache_write_tokens=5, hour_cache_write_tokens=2),
        {"cache_write_tokens": 5, "hour_cache_write_tokens": 2},
    ),
    "untold": (Usage(output_tokens=5, reasoning_tokens=None), {"output_tokens": 5, "reasoning_tokens": None}),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "written"), USAGES.values(), ids=USAGES)
def test_the_format_of_token_counts(usage: Usage, written: dict[str, Any]) -> None:
    assert json.loads(dump(usage, Usage)) == written
    assert load(json.dumps(written).encode(), Usage) == usage


WRITTEN = {
    "a-text": (user("hi"), {"role": "user", "parts": [{"type": "text", "text": "hi"}]}),
    "a-model": (
        Message(role=Role.ASSISTANT, parts=(Text(text="é"),), model="m"),
        {"role": "assistant", "parts": [{"type": "text", "text": "é"}], "model": "m"},
    ),
    "a-call": (
        Message(role=Role.ASSISTANT, parts=(ToolCall(id="c", name="f", arguments={"a": [1]}),)),
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": [1]}}]},
    ),
    "results": (
        Message(role=Role.USER, parts=(ToolResult(call_id="c", content=(Text(text="x"),)), ToolResult(call_id="d", content=(), is_error=True))),
        {
            "role": "user",
            "parts": [
                {"type": "tool_result", "call_id": "c", "content": [{"type": "text", "text": "x"}]},
                {"type": "tool_result", "call_id": "d", "content": [], "is_error": True},
            ],
        },
    ),
    "pictures-and-files": (
        Message(
            role=Role.USER,
            parts=(
                Image(media_type="image/png", data="AAAA"),
                LinkedImage(url="https://x"),
                Document(media_type="text/plain", data="é", title="a.txt"),
                Document(media_type="application/pdf", data="AAAA"),
                ToolResult(call_id="c", content=(Document(media_type="text/plain", data="x"),)),
            ),
        ),
        {
            "role": "user",
            "parts": [
                {"type": "image", "media_type": "image/png", "data": "AAAA"},
                {"type": "linked_image", "url": "https://x"},
                {"type": "document", "media_type": "text/plain", "data": "é", "title": "a.txt"},
                {"type": "document", "media_type": "application/pdf", "data": "AAAA"},
                {"type": "tool_result", "call_id": "c", "content": [{"type": "document", "media_type": "text/plain", "data": "x"}]},
            ],
        },
    ),
    "documents-of-the-messages-api": (
        Message(
            role=Role.USER,
            parts=(
                LinkedDocument(url="https://x"),
                LinkedDocument(url="https://x", title="a", context="b"),
                Document(media_type="text/plain", data="x", title="a", context="b"),
                ToolResult(call_id="c", content=(LinkedDocument(url="https://x"),)),
            ),
        ),
        {
            "role": "user",
            "parts": [
                {"type": "linked_document", "url": "https://x"},
                {"type": "linked_document", "url": "https://x", "title": "a", "context": "b"},
                {"type": "document", "media_type": "text/plain", "data": "x", "title": "a", "context": "b"},
                {"type": "tool_result", "call_id": "c", "content": [{"type": "linked_document", "url": "https://x"}]},
            ],
        },
    ),
    "a-result-with-pictures": (
        Message(role=Role.USER, parts=(ToolResult(call_id="c", content=(Image(media_type="image/png", data="AAAA"), LinkedImage(url="https://x"))),)),
        {
            "role": "user",
            "parts": [
                {
                    "type": "tool_result",
                    "call_id": "c",
                    "content": [
                        {"type": "image", "media_type": "image/png", "data": "AAAA"},
                        {"type": "linked_image", "url": "https://x"},
                    ],
                }
            ],
        },
    ),
    "thoughts": (
        thinking("hi"),
        {
            "role": "assistant",
            "parts": [
                {"type": "thinking", "text": "hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "secret"},
                {"type": "text", "text": "hi"},
            ],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(("message", "written"), WRITTEN.values(), ids=WRITTEN)
def test_the_format_of_files_that_are_out_there(message: Message, written: object) -> None:
    assert json.loads(dump(message, Message)) == written
    assert load(json.dumps(written).encode(), Message) == message


def test_results_of_files_from_before_there_were_pictures() -> None:
    written = b'{"role":"user","parts":[{"type":"tool_result","call_id":"c","content":[{"text":"found"}]}]}'
    assert load(written, Message) == result("c")


FUNCTION = {"name": "f", "schema": {"type": "object", "properties": {"b": {}, "a": {}}}}
TOOLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "described": ({"description": "é"}, {"description": "é"}),
    "strict": ({"strict": True}, {"strict": True}),
}


@pytest.mark.parametrize(("more", "written"), TOOLS.values(), ids=TOOLS)
def test_the_format_of_functions(more: dict[str, Any], written: dict[str, Any]) -> None:
    tools = (Tool(**FUNCTION, **more),)
    raw = dump(tools, tuple[Tool, ...])
    assert json.loads(raw) == [{**FUNCTION, **written}]
    assert load(json.dumps([{**FUNCTION, **written}]).encode(), tuple[Tool, ...]) == tools


@pytest.mark.parametrize("raw", [b"5", b"[5]", b'[{"name":"f"}]', b'[{"name":"f","schema":5}]'])
def test_functions_that_were_not_written_by_us_are_not_read(raw: bytes) -> None:
    with pytest.raises(Exception):  # noqa: B017 - cattrs and json have many
        load(raw, tuple[Tool, ...])


NOT_OURS = [
    *[b"", b"{", b"\xff", b"null", b"[]", b"5", b'"x"', b"{}", b'{"role":"user"}'],
    *[b'{"role":"user","parts":5}', b'{"role":"user","parts":[5]}'],
    *[b'{"role":"user","parts":[{}]}', b'{"role":"user","parts":[{"type":"text"}]}'],
    *[b'{"role":"user","parts":[{"type":"image","data":"a"}]}'],
    *[b'{"role":"user","parts":[{"type":"document","data":"a"}]}'],
    *[b'{"role":"user","parts":[],"more":1}', b'{"role":"robot","parts":[]}'],
]


@pytest.mark.parametrize("raw", NOT_OURS)
def test_what_was_not_written_by_us_is_not_read(raw: bytes) -> None:
    with pytest.raises(Exception):  # noqa: B017 - cattrs and json have many
        load(raw, Message)


def test_words_are_written_as_they_are() -> None:
    assert "Grüße 👍".encode() in dump(answer("Grüße 👍"), Message)
