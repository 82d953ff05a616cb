"""What would become of a request: said by the code that decides it, for all fields at once."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openai_bodies import HI, YO, body, tool, user

from bridge.core.conversation import Message, Role, Text
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_chat import Examined, decode, examine

Json = dict[str, Any]

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

TOOLS = [tool("find")]
UNKNOWN_TOOL = {"type": "function", "function": {"name": "look"}}

# fields → the params that are refused, in their order; fields that ask for nothing; what else is
EXAMINED: dict[str, tuple[Json, list[str], list[str], Json]] = {
    "messages-alone": ({}, [], [], {}),
    "honoured": (
        {"model": "m", "temperature": 0.5, "stop": ["a"], "stream": True},
        [],
        [],
        {"model": "m", "stream": True},
    ),
    "neutral": (
        {"n": 1, "logprobs": False, "store": False, "user": None, "tools": None, "guided": None},
        [],
        ["n", "logprobs", "store", "user", "tools", "guided"],
        {},
    ),
    "ignored": ({"seed": 1, "guided": 0}, [], [], {"ignored": ("seed", "guided")}),
    "changed": ({"temperature": 2}, [], [], {"changed": ("temperature",)}),
    "one-refused": ({"n": 2, "model": "m"}, ["n"], [], {"model": "m"}),
    "all-that-would-change-the-answer": (
        {"audio": {"voice": "a"}, "n": 2, "logprobs": True, "top_logprobs": 0, "logit_bias": {"1": 2}},
        ["n", "logprobs", "logit_bias", "audio"],
        ["top_logprobs"],
        {},
    ),
    "mistyped-and-out-of-bounds": (
        {"max_tokens": 0, "temperature": "1", "top_p": 3, "stream": 1, "model": 5},
        ["model", "stream", "temperature", "max_tokens", "top_p"],
        [],
        {},
    ),
    "inside-a-field": (
        {"stream_options": {"include_usage": 1}, "stop": ["a", " "], "thinking": {"type": "enabled"}},
        ["stream_options.include_usage", "stop[1]", "thinking.budget_tokens"],
        [],
        {},
    ),
    "a-whole-field-goes": (
        {"tools": [tool(), {"type": "custom"}, {"type": "more"}]},
        ["tools[1].type"],
        [],
        {},
    ),
    "what-hangs-on-a-refused-field": (
        {"tools": [tool(), 5], "tool_choice": UNKNOWN_TOOL},
        ["tools[1]"],
        [],
        {"undecided": ("tool_choice",)},
    ),
    "both-forms-of-functions": (
        {"functions": [{"name": "look"}], "function_call": "auto", "tools": TOOLS},
        ["functions"],
        [],
        {"undecided": ("function_call",)},
    ),
    "of-several-kinds": (
        {"n": 2, "seed": 1, "temperature": 1.5, "effort": None, "reasoning_effort": "ultra"},
        ["n", "reasoning_effort"],
        ["effort"],
        {"ignored": ("seed",), "changed": ("temperature",)},
    ),
}  # fmt: skip


def said(words: str) -> Message:
    return Message(role=Role.USER, parts=(Text(text=words),))


def told(examined: Examined) -> Json:
    """What a request asks beside its messages, as far as these tables look at it."""
    asked = examined.asked
    assert asked is not None
    flat = {
        "undecided": examined.undecided,
        "model": asked.turn.model,
        "stream": asked.stream,
        "ignored": asked.ignored,
        "changed": asked.changed,
    }
    return {name: value for name, value in flat.items() if value}


@pytest.mark.parametrize(
    ("fields", "refused", "neutral", "wanted"), EXAMINED.values(), ids=EXAMINED
)
def test_examined(fields: Json, refused: list[str], neutral: list[str], wanted: Json) -> None:
    examined = examine(body(HI, **fields))
    assert examined.sent == ("messages", *fields)
    assert [error.param for error in examined.refused] == refused
    assert list(examined.neutral) == neutral
    assert told(examined) == wanted


# a body whose messages are refused, and what else → the params, the codes
HOPELESS: dict[str, tuple[Json, list[str], list[str]]] = {
    "no-messages": ({}, ["messages"], ["missing_required_parameter"]),
    "no-messages-and-more": (
        {"n": 2, "model": 5},
        ["n", "model", "messages"],
        ["unsupported_parameter", "invalid_type", "missing_required_parameter"],
    ),
    "for-responses": ({"input": "hi"}, ["messages"], ["missing_required_parameter"]),
    "messages-null": ({"messages": None}, ["messages"], ["invalid_type"]),
    "messages-empty": ({"messages": []}, ["messages"], ["empty_array"]),
    "a-fault-in-a-message": (
        {"messages": [HI, {"role": "bot"}], "n": 2},
        ["n", "messages[1].role"],
        ["unsupported_parameter", "invalid_value"],
    ),
    "prefill": ({"messages": [HI, YO]}, ["messages[1]"], ["invalid_value"]),
    "a-fault-in-a-picture": (
        {
            "messages": [user([{"type": "image_url", "image_url": "a"}])],
            "top_p": "1",
            "tool_choice": "required",
        },
        ["top_p", "messages[0].content[0].image_url", "tool_choice"],
        ["invalid_type", "invalid_value", "invalid_value"],
    ),
}


@pytest.mark.parametrize(("raw", "params", "codes"), HOPELESS.values(), ids=HOPELESS)
def test_the_rest_is_looked_at_too(raw: Json, params: list[str], codes: list[str]) -> None:
    examined = examine(json.dumps(raw).encode())
    assert examined.asked is not None
    assert examined.asked.turn.messages == (said("Hello"),)
    assert [error.param for error in examined.refused] == params
    assert [error.code for error in examined.refused] == codes
    assert examined.sent == tuple(raw)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"null", b'"{}"', b"\xff", b'{"a": NaN}'])
def test_a_body_that_is_no_json_object(raw: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        examine(raw)
    assert caught.value.param is None


def test_a_session_in_the_header() -> None:
    examined = examine(body(HI, session_id="b"), session="a")
    assert [error.param for error in examined.refused] == ["session_id"]
    assert examined.asked is not None
    assert examined.asked.turn.session == "a"


def test_a_good_request_is_examined_as_it_is_decoded() -> None:
    raw = body(HI, YO, HI, model="m", seed=1, temperature=2, tools=TOOLS, thinking=None)
    assert examine(raw) == Examined(
        sent=("messages", "model", "seed", "temperature", "tools", "thinking"),
        neutral=("thinking",),
        undecided=(),
        refused=(),
        asked=decode(raw),
    )


# -- whatever comes ------------------------------------------------------------------------------


HELLO = {"role": "user", "content": "Hello"}


def one_after_another(raw: Json, session: str | None) -> tuple[list[str | None], Json, Any]:
    """What a person would find who sends a request again and again, without what was refused.

    The params, what is left of the request, and what it is at last, if it is anything.
    """
    found: list[str | None] = []
    while True:
        try:
            return found, raw, decode(json.dumps(raw).encode(), session=session)
        except InvalidRequest as error:
            found.append(error.param)
            name = re.split(r"[.\[]", error.param or "")[0]
            if name not in {*raw, "messages"}:
                return found, raw, None
            gone = {name, {"tools": "tool_choice", "functions": "function_call"}.get(name)}
            stand_in = {"messages": [HELLO]} if name == "messages" else {}
            raw = {key: value for key, value in raw.items() if key not in gone} | stand_in


words = st.text(st.characters(exclude_categories=()), max_size=5)
values = st.sampled_from(
    [
        *[None, True, False, 0, 1, 2, -1, 0.5, 1.5, 1e300, 10**400, "", "auto", "none", "low", "s"],
        *[[], {}, ["a"], [" "], [HI], [HI, YO], [HI, YO, HI], [tool()], [tool("find"), 5]],
        *[[{"name": "look"}], {"name": "look"}, UNKNOWN_TOOL, {"type": "text"}, {"type": "x"}],
        *[{"include_usage": True}, {"include_usage": 1}, {"type": "enabled", "budget_tokens": 5}],
        *[{"type": "adaptive"}, {"type": "json_schema", "json_schema": {"name": "a"}}],
        [user([{"type": "image_url", "image_url": "a"}])],
    ]
) | st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from(
    [
        *["messages", "model", "stream", "stream_options", "temperature", "top_p", "max_tokens"],
        *["stop", "session_id", "max_completion_tokens", "reasoning_effort", "thinking", "tools"],
        *["tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format"],
        *["n", "logprobs", "logit_bias", "modalities", "seed", "store", "user", "verbosity"],
        *["input", "x", "", ".", "[0]", "messages[0]", "tools.0", "\0", "None"],
    ]
)
objects = st.dictionaries(names | words, values, max_size=8)
requests = st.builds(lambda fields: {"messages": [HI], **fields}, objects)


@settings(steady, max_examples=150)
@given(requests | objects, st.sampled_from([None, "s"]))
@example({"messages": [HI], "": 5}, None)
@example({"messages": [HI], "session_id": "t", "n": 2}, "s")
def test_it_ends_and_refuses_what_decode_would_refuse_one_after_another(
    raw: Json, session: str | None
) -> None:
    examined = examine(json.dumps(raw).encode(), session=session)
    params, left, asked = one_after_another(raw, session)
    assert [error.param for error in examined.refused] == params
    assert examined.asked == asked
    assert list(examined.sent) == list(raw)
    assert set(examined.neutral) <= set(left)
    assert {name for name in left if left[name] is None} <= set(examined.neutral)
    if asked is not None:
        gone = {re.split(r"[.\[]", str(p))[0] for p in params} | {*examined.undecided}
        assert left.keys() - {"messages"} == raw.keys() - gone - {"messages"}
        assert not set(examined.neutral) & {*asked.ignored, *asked.changed}


@steady
@given(requests)
def test_without_what_asks_for_nothing_the_same_is_asked(raw: Json) -> None:
    examined = examine(json.dumps(raw).encode())
    short = {name: value for name, value in raw.items() if name not in examined.neutral}
    again = examine(json.dumps(short).encode())
    assert [error.param for error in again.refused] == [e.param for e in examined.refused]
    assert again.asked == examined.asked
    assert again.neutral == ()


@steady
@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_examined_or_refused(raw: bytes) -> None:
    try:
        examined = examine(raw)
    except InvalidRequest as error:
        assert error.param is None
    else:
        assert isinstance(examined, Examined)
        assert examined.refused or examined.asked
