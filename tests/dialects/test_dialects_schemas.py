"""The schemas of requests say what the decoders do: no more, no less."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from anthropic_bodies import document as shown
from openai_answers import ERRORS, call, chunks, document, thoughts, turn, words
from openai_bodies import (
    HI,
    assistant,
    calling,
    function,
    image,
    redacted,
    result,
    system,
    text,
    thinking,
    tool,
    tool_result,
    tool_use,
    user,
)
from openai_media import PDF, data_url, file
from request_schemas import faults, validator_of

from bridge.core.errors import InvalidRequest
from bridge.core.events import Event, FinishReason, TurnFailed, Usage
from bridge.core.fold import fold
from bridge.dialects import anthropic_messages, openai_chat, openai_completions
from bridge.dialects.anthropic_messages.models import POLICY as MESSAGES_POLICY
from bridge.dialects.anthropic_messages.models import WireRequest as MessagesWire
from bridge.dialects.frames import dumps
from bridge.dialects.openai.frames import render_error
from bridge.dialects.openai.schemas import COMPONENTS as COMMON
from bridge.dialects.openai_chat.models import POLICY as CHAT_POLICY
from bridge.dialects.openai_chat.models import WireRequest as ChatWire
from bridge.dialects.openai_completions.decode import POLICY as COMPLETIONS_POLICY
from bridge.dialects.openai_completions.decode import WireRequest as CompletionWire
from bridge.dialects.schemas import Schema, derived, plain_words, record
from bridge.dialects.wire import hardened_converter, tagged

CHAT = validator_of("ChatRequest", openai_chat.schemas())
MESSAGE = validator_of("MessagesRequest", anthropic_messages.schemas())
COMPLETION = validator_of("CompletionRequest", openai_completions.schemas())
COMPONENTS = {**COMMON, **openai_chat.schemas(), **anthropic_messages.schemas()}
ANSWER = {
    name: validator_of(name, COMPONENTS)
    for name in (
        "ChatCompletion",
        "ChatCompletionChunk",
        "Message",
        "MessageEvent",
        "Error",
        "AnthropicError",
    )
}
TOOLS = FinishReason.TOOL_CALLS
LINK = "https://example.com/a.png"
NAMED = {"type": "function", "function": {"name": "look"}}
SCHEMA = {"name": "a", "schema": {"type": "object"}}


def allowed(mode: Any, *tools: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


FIELDS: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    # a field: what stands beside it; values that are taken; values that are refused
    "model": ({}, [None, "", "sonnet"], [1, ["sonnet"]]),
    "stream": ({}, [None, True], ["true", 1]),
    "stream_options": ({}, [None, {}, {"include_usage": None, "x": 1}], [True, {"include_usage": 1}]),
    "temperature": ({}, [None, 0, 2, 2.0, 0.5], [-0.01, 2.01, "1", True]),
    "top_p": ({}, [None, 0, 1], [-1, 1.01]),
    "max_tokens": ({}, [None, 1, 5.0, 2**53], [0, 1.5, 2**53 + 1, "5"]),
    "max_completion_tokens": ({}, [None, 1], [0]),
    "stop": ({}, [None, "a", [], ["a"] * 4], ["", " ", ["a"] * 5, [" "], [1], 7]),
    "session_id": ({}, [None, "a"], [1]),
    "reasoning_effort": ({}, [None, "none", "max"], ["", "most", 1]),
    "thinking": (
        {},
        [
            *[None, {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 1024}],
            {"type": "disabled", "display": "omitted"},
        ],
        [
            *[{}, "enabled", {"type": "some"}, {"type": "enabled", "budget_tokens": 1023}],
            {"type": "disabled", "display": "all"},
        ],
    ),
    "tools": (
        {},
        [None, [], [tool()], [tool(f"f{n}") for n in range(128)], [tool("a" * 64, strict=None)]],
        [
            *[[tool("")], [tool("a" * 65)], [tool("a b")], [{"type": "custom"}], [{}], {}],
            *[[tool(f"f{n}") for n in range(129)], [tool(parameters=[])], [tool(strict=1)]],
        ],
    ),
    "tool_choice": (
        {"tools": [tool()]},
        [None, "none", "auto", "required", NAMED, allowed("auto", NAMED)],
        ["any", "", [], {"type": "function"}, {"type": "custom"}, allowed("none", NAMED)],
    ),
    "parallel_tool_calls": ({"tools": [tool()]}, [None, False], [0]),
    "functions": ({}, [None, [], [{"name": "look"}]], [[{}], [{"name": ""}], [tool()]]),
    "function_call": (
        {"functions": [{"name": "look"}]},
        [None, "none", "auto", {"name": "look"}],
        ["required", {}, 1],
    ),
    "response_format": (
        {},
        [None, {"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": SCHEMA}],
        ["json", {}, {"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "a b"}}],
    ),
    "messages": (
        {},
        [
            *[[HI], [system("s"), HI], [system([text("s")]), HI], [user([text("a"), text("b")])]],
            *[[user([image(LINK)])], [user([{"type": "image_url", "image_url": LINK}])]],
            *[[user([file(data_url("application/pdf", PDF))])]],
            *[[HI, calling("c"), result("c")], [HI, assistant([tool_use("c")]), result("c")]],
            *[[HI, assistant([thinking(), text("a")]), HI]],
            *[[HI, {"role": "assistant", "function_call": NAMED["function"] | {"arguments": ""}}, function()]],
            *[[{"role": "developer", "content": None}, HI], [{**HI, "name": "x"}]],
        ],
        [
            *[[], None, {}, "hi", [{}], [{"role": "user"}], [{"content": "hi"}], [user(1)]],
            *[[{"role": "guest", "content": "hi"}], [system([image(LINK)]), HI], [user([{}])]],
            *[[user([{"type": "input_audio"}])], [user([{"type": "image_url", "image_url": {}}])]],
            *[[user([{"type": "file", "file": {}}])]],
            *[[user([{"type": "file", "file": {"file_id": "a"}}])]],
            *[[HI, {"role": "tool", "content": "a"}], [HI, {"role": "assistant", "audio": {}}, HI]],
            *[[HI, {"role": "assistant", "tool_calls": [{"id": "c"}]}, result("c")]],
        ],
    ),
}  # fmt: skip

PROMPT: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "prompt": (
        {},
        ["a", ["a"], ["a"] * 16],
        [None, "", " ", [], ["a"] * 17, ["a", ""], [1], [[1]], 1, {}],
    ),
    "echo": ({}, [None, True], ["true"]),
}


BLOCK = {"type": "text", "text": "hi"}
SOURCE = {"type": "url", "url": LINK}
MESSAGES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "max_tokens": ({}, [1], [None, 0, "1"]),
    "temperature": ({}, [None, 0, 1], [1.01, -1]),
    "top_p": ({}, [None, 0, 1], [1.01]),
    "top_k": ({}, [None, 0], [-1, 0.5]),
    "stop_sequences": ({}, [None, [], ["a"] * 9], [["a", " "], "a"]),
    "system": ({}, [None, "", "a", [BLOCK]], [1, [{"type": "image", "source": SOURCE}]]),
    "metadata": ({}, [None, {}, {"user_id": "a"}], ["a", {"user_id": 1}]),
    "thinking": ({}, [None, {"type": "adaptive"}], [{}, {"type": "enabled", "budget_tokens": 1}]),
    "output_config": (
        {},
        [None, {}, {"effort": "low"}, {"format": {"type": "json_schema", "schema": {}}}],
        [{"effort": "minimal"}, {"effort": "none"}, {"format": {"type": "text"}}, "low"],
    ),
    "tools": (
        {},
        [
            None,
            [],
            [{"name": "a" * 128, "input_schema": {}}],
            [{"name": "a", "input_schema": {"type": "object"}, "type": "custom"}],
        ],
        [
            [{"name": "a" * 129, "input_schema": {}}],
            [{"name": "a"}],
            [{"input_schema": {}}],
            [{"name": "a", "input_schema": {}, "type": "bash_20250124"}],
        ],
    ),
    "tool_choice": (
        {"tools": [{"name": "look", "input_schema": {}}]},
        [None, {"type": "auto"}, {"type": "none"}, {"type": "tool", "name": "look"}],
        ["auto", {}, {"type": "tool"}, {"type": "required"}],
    ),
    "messages": (
        {},
        [
            *[[HI], [user([BLOCK])], [user([{"type": "image", "source": SOURCE}])]],
            *[[user([{"type": "document", "source": SOURCE, "citations": {"enabled": True}}])]],
            *[[user([shown({"type": "content", "content": [BLOCK]})])]],
            *[[user([{"type": "search_result", "source": "s", "title": "t", "content": [BLOCK]}])]],
            *[[user([{"type": "document", "source": {"type": "text", "data": "a"}}])]],
            *[[HI, assistant([tool_use("c")]), user([tool_result("c")])], [HI, system("s"), HI]],
            *[[HI, assistant([thinking(), redacted(), BLOCK]), HI]],
        ],
        [
            *[[], None, [user(" ")], [user([])], [user(None)], [result("c")], [{"role": "user"}]],
            *[[user([image(LINK)])], [user([tool_use("c")])]],
            *[[user([shown(SOURCE, citations={"enabled": 1})])]],
            *[[user([shown({"type": "content", "content": []})])]],
            *[[user([{"type": "search_result", "source": "s", "title": "t", "content": []}])]],
            *[[user([{"type": "document", "source": {"type": "text", "data": " "}}])]],
        ],
    ),
}


def bodies(at: int) -> Iterator[Any]:
    """Each value of the tables in a request: those that are taken (1), or those refused (2)."""
    for name, row in FIELDS.items():
        for value in row[at]:
            yield pytest.param(
                "chat", {"messages": [HI], **row[0], name: value}, id=f"{name} {value}"
            )
    for name, row in {
        **PROMPT,
        **{n: FIELDS[n] for n in ("temperature", "stop", "stream")},
    }.items():
        for value in row[at]:
            yield pytest.param(
                "text", {"prompt": "a", **row[0], name: value}, id=f"text {name} {value}"
            )
    for name, row in MESSAGES.items():
        for value in row[at]:
            body = {"messages": [HI], "max_tokens": 9, **row[0], name: value}
            yield pytest.param("messages", body, id=f"messages {name} {value}")
    for kind, policy, body in (
        ("chat", CHAT_POLICY, {"messages": [HI]}),
        ("text", COMPLETIONS_POLICY, {"prompt": "a"}),
        ("messages", MESSAGES_POLICY, {"messages": [HI], "max_tokens": 9}),
    ):
        for name, nothing in policy.refused.items():
            values = [None, *nothing.values] if at == 1 else ["x", [1], {"a": 1}, 7]
            for value in values:
                yield pytest.param(kind, {**body, name: value}, id=f"{kind} {name} {value}")


DIALECTS: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "chat": (CHAT, openai_chat.decode),
    "text": (COMPLETION, openai_completions.decode),
    "messages": (MESSAGE, anthropic_messages.decode),
}


@pytest.mark.parametrize(("kind", "body"), [*bodies(1)])
def test_what_is_taken_meets_the_schema(kind: str, body: dict[str, Any]) -> None:
    validator, decode = DIALECTS[kind]
    decode(json.dumps(body).encode())
    assert faults(validator, body) == []


@pytest.mark.parametrize(("kind", "body"), [*bodies(2)])
def test_what_does_not_meet_the_schema_is_refused(kind: str, body: dict[str, Any]) -> None:
    validator, decode = DIALECTS[kind]
    with pytest.raises(InvalidRequest):
        decode(json.dumps(body).encode())
    assert faults(validator, body) != []


def test_every_field_has_a_row() -> None:
    assert set(FIELDS) == {field.name for field in attrs.fields(ChatWire)}
    untold = {"model", "stream", "session_id"}  # as in a chat
    assert set(MESSAGES) | untold == {field.name for field in attrs.fields(MessagesWire)}
    assert set(FIELDS) | set(PROMPT) >= {field.name for field in attrs.fields(CompletionWire)}


@pytest.mark.parametrize("dialect", [openai_chat, openai_completions, anthropic_messages])
def test_every_property_says_what_it_is(dialect: Any) -> None:
    for name, schema in dialect.schemas().items():
        assert schema["description"].endswith((".", "`")), name
        if not schema.get("additionalProperties", True):
            continue  # an answer, whose names speak; a request is written by people
        for field, described in schema.get("properties", {}).items():
            told = {"const", "enum"} & described.keys() or described.get("description")
            assert told, f"{name}.{field}"


# -- answers -------------------------------------------------------------------------------------

TURNS: dict[str, list[Event]] = {
    "words": turn(words("Hel", "lo")),
    "nothing": turn(),
    "thoughts": turn(thoughts("hm", "m"), words("Yes")),
    "calls": turn(call("c1", "look", '{"a":', "1}"), call("c2", "look"), reason=TOOLS),
    "no details": turn(words("a"), usage=Usage()),
    **{reason.value: turn(words("a"), reason=reason) for reason in FinishReason},
}


@pytest.mark.parametrize("legacy", [False, True], ids=["newer", "older"])
@pytest.mark.parametrize("events", TURNS.values(), ids=TURNS)
def test_every_chat_answer_meets_its_schema(events: list[Event], legacy: bool) -> None:
    assert faults(ANSWER["ChatCompletion"], document(events, legacy=legacy)) == []
    for include_usage in (True, False):
        for chunk in chunks(events, include_usage=include_usage, legacy=legacy):
            assert faults(ANSWER["ChatCompletionChunk"], chunk) == []


@pytest.mark.parametrize("events", TURNS.values(), ids=TURNS)
def test_every_message_meets_its_schema(events: list[Event]) -> None:
    message = json.loads(dumps(anthropic_messages.render(fold(events))))
    assert faults(ANSWER["Message"], message) == []
    encoder = anthropic_messages.EventEncoder(request_id="req_1")
    failed = TurnFailed(error=InvalidRequest("no"))
    for frame in b"".join(map(encoder.encode, [*events, failed])).split(b"\n\n")[:-1]:
        event = json.loads(frame.partition(b"data: ")[2])
        assert faults(ANSWER["MessageEvent"], event) == []


def test_every_error_meets_its_schema() -> None:
    for kind in ERRORS:
        error = kind("no")
        assert faults(ANSWER["Error"], render_error(error)) == []
        shown = anthropic_messages.render_error(error, "req_1")
        assert faults(ANSWER["AnthropicError"], shown) == []


# -- how they are derived ------------------------------------------------------------------------


@attrs.frozen
class Cat:
    """Says ``meow``; see :class:`bridge.Dog`.

    And this is for programmers.
    """

    lives: int = 9


@attrs.frozen
class Dog:
    """Says nothing."""

    name: str
    tail: float | None


@attrs.frozen
class Home:
    """Where they live."""

    pet: Cat | Dog
    more: tuple[Cat | Dog, ...] | str | None = None
    plan: dict[str, Any] | None = None


tagged(hardened_converter(), Cat | Dog, "kind", {"cat": Cat, "tiger": Cat, "dog": Dog}, "No pet")


def test_a_union_is_told_by_its_tag() -> None:
    made = derived(Home, "My", notes={Cat: {"lives": {"minimum": 1}}})
    assert list(made) == ["MyHome", "MyCat", "MyDog"]
    pet: Schema = {
        "oneOf": [{"$ref": "#/components/schemas/MyCat"}, {"$ref": "#/components/schemas/MyDog"}],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {
                "cat": "#/components/schemas/MyCat",
                "tiger": "#/components/schemas/MyCat",
                "dog": "#/components/schemas/MyDog",
            },
        },
    }
    more = [{"type": "array", "items": pet}, {"type": "string"}, {"type": "null"}]
    assert made["MyHome"]["properties"] == {
        "pet": pet,
        "more": {"anyOf": more},
        "plan": {"anyOf": [{"type": "object"}, {"type": "null"}]},
    }
    assert made["MyHome"]["required"] == ["pet"]
    assert made["MyCat"]["properties"] == {
        "kind": {"enum": ["cat", "tiger"]},
        "lives": {"type": "integer", "minimum": 1, "maximum": 2**53},
    }
    assert made["MyCat"]["required"] == ["kind"]
    assert made["MyDog"]["required"] == ["kind", "name", "tail"]
    assert made["MyCat"]["additionalProperties"] is True


def test_a_docstrings_first_paragraph_becomes_markdown() -> None:
    assert plain_words(Cat) == "Says `meow`; see `Dog`."


@attrs.frozen
class Odd:
    """Two classes that nothing tells apart."""

    either: Home | Dog


def test_a_union_that_no_converter_knows_has_no_schema() -> None:
    with pytest.raises(ValueError, match="too many values"):
        derived(Odd, "", notes={})


def test_an_answer_is_closed() -> None:
    made = record("An answer.", ["b"], a={"type": "string"}, b={"type": "string"})
    assert made["required"] == ["a"]
    assert made["additionalProperties"] is False
