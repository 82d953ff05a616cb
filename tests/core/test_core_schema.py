"""Schemas that strangers wrote, and values that may not meet them."""

import json
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from bridge.core import schema as schema_module
from bridge.core.schema import Fault, schema_fault, value_fault

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


# -- what is a schema ------------------------------------------------------------------------------

SCHEMAS: dict[str, Any] = {
    "nothing": {},
    "an object": of(a={"type": "string"}, b={"type": ["integer", "null"]}),
    "references": of(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": {"$ref": "#/$defs/y"}, "y": {}}},
    "a schema that leads to itself": of(a={"$ref": "#"}),
    "a definition that leads to itself": {"$defs": {"x": of(a={"$ref": "#/$defs/x"})}},
    "a loop that says nothing": {"$ref": "#"},
    "an anchor": of(a={"$ref": "#x"}, b={"$anchor": "x", "type": "integer"}),
    "schemas with names": of(a={"$ref": "q"})
    | {"$id": "http://e.x/r", "$defs": {"x": {"$id": "q"}}},
    "an older draft, with definitions": {
        "$schema": DRAFT_7,
        "definitions": {"x": {"type": "integer"}},
        **of(a={"$ref": "#/definitions/x"}, b={"type": "array", "items": [{}, {"type": "null"}]}),
    },
    "a still older one": {"$schema": DRAFT_4, **of(a={"minimum": 3, "exclusiveMinimum": True})},
    "an unknown draft": {"$schema": "https://example.com/schema", **of()},
    "a draft that is no word": {"$schema": "", **of()},
    "a keyword that nobody knows": of(a={"x-foo": {"type": 5}, "nullable": True}),
    "properties named like keywords": of(**{"$ref": {}, "$schema": {"type": "string"}, "type": {}}),
    "patterns": of(a={"pattern": r"^\p{L}+(?<=a)b$"}) | {"patternProperties": {"^x": {}}},
    "a pattern that nobody can read": of(a={"pattern": "(["}) | {"patternProperties": {"(": {}}},
    "a format that nobody knows": of(a={"format": "x"}),
    "odd characters": of(a={"description": "\0\u2028\U0001f642", "enum": ["\0"]}),
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema(kind: str) -> None:
    assert schema_fault(SCHEMAS[kind]) is None


FAULTS: dict[str, tuple[Any, str, str]] = {
    # the schema, where the fault is, what it is
    "an unknown type": ({"type": "text"}, ".type", '"text" is not valid'),
    "no type": ({"type": None}, ".type", "null is not valid"),
    "no types": ({"type": []}, ".type", "[] is not valid"),
    "a list of properties": ({"properties": []}, ".properties", "[] is not of type"),
    "a property that is no schema": (of(a=5), ".properties.a", "5 is not of type"),
    "a word for a list": (of(a={"required": "x"}), ".properties.a.required", '"x" is not of type'),
    "the same twice": ({"required": ["a", "a"]}, ".required", "non-unique"),
    "no alternatives": (of(a={"anyOf": []}), ".properties.a.anyOf", "less than 1 item"),
    "an alternative that is no schema": (
        of(a={"anyOf": [{}, {"minimum": "1"}]}),
        ".properties.a.anyOf[1].minimum",
        '"1" is not of type',
    ),
    "a length below nothing": ({"minLength": -1}, ".minLength", "less than the minimum"),
    "a definition": ({"$defs": {"x": {"type": 1}}}, ".$defs.x.type", "1 is not valid"),
    "a pattern that is no text": (
        of(a={"pattern": 5}),
        ".properties.a.pattern",
        "5 is not of type",
    ),
    "a list of items, in the newest draft": (of(a={"items": [{}]}), ".properties.a.items", "[{}]"),
    "an older form of a limit": (
        of(a={"exclusiveMinimum": True}),
        ".properties.a.exclusiveMinimum",
        "true is not of type",
    ),
    "an older form, in an older draft that had it no more": (
        {"$schema": DRAFT_7, "exclusiveMinimum": True},
        ".exclusiveMinimum",
        "true is not of type",
    ),
    "a draft that is no text": ({"$schema": 5}, ".$schema", "5 is not of type"),
    "a reference to nothing": (of(a={"$ref": "#/$defs/x"}), "", "/$defs/x"),
    "an anchor that is not there": (of(a={"$ref": "#x"}), "", "x"),
    "a reference to elsewhere": (of(a={"$ref": "https://example.com/x"}), "", "example.com/x"),
    "a reference to a file": (of(a={"$ref": "file:///etc/passwd"}), "", "/etc/passwd"),
    "a reference beside it": (
        {"$id": "https://e.x/a/", **of(a={"$ref": "b"})},
        "",
        "https://e.x/a/b",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_a_schema_and_where_it_is(kind: str) -> None:
    schema, path, problem = FAULTS[kind]
    fault = schema_fault(schema)
    assert fault is not None
    assert fault.path == path
    assert problem in fault.problem
    assert len(fault.problem) <= 301
    assert "\n" not in fault.problem


def test_a_schema_and_a_value_may_be_nested() -> None:
    schema: dict[str, Any] = {"type": "string"}
    value: Any = 5
    for _ in range(100):
        schema, value = {"items": schema}, [value]
    assert schema_fault(schema) is None
    fault = value_fault(value, schema)
    assert fault is not None
    assert fault.path == "[0]" * 100


# -- nothing is fetched ----------------------------------------------------------------------------


@pytest.fixture
def bait() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


REMOTE: dict[str, Callable[[str], dict[str, Any]]] = {
    "a reference": lambda url: of(a={"$ref": url}),
    "a reference into it": lambda url: of(a={"$ref": f"{url}#/x"}),
    "a dynamic reference": lambda url: of(a={"$dynamicRef": f"{url}#x"}),
    "a reference beside its own name": lambda url: {"$id": url, **of(a={"$ref": "other"})},
    "a reference in a definition": lambda url: {"$defs": {"x": {"$ref": url}}, **of(a={})},
    "a reference of an older draft": lambda url: {"$schema": DRAFT_4, **of(a={"$ref": url})},
    "the draft": lambda url: {"$schema": url, **of(a={"type": "string"})},
    "the draft within": lambda url: of(a={"$schema": url, "type": "string"}),
    "the draft within, with a name": lambda url: of(a={"$schema": url, "$id": f"{url}/a"}),
    "the draft of a definition": lambda url: {
        "$defs": {"x": {"$schema": url, "$id": "x"}},
        **of(a={"$ref": "x"}),
    },
    "the vocabulary": lambda url: {"$vocabulary": {url: True}, **of(a={"type": "string"})},
    "the name": lambda url: {"$id": url, **of(a={"type": "string"})},
}


@pytest.mark.parametrize("place", REMOTE)
def test_nothing_is_fetched(bait: socket.socket, place: str) -> None:
    schema = REMOTE[place](f"http://127.0.0.1:{bait.getsockname()[1]}/schema")
    fault = schema_fault(schema)
    assert (fault is not None) == ("reference" in place)
    value_fault({"a": "x"}, schema)
    value_fault({"a": {}}, schema)
    with pytest.raises(BlockingIOError):
        bait.accept()


# -- what meets a schema ---------------------------------------------------------------------------

TREE = of(name={"type": "string"}, kids={"type": "array", "items": {"$ref": "#"}})
TREE["required"] = ["name"]

VALUES: dict[str, tuple[Any, Any, str | None, str]] = {
    # the schema, the value, where the fault is (None: nowhere), what it is
    "it does": (of(a={"type": "integer"}), {"a": 1}, None, ""),
    "it does, and has more": (of(a={"type": "integer"}), {"b": "x"}, None, ""),
    "the root": ({"type": "object"}, [], "", "[] is not of type 'object'"),
    "a field": (of(a={"type": "integer"}), {"a": "x"}, ".a", "'x' is not of type 'integer'"),
    "a field of an item": (
        of(a={"items": of(b={"type": "null"})}),
        {"a": [{}, {"b": None}, {"b": 1}]},
        ".a[2].b",
        "1 is not of type 'null'",
    ),
    "a missing field": ({"required": ["n"]}, {}, "", "'n' is a required property"),
    "a field too many": (
        {"additionalProperties": False, **of(a={})},
        {"a": 1, "b": 2},
        "",
        "'b' was unexpected",
    ),
    "a choice": (of(a={"enum": ["x", 1]}), {"a": True}, ".a", "True is not one of ['x', 1]"),
    "no alternative": (
        of(a={"anyOf": [{"type": "null"}, {"type": "string"}]}),
        {"a": 1},
        ".a",
        "is not",
    ),
    "a pattern": (of(a={"pattern": "^x+$"}), {"a": "xy"}, ".a", "'xy' does not match '^x+$'"),
    "a pattern of what is no text": (of(a={"pattern": "^x+$"}), {"a": 5}, None, ""),
    "a pattern that Python's own can't read": (
        of(a={"pattern": r"^\p{Lu}+$"}),
        {"a": "\u00c9a"},
        ".a",
        "does not match",
    ),
    "a pattern that nobody can read": (
        of(a={"pattern": "(["}) | {"patternProperties": {"(": {}}},
        {"a": "x"},
        None,
        "",
    ),
    "a pattern that is anywhere": (of(a={"pattern": "b"}), {"a": "abc"}, None, ""),
    "fields by pattern": (
        {"patternProperties": {"^n_": {"type": "number"}}},
        {"n_a": 1, "x": "y", "n_b": "z"},
        ".n_b",
        "'z' is not of type 'number'",
    ),
    "fields by pattern, and no others": (
        {"patternProperties": {"^n_": {}}, "additionalProperties": False},
        {"n_a": 1, "x": 2},
        "",
        "'x'",
    ),
    "fields by a pattern that Python's own can't read, and no others": (
        {"patternProperties": {r"^\p{Lu}+$": {}}, "additionalProperties": False},
        {"\u00c9": 1, "x": 2},
        "",
        "'x'",
    ),
    "a tree": (TREE, {"name": "r", "kids": [{"name": "a", "kids": []}]}, None, ""),
    "a leaf": (
        TREE,
        {"name": "r", "kids": [{"name": "a"}, {"name": "b", "kids": [{}]}]},
        ".kids[1].kids[0]",
        "'name' is a required property",
    ),
    "a definition": (
        of(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": {"minimum": 5}}},
        {"a": 4},
        ".a",
        "4 is less than the minimum of 5",
    ),
    "an older definition": (
        {
            "$schema": DRAFT_7,
            "definitions": {"x": {"type": "null"}},
            **of(a={"$ref": "#/definitions/x"}),
        },
        {"a": 4},
        ".a",
        "4 is not of type 'null'",
    ),
    "items one by one, in an older draft": (
        {"$schema": DRAFT_7, **of(a={"items": [{"type": "null"}, {"type": "string"}]})},
        {"a": [None, 5]},
        ".a[1]",
        "5 is not of type 'string'",
    ),
    "items one by one, in an older draft by another scheme": (
        {
            "$schema": DRAFT_7.replace("http:", "https:"),
            **of(a={"items": [{"type": "null"}, {"type": "string"}]}),
        },
        {"a": [None, 5]},
        ".a[1]",
        "5 is not of type 'string'",
    ),
    "a limit of a still older draft": (
        {"$schema": DRAFT_4, **of(a={"minimum": 3, "exclusiveMinimum": True})},
        {"a": 3},
        ".a",
        "3 is less than or equal to the minimum of 3",
    ),
    "an unknown draft is the newest": (
        {"$schema": "https://e.x/s", **of(a={"prefixItems": [{"type": "null"}]})},
        {"a": [1]},
        ".a[0]",
        "1 is not of type 'null'",
    ),
    "a field that is named like a keyword": (
        of(**{"$schema": {"type": "string"}, "$ref": {"type": "string"}}),
        {"$schema": "x", "$ref": 5},
        ".$ref",
        "5 is not of type 'string'",
    ),
    "a constant that looks like a schema": (
        of(a={"const": {"$schema": "x", "b": 1}}),
        {"a": {"$schema": "x", "b": 1}},
        None,
        "",
    ),
    "one of few that look like schemas": (
        of(a={"enum": [{"$schema": "x"}, {"$schema": "y"}]}),
        {"a": {"$schema": "z"}},
        ".a",
        "is not one of",
    ),
    "a format is not checked": (of(a={"format": "date"}), {"a": "never"}, None, ""),
    "a loop that says nothing": ({"$ref": "#"}, {}, "", "the schema leads nowhere"),
    "a loop within": (of(a={"$ref": "#/properties/a"}), {"a": 1}, "", "the schema leads nowhere"),
    "a loop that is not gone into": (of(a={"$ref": "#/properties/a"}), {}, None, ""),
    "a long text": (of(a={"maxLength": 5}), {"a": "x" * 5000}, ".a", "\u2026"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value(kind: str) -> None:
    schema, value, path, problem = VALUES[kind]
    assert schema_fault(schema) is None
    fault = value_fault(value, schema)
    if path is None:
        assert fault is None
        return
    assert fault is not None
    assert fault.path == path
    assert problem in fault.problem
    assert len(fault.problem) <= 301


ODD: dict[str, Any] = {
    # references to what is no schema, though it stands in one
    "a type that is none": of(a={"$ref": "#/x-a"}) | {"x-a": {"type": "nonsense"}},
    "properties that are none": of(a={"$ref": "#/x-a"}) | {"x-a": {"properties": 5}},
    "a list": of(a={"$ref": "#/default"}) | {"default": [1]},
    "a text": of(a={"$ref": "#/title"}) | {"title": "x"},
    "an example": of(a={"$ref": "#/examples/0"}) | {"examples": [{"minimum": "x"}]},
    # and what is a schema, though the library fails at it
    "a number that is no multiple of anything": of(a={"multipleOf": 0.5}),
    "any items, and any more": {
        "$schema": DRAFT_7,
        **of(a={"items": True, "additionalItems": True}),
    },
}


@pytest.mark.parametrize("value", [{}, {"a": {}}, {"a": 1}, {"a": []}, {"a": 10**400}])
@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_is_a_fault_and_no_accident(kind: str, value: Any) -> None:
    fault = schema_fault(ODD[kind]) or value_fault(value, ODD[kind])
    assert fault is None or isinstance(fault, Fault)


# -- what takes too long ---------------------------------------------------------------------------


def chain(length: int, width: int = 2) -> dict[str, Any]:
    """Alternatives that each have the same alternatives: ``width ** length`` of them."""
    links = {
        f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"} for _ in range(width)]}
        for i in range(length)
    }
    return of(a={"$ref": "#/$defs/d0"}) | {"$defs": {**links, f"d{length}": {"type": "string"}}}


def within(schema: Any, depth: int, **beside: Any) -> Any:
    for _ in range(depth):
        schema = {"anyOf": [schema, schema], **beside}
    return schema


SLOW = "(a|aa)+$"
"""Takes as long as the Fibonacci numbers grow."""

ENDLESS: dict[str, tuple[Any, Any]] = {
    "2 to the power of 40 alternatives": (chain(40), {"a": 1}),
    "as many, nested": (of(a=within({"type": "string"}, 14)), {"a": 1}),
    "as many, with drafts within": (
        of(a=within({"type": "string"}, 14, **{"$schema": DRAFT_7})),
        {"a": 1},
    ),
    "as many, with drafts and names within": (
        of(a=within({"$id": "x", "$schema": DRAFT_7, **within({"type": "string"}, 12)}, 4)),
        {"a": 1},
    ),
    "a choice of ten, ten deep": (chain(10, 10), {"a": 1}),
    "one pattern": (of(a={"pattern": SLOW}), {"a": "a" * 60 + "!"}),
    "the pattern of a name": ({"patternProperties": {SLOW: {}}}, {"a" * 60 + "!": 1}),
}

PATIENCE = 3.0
"""Seconds of work, not of time, that may be done for one value."""


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_takes_too_long_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, value = ENDLESS[kind]
    if kind != "2 to the power of 40 alternatives":
        monkeypatch.setattr(schema_module, "CHECK_SECONDS", 0.2)
    began = time.thread_time()
    if "nested" not in kind and "within" not in kind:
        assert schema_fault(schema) is None
    assert value_fault(value, schema) == Fault(path="", problem="it takes too long to check")
    assert time.thread_time() - began < PATIENCE


MIXED = [item for number in range(200) for item in (number, str(number))]
NAME = "a" * 28 + "!"

LONG: dict[str, tuple[Any, Any]] = {
    "the pattern of a name, and no other names": (
        {"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}},
        {NAME: 1},
    ),
    "many patterns": (
        of(a={"allOf": [{"pattern": f"{SLOW}|b{number}"} for number in range(200)]}),
        {"a": "a" * 24 + "!"},
    ),
    "many lists to be without repetitions": (
        of(a={"allOf": [{"uniqueItems": True}] * 600}),
        {"a": MIXED},
    ),
}


@pytest.mark.parametrize("kind", LONG)
def test_the_work_for_a_value_has_an_end(kind: str) -> None:
    schema, value = LONG[kind]
    assert schema_fault(schema) is None
    began = time.thread_time()
    value_fault(value, schema)
    assert time.thread_time() - began < PATIENCE


def test_a_short_pattern_is_not_written_out_as_a_long_one() -> None:
    """It would take gigabytes, one repetition more would take a hundred times as many."""
    schema = of(a={"pattern": "(((a{100}){100}){100}){100}"})
    began = time.thread_time()
    assert schema_fault(schema) is None
    assert value_fault({"a": "x"}, schema) is None  # which is not looked at
    assert time.thread_time() - began < 1


def test_what_can_not_be_checked_in_any_time_is_refused_at_once() -> None:
    schema = {"unevaluatedProperties": False, "patternProperties": {"^(a+)+$": {}}}
    fault = schema_fault(schema)
    assert fault is not None
    assert "not supported" in fault.problem


def test_alternatives_do_not_each_keep_a_copy_of_the_value() -> None:
    schema = of(a={"anyOf": [{"type": "string"}] * 1000})
    value = {"a": {"words": "x" * 50_000}}
    tracemalloc.start()
    try:
        assert value_fault(value, schema) is not None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000


def test_a_long_chain_of_references_is_a_schema_soon() -> None:
    links = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(30_000)}
    schema = of(a={"$ref": "#/$defs/d0"}) | {"$defs": {**links, "d30000": {"type": "string"}}}
    began = time.thread_time()
    schema_fault(schema)
    assert time.thread_time() - began < 1


# -- agreement -------------------------------------------------------------------------------------

numbers = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0])
plain = st.none() | st.booleans() | numbers | st.sampled_from(["", "a", "ab", "b1"])
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "b1", "c"]), inner, max_size=3)
    ),
    max_leaves=6,
)
sizes = st.integers(0, 3)
names = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2)
types = st.sampled_from(
    ["string", "integer", "number", "boolean", "null", "object", "array", ["string", "null"]]
)


def some(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A schema of up to three of these keywords."""
    pairs = st.one_of([st.tuples(st.just(key), value) for key, value in keywords.items()])
    return st.lists(pairs, max_size=3).map(dict)


def by_name(inner: st.SearchStrategy[Any], *known: str) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(known), inner, max_size=2)


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=2)
    return some(
        {
            "type": types,
            "enum": st.lists(values, min_size=1, max_size=3),
            "const": values,
            "minimum": numbers,
            "exclusiveMaximum": numbers,
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minLength": sizes,
            "maxLength": sizes,
            "pattern": st.sampled_from(["a", "^b", r"\d$", "^$"]),
            "minItems": sizes,
            "maxItems": sizes,
            "uniqueItems": st.booleans(),
            "items": inner,
            "contains": inner,
            "prefixItems": lists,
            "unevaluatedItems": inner,
            "properties": by_name(inner, "a", "b", "c"),
            "patternProperties": by_name(inner, "^b", r"\d"),
            "additionalProperties": inner,
            "unevaluatedProperties": inner,
            "propertyNames": inner,
            "required": names,
            "maxProperties": sizes,
            "dependentRequired": by_name(names, "a", "b"),
            "dependentSchemas": by_name(inner, "a", "b"),
            "anyOf": lists,
            "allOf": lists,
            "oneOf": lists,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        }
    )


references = st.sampled_from([{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/y"}])
schemas = st.recursive(st.booleans() | references | keywords(st.booleans()), keywords, max_leaves=4)
DEFINED = {"y": {"properties": {"a": {"$ref": "#/$defs/y"}}, "maxProperties": 2}}


@settings(max_examples=400, deadline=None)
@given(keywords(schemas), keywords(st.booleans()), values)
def test_it_says_what_the_library_says(root: dict[str, Any], x: Any, value: Any) -> None:
    schema = {**root, "$defs": {"x": x, **DEFINED}}
    before = json.dumps([schema, value])
    # the two together are refused
    assume('"patternProperties"' not in before or '"unevaluatedProperties"' not in before)
    assert schema_fault(schema) is None
    fault = value_fault(value, schema)
    assert (fault is None) == Draft202012Validator(schema).is_valid(value)
    assert json.dumps([schema, value]) == before, "nothing is changed"


older = st.recursive(
    st.sampled_from([True, {}, {"type": "string"}, {"$ref": "#/definitions/x"}]),
    lambda inner: some(
        {
            "items": st.lists(inner, min_size=1, max_size=2),
            "additionalItems": inner,
            "properties": by_name(inner, "a", "b"),
            "dependencies": by_name(names | inner, "a", "b"),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        }
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(older, values)
def test_it_says_what_the_library_says_of_an_older_draft(inner: Any, value: Any) -> None:
    schema = {"$schema": DRAFT_7, "definitions": {"x": {"type": "integer"}}, "allOf": [inner]}
    assert schema_fault(schema) is None
    assert (value_fault(value, schema) is None) == Draft7Validator(schema).is_valid(value)
