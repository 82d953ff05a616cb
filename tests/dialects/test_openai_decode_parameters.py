"""The parameters beside ``messages``: honoured, changed, ignored by name, or refused by name."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from openai_bodies import (
    HI,
    YO,
    ask,
    assistant,
    body,
    calling,
    developer,
    image,
    legacy,
    result,
    seen,
    system,
    text,
    thinking,
    tool,
    tool_result,
    tool_use,
    user,
)

from bridge.core.conversation import Reasoning, Sampling, ToolChoice
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.openai_chat import ChatRequest, decode
from bridge.dialects.openai_chat.models import POLICY, WireRequest

HUGE = 10**400
LINK = "https://example.com/a.png"
Json = dict[str, Any]


def test_a_request_with_messages_alone() -> None:
    plain = ask(HI)
    assert (plain.stream, plain.include_usage, plain.legacy) == (False, False, False)
    assert (plain.ignored, plain.changed) == ((), ())
    turn = plain.turn
    assert (turn.model, turn.system, turn.owner, turn.session) == (None, (), "", None)
    assert (turn.sampling, turn.tools, turn.tool_choice) == (Sampling(), (), ToolChoice())
    assert turn.output is None
    assert turn.reasoning == Reasoning()


# fields → what comes of them
HONOURED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model": ({"model": "gpt-4"}, {"model": "gpt-4"}),
    "model-as-it-is-written": ({"model": " Opus/4 é"}, {"model": " Opus/4 é"}),
    "model-empty": ({"model": ""}, {}),
    "model-null": ({"model": None}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "stream-false": ({"stream": False}, {}),
    "stream-null": ({"stream": None}, {}),
    "usage": (
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "include_usage": True},
    ),
    "usage-false": ({"stream_options": {"include_usage": False}}, {}),
    "usage-null": ({"stream_options": {"include_usage": None}}, {}),
    "stream-options-empty": ({"stream_options": {}}, {}),
    "stream-options-null": ({"stream_options": None}, {}),
    "temperature-0": ({"temperature": 0}, {"temperature": 0.0}),
    "temperature": ({"temperature": 0.7}, {"temperature": 0.7}),
    "temperature-1": ({"temperature": 1}, {"temperature": 1.0}),
    "temperature-null": ({"temperature": None}, {}),
    "temperature-above-1": (
        {"temperature": 1.01},
        {"temperature": 1.0, "changed": ("temperature",)},
    ),
    "temperature-2": ({"temperature": 2}, {"temperature": 1.0, "changed": ("temperature",)}),
    "top-p-0": ({"top_p": 0}, {"top_p": 0.0}),
    "top-p": ({"top_p": 0.9}, {"top_p": 0.9}),
    "top-p-1": ({"top_p": 1}, {"top_p": 1.0}),
    "top-p-null": ({"top_p": None}, {}),
    "max-tokens": ({"max_tokens": 1}, {"max_tokens": 1}),
    "max-tokens-1.0": ({"max_tokens": 100.0}, {"max_tokens": 100}),
    "max-tokens-null": ({"max_tokens": None}, {}),
    "max-completion-tokens": ({"max_completion_tokens": 7}, {"max_tokens": 7}),
    "max-completion-tokens-null": (
        {"max_completion_tokens": None, "max_tokens": 5},
        {"max_tokens": 5},
    ),
    "max-completion-tokens-wins": (
        {"max_tokens": 5, "max_completion_tokens": 7},
        {"max_tokens": 7, "ignored": ("max_tokens",)},
    ),
    "stop": ({"stop": "END"}, {"stop": ("END",)}),
    "stop-is-not-trimmed": ({"stop": "\nEND "}, {"stop": ("\nEND ",)}),
    "stop-null": ({"stop": None}, {}),
    "stop-none": ({"stop": []}, {}),
    "a-session": ({"session_id": "é 1"}, {"session": "é 1"}),
    "a-session-null": ({"session_id": None}, {}),
    "stop-four": ({"stop": ["a", "b", "c", "d"]}, {"stop": ("a", "b", "c", "d")}),
}


@pytest.mark.parametrize(("fields", "wanted"), HONOURED.values(), ids=HONOURED)
def test_honoured(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert seen(ask(HI, **fields)) == wanted


@pytest.mark.parametrize(
    "name", [field.name for field in attrs.fields(WireRequest) if field.name != "messages"]
)
def test_null_is_as_if_the_field_were_not_there(name: str) -> None:
    assert seen(ask(HI, **{name: None})) == {}


def test_null_for_all_fields_together() -> None:
    honoured = [field.name for field in attrs.fields(WireRequest) if field.name != "messages"]
    known = {name for name in (*POLICY.refused, *POLICY.ignored) if "." not in name}
    asked = ask(HI, **dict.fromkeys([*honoured, *known, "guided_json"]))
    assert asked == ask(HI)


def test_messages_can_not_be_null() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(b'{"messages": null}')
    assert (caught.value.param, caught.value.code) == ("messages", "invalid_type")


def test_numbers_become_what_the_turn_says_that_they_are() -> None:
    sampling = ask(HI, temperature=1, top_p=1, max_tokens=5.0).turn.sampling
    assert [type(value) for value in (sampling.temperature, sampling.top_p)] == [float, float]
    assert type(sampling.max_tokens) is int


# fields → param, code, a piece of the message
REFUSED: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "model-a-number": ({"model": 5}, "model", "invalid_type", "expected a string"),
    "model-a-list": ({"model": ["opus"]}, "model", "invalid_type", "got an array"),
    "model-nul": ({"model": "opus\0"}, "model", "invalid_value", "NUL"),
    "model-half-a-pair": ({"model": "\udc00"}, "model", "invalid_value", "surrogate"),
    "stream-1": ({"stream": 1}, "stream", "invalid_type", "expected a boolean, but got an integer"),
    "stream-a-word": ({"stream": "true"}, "stream", "invalid_type", "got a string"),
    "stream-options-a-list": (
        {"stream_options": []},
        "stream_options",
        "invalid_type",
        "an object",
    ),
    "stream-options-true": (
        {"stream_options": True},
        "stream_options",
        "invalid_type",
        "an object",
    ),
    "usage-1": (
        {"stream_options": {"include_usage": 1}},
        "stream_options.include_usage",
        "invalid_type",
        "expected a boolean",
    ),
    "temperature-below": ({"temperature": -0.1}, "temperature", "invalid_value", "between 0 and 2"),
    "temperature-above": ({"temperature": 2.01}, "temperature", "invalid_value", "is 2.01"),
    "temperature-huge": ({"temperature": HUGE}, "temperature", "invalid_value", "too large"),
    "temperature-a-string": ({"temperature": "1"}, "temperature", "invalid_type", "a number"),
    "temperature-true": ({"temperature": True}, "temperature", "invalid_type", "got a boolean"),
    "temperature-a-list": ({"temperature": [1]}, "temperature", "invalid_type", "got an array"),
    "top-p-below": ({"top_p": -1}, "top_p", "invalid_value", "between 0 and 1, but it is -1"),
    "top-p-above": ({"top_p": 1.01}, "top_p", "invalid_value", "between 0 and 1, but it is 1.01"),
    "top-p-huge": ({"top_p": -HUGE}, "top_p", "invalid_value", "too large"),
    "top-p-a-string": ({"top_p": "1"}, "top_p", "invalid_type", "a number"),
    "top-p-true": ({"top_p": True}, "top_p", "invalid_type", "got a boolean"),
    "max-tokens-0": ({"max_tokens": 0}, "max_tokens", "invalid_value", "at least 1, but it is 0"),
    "max-tokens-below": ({"max_tokens": -5}, "max_tokens", "invalid_value", "it is -5"),
    "max-tokens-far-below": ({"max_tokens": -HUGE}, "max_tokens", "invalid_value", "too large"),
    "max-tokens-far-above": ({"max_tokens": HUGE}, "max_tokens", "invalid_value", "too large"),
    "max-tokens-a-fraction": ({"max_tokens": 1.5}, "max_tokens", "invalid_type", "an integer"),
    "max-tokens-a-string": ({"max_tokens": "5"}, "max_tokens", "invalid_type", "got a string"),
    "max-tokens-true": ({"max_tokens": True}, "max_tokens", "invalid_type", "got a boolean"),
    "max-completion-tokens-0": (
        {"max_completion_tokens": 0},
        "max_completion_tokens",
        "invalid_value",
        "at least 1",
    ),
    "max-completion-tokens-0-beside-a-good-one": (
        {"max_completion_tokens": 0, "max_tokens": 5},
        "max_completion_tokens",
        "invalid_value",
        "at least 1",
    ),
    "max-tokens-0-beside-a-good-one": (
        {"max_completion_tokens": 5, "max_tokens": 0},
        "max_tokens",
        "invalid_value",
        "at least 1",
    ),
    "session-a-number": ({"session_id": 5}, "session_id", "invalid_type", "expected a string"),
    "max-completion-tokens-a-string": (
        {"max_completion_tokens": "5"},
        "max_completion_tokens",
        "invalid_type",
        "an integer",
    ),
    "stop-five": ({"stop": list("abcde")}, "stop", "invalid_value", "up to 4 sequences, but"),
    "stop-empty": ({"stop": ""}, "stop", "invalid_value", "more than white space"),
    "stop-blank": ({"stop": "\n"}, "stop", "invalid_value", "more than white space"),
    "stop-a-blank-one": ({"stop": ["a", " \t"]}, "stop[1]", "invalid_value", "more than white"),
    "stop-a-number": (
        {"stop": 5},
        "stop",
        "invalid_type",
        "expected a string or an array of strings, but got an integer",
    ),
    "stop-an-object": ({"stop": {}}, "stop", "invalid_type", "got an object"),
    "stop-false": ({"stop": False}, "stop", "invalid_type", "got a boolean"),
    "stop-numbers": ({"stop": ["a", 5]}, "stop[1]", "invalid_type", "expected a string"),
    "stop-nulls": ({"stop": [None]}, "stop[0]", "invalid_type", "got null"),
    "stop-lists": ({"stop": [["a"]]}, "stop[0]", "invalid_type", "got an array"),
    "stop-nul": ({"stop": ["a", "b\0"]}, "stop[1]", "invalid_value", "NUL"),
}


@pytest.mark.parametrize(("fields", "param", "code", "fragment"), REFUSED.values(), ids=REFUSED)
def test_refused(fields: dict[str, Any], param: str, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(HI, **fields)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message


# -- fields that would change the answer ---------------------------------------------------------

# name → values that ask for nothing, values that ask for something
ASKS: dict[str, tuple[list[Any], list[Any]]] = {
    "n": ([1, 1.0], [2, 0, -1, "1", True, [], HUGE]),
    "logprobs": ([False], [True, 1, "false"]),
    "top_logprobs": ([0], [1, 20, False, "0"]),
    "logit_bias": ([{}], [{"50256": -100}, 5, "x"]),
    "modalities": ([["text"]], [["text", "audio"], ["audio"], [], "text", {}]),
    "audio": ([{}], [{"voice": "alloy", "format": "wav"}, True]),
    "prediction": ([{}], [{"type": "content", "content": "x"}, "x"]),
    "moderation": ([], [{}, {"model": "omni-moderation-latest"}, False]),
    "web_search_options": ([], [{}, {"search_context_size": "low"}, False]),
    "enable_tools": ([False], [True, 0, "false", []]),
}


def test_every_such_field_has_a_row() -> None:
    assert ASKS.keys() == POLICY.refused.keys()


NEUTRAL_ROWS = [
    pytest.param(name, value, id=f"{name}={json.dumps(value)}")
    for name, (neutral, _) in ASKS.items()
    for value in (None, *neutral)
]
ASKING_ROWS = [
    pytest.param(name, value, id=f"{name}={json.dumps(value)[:40]}")
    for name, (_, asking) in ASKS.items()
    for value in asking
]


@pytest.mark.parametrize(("name", "value"), NEUTRAL_ROWS)
def test_a_neutral_value_is_accepted_in_silence(name: str, value: Any) -> None:
    assert seen(ask(HI, **{name: value})) == {}


@pytest.mark.parametrize(("name", "value"), ASKING_ROWS)
def test_what_would_change_the_answer_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        ask(HI, **{name: value})
    error = caught.value
    assert (error.status, error.param, error.code) == (400, name, "unsupported_parameter")
    assert f"'{name}'" in error.message


# -- fields without an effect --------------------------------------------------------------------

# path → a request with the value there, values that ask for nothing (null does too), values that do
NO_EFFECT: dict[str, tuple[Callable[[Any], ChatRequest], list[Any], list[Any]]] = {
    **{
        name: (lambda value, name=name: ask(HI, **{name: value}), nothing, something)
        for name, (nothing, something) in {
            "seed": ([], [0, 42, "x"]),
            "presence_penalty": ([0, 0.0], [0.5, -2, False]),
            "frequency_penalty": ([0, 0.0], [0.5, HUGE]),
            "user": ([], ["ann", ["a"]]),
            "metadata": ([{}], [{"a": "b"}, []]),
            "store": ([False], [True, 0]),
            "service_tier": (["auto", "default"], ["flex", "priority"]),
            "prompt_cache_key": ([], ["k"]),
            "prompt_cache_options": ([{}], [{"mode": "explicit"}]),
            "prompt_cache_retention": ([], ["24h", "in_memory"]),
            "safety_identifier": ([], ["a"]),
            "verbosity": (["medium"], ["low", {"a": [1]}]),
        }.items()
    },
    "stream_options.include_obfuscation": (
        lambda value: ask(HI, stream_options={"include_obfuscation": value}),
        [False],
        [True, 0, "x"],
    ),
    "messages[].name": (lambda value: ask({**HI, "name": value}), [""], ["ann", 5, []]),
    "messages[].annotations": (
        lambda value: ask(HI, {**YO, "annotations": value}, HI),
        [[]],
        [[{"type": "url_citation"}], {}],
    ),
    "messages[].content[].image_url.detail": (
        lambda value: ask(user([detailed(value)])),
        ["auto"],
        ["low", "high", "original", 5, ""],
    ),
}


def detailed(value: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": LINK, "detail": value}}


def test_every_ignored_field_has_a_row() -> None:
    assert NO_EFFECT.keys() == POLICY.ignored.keys()


IGNORED_ROWS = [
    pytest.param(asked, value, named, id=f"{path}={value!r:.20}")
    for path, (asked, nothing, something) in NO_EFFECT.items()
    for values, named in (((None, *nothing), ()), (something, (path,)))
    for value in values
]


@pytest.mark.parametrize(("asked", "value", "ignored"), IGNORED_ROWS)
def test_an_ignored_field_is_named_where_it_asks_for_something(
    asked: Callable[[Any], ChatRequest], value: Any, ignored: tuple[str, ...]
) -> None:
    found = asked(value)
    assert (found.ignored, found.changed) == (ignored, ())


@pytest.mark.parametrize("value", [0, False, "", [], {}, "x", [[]], HUGE], ids=repr)
def test_an_unknown_field_is_named_whatever_it_holds(value: Any) -> None:
    assert seen(ask(HI, guided_json=value)) == {"ignored": ("guided_json",)}


X = {"x": 1}
OF_LOOK = {"type": "function", "function": {"name": "look"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}

# requests with an unknown field, or several → their paths
UNKNOWN: dict[str, tuple[bytes, list[str]]] = {
    "of-the-request": (body(HI, x=1, extra_body=X), ["x", "extra_body"]),
    "of-the-stream-options": (body(HI, stream_options={**X, "y": 1}), ["stream_options.x", "stream_options.y"]),
    "of-thinking": (body(HI, thinking={"type": "adaptive", **X}), ["thinking.x"]),
    **{
        f"of-a-message-of-{first['role']}": (body({**first, **X}, HI), ["messages[].x"])
        for first in (system("a"), developer("a"), user("a"))
    },
    "of-a-message-of-assistant": (body(HI, {**YO, **X, "reasoning_content": "hm"}, HI), ["messages[].x", "messages[].reasoning_content"]),
    "of-a-message-of-tool": (body(HI, calling("c1"), {**result("c1"), **X}), ["messages[].x"]),
    "of-a-message-of-function": (body(HI, legacy(), {"role": "function", "name": "look", "content": "a", **X}), ["messages[].x"]),
    "of-several-messages-once": (body({**HI, **X}, {**YO, **X}, {**HI, **X}), ["messages[].x"]),
    "of-a-text": (body(user([{**text("a"), "cache_control": {"type": "ephemeral"}}])), ["messages[].content[].cache_control"]),
    "of-a-text-of-the-system": (body(system([{**text("a"), "prompt_cache_breakpoint": {}}]), HI), ["messages[].content[].prompt_cache_breakpoint"]),
    "of-a-picture": (body(user([{**image(LINK), **X}])), ["messages[].content[].x"]),
    "of-a-picture's-url": (body(user([{"type": "image_url", "image_url": {"url": LINK, **X}}])), ["messages[].content[].image_url.x"]),
    "of-a-file": (
        body(user([{"type": "file", "file": {"file_data": "data:text/plain;base64,YQ==", **X}, "y": 1}])),
        ["messages[].content[].file.x", "messages[].content[].y"],
    ),
    "of-a-thinking-block": (body(HI, {**YO, "thinking_blocks": [{**thinking(), **X}]}, HI), ["messages[].thinking_blocks[].x"]),
    "of-a-call": (body(HI, {"role": "assistant", "tool_calls": [{**CALL, "index": 0}]}, result("c1")), ["messages[].tool_calls[].index"]),
    "of-a-call's-function": (
        body(HI, {"role": "assistant", "tool_calls": [{**CALL, "function": {**CALL["function"], **X}}]}, result("c1")),
        ["messages[].tool_calls[].function.x"],
    ),
    "of-a-function-call": (
        body(HI, {"role": "assistant", "function_call": {"name": "look", "arguments": "", **X}}, {"role": "function", "name": "look", "content": "a"}),
        ["messages[].function_call.x"],
    ),
    "of-a-block": (body(HI, assistant([{**tool_use("c1"), **X}]), result("c1")), ["messages[].content[].x"]),
    "of-a-picture-in-a-result-block": (
        body(HI, calling("c1"), user([tool_result("c1", [{**detailed("low"), **X}], y=1)])),
        ["messages[].content[].content[].image_url.detail", "messages[].content[].content[].x", "messages[].content[].y"],
    ),
    "of-a-tool": (body(HI, tools=[{**tool(y=1), **X}]), ["tools[].function.y", "tools[].x"]),
    "of-an-older-function": (body(HI, functions=[{"name": "look", **X}]), ["functions[].x"]),
    "of-a-choice": (
        body(HI, tools=[tool()], tool_choice={**OF_LOOK, "function": {"name": "look", "y": 1}, **X}),
        ["tool_choice.function.y", "tool_choice.x"],
    ),
    "of-allowed-tools": (
        body(HI, tools=[tool()], tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{**OF_LOOK, **X}], "y": 1}}),
        ["tool_choice.allowed_tools.tools[].x", "tool_choice.allowed_tools.y"],
    ),
    "of-an-older-choice": (body(HI, functions=[{"name": "look"}], function_call={"name": "look", **X}), ["function_call.x"]),
    "of-a-format": (body(HI, response_format={"type": "json_object", **X}), ["response_format.x"]),
    "of-a-schema's-frame": (
        body(HI, response_format={"type": "json_schema", "json_schema": {"name": "a", **X}}),
        ["response_format.json_schema.x"],
    ),
    # -- what a client may write there as it likes -----------------------------------------------
    "a-schema's-own": (body(HI, tools=[tool(parameters={"properties": {}, **X})]), []),
    "arguments-of-a-block": (body(HI, assistant([tool_use("c1", arguments=X)]), result("c1")), []),
    "a-tag": (body(HI, response_format={"type": "text"}, tools=[tool()], tool_choice=OF_LOOK), []),
    "a-null": (body({**HI, "x": None}, stream_options={"x": None}, x=None), []),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "paths"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_field_is_named_by_its_path(asked: bytes, paths: list[str]) -> None:
    assert list(decode(asked).ignored) == paths


def test_ignored_fields_come_in_the_order_of_the_request() -> None:
    asked = ask(HI, zeta=1, user="ann", stream=True, alpha=2, seed=None, temperature=2)
    assert (asked.ignored, asked.changed) == (("zeta", "user", "alpha"), ("temperature",))


STRANGE = ["", "a\r\nb: c", "\0", "\ud800", "é", "x" * 10_000, "messages ", "__class__", "self"]


@pytest.mark.parametrize("name", STRANGE, ids=lambda name: ascii(name[:12]))
def test_a_strange_name_is_a_name(name: str) -> None:
    assert ask(HI, **{name: 1}).ignored == (name,)


def test_a_field_is_in_one_list_only() -> None:
    honoured = {field.name for field in attrs.fields(WireRequest)}
    assert not honoured & POLICY.refused.keys()
    assert not honoured & POLICY.ignored.keys()
    assert not POLICY.refused.keys() & POLICY.ignored.keys()


# -- whole bodies --------------------------------------------------------------------------------

# what the body is like is test_dialects_wire.py's; here, that decode says the same
BODIES: dict[str, tuple[bytes, str | None, str, str]] = {
    "nothing": (b"", None, "invalid_json", "not valid JSON"),
    "no-object": (b"[]", None, "invalid_type", "must be a JSON object, but it is an array"),
    "no-utf-8": (b'{"messages": "\xff"}', None, "invalid_json", "not UTF-8"),
    "a-bom": (b"\xef\xbb\xbf" + body(), None, "invalid_json", "BOM"),
    "cut": (body()[:-1], None, "invalid_json", "not valid JSON"),
    "too-deep": (
        body(metadata=json.loads("[" * 100 + "]" * 100)),
        None,
        "invalid_json",
        "more than 100 levels",
    ),
    "much-too-deep": (
        b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        None,
        "invalid_json",
        "more than 100 levels",
    ),
    "nan-in-a-field-without-an-effect": (
        b'{"seed": NaN, ' + body()[1:],
        None,
        "invalid_json",
        "NaN is not JSON",
    ),
    "infinity": (b'{"top_p": Infinity, ' + body()[1:], None, "invalid_json", "Infinity"),
    "a-number-beyond-float": (
        b'{"temperature": 1e999, ' + body()[1:],
        "temperature",
        "invalid_value",
        "too large",
    ),
    "no-integer-beyond-float": (
        b'{"max_tokens": 1e999, ' + body()[1:],
        "max_tokens",
        "invalid_type",
        "an integer",
    ),
    "5000-digits": (b'{"n": ' + b"1" * 5000 + b"}", None, "invalid_json", "thousands of digits"),
    "no-messages": (b"{}", "messages", "missing_required_parameter", "'messages' is missing."),
    "a-body-for-responses": (
        b'{"model": "gpt-4o", "input": "hi", "tools": [1]}',
        "messages",
        "missing_required_parameter",
        "/v1/responses",
    ),
    "a-model-of-5-megabytes": (
        body(model=["x" * 5_000_000]),
        "model",
        "invalid_type",
        "expected a string, but got an array",
    ),
    "doubled-messages-field": (
        b'{"messages": [{"role": "user", "content": "hi"}], "messages": []}',
        "messages",
        "empty_array",
        "at least one",
    ),
}


@pytest.mark.parametrize(("raw", "param", "code", "fragment"), BODIES.values(), ids=BODIES)
def test_a_bad_body(raw: bytes, param: str | None, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(raw)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message
    assert len(error.message) < 400


def test_input_beside_messages_is_only_an_unknown_field() -> None:
    assert seen(ask(HI, input="hi")) == {"ignored": ("input",)}


def test_of_doubled_fields_the_last_counts() -> None:
    raw = b'{"model": 5, "model": "b", ' + body()[1:]
    assert decode(raw).turn.model == "b"


def test_as_deep_as_may_be() -> None:
    metadata = json.loads("[" * 99 + "]" * 99)
    assert ask(HI, metadata=metadata).ignored == ("metadata",)


def test_what_is_unsupported_is_told_before_what_is_mistyped() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        decode(b'{"messages": 5, "n": 2}')
    assert caught.value.param == "n"


# the session in the header, in the body → the one that is meant
SESSIONS: dict[str, tuple[str | None, str | None, str | None]] = {
    "none": (None, None, None),
    "in-the-header": ("a", None, "a"),
    "in-the-body": (None, "a", "a"),
    "the-same-in-both": ("a", "a", "a"),
}


@pytest.mark.parametrize(("header", "in_body", "meant"), SESSIONS.values(), ids=SESSIONS)
def test_a_session(header: str | None, in_body: str | None, meant: str | None) -> None:
    assert decode(body(session_id=in_body), session=header).turn.session == meant


@pytest.mark.parametrize("in_body", ["b", "A", ""])
def test_two_sessions(in_body: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body(session_id=in_body), session="a")
    assert (caught.value.param, caught.value.code) == ("session_id", "invalid_value")
