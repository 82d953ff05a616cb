"""Which schemas the model's side can be asked to keep a model to."""

from typing import Any

import pytest

from bridge.claude.strict import can_be_strict

CLOSED = {"type": "object", "additionalProperties": False}


def closed(more: Any = None, **properties: Any) -> dict[str, Any]:
    return {**CLOSED, "properties": properties, **(more or {})}


def of(schema: Any) -> dict[str, Any]:
    """A closed object with one property."""
    return closed(a=schema)


FIT: dict[str, Any] = {
    "nothing": {},
    "a closed object": CLOSED,
    "plain types": closed(a={"type": "string"}, b={"type": ["integer", "null"]}, c={}),
    "closed objects within": of(of(of({"type": "boolean"}))),
    "required and described": closed({"required": ["a"], "description": "d", "title": "t"}, a={}),
    "choices": of({"enum": ["a", 1, None, True]}),
    "a constant": of({"const": "x"}),
    "a default": of({"type": "string", "default": "x"}),
    "a format": of({"type": "string", "format": "date-time"}),
    "items": of({"type": "array", "items": CLOSED}),
    "no item, or one": of(
        {"type": "array", "minItems": 0, "items": {"type": "array", "minItems": 1}}
    ),
    "alternatives": of({"anyOf": [{"type": "string"}, CLOSED]}),
    "all of them": of({"allOf": [{"type": "string"}]}),
    "a definition": of({"$ref": "#/$defs/x"}) | {"$defs": {"x": CLOSED}},
    "an older definition": of({"$ref": "#/definitions/x"})
    | {"definitions": {"x": {"type": "null"}}},
    "one definition used twice": closed(a={"$ref": "#/$defs/x"}, b={"$ref": "#/$defs/x"})
    | {"$defs": {"x": CLOSED}},
    "a property named like a keyword": closed(minimum={"type": "string"}, pattern={"type": "null"}),
    "a keyword that nobody knows": of({"type": "string", "x-foo": {"minimum": 1}}),
}

UNFIT: dict[str, Any] = {
    "an open object": {"type": "object"},
    "an object that says it is open": {"type": "object", "additionalProperties": True},
    "an object that is open to some": {
        "type": "object",
        "additionalProperties": {"type": "string"},
    },
    "properties without a type": {"properties": {}},
    "an open object as a property": of({"type": "object"}),
    "an open object as an item": of({"items": {"type": "object"}}),
    "an open object among alternatives": of({"anyOf": [CLOSED, {"type": "object"}]}),
    "an open object in all of them": of({"allOf": [{"properties": {}}]}),
    "an open object in a definition": of({"$ref": "#/$defs/x"})
    | {"$defs": {"x": {"type": "object"}}},
    "an open object in a definition of no use": CLOSED | {"$defs": {"x": {"type": "object"}}},
    "two items at least": of({"type": "array", "minItems": 2}),
    "a schema that leads to itself": of({"$ref": "#"}),
    "a definition that leads to itself": of({"$ref": "#/$defs/x"})
    | {"$defs": {"x": of({"$ref": "#/$defs/x"})}},
    "two definitions that lead to each other": of({"$ref": "#/$defs/x"})
    | {"$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"anyOf": [{}, {"$ref": "#/$defs/x"}]}}},
    "a reference to nothing": of({"$ref": "#/$defs/x"}),
    "a reference into a list": of({"anyOf": [{}, {"$ref": "#/properties/a/anyOf/0"}]}),
    "a reference to elsewhere": of({"$ref": "https://example.com/x"}),
    "a reference to an anchor": closed(a={"$ref": "#x"}, b={"$anchor": "x"}),
    **{
        f"the keyword {keyword}": of({keyword: value})
        for keyword, value in {
            **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), 1),
            **dict.fromkeys(("multipleOf", "minLength", "maxLength", "maxItems"), 1),
            **dict.fromkeys(("minProperties", "maxProperties"), 1),
            **{key: {} for key in ("contains", "not", "if", "then", "else", "propertyNames")},
            **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), False),
            **{key: {} for key in ("patternProperties", "dependentRequired", "dependentSchemas")},
            **{key: [{}] for key in ("oneOf", "prefixItems")},
            "pattern": "^x$",
            "uniqueItems": True,
            "$dynamicRef": "#x",
        }.items()
    },
    # what the documentation of structured outputs refuses as well
    "an object that may be null": of({"type": ["object", "null"]}),
    "a choice of objects": of({"enum": [{"a": 1}]}),
    "a choice of lists": of({"enum": ["x", []]}),
    "all of a reference": of({"allOf": [{"$ref": "#/$defs/x"}]})
    | {"$defs": {"x": {"type": "null"}}},
}


@pytest.mark.parametrize("kind", FIT)
def test_a_schema_that_can_be_strict(kind: str) -> None:
    assert can_be_strict(FIT[kind])


@pytest.mark.parametrize("kind", UNFIT)
def test_a_schema_that_can_not(kind: str) -> None:
    assert not can_be_strict(UNFIT[kind])


ODD: list[Any] = [True, False, None, 5, 1.5, "", "x", [], [{}]]
PLACES: dict[str, Any] = {
    "the schema": lambda odd: odd,
    "a property": of,
    "the items": lambda odd: of({"items": odd}),
    "an alternative": lambda odd: of({"anyOf": [{}, odd]}),
    "a definition": lambda odd: CLOSED | {"$defs": {"x": odd}},
}


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_a_plain_schema_can_not(place: str, odd: Any) -> None:
    assert not can_be_strict(PLACES[place](odd))


@pytest.mark.parametrize("odd", [5, "#/$defs/x\n", ["#/$defs/x"], {}, None, "#/", "#//"])
def test_an_odd_reference_can_not(odd: Any) -> None:
    assert not can_be_strict(of({"$ref": odd}) | {"$defs": {"x": {"type": "null"}}})


def chain(length: int, step: Any, end: Any) -> dict[str, Any]:
    links = {f"d{i}": step({"$ref": f"#/$defs/d{i + 1}"}) for i in range(length)}
    return of({"$ref": "#/$defs/d0"}) | {"$defs": {**links, f"d{length}": end}}


STEPS: dict[str, Any] = {
    "one way": lambda ref: ref,
    "two ways": lambda ref: {"anyOf": [dict(ref), dict(ref)]},
    "ten ways": lambda ref: {"anyOf": [dict(ref) for _ in range(10)]},
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("end", [CLOSED, {"type": "object"}], ids=["closed", "open"])
@pytest.mark.parametrize("step", STEPS)
def test_a_chain_of_references_is_followed_once(step: str, end: Any) -> None:
    assert can_be_strict(chain(40, STEPS[step], end)) == (end is CLOSED)
    assert not can_be_strict(chain(3000, STEPS[step], {"type": "object"}))
    can_be_strict(chain(3000, STEPS[step], end))  # either way: it ends


@pytest.mark.timeout(10)
def test_a_schema_can_be_nested_too_deeply() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        schema = {"items": schema}
    assert not can_be_strict(schema)
