"""Which schemas the model's side can hold a model to.

``strict`` takes a part of JSON Schema and refuses the rest with a 400, so it is asked for only
where it can be given; the arguments of a strict function are checked in any case. Source: the
"JSON Schema limitations" of the Messages API's structured outputs.
"""

from typing import Any

_REFUSED = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "maxItems", "uniqueItems", "contains"),
        *("minProperties", "maxProperties", "patternProperties", "propertyNames"),
        *("not", "if", "then", "else", "oneOf", "prefixItems", "dependentRequired"),
        *("dependentSchemas", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef"),
    }
)
_OF_SCHEMAS = ("properties", "$defs", "definitions")
_ONE_SCHEMA = ("items",)
_SCHEMAS = ("anyOf", "allOf")


def can_be_strict(schema: Any) -> bool:
    """Whether every object is closed, nothing leads back to itself, and no keyword is refused."""
    try:
        return _is_fit(schema, schema, {})
    except RecursionError:
        return False


def _is_fit(schema: Any, root: Any, done: dict[int, bool]) -> bool:
    """``done`` tells of the parts of ``root`` that were looked at, and whether that has ended."""
    if id(schema) in done:
        return done[id(schema)]
    if not isinstance(schema, dict) or not _is_plain(schema):
        return False
    done[id(schema)] = False
    inner = [member for key in _OF_SCHEMAS for member in _members(schema.get(key))]
    inner += [schema[key] for key in _ONE_SCHEMA if key in schema]
    inner += [member for key in _SCHEMAS for member in _members(schema.get(key))]
    inner += [_at(schema["$ref"], root)] if "$ref" in schema else []
    done[id(schema)] = all(_is_fit(member, root, done) for member in inner)
    return done[id(schema)]


def _is_plain(schema: dict[str, Any]) -> bool:
    closed = not _is_object(schema) or schema.get("additionalProperties") is False
    simple = not any(isinstance(value, dict | list) for value in _members(schema.get("enum")))
    joined = any("$ref" in part for part in _members(schema.get("allOf")) if isinstance(part, dict))
    short = schema.get("minItems", 0) in (0, 1)
    return closed and simple and short and not joined and not _REFUSED & schema.keys()


def _is_object(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    return "object" in (kinds if isinstance(kinds, list) else [kinds]) or "properties" in schema


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _at(reference: Any, root: Any) -> Any:
    found = root
    for step in str(reference).removeprefix("#").split("/")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    return found if str(reference).startswith("#/") else None
