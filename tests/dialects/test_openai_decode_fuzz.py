"""One invariant: whatever comes in, a turn that keeps its promises comes out, or a fault of 4xx."""

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openai_bodies import (
    HI,
    YO,
    assistant,
    calling,
    function,
    image,
    legacy,
    redacted,
    refusal,
    result,
    system,
    text,
    thinking,
    tool,
    tool_result,
    tool_use,
    user,
)
from openai_media import DRAWN, PDF, PNG, claimed_png, data_url, file, held
from promises import (
    SCHEMA,
    anything,
    check_conversation,
    check_reasoning,
    check_schema,
    check_text,
    places,
    words_,
)
from request_schemas import faults, validator_of

from bridge.core.conversation import (
    Document,
    Image,
    LinkedImage,
    RedactedThinking,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from bridge.core.errors import BridgeError
from bridge.core.rules import check_tool_choice
from bridge.dialects.frames import dumps
from bridge.dialects.openai.frames import ERROR_TYPES, render_error
from bridge.dialects.openai_chat import ChatRequest, decode, schemas

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

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
DATA = {kind: data_url(kind, raw) for kind, raw in DRAWN.items()}
TEXT_FILE, PRINTED = data_url("text/plain", "é".encode()), data_url("application/pdf", PDF)

SHOWN: dict[str, Any] = {
    "reasoning_effort": "low",
    "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
    "messages": [
        user([text("see"), image(DATA["image/png"]), file(TEXT_FILE, filename="a.txt")]),
        assistant([thinking(), text("well"), tool_use("c1")]),
        user([tool_result("c1", [image(DATA["image/webp"])], is_error=False), text(None)]),
        {**assistant([tool_use("c1"), tool_use("c2", "find")]), "thinking_blocks": [redacted()]},
        user([tool_result("c2", None)]),
        result("c1", [file(PRINTED), text(None)]),
        {"role": "user", "content": None},
        user([{"type": "image_url", "image_url": "https://a/b"}]),
    ],
}
WHOLES = [WHOLE, OLDER, SHOWN]
REQUEST = validator_of("ChatRequest", schemas())


def check(raw: bytes) -> None:
    """The invariant, with and without a session."""
    for session in (None, "s"):
        try:
            asked = decode(raw, session=session)
        except BridgeError as error:
            check_error(error)
        else:
            check_request(asked)
            meant = {k: v for k, v in json.loads(raw).items() if k != "session_id"}
            assert faults(REQUEST, meant) == []  # whoever goes by the schema is never wrong


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
    check_reasoning(asked.turn)
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


# -- what comes in -------------------------------------------------------------------------------

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
SHOWING: list[Any] = [
    *[redacted(), thinking(), tool_use("c1"), tool_use("c2"), tool_result("c1"), tool_result("c2")],
    *[user([tool_result("c1"), tool_result("c2")]), assistant([tool_use("c1"), tool_use("c2")])],
    *[file(TEXT_FILE), {"file_id": "a"}, file("data:text/csv;base64,AA=="), {"type": "file"}],
    *[image(DATA["image/jpeg"]), DATA["image/gif"], data_url("image/png", claimed_png(9_000, 1))],
    *[{"type": "image_url", "image_url": "https://a"}, [image("https://a/b")] * 101, "thinking"],
    *[{"type": "adaptive"}, {"type": "enabled"}, "enabled", "summarized", "max", 1023, 1024],
    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
]
telling = st.sampled_from([*TELLING, *SHOWING])
any_json = anything(telling)
names = st.sampled_from(
    [
        *{**WHOLE, **OLDER, **SHOWN},
        *["role", "content", "text", "type", "name", "refusal", "tool_calls", "is_error"],
        *["function", "parameters", "strict", "schema", "image_url", "url", "allowed_tools"],
        *["file", "file_data", "file_id", "filename", "detail", "audio", "thinking_blocks"],
        *["signature", "data", "id", "input", "tool_use_id", "budget_tokens", "display"],
        *["properties", "required", "$ref", "$id", "$schema", "$defs", "items", "anyOf", "enum"],
    ]
)


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
    assert asked.ignored == ("max_tokens", "seed", "messages[].name")
    assert len(asked.turn.messages) == len(WHOLE["messages"]) - 2


def test_the_whole_older_request_is_good() -> None:
    asked = decode(json.dumps(OLDER).encode())
    check_request(asked)
    assert asked.legacy
    assert len(asked.turn.messages) == len(OLDER["messages"])


def test_the_whole_request_that_shows_something_is_good() -> None:
    asked = decode(json.dumps(SHOWN).encode())
    check_request(asked)
    assert asked.ignored == ()
    kinds = {type(part) for message in asked.turn.messages for part in message.parts}
    assert kinds >= {Image, Document, LinkedImage, Thinking, RedactedThinking, ToolCall, ToolResult}
    assert [type(part) for part in held(asked.turn)] == [
        *[Image, Document, Image, Document, LinkedImage]
    ]


@pytest.mark.parametrize("whole", WHOLES, ids=["newer", "older", "showing"])
def test_the_whole_request_without_any_one_thing(whole: dict[str, Any]) -> None:
    for *way, last in places(whole):
        request = copy.deepcopy(whole)
        holder: Any = request
        for step in way:
            holder = holder[step]
        del holder[last]
        check(json.dumps(request).encode())


@pytest.mark.parametrize(
    ("whole", "values"),
    [(WHOLE, TELLING), (OLDER, TELLING), (SHOWN, [*SHOWING, None, True, 5, "", "\0", [], {}, HI])],
    ids=["newer", "older", "showing"],
)
def test_the_whole_request_with_any_one_thing_replaced(
    whole: dict[str, Any], values: list[Any]
) -> None:
    for number, (*way, last) in enumerate(places(whole)):
        request = copy.deepcopy(whole)
        holder: Any = request
        for step in way:
            holder = holder[step]
        for value in values[number % 3 :: 3]:  # all of them, in places of every kind
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
def test_any_result_and_any_words(content: Any) -> None:
    if content and isinstance(content, list) and isinstance(content[0], str):
        content = [
            image(f"data:image/png;base64,{content[0]}"),
            file(f"data:text/plain;base64,{content[0]}"),
        ]
    calls = [HI, calling("c1")]
    for messages in (
        [*calls, result("c1", content)],
        [*calls, user([tool_result("c1", content)])],
        [user(content)],
    ):
        check(json.dumps({"messages": messages}).encode())


@steady
@given(st.dictionaries(names | words_, telling | any_json, max_size=5))
def test_any_fields(fields: dict[str, Any]) -> None:
    check(json.dumps({"messages": [HI], **fields}).encode())


@steady
@given(st.lists(telling, max_size=8))
def test_any_messages_in_any_order(messages: list[Any]) -> None:
    check(json.dumps({"messages": [HI, *(m for m in messages if isinstance(m, dict))]}).encode())


@settings(steady, max_examples=200)
@given(mutations())
def test_any_mutation_of_a_good_request(request_: dict[str, Any]) -> None:
    check(json.dumps(request_).encode())
