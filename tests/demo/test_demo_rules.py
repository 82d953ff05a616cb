"""One row for each refusal: what is changed in a good request, and what the API says to it."""

import base64
import copy
from typing import Any

import pytest
from demo_bodies import SCHEMA, assistant, call, document, encoded, image, result, text, user

from bridge.demo import rules
from bridge.demo.errors import ApiError
from bridge.demo.parsing import parse
from bridge.demo.signature import sign

NEW, OLD = "claude-opus-5-5", "claude-sonnet-4-5"


def messages(*given: Any) -> dict[str, Any]:
    return {"messages": list(given)}


def tools(*given: Any, **more: Any) -> dict[str, Any]:
    return {"tools": list(given), **more}


TOOL = {"name": "f", "input_schema": SCHEMA}
PDF = base64.b64encode(b"%PDF-1.7 x").decode()
CACHED = text("a", cache_control={"type": "ephemeral"})
HI = user("hi")


def body(change: dict[str, Any]) -> dict[str, Any]:
    made = {"model": NEW, "max_tokens": 10, "messages": [HI], **copy.deepcopy(change)}
    return {key: value for key, value in made.items() if value != "ABSENT"}


def came_back(**block: Any) -> dict[str, Any]:
    return messages(HI, assistant([block]), HI)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": "ABSENT"}, "model: Field required"),
    ({"model": 5}, "model: Input should be a valid string"),
    ({"model": ""}, "model: "),
    ({"max_tokens": "ABSENT"}, "max_tokens: Field required"),
    ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    ({"messages": "ABSENT"}, "messages: Field required"),
    ({"messages": "hi"}, "messages: Input should be a valid list"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": [5]}, "messages.0: Input should be an object"),
    ({"n": 2}, "n: Extra inputs are not permitted"),
    ({"stream": 1}, "stream: Input should be a valid boolean"),
    ({"metadata": {"x": "y"}}, "metadata.x: Extra inputs are not permitted"),
    ({"metadata": {"user_id": 3}}, "metadata.user_id: "),
    ({"service_tier": "flex"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ({"output_config": {"effort": "none"}}, "output_config.effort: "),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field"),
    ({"context_management": {"edits": [{}]}}, "context_management.edits.0.type: Field required"),
    ({"system": 5}, "system: Input should be a valid string or list"),
    ({"system": [text("")]}, "text content blocks must be non-empty"),
    ({"cache_control": {"type": "big"}}, "cache_control: Input tag 'big'"),
    # sampling
    ({"temperature": 1.1}, "temperature: range: 0..1"),
    ({"temperature": "hot"}, "temperature: Input should be a valid number"),
    ({"top_p": -0.1}, "top_p: range: 0..1"),
    ({"top_k": -1}, "top_k: Input should be greater than or equal to 0"),
    ({"stop_sequences": [" \n"]}, "stop_sequences: each stop sequence must contain non-whitesp"),
    ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    # roles and emptiness
    (messages(assistant("hi"), HI), "messages.0: first message must use the"),
    (messages({"role": "system", "content": "x"}, HI), "messages.0: first message must use the"),
    (messages({"role": "tool", "content": "x"}), "messages.0.role: Input should be 'user'"),
    (messages({"role": "user"}), "messages.0.content: Field required"),
    (messages({**HI, "name": "x"}), "messages.0.name: Extra inputs are not permitted"),
    (messages(user(5)), "messages.0.content: Input should be a valid string or list"),
    (messages(user("")), "messages.0.content: all messages must have non-empty content"),
    (messages(user([])), "messages.0.content: all messages must have non-empty content"),
    (messages(HI, assistant(""), HI), "messages.1.content: all messages must have non-empty"),
    (messages(user([text("")])), "text content blocks must be non-empty"),
    (messages(user("  ")), "must contain non-whitespace text"),
    (messages(HI, assistant("go on")), "does not support assistant message prefill"),
    ({"model": OLD, **messages(HI, assistant("go on "))}, "cannot end with trailing whitespace"),
    ({"model": OLD, **messages(HI, assistant([text("a\n")]))}, "cannot end with trailing white"),
    # blocks
    (messages(user([5])), "messages.0.content.0: Input should be an object"),
    (messages(user([{}])), "messages.0.content.0.type: Field required"),
    (messages(user([{"type": "audio"}])), "messages.0.content.0: Input tag 'audio'"),
    (messages(user([text(5)])), "messages.0.content.0.text.text: Input should be a valid string"),
    (messages(user([text("a", x=1)])), "messages.0.content.0.text.x: Extra inputs"),
    (messages(user([call()])), "`tool_use` blocks can only be in `assistant` messages"),
    (messages(HI, assistant([result()]), HI), "`tool_result` blocks can only be in `user`"),
    (messages(user([CACHED] * 5)), "A maximum of 4 blocks with cache_control"),
    ({**messages(user([CACHED] * 2)), "system": [CACHED] * 3}, "Found 5"),
    # calls and results
    (messages(HI, assistant([call()]), HI), "messages.1: tool_use ids were found without tool_re"),
    (messages(HI, assistant([call()]), user([text("a"), result()])), "immediately after: t1"),
    (messages(HI, assistant([call(), call("t2")]), user([result()])), "immediately after: t2"),
    (messages(user([result()])), "unexpected tool_use_id found in tool_result blocks: t1"),
    (messages(HI, assistant([call()]), user([result(), result()])), "must have a single result"),
    (
        messages(HI, assistant([call()]), user([result()]), assistant([call()]), user([result()])),
        "`tool_use` ids must be unique",
    ),
    (messages(HI, assistant([call("a b")]), user([result()])), "String should match pattern"),
    # tools
    (tools({"input_schema": SCHEMA}), "tools.0.custom.name: Field required"),
    (tools({**TOOL, "name": "a.b"}), "tools.0.custom.name: String should match pattern"),
    (tools({**TOOL, "name": "x" * 129}), "tools.0.custom.name: String should match pattern"),
    (tools(TOOL, TOOL), "tools: Tool names must be unique"),
    (tools({"name": "f"}), "tools.0.custom.input_schema: Field required"),
    (tools({"name": "f", "input_schema": {}}), "input_schema.type: Field required"),
    (tools({"name": "f", "input_schema": {"type": "array"}}), "Input should be 'object'"),
    (tools({"name": "f", "input_schema": {**SCHEMA, "anyOf": []}}), "does not support oneOf"),
    (tools({"type": "magic", "name": "f"}), "tools.0: Input tag 'magic'"),
    ({"tool_choice": {"type": "auto"}}, "may only be specified while providing tools"),
    (tools(TOOL, tool_choice={"type": "tool", "name": "g"}), "Tool 'g' not found"),
    (tools(TOOL, tool_choice={"type": "required"}), "tool_choice: Input tag 'required'"),
    # media
    (messages(*image("image/bmp", encoded())), "Input should be 'image/jpeg', 'image/png'"),
    (messages(*image("image/jpeg", encoded())), "does not match the provided media type image/jp"),
    (messages(*image("image/png", "%%%")), "invalid base64 data"),
    (messages(*image("image/png", base64.b64encode(b"text").decode())), "Could not process image"),
    (messages(*image("image/png", "A" * (5 * 2**20 + 4))), "image exceeds 5 MB maximum"),
    (
        messages(*document(type="base64", media_type="application/pdf", data="QUJD")),
        "The PDF specified was not valid",
    ),
    (messages(*document(type="text", media_type="text/html", data="x")), "'text/plain'"),
    # thinking blocks
    (
        came_back(type="thinking", thinking="x"),
        "messages.1.content.0.thinking.signature: Field req",
    ),
    (
        came_back(type="thinking", thinking="x", signature="AAAA"),
        "Invalid `signature` in `thinking`",
    ),
    (
        came_back(type="thinking", thinking="x", signature=sign("y")),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    (came_back(type="redacted_thinking"), "messages.1.content.0.redacted_thinking.data: Field req"),
    (
        came_back(type="redacted_thinking", data="AAAA"),
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
    ),
]

ACCEPTED: list[dict[str, Any]] = [
    {},
    {"max_tokens": 128_000, "stream": True, "temperature": 1, "metadata": {"user_id": "{}"}},
    {"model": OLD, "top_p": 0.5, "top_k": 3},
    {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
    tools(TOOL, tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    tools(TOOL, tool_choice={"type": "none"}, thinking={"type": "adaptive"}),
    messages(HI, {"role": "system", "content": [], "output_config": {}}),
    messages(HI, {"role": "system", "content": "x"}, assistant("a"), HI),
    messages(HI, HI, assistant("a"), assistant("b"), HI),
    messages(HI, assistant([call()]), {"role": "system", "content": []}, user([result()])),
    messages(HI, assistant([call(), call("t2")]), user([result("t2")]), user([result()]), HI),
    came_back(type="thinking", thinking="x", signature=sign("x")),
    came_back(type="thinking", thinking="", signature=sign("x")),
    came_back(type="redacted_thinking", data=sign("x")),
    {"model": OLD, **messages(HI, assistant("The answer is"))},
    {"model": "claude-3-5-haiku-20241022", **messages(HI, assistant(""))},
    messages(user("a\0b")),
    messages(*image("image/png", encoded())),
    messages(*image("image/jpeg", encoded("JPEG"))),
    messages(*image("image/webp", encoded("WEBP"))),
    messages(*image("image/gif", encoded("GIF"))),
    messages(user([{"type": "image", "source": {"type": "url", "url": "https://x.y/z.png"}}])),
    messages(*document(type="base64", media_type="application/pdf", data=PDF)),
    messages(*document(type="text", media_type="text/plain", data="x")),
    tools({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}, TOOL),
    {"system": [CACHED, CACHED], **messages(user([CACHED, CACHED]))},
    {"system": "", "tools": [], "output_config": {"effort": "medium"}},
]


@pytest.mark.parametrize(("change", "fragment"), REFUSED, ids=[row[1][:60] for row in REFUSED])
def test_refused(change: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ApiError) as caught:
        rules.check(body(change))
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert fragment in caught.value.message


@pytest.mark.parametrize("change", ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepted(change: dict[str, Any]) -> None:
    assert rules.check(body(change))


def test_other_models_are_not_found() -> None:
    with pytest.raises(ApiError) as caught:
        rules.check(body({"model": "gpt-5"}))
    assert (caught.value.status, caught.value.type) == (404, "not_found_error")
    assert caught.value.message == "model: gpt-5"


def test_counting_needs_no_max_tokens() -> None:
    assert rules.check(body({"max_tokens": "ABSENT"}), counting=True)


def test_a_prompt_beyond_the_window() -> None:
    with pytest.raises(ApiError, match="prompt is too long: 200001 tokens > 200000 maximum"):
        rules.check_length(200_001, 200_000)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff{}",
        b"[NaN]",
        b"[1e999]",
        b'["\\ud800"]',
        b'["\\uD800x"]',
        b"[" * 100_000,
        b"1" * 5_000,
    ],
    ids=repr,
)
def test_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(ApiError, match="The request body is"):
        parse(raw)


def test_a_surrogate_pair_is_json() -> None:
    assert parse(b'["\\ud83d\\ude00"]') == ["\U0001f600"]
