"""One invariant: whatever comes in, a turn that keeps its promises comes out, or a fault of 4xx."""

import base64
import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openai_bodies import (
    HI,
    PNG,
    YO,
    assistant,
    calling,
    function,
    image,
    legacy,
    refusal,
    result,
    system,
    text,
    tool,
    user,
)

from bridge.core.conversation import Image, LinkedImage, Role, Text, ToolCall, ToolResult, Turn
from bridge.core.errors import BridgeError
from bridge.core.rules import check_tool_choice
from bridge.core.schema import schema_fault
from bridge.dialects.openai_chat import ChatRequest, decode, render_error
from bridge.dialects.openai_chat.encode import ERROR_TYPES, dumps

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": ["string", "null"], "enum": ["x", None]},
        "b": {"anyOf": [{"$ref": "#/$defs/B"}, {"type": "number", "minimum": 0.5}]},
    },
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"B": {"type": "array", "items": {"pattern": "^x"}, "maxItems": 3}},
}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "required", "tools": [tool("find"), tool()]},
}
ANSWER = {
    "type": "json_schema",
    "json_schema": {"name": "a", "description": "b", "schema": SCHEMA, "strict": True},
}

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
    "tools": [
        tool(description="Looks.", parameters=SCHEMA, strict=True),
        tool("find", parameters={"properties": {}}),
    ],
    "tool_choice": ALLOWED,
    "parallel_tool_calls": False,
    "response_format": ANSWER,
    "messages": [
        system("be brief"),
        {"role": "developer", "content": [text("a"), text("b")]},
        user([text("hi"), text("there")]),
        {**assistant([text("well"), refusal("no")]), "refusal": "no"},
        {**HI, "name": "ann"},
        calling("c1", "c2", content="I look."),
        result("c2", [text("two"), image(f"data:image/png;base64,{PNG}"), image("https://a/b")]),
        {**result("c1", "one"), "is_error": True},
        YO,
        system("later"),
        HI,
        legacy(),
        function(),
    ],
}


OLDER: dict[str, Any] = {
    "functions": [{"name": "look", "description": "Looks.", "parameters": SCHEMA}],
    "function_call": {"name": "look"},
    "response_format": {"type": "json_object"},
    "messages": [HI, legacy(), function(), legacy(arguments=""), function(content=None)],
}
WHOLES = [WHOLE, OLDER]


def check(raw: bytes) -> None:
    """The invariant, with and without a session."""
    for session in (None, "s"):
        try:
            asked = decode(raw, session=session)
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
    check_functions(asked.turn)
    assert asked.turn.tool_choice.parallel in ((False,) if asked.legacy else (True, False))
    check_conversation(asked.turn, continues=asked.turn.session is not None)


def check_functions(turn: Turn) -> None:
    assert len({offered.name for offered in turn.tools}) == len(turn.tools) <= 128
    for offered in turn.tools:
        assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", offered.name)
        assert offered.strict in (True, False)
        assert offered.description is None or offered.description
        check_text(offered.description or "")
        check_schema(offered.schema)
    assert turn.tool_choice.required in (True, False)
    if turn.session is None:
        check_tool_choice(turn.tools, turn.tool_choice)
    if turn.output is not None and turn.output.schema is not None:
        check_schema(turn.output.schema)


def check_schema(schema: Mapping[str, Any]) -> None:
    assert schema["type"] == "object"
    assert schema_fault(schema) is None
    json.dumps(schema, ensure_ascii=False, allow_nan=False).encode()


def check_conversation(turn: Turn, *, continues: bool) -> None:
    """``continues``: results may come before the first answer."""
    pending: set[str] = set()
    assert turn.messages
    assert turn.messages[-1].role is not Role.ASSISTANT
    for message in turn.messages:
        assert message.parts
        continues = continues and message.role is not Role.ASSISTANT
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
                    assert continues or part.call_id in pending
                    assert part.call_id or (continues and part.name is not None) or pending
                    pending.discard(part.call_id)
                    check_result(part)
    assert not pending


def check_result(result: ToolResult) -> None:
    assert result.is_error in (True, False)
    for piece in result.content:
        match piece:
            case Text(text=words):
                assert words
                check_text(words)
            case Image():
                assert piece.media_type in {f"image/{k}" for k in ("png", "jpeg", "gif", "webp")}
                assert base64.b64decode(piece.data, validate=True)
            case LinkedImage(url=url):
                assert url.startswith("https://")
                check_text(url)


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
    *[tool(), tool("find"), [tool()], {"name": "look"}, [{"name": "look"}], "none", "required"],
    *[ALLOWED, ANSWER, {"type": "json_object"}, {"type": "text"}, "object", "string", "$ref"],
    *[SCHEMA, {"type": "array"}, {"$ref": "#"}, {"$ref": "http://a/b"}, {"pattern": "(a"}, "auto"],
    *[image("https://a/b"), image("data:image/gif;base64,AAAA"), "data:image/png;base64,", "#/a"],
]
telling = st.sampled_from(TELLING)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words_ | telling,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words_, inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    [
        *{**WHOLE, **OLDER},
        *["role", "content", "text", "type", "name", "refusal", "tool_calls", "is_error"],
        *["function", "parameters", "strict", "schema", "image_url", "url", "allowed_tools"],
        *["properties", "required", "$ref", "$id", "$schema", "$defs", "items", "anyOf", "enum"],
    ]
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
    request = copy.deepcopy(draw(st.sampled_from(WHOLES)))
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
    raw = json.dumps(draw(st.sampled_from(WHOLES))).encode()
    start = draw(st.integers(0, len(raw)))
    end = draw(st.integers(start, min(len(raw), start + 20)))
    return raw[:start] + draw(st.binary(max_size=6)) + raw[end:]


def test_the_whole_request_is_good() -> None:
    asked = decode(json.dumps(WHOLE).encode())
    check_request(asked)
    assert asked.ignored == ("seed",)
    assert len(asked.turn.messages) == len(WHOLE["messages"]) - 2


def test_the_whole_older_request_is_good() -> None:
    asked = decode(json.dumps(OLDER).encode())
    check_request(asked)
    assert asked.legacy
    assert len(asked.turn.messages) == len(OLDER["messages"])


@pytest.mark.parametrize("whole", WHOLES, ids=["newer", "older"])
def test_the_whole_request_without_any_one_thing(whole: dict[str, Any]) -> None:
    for *way, last in places(whole):
        request = copy.deepcopy(whole)
        holder: Any = request
        for step in way:
            holder = holder[step]
        del holder[last]
        check(json.dumps(request).encode())


@pytest.mark.parametrize("whole", WHOLES, ids=["newer", "older"])
def test_the_whole_request_with_any_one_thing_replaced(whole: dict[str, Any]) -> None:
    for *way, last in places(whole):
        request = copy.deepcopy(whole)
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
@given(st.dictionaries(names | words_, telling | any_json, max_size=4))
def test_any_schema(schema: dict[str, Any]) -> None:
    answer = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    for fields in ({"tools": [tool(parameters=schema)]}, {"response_format": answer}):
        check(json.dumps({"messages": [HI], **fields}).encode())


@steady
@given(telling | any_json, telling | any_json, st.booleans())
def test_any_functions_and_any_choice(functions: Any, choice: Any, older: bool) -> None:
    fields = ("functions", "function_call") if older else ("tools", "tool_choice")
    asked = dict(zip(fields, (functions, choice), strict=True))
    check(json.dumps({"messages": [HI], **asked}).encode())


@steady
@given(telling | any_json | st.text("Aa0+/=-_ \n", max_size=9).map(lambda data: [data]))
def test_any_result(content: Any) -> None:
    if content and isinstance(content, list) and isinstance(content[0], str):
        content = [image(f"data:image/png;base64,{content[0]}")]
    check(json.dumps({"messages": [HI, calling("c1"), result("c1", content)]}).encode())


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
