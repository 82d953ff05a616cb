"""One invariant: whatever comes in, a turn that keeps its promises comes out, or a fault of 4xx."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openai_bodies import (
    HI,
    YO,
    assistant,
    calling,
    function,
    legacy,
    refusal,
    result,
    system,
    text,
    user,
)

from bridge.core.conversation import Role, Text, ToolCall, ToolResult, Turn
from bridge.core.errors import BridgeError
from bridge.dialects.openai_chat import ChatRequest, decode, render_error
from bridge.dialects.openai_chat.encode import ERROR_TYPES, dumps

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

WHOLE: dict[str, Any] = {
    "model": "gpt-4o",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 1,
    "max_tokens": 10,
    "max_completion_tokens": 20,
    "stop": ["END", "\n\n##"],
    "n": 1,
    "seed": 7,
    "tools": [],
    "tool_choice": "auto",
    "response_format": {"type": "text"},
    "messages": [
        system("be brief"),
        {"role": "developer", "content": [text("a"), text("b")]},
        user([text("hi"), text("there")]),
        {**assistant([text("well"), refusal("no")]), "refusal": "no"},
        {**HI, "name": "ann"},
        calling("c1", "c2", content="I look."),
        result("c2", [text("two")]),
        result("c1", "one"),
        YO,
        system("later"),
        HI,
        legacy(),
        function(),
    ],
}


def check(raw: bytes) -> None:
    """The invariant."""
    try:
        asked = decode(raw)
    except BridgeError as error:
        check_error(error)
    else:
        check_request(asked)


def check_error(error: BridgeError) -> None:
    assert 400 <= error.status < 500
    body = render_error(error)
    told = json.loads(dumps(body))["error"]
    assert told.keys() == {"message", "type", "param", "code"}
    assert isinstance(told["message"], str)
    assert told["message"]
    assert told["type"] in ERROR_TYPES.values()
    assert isinstance(told["param"], str | None)
    assert isinstance(told["code"], str | None)
    assert json.loads(json.dumps(body, allow_nan=False)) == body


def check_request(asked: ChatRequest) -> None:
    assert isinstance(asked, ChatRequest)
    assert asked.stream in (True, False)
    assert asked.include_usage in (True, False)
    assert all(isinstance(name, str) for name in asked.ignored)
    assert set(asked.changed) <= {"temperature"}
    sampling = asked.turn.sampling
    assert sampling.temperature is None or 0 <= sampling.temperature <= 1
    assert sampling.top_p is None or 0 <= sampling.top_p <= 1
    assert sampling.max_tokens is None or (
        type(sampling.max_tokens) is int and sampling.max_tokens >= 1
    )
    assert len(sampling.stop) <= 4
    assert asked.turn.model is None or asked.turn.model
    for words in (asked.turn.model or "", *asked.turn.system, *sampling.stop):
        check_text(words)
    check_conversation(asked.turn)


def check_conversation(turn: Turn) -> None:
    pending: set[str] = set()
    assert turn.messages
    assert turn.messages[-1].role is not Role.ASSISTANT
    for message in turn.messages:
        assert message.parts
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        assert results or not pending, "a call without its result"
        for part in message.parts:
            match part:
                case Text(text=words):
                    assert words.strip()
                    check_text(words)
                case ToolCall():
                    assert message.role is Role.ASSISTANT
                    assert part.id not in pending
                    pending.add(part.id)
                    check_text(part.id + part.name)
                    assert isinstance(part.arguments, dict)
                    json.dumps(part.arguments, ensure_ascii=False, allow_nan=False).encode()
                case ToolResult():
                    assert message.role is Role.USER
                    pending.remove(part.call_id)
                    check_text("".join(piece.text for piece in part.content))
    assert not pending


def check_text(words: str) -> None:
    assert isinstance(words, str)
    words.encode()
    assert "\0" not in words


# -- what comes in -------------------------------------------------------------------------------

any_character = st.characters(exclude_categories=())  # halves of surrogate pairs too
words_ = st.text(any_character, max_size=8)
TELLING: list[Any] = [
    *[None, True, False, 0, 1, 2, -1, 1.0, 0.5, 1e300, 10**400, float("inf"), float("nan")],
    *["", " ", "\0", "\ud800", "user", "assistant", "tool", "system", "text", "refusal"],
    *["c1", "c2", "look", "{}", "[]", "{", '{"a": 1e999}', '{"a": "\\ud800"}', "call_legacy_1"],
    *[[], {}, [[]], [{}], [None], ["a"], HI, YO, text("a"), refusal("a")],
    *[calling("c1"), result("c1"), legacy(), function(), system("s")],
]
telling = st.sampled_from(TELLING)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words_ | telling,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words_, inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    [*WHOLE, "role", "content", "text", "type", "name", "refusal", "tool_calls", "function_call"]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a value."""
    steps = value if isinstance(value, dict) else range(len(value))
    found = []
    for step in steps:
        found.append((*path, step))
        if isinstance(value[step], dict | list):
            found += places(value[step], (*path, step))
    return found


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    """A good request with up to three wounds."""
    request = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        paths = places(request)
        if not paths:
            break
        *way, last = draw(st.sampled_from(paths))
        holder: Any = request
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "delete", "insert", "swap"])):
            case "delete":
                del holder[last]
            case "insert" if isinstance(holder, list):
                holder.insert(last, copy.deepcopy(draw(telling | any_json)))
            case "insert":
                holder[draw(names | words_)] = copy.deepcopy(draw(telling | any_json))
            case "swap" if isinstance(holder, list):
                holder[last], holder[0] = holder[0], holder[last]
            case _:
                holder[last] = copy.deepcopy(draw(telling | any_json))
    return request


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """The bytes of a good request with some of them replaced."""
    raw = json.dumps(WHOLE).encode()
    start = draw(st.integers(0, len(raw)))
    end = draw(st.integers(start, min(len(raw), start + 20)))
    return raw[:start] + draw(st.binary(max_size=6)) + raw[end:]


def test_the_whole_request_is_good() -> None:
    asked = decode(json.dumps(WHOLE).encode())
    check_request(asked)
    assert asked.ignored == ("seed",)
    assert len(asked.turn.messages) == len(WHOLE["messages"]) - 2


def test_the_whole_request_without_any_one_thing() -> None:
    for *way, last in places(WHOLE):
        request = copy.deepcopy(WHOLE)
        holder: Any = request
        for step in way:
            holder = holder[step]
        del holder[last]
        check(json.dumps(request).encode())


def test_the_whole_request_with_any_one_thing_replaced() -> None:
    for *way, last in places(WHOLE):
        request = copy.deepcopy(WHOLE)
        holder: Any = request
        for step in way:
            holder = holder[step]
        for value in TELLING:
            holder[last] = value
            check(json.dumps(request).encode())


@steady
@given(st.binary(max_size=200))
@example(b"")
@example(b"{")
@example(b"\xff\xfe{\x00}\x00")
def test_any_bytes(raw: bytes) -> None:
    check(raw)


@steady
@given(torn())
def test_any_bytes_inside_a_good_request(raw: bytes) -> None:
    check(raw)


@steady
@given(any_json)
def test_any_json(value: Any) -> None:
    check(json.dumps(value).encode())


@steady
@given(any_json)
def test_any_json_as_messages(value: Any) -> None:
    check(json.dumps({"messages": value}).encode())


@steady
@given(st.dictionaries(names | words_, telling | any_json, max_size=5))
def test_any_fields(fields: dict[str, Any]) -> None:
    check(json.dumps({"messages": [HI], **fields}).encode())


@steady
@given(st.lists(telling, max_size=8))
def test_any_messages_in_any_order(messages: list[Any]) -> None:
    check(json.dumps({"messages": [HI, *(m for m in messages if isinstance(m, dict))]}).encode())


@settings(steady, max_examples=600)
@given(mutations())
def test_any_mutation_of_a_good_request(request_: dict[str, Any]) -> None:
    check(json.dumps(request_).encode())
