"""Functions, the choice among them, their older form, and JSON as the answer."""

import json
import socket
from typing import Any

import pytest
from openai_bodies import HI, ask, body, function, legacy, result, seen, tool

from bridge.core.conversation import JsonOutput, Tool, ToolChoice
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_chat import decode

NOTHING = {"type": "object", "properties": {}}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ONE_OF = {"function": {"name": "look"}, "type": "function"}
LOOK = Tool(name="look", schema=NOTHING)
FIND = Tool(name="find", schema=NOTHING)
LONG = "a-Z_9" * 12 + "abcd"


def allowed(mode: Any, *names: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [*map(tool, names)]}}


def offering(**fields: Any) -> dict[str, Any]:
    return {"tools": [tool(**fields)]}


def schema(value: Any, **fields: Any) -> dict[str, Any]:
    """A response format."""
    asked = {"name": "answer", "schema": value, **fields}
    return {"response_format": {"type": "json_schema", "json_schema": asked}}


# fields → what comes of them
HONOURED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # -- tools -----------------------------------------------------------------------------------
    "no-tools": ({"tools": []}, {}),
    "tools-null": ({"tools": None}, {}),
    "a-tool": (
        offering(description="Looks.", parameters=CITY),
        {"tools": (Tool(name="look", schema=CITY, description="Looks."),)},
    ),
    "tools-in-their-order": ({"tools": [tool(), tool("find")]}, {"tools": (LOOK, FIND)}),
    "a-name-of-64": (offering(name=LONG), {"tools": (Tool(name=LONG, schema=NOTHING),)}),
    "a-name-of-1": (offering(name="-"), {"tools": (Tool(name="-", schema=NOTHING),)}),
    "names-differ-in-their-case": (
        {"tools": [tool("look"), tool("Look")]},
        {"tools": (LOOK, Tool(name="Look", schema=NOTHING))},
    ),
    "description-null": (offering(description=None), {"tools": (LOOK,)}),
    "description-empty": (offering(description=""), {"tools": (LOOK,)}),
    "parameters-null": (offering(parameters=None), {"tools": (LOOK,)}),
    "parameters-empty": (offering(parameters={}), {"tools": (LOOK,)}),
    "parameters-without-a-type": (
        offering(parameters={"properties": {"a": {}}}),
        {"tools": (Tool(name="look", schema={"type": "object", "properties": {"a": {}}}),)},
    ),
    "parameters-with-nothing-but-a-type": (
        offering(parameters={"type": "object"}),
        {"tools": (Tool(name="look", schema={"type": "object"}),)},
    ),
    "strict": (
        offering(strict=True),
        {"tools": (Tool(name="look", schema=NOTHING, strict=True),)},
    ),
    "strict-false": (offering(strict=False), {"tools": (LOOK,)}),
    "strict-null": (offering(strict=None), {"tools": (LOOK,)}),
    "128-tools": (
        {"tools": [tool(f"f{i}") for i in range(128)]},
        {"tools": tuple(Tool(name=f"f{i}", schema=NOTHING) for i in range(128))},
    ),
    # -- tool_choice -----------------------------------------------------------------------------
    "choice-null": ({"tools": [tool()], "tool_choice": None}, {"tools": (LOOK,)}),
    "auto": ({"tools": [tool()], "tool_choice": "auto"}, {"tools": (LOOK,)}),
    "auto-without-tools": ({"tool_choice": "auto"}, {}),
    "none": (
        {"tools": [tool()], "tool_choice": "none"},
        {"tools": (LOOK,), "tool_choice": ToolChoice(names=())},
    ),
    "none-without-tools": ({"tool_choice": "none"}, {"tool_choice": ToolChoice(names=())}),
    "required": (
        {"tools": [tool()], "tool_choice": "required"},
        {"tools": (LOOK,), "tool_choice": ToolChoice(required=True)},
    ),
    "a-named-one": (
        {"tools": [tool("find"), tool()], "tool_choice": ONE_OF},
        {"tools": (FIND, LOOK), "tool_choice": ToolChoice(names=("look",), required=True)},
    ),
    "allowed": (
        {"tools": [tool(), tool("find")], "tool_choice": allowed("auto", "find")},
        {"tools": (LOOK, FIND), "tool_choice": ToolChoice(names=("find",))},
    ),
    "allowed-and-required": (
        {"tools": [tool(), tool("find")], "tool_choice": allowed("required", "find", "look")},
        {"tools": (LOOK, FIND), "tool_choice": ToolChoice(names=("find", "look"), required=True)},
    ),
    "none-allowed": (
        {"tools": [tool()], "tool_choice": allowed("auto")},
        {"tools": (LOOK,), "tool_choice": ToolChoice(names=())},
    ),
    # -- parallel_tool_calls ---------------------------------------------------------------------
    "parallel": ({"tools": [tool()], "parallel_tool_calls": True}, {"tools": (LOOK,)}),
    "parallel-null": ({"tools": [tool()], "parallel_tool_calls": None}, {"tools": (LOOK,)}),
    "not-parallel": (
        {"tools": [tool()], "parallel_tool_calls": False},
        {"tools": (LOOK,), "tool_choice": ToolChoice(parallel=False)},
    ),
    "not-parallel-and-required": (
        {"tools": [tool()], "parallel_tool_calls": False, "tool_choice": "required"},
        {"tools": (LOOK,), "tool_choice": ToolChoice(required=True, parallel=False)},
    ),
    "not-parallel-without-tools": (
        {"parallel_tool_calls": False},
        {"tool_choice": ToolChoice(parallel=False)},
    ),
    # -- the older form --------------------------------------------------------------------------
    "no-functions": ({"functions": []}, {}),
    "functions-null": ({"functions": None, "function_call": None}, {}),
    "functions": (
        {"functions": [{"name": "look", "description": "Looks.", "parameters": CITY}]},
        {
            "tools": (Tool(name="look", schema=CITY, description="Looks."),),
            "tool_choice": ToolChoice(parallel=False),
            "legacy": True,
        },
    ),
    "a-function-alone": (
        {"functions": [{"name": "look"}], "function_call": "auto"},
        {"tools": (LOOK,), "tool_choice": ToolChoice(parallel=False), "legacy": True},
    ),
    "no-function-call": (
        {"functions": [{"name": "look"}], "function_call": "none"},
        {"tools": (LOOK,), "tool_choice": ToolChoice(names=(), parallel=False), "legacy": True},
    ),
    "a-named-function": (
        {"functions": [{"name": "look"}], "function_call": {"name": "look"}},
        {
            "tools": (LOOK,),
            "tool_choice": ToolChoice(names=("look",), required=True, parallel=False),
            "legacy": True,
        },
    ),
    "no-function-call-without-functions": (
        {"function_call": "none"},
        {"tool_choice": ToolChoice(names=(), parallel=False), "legacy": True},
    ),
    "auto-without-functions": (
        {"function_call": "auto"},
        {"tool_choice": ToolChoice(parallel=False), "legacy": True},
    ),
    "functions-are-never-parallel": (
        {"functions": [{"name": "look"}], "parallel_tool_calls": True},
        {"tools": (LOOK,), "tool_choice": ToolChoice(parallel=False), "legacy": True},
    ),
    "both-forms-of-nothing": (
        {"functions": [], "function_call": None, "tools": [], "tool_choice": None},
        {},
    ),
    "functions-beside-no-tools": (
        {"functions": [{"name": "look"}], "tools": []},
        {"tools": (LOOK,), "tool_choice": ToolChoice(parallel=False), "legacy": True},
    ),
    "tools-beside-no-functions": ({"tools": [tool()], "functions": []}, {"tools": (LOOK,)}),
    # -- response_format -------------------------------------------------------------------------
    "format-null": ({"response_format": None}, {}),
    "text": ({"response_format": {"type": "text"}}, {}),
    "json-object": ({"response_format": {"type": "json_object"}}, {"output": JsonOutput()}),
    "json-schema": (
        schema(CITY, description="Where.", strict=True),
        {"output": JsonOutput(schema=CITY, description="Where.")},
    ),
    "strict-makes-no-difference": (
        schema(CITY, strict=False),
        {"output": JsonOutput(schema=CITY)},
    ),
    "no-schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        {"output": JsonOutput()},
    ),
    "no-schema-but-a-description": (
        schema(None, description="Where."),
        {"output": JsonOutput(description="Where.")},
    ),
    "schema-empty": (schema({}, description=""), {"output": JsonOutput()}),
    "schema-without-a-type": (
        schema({"properties": {"a": {}}}),
        {"output": JsonOutput(schema={"type": "object", "properties": {"a": {}}})},
    ),
    "json-beside-tools": (
        {**offering(), **schema(CITY)},
        {"tools": (LOOK,), "output": JsonOutput(schema=CITY)},
    ),
}


@pytest.mark.parametrize(("fields", "wanted"), HONOURED.values(), ids=HONOURED)
def test_honoured(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert seen(ask(HI, **fields)) == wanted


# fields → param, code, a piece of the message
REFUSED: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # -- tools -----------------------------------------------------------------------------------
    "tools-an-object": ({"tools": {}}, "tools", "invalid_type", "expected an array"),
    "tools-a-word": ({"tools": "look"}, "tools", "invalid_type", "expected an array"),
    "tools-false": ({"tools": False}, "tools", "invalid_type", "got a boolean"),
    "a-tool-is-a-word": ({"tools": ["look"]}, "tools[0]", "invalid_type", "expected an object"),
    "a-tool-is-null": ({"tools": [tool(), None]}, "tools[1]", "invalid_type", "got null"),
    "a-tool-without-a-type": (
        {"tools": [{"function": {"name": "look"}}]},
        "tools[0].type",
        "missing_required_parameter",
        "missing",
    ),
    "a-tool-of-type-null": (
        {"tools": [{**tool(), "type": None}]},
        "tools[0].type",
        "invalid_type",
        "a string",
    ),
    "a-custom-tool": (
        {"tools": [tool(), {"type": "custom", "custom": {"name": "look"}}]},
        "tools[1].type",
        "unsupported_parameter",
        "'custom'. Known are 'function'",
    ),
    "a-hosted-tool": (
        {"tools": [{"type": "web_search"}]},
        "tools[0].type",
        "unsupported_parameter",
        "'web_search'",
    ),
    "a-tool-without-a-function": (
        {"tools": [{"type": "function", "name": "look"}]},
        "tools[0].function",
        "missing_required_parameter",
        "missing",
    ),
    "a-function-null": (
        {"tools": [{"type": "function", "function": None}]},
        "tools[0].function",
        "invalid_type",
        "got null",
    ),
    "a-function-without-a-name": (
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function.name",
        "missing_required_parameter",
        "missing",
    ),
    "a-name-null": (offering(name=None), "tools[0].function.name", "invalid_type", "a string"),
    **{
        f"the-name-{name[:12]!a}": (
            offering(name=name),
            "tools[0].function.name",
            "invalid_value",
            "letters (a-z, A-Z), digits, underscores and hyphens",
        )
        for name in ["", " ", "a b", "a.b", "look\n", "é", "a/b", LONG + "x", "x" * 100_000]
    },
    "a-name-with-nul": (offering(name="a\0"), "tools[0].function.name", "invalid_value", "NUL"),
    "two-of-one-name": (
        {"tools": [tool(), tool("find"), tool()]},
        "tools[2].function.name",
        "invalid_value",
        "another function 'look'",
    ),
    "129-tools": (
        {"tools": [tool(f"f{i}") for i in range(129)]},
        "tools",
        "invalid_value",
        "up to 128 functions, but there are 129",
    ),
    "description-a-number": (
        offering(description=5),
        "tools[0].function.description",
        "invalid_type",
        "a string",
    ),
    "description-with-nul": (
        offering(description="\0"),
        "tools[0].function.description",
        "invalid_value",
        "NUL",
    ),
    "strict-a-number": (
        offering(strict=1),
        "tools[0].function.strict",
        "invalid_type",
        "a boolean",
    ),
    "strict-a-word": (
        offering(strict="true"),
        "tools[0].function.strict",
        "invalid_type",
        "a boolean",
    ),
    # -- tool_choice -----------------------------------------------------------------------------
    **{
        f"the-choice-{word!r}": (
            {"tools": [tool()], "tool_choice": word},
            "tool_choice",
            "invalid_value",
            "Known are 'none', 'auto', 'required'.",
        )
        for word in ["", "any", "AUTO", "look", "function", "auto "]
    },
    **{
        f"the-choice-{value!r}": (
            {"tools": [tool()], "tool_choice": value},
            "tool_choice",
            "invalid_type",
            "expected a string or an object, but got",
        )
        for value in [[], 0, False, ["auto"], 1.5]
    },
    "a-choice-with-nul": ({"tool_choice": "auto\0"}, "tool_choice", "invalid_value", "NUL"),
    "a-choice-without-a-type": (
        {"tools": [tool()], "tool_choice": {"function": {"name": "look"}}},
        "tool_choice.type",
        "missing_required_parameter",
        "missing",
    ),
    "a-custom-choice": (
        {"tools": [tool()], "tool_choice": {"type": "custom", "custom": {"name": "look"}}},
        "tool_choice.type",
        "unsupported_parameter",
        "'custom'. Known are 'function', 'allowed_tools'",
    ),
    "a-choice-of-type-auto": (
        {"tools": [tool()], "tool_choice": {"type": "auto"}},
        "tool_choice.type",
        "unsupported_parameter",
        "'auto'",
    ),
    "a-choice-without-a-function": (
        {"tools": [tool()], "tool_choice": {"type": "function", "name": "look"}},
        "tool_choice.function",
        "missing_required_parameter",
        "missing",
    ),
    "a-choice-of-a-word": (
        {"tools": [tool()], "tool_choice": {"type": "function", "function": "look"}},
        "tool_choice.function",
        "invalid_type",
        "expected an object",
    ),
    "a-choice-without-a-name": (
        {"tools": [tool()], "tool_choice": {"type": "function", "function": {}}},
        "tool_choice.function.name",
        "missing_required_parameter",
        "missing",
    ),
    "a-choice-of-a-number": (
        {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": 5}}},
        "tool_choice.function.name",
        "invalid_type",
        "a string",
    ),
    "a-choice-of-another-one": (
        {"tools": [tool("find")], "tool_choice": ONE_OF},
        "tool_choice",
        "invalid_value",
        "no function 'look' in 'tools'",
    ),
    "a-choice-without-tools": (
        {"tool_choice": ONE_OF},
        "tool_choice",
        "invalid_value",
        "no function 'look' in 'tools'",
    ),
    "required-without-tools": (
        {"tools": [], "tool_choice": "required"},
        "tool_choice",
        "invalid_value",
        "asks for a call",
    ),
    "allowed-null": (
        {"tools": [tool()], "tool_choice": {"type": "allowed_tools"}},
        "tool_choice.allowed_tools",
        "missing_required_parameter",
        "missing",
    ),
    "allowed-without-a-mode": (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": []}}},
        "tool_choice.allowed_tools.mode",
        "missing_required_parameter",
        "missing",
    ),
    "allowed-without-tools": (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
        "tool_choice.allowed_tools.tools",
        "missing_required_parameter",
        "missing",
    ),
    **{
        f"allowed-in-the-mode-{mode!r}": (
            {"tools": [tool()], "tool_choice": allowed(mode, "look")},
            "tool_choice.allowed_tools.mode",
            "invalid_value",
            "Known are 'auto', 'required'.",
        )
        for mode in ["", "none", "Auto"]
    },
    "allowed-in-the-mode-null": (
        {"tools": [tool()], "tool_choice": allowed(None, "look")},
        "tool_choice.allowed_tools.mode",
        "invalid_type",
        "a string",
    ),
    "allowed-words": (
        {
            "tools": [tool()],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [tool(), "look"]},
            },
        },
        "tool_choice.allowed_tools.tools[1]",
        "invalid_type",
        "expected an object",
    ),
    "allowed-of-another-kind": (
        {
            "tools": [tool()],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp", "server_label": "a"}]},
            },
        },
        "tool_choice.allowed_tools.tools[0].type",
        "unsupported_parameter",
        "'mcp'",
    ),
    "allowed-of-another-name": (
        {"tools": [tool()], "tool_choice": allowed("auto", "look", "find")},
        "tool_choice",
        "invalid_value",
        "no function 'find'",
    ),
    "129-allowed": (
        {"tools": [tool()], "tool_choice": allowed("auto", *["look"] * 129)},
        "tool_choice.allowed_tools.tools",
        "invalid_value",
        "up to 128",
    ),
    "none-allowed-but-required": (
        {"tools": [tool()], "tool_choice": allowed("required")},
        "tool_choice",
        "invalid_value",
        "asks for a call",
    ),
    # -- parallel_tool_calls ---------------------------------------------------------------------
    "parallel-1": ({"parallel_tool_calls": 1}, "parallel_tool_calls", "invalid_type", "a boolean"),
    "parallel-a-word": (
        {"parallel_tool_calls": "false"},
        "parallel_tool_calls",
        "invalid_type",
        "a boolean",
    ),
    # -- the older form --------------------------------------------------------------------------
    "functions-an-object": ({"functions": {}}, "functions", "invalid_type", "expected an array"),
    "a-function-is-a-word": (
        {"functions": ["look"]},
        "functions[0]",
        "invalid_type",
        "expected an object",
    ),
    "a-function-as-a-tool": (
        {"functions": [tool()]},
        "functions[0].name",
        "missing_required_parameter",
        "missing",
    ),
    "the-name-of-a-function": (
        {"functions": [{"name": "look"}, {"name": "a b"}]},
        "functions[1].name",
        "invalid_value",
        "but it is 'a b'",
    ),
    "two-functions-of-one-name": (
        {"functions": [{"name": "look"}, {"name": "look"}]},
        "functions[1].name",
        "invalid_value",
        "another function",
    ),
    "129-functions": (
        {"functions": [{"name": f"f{i}"} for i in range(129)]},
        "functions",
        "invalid_value",
        "up to 128",
    ),
    "the-parameters-of-a-function": (
        {"functions": [{"name": "look", "parameters": {"properties": {"a": {"type": "x"}}}}]},
        "functions[0].parameters.properties.a.type",
        "invalid_function_parameters",
        "malformed JSON Schema",
    ),
    "function-call-required": (
        {"functions": [{"name": "look"}], "function_call": "required"},
        "function_call",
        "invalid_value",
        "Known are 'none', 'auto'.",
    ),
    "function-call-a-name": (
        {"functions": [{"name": "look"}], "function_call": "look"},
        "function_call",
        "invalid_value",
        "no 'look' here",
    ),
    "function-call-empty": (
        {"tools": [], "function_call": ""},
        "function_call",
        "invalid_value",
        "no '' here",
    ),
    "function-call-false": (
        {"function_call": False},
        "function_call",
        "invalid_type",
        "expected a string or an object, but got a boolean",
    ),
    "function-call-a-list": ({"function_call": []}, "function_call", "invalid_type", "an array"),
    "function-call-without-a-name": (
        {"functions": [{"name": "look"}], "function_call": {}},
        "function_call.name",
        "missing_required_parameter",
        "missing",
    ),
    "function-call-of-another-one": (
        {"functions": [{"name": "look"}], "function_call": {"name": "find"}},
        "function_call",
        "invalid_value",
        "no function 'find' in 'functions'",
    ),
    "function-call-without-functions": (
        {"function_call": {"name": "look"}},
        "function_call",
        "invalid_value",
        "no function 'look' in 'functions'",
    ),
    "functions-beside-tools": (
        {"functions": [{"name": "look"}], "tools": [tool()]},
        "functions",
        "invalid_value",
        "'functions' belongs to the older form of function calling, 'tools' to the newer one",
    ),
    "function-call-beside-tool-choice": (
        {"function_call": "auto", "tool_choice": "auto"},
        "function_call",
        "invalid_value",
        "'tool_choice' to the newer one",
    ),
    "functions-beside-tool-choice": (
        {"functions": [{"name": "look"}], "tool_choice": "auto"},
        "functions",
        "invalid_value",
        "'tool_choice' to the newer one",
    ),
    "function-call-beside-tools": (
        {"function_call": {"name": "look"}, "tools": [tool()]},
        "function_call",
        "invalid_value",
        "'tools' to the newer one",
    ),
    # -- response_format -------------------------------------------------------------------------
    "format-a-word": (
        {"response_format": "json_object"},
        "response_format",
        "invalid_type",
        "expected an object",
    ),
    "format-a-list": ({"response_format": []}, "response_format", "invalid_type", "an array"),
    "format-without-a-type": (
        {"response_format": {}},
        "response_format.type",
        "missing_required_parameter",
        "missing",
    ),
    "format-unknown": (
        {"response_format": {"type": "json"}},
        "response_format.type",
        "invalid_value",
        "'json'. Known are 'text', 'json_object', 'json_schema'",
    ),
    "format-without-its-schema": (
        {"response_format": {"type": "json_schema", "schema": CITY}},
        "response_format.json_schema",
        "missing_required_parameter",
        "missing",
    ),
    "format-without-a-name": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": CITY}}},
        "response_format.json_schema.name",
        "missing_required_parameter",
        "missing",
    ),
    "format-with-a-bad-name": (
        schema(CITY, name="my answer"),
        "response_format.json_schema.name",
        "invalid_value",
        "but it is 'my answer'",
    ),
    "format-with-a-number": (
        schema(CITY, description=5),
        "response_format.json_schema.description",
        "invalid_type",
        "a string",
    ),
    "format-strict-1": (
        schema(CITY, strict=1),
        "response_format.json_schema.strict",
        "invalid_type",
        "a boolean",
    ),
}


@pytest.mark.parametrize(("fields", "param", "code", "fragment"), REFUSED.values(), ids=REFUSED)
def test_refused(fields: dict[str, Any], param: str, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(HI, **fields)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message
    assert f"'{param}'" in error.message
    assert len(error.message) < 400


# -- schemas, in the three places that take one --------------------------------------------------

PLACES = {
    "tools": (
        lambda value: {"tools": [tool("find"), tool(parameters=value)]},
        "tools[1].function.parameters",
        "invalid_function_parameters",
    ),
    "functions": (
        lambda value: {"functions": [{"name": "look", "parameters": value}]},
        "functions[0].parameters",
        "invalid_function_parameters",
    ),
    "response_format": (schema, "response_format.json_schema.schema", "invalid_json_schema"),
}


def given_in(place: str, value: Any) -> Any:
    """What becomes of a schema there."""
    turn = ask(HI, **PLACES[place][0](value)).turn
    return turn.tools[-1].schema if turn.tools else turn.output and turn.output.schema


RICH = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Search",
    "additionalProperties": False,
    "required": ["where", "b"],
    "type": "object",
    "properties": {
        "where": {"$ref": "#/$defs/Place"},
        "b": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1e2}]},
        "a": {"enum": ["x", None, 1.5, {}], "x-unknown": [True]},
        "type": {"type": "string", "pattern": "^\\d+$", "description": "é\u2028\U0001f600"},
    },
    "$defs": {"Place": {"type": "object", "properties": {"in": {"$ref": "#/$defs/Place"}}}},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [CITY, RICH, {"type": "object"}], ids=["city", "rich", "bare"])
def test_a_schema_is_handed_on_as_it_is(place: str, value: dict[str, Any]) -> None:
    assert json.dumps(given_in(place, value)) == json.dumps(value)  # in the same order


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "value", [{"properties": {"b": {}, "a": {}}}, {"$ref": "#/$defs/A", "$defs": {"A": {}}}]
)
def test_a_type_that_is_missing_is_added(place: str, value: dict[str, Any]) -> None:
    assert json.dumps(given_in(place, value)) == json.dumps({"type": "object", **value})


# schema → where in it, a piece of the message
BAD_SCHEMAS: dict[str, tuple[dict[str, Any], str, str]] = {
    "type-unknown": ({"type": "dict"}, ".type", "malformed"),
    "type-null": ({"type": None}, ".type", "malformed"),
    "type-of-a-property": (
        {"type": "object", "properties": {"city": {"type": "str"}}},
        ".properties.city.type",
        '"str" is not',
    ),
    "deep-down": (
        {"properties": {"a": {"items": {"anyOf": [{}, {"required": "b"}]}}}},
        ".properties.a.items.anyOf[1].required",
        "malformed",
    ),
    "properties-a-list": ({"type": "object", "properties": []}, ".properties", "malformed"),
    "a-property-is-a-word": ({"properties": {"a": "string"}}, ".properties.a", "malformed"),
    "required-true": ({"properties": {}, "required": True}, ".required", "malformed"),
    "enum-a-word": ({"properties": {"a": {"enum": "x"}}}, ".properties.a.enum", "malformed"),
    "a-reference-that-leads-nowhere": (
        {"properties": {"a": {"$ref": "#/$defs/A"}}},
        "",
        "does not exist",
    ),
    "a-reference-to-elsewhere": ({"$ref": "http://example.com/a.json"}, "", "outside the schema"),
    "an-id-that-is-none": ({"$id": "http://[::"}, "", "malformed"),
    "an-array": ({"type": "array"}, ".type", "must be 'object', but it is 'array'"),
    "a-string": ({"type": "string"}, ".type", "must be 'object', but it is 'string'"),
    "a-list-of-types": ({"type": ["object"]}, ".type", "must be 'object', but it is ['object']"),
    **{
        f"{keyword}-at-the-top-level": (
            {"type": "object", keyword: value},
            f".{keyword}",
            f"takes no '{keyword}' at the top level",
        )
        for keyword, value in {
            "anyOf": [CITY],
            "oneOf": [CITY],
            "allOf": [CITY],
            "enum": [{}],
            "not": {"required": ["a"]},
        }.items()
    },
    "anyOf-alone": ({"anyOf": [CITY, CITY]}, ".anyOf", "Put it into a property"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("value", "where", "fragment"), BAD_SCHEMAS.values(), ids=BAD_SCHEMAS)
def test_a_bad_schema(place: str, value: dict[str, Any], where: str, fragment: str) -> None:
    _, path, code = PLACES[place]
    with pytest.raises(InvalidRequest) as caught:
        given_in(place, value)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, path + where, code)
    assert fragment in error.message
    assert f"'{path}{where}'" in error.message


# what is no JSON object, or none that can be sent on → code, a piece of the message
NO_SCHEMAS: dict[str, tuple[Any, str, str]] = {
    "a-word": ("object", "invalid_type", "expected an object, but got a string"),
    "a-list": ([], "invalid_type", "expected an object, but got an array"),
    "true": (True, "invalid_type", "expected an object, but got a boolean"),
    "zero": (0, "invalid_type", "expected an object, but got an integer"),
    "half-a-surrogate-pair": ({"title": "\ud83d"}, "invalid_value", "surrogate pair"),
    "half-a-surrogate-pair-as-a-name": (
        {"properties": {"\ude00": {}}},
        "invalid_value",
        "surrogate pair",
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("value", "code", "fragment"), NO_SCHEMAS.values(), ids=NO_SCHEMAS)
def test_what_is_no_schema(place: str, value: Any, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        given_in(place, value)
    assert (caught.value.param, caught.value.code) == (PLACES[place][1], code)
    assert fragment in caught.value.message


@pytest.mark.parametrize("place", PLACES)
def test_a_number_beyond_float(place: str) -> None:
    raw = body(**PLACES[place][0]({"properties": {"a": {"maximum": "HUGE"}}}))
    with pytest.raises(InvalidRequest) as caught:
        decode(raw.replace(b'"HUGE"', b"1e999"))
    assert (caught.value.param, caught.value.code) == (PLACES[place][1], "invalid_value")
    assert "too large" in caught.value.message


@pytest.mark.parametrize("place", PLACES)
def test_a_long_path_is_cut(place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        given_in(place, {"properties": {"x" * 1_000_000: {"type": "y"}}})
    assert caught.value.param is not None
    assert caught.value.param.startswith(f"{PLACES[place][1]}.properties.xxx")
    assert len(caught.value.param) == 300
    assert len(caught.value.message) < 1_000


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$schema", "$id"])
def test_nothing_is_fetched(place: str, keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        try:
            given_in(place, {"properties": {"a": {keyword: url}}, keyword: url})
        except InvalidRequest as error:
            assert error.code == PLACES[place][2]
            assert keyword in ("$ref", "$dynamicRef")
        else:
            assert keyword in ("$schema", "$id")  # names, which lead nowhere by themselves
        with pytest.raises(BlockingIOError):
            server.accept()


# -- in a session --------------------------------------------------------------------------------

# fields that mean the functions of the session → what comes of them
STORED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "required": ({"tool_choice": "required"}, {"tool_choice": ToolChoice(required=True)}),
    "a-named-one": (
        {"tool_choice": ONE_OF},
        {"tool_choice": ToolChoice(names=("look",), required=True)},
    ),
    "allowed": (
        {"tool_choice": allowed("auto", "look")},
        {"tool_choice": ToolChoice(names=("look",))},
    ),
    "one-that-may-be-stored": (
        {"tools": [tool("find")], "tool_choice": ONE_OF},
        {"tools": (FIND,), "tool_choice": ToolChoice(names=("look",), required=True)},
    ),
    "a-function": (
        {"function_call": {"name": "look"}},
        {
            "tool_choice": ToolChoice(names=("look",), required=True, parallel=False),
            "legacy": True,
        },
    ),
}


@pytest.mark.parametrize(("fields", "wanted"), STORED.values(), ids=STORED)
def test_a_choice_may_mean_the_functions_of_the_session(
    fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    in_body = seen(ask(HI, session_id="s", **fields))
    assert in_body == seen(decode(body(HI, **fields), session="s")) == {"session": "s", **wanted}
    with pytest.raises(InvalidRequest):
        ask(HI, **fields)


def test_what_a_choice_is_made_of_is_checked_in_a_session_too() -> None:
    for fields in ({"tool_choice": "any"}, {"function_call": "any"}, offering(name="a b")):
        with pytest.raises(InvalidRequest):
            ask(HI, session_id="s", **fields)


# messages and fields → whether calls are answered in the older form
FORMS: dict[str, tuple[list[Any], dict[str, Any], bool]] = {
    "a-function-message": ([function()], {}, True),
    "a-function-message-in-a-history": ([HI, legacy(), function()], {}, True),
    "a-function-message-and-tools": ([function()], {"tools": [tool()]}, False),
    "a-function-message-and-a-choice": ([function()], {"tool_choice": "auto"}, False),
    "a-tool-message": ([result("c1")], {}, False),
    "a-tool-message-and-functions": ([result("c1")], {"functions": [{"name": "look"}]}, True),
    "a-tool-message-and-a-function-call": ([result("c1")], {"function_call": "auto"}, True),
}


@pytest.mark.parametrize(("messages", "fields", "older"), FORMS.values(), ids=FORMS)
def test_the_form_of_calls(messages: list[Any], fields: dict[str, Any], older: bool) -> None:
    asked = ask(*messages, session_id="s", **fields)
    assert asked.legacy is older
    assert asked.turn.tool_choice.parallel is not older


def test_choices_and_tools_are_not_named_as_ignored() -> None:
    fields = {"parallel_tool_calls": False, "tool_choice": "none", **schema(CITY), **offering()}
    assert ask(HI, user="ann", **fields).ignored == ("user",)
