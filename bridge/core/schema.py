"""JSON Schemas that strangers wrote: whether they are any, and whether a value meets one.

Nothing is ever fetched for a schema, and none can keep the server busy: whether it is one takes
time in proportion to its length, and a value is checked for :data:`CHECK_SECONDS` at most.
"""

import functools
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import attrs
import jsonschema_rs
import regex
from attrs import frozen
from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.exceptions import best_match
from referencing import Registry

CHECK_SECONDS = 2.0
"""Most of a processor's time that a value is held against a schema for; an answer of thousands of
values takes 0.1 s."""

PATTERN_SECONDS = 0.1

REMEMBERED = 16_384
"""Longest schema, in characters, whose soundness is remembered."""

MAX_ERRORS = 20
"""How many faults of a value are looked at to tell the one that says most."""

_DRAFTS = {
    # the draft → the schema of such schemas, as both libraries know it
    **{f"draft-0{n}": f"http://json-schema.org/draft-0{n}/schema#" for n in (4, 6, 7)},
    **{f"draft/{n}": f"https://json-schema.org/draft/{n}/schema" for n in ("2019-09", "2020-12")},
}
_LEADING = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$id", "id"})
_URI = regex.compile(r"https?://json-schema\.org/(draft[^#]*?)/schema#?")


@frozen(kw_only=True)
class Fault:
    """What is wrong, and where: ``path`` leads there from the root, ``.a[0].b``."""

    path: str
    problem: str


# -- is it a schema? ------------------------------------------------------------------------------


def schema_fault(schema: Mapping[str, Any]) -> Fault | None:
    """What keeps ``schema``, which was JSON, from being a JSON Schema; None when it is one."""
    text = json.dumps(schema)
    return _remembered_fault(text) if len(text) <= REMEMBERED else _schema_fault(text)


def _schema_fault(text: str) -> Fault | None:
    if all(f'"{keyword}":' in text for keyword in ("unevaluatedProperties", "patternProperties")):
        # Beside each other they take time without a bound to check, and hardly anybody writes them.
        problem = "unevaluatedProperties beside patternProperties is not supported"
        return Fault(path="", problem=problem)
    schema = _of_known_draft(json.loads(text))
    try:
        jsonschema_rs.meta.validate(schema)
        if not all(_leads_somewhere(reference, schema) for reference in _references(schema)):
            # Some patterns take a second to compile; they are looked at when they are needed.
            jsonschema_rs.validator_for(_without_patterns(schema), retriever=_refuse)
    except jsonschema_rs.ValidationError as error:
        return Fault(path=_path(error.instance_path), problem=_told(error.message))
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        return Fault(path="", problem=_told(str(error)))
    return None


_remembered_fault = functools.lru_cache(maxsize=1024)(_schema_fault)


def _of_known_draft(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, which says its draft only if that is a known one: others would be fetched."""
    draft = schema.get("$schema", "")
    if not isinstance(draft, str):
        return dict(schema)
    found = _URI.fullmatch(draft)
    known = _DRAFTS.get(found[1]) if found else None
    rest = {key: value for key, value in schema.items() if key != "$schema"}
    return rest if known is None else {"$schema": known, **rest}


def _references(schema: Any) -> Iterable[str]:
    """What stands at ``$ref`` anywhere, and wherever else a name could lead."""
    level = [schema]
    while level:
        for item in level:
            if isinstance(item, dict):
                yield from (v for k, v in item.items() if k in _LEADING and isinstance(v, str))
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [v for values in inner for v in values if isinstance(v, dict | list)]


def _leads_somewhere(reference: str, root: Any) -> bool:
    """Whether a reference is a plain pointer to something within; others take a library to tell."""
    if reference == "#":
        return True
    found = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return reference.startswith("#/") and isinstance(found, dict | bool)


def _without_patterns(schema: Any) -> Any:
    match schema:
        case dict():
            return {
                key: _without_patterns(value)
                for key, value in schema.items()
                if key != "patternProperties" and not (key == "pattern" and isinstance(value, str))
            }
        case list():
            return [_without_patterns(item) for item in schema]
        case _:
            return schema


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside the schema")


# -- does a value meet it? ------------------------------------------------------------------------


def value_fault(value: object, schema: Mapping[str, Any]) -> Fault | None:
    """What keeps a JSON value from meeting ``schema``; None when it meets it.

    ``schema`` is one that :func:`schema_fault` finds nothing wrong with.
    """
    known = _of_known_draft(schema)
    base = validators.validator_for(known, default=Draft202012Validator)
    watch = _Watch(time.thread_time() + CHECK_SECONDS)
    checks = {key: watch.over(check) for key, check in {**base.VALIDATORS, **_OURS}.items()}
    # The library has no types of its own here, and types-jsonschema leaves this one out.
    limited = validators.extend(base, checks)  # type: ignore[no-untyped-call]
    limited.evolve = _evolve
    try:
        errors = limited(known, registry=Registry()).iter_errors(value)
        error = best_match(itertools.islice(errors, MAX_ERRORS))
    except _TooMuch:
        return Fault(path="", problem="it takes too long to check")
    except RecursionError:
        return Fault(path="", problem="the schema leads nowhere")
    except Exception as failure:  # noqa: BLE001 - the library fails in many ways at odd schemas
        return Fault(path="", problem=f"it can't be checked ({type(failure).__name__})")
    if error is None:
        return None
    return Fault(path=_path(error.absolute_path), problem=_told(error.message))


class _TooMuch(Exception):
    """A value takes too long to check."""


@frozen
class _Watch:
    """Looks at the clock whenever a keyword is applied; ``until`` is a time of this thread's own,
    so that a busy machine makes no value wrong."""

    until: float

    def over(self, check: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any) -> Any:
            if time.thread_time() > self.until:
                raise _TooMuch
            return check(*args)

        return watched


def _evolve(validator: Any, **changes: Any) -> Any:
    """The same validator for another schema; the library's own would leave the watched class for
    that of a draft that the other schema names."""
    fields = (field for field in attrs.fields(type(validator)) if field.init)
    values = {field.alias: getattr(validator, field.name) for field in fields}
    return type(validator)(**{**values, **changes})


# The library's own of these take time or memory without a bound, or with the square of the items.

_Errors = Iterable[ValidationError]


def _any_of(validator: Any, schemas: list[Any], value: object, _: object) -> _Errors:
    deepest: list[ValidationError] = []
    for schema in schemas:
        errors = list(itertools.islice(validator.descend(value, schema), MAX_ERRORS))
        if not errors:
            return
        deepest = deepest or [error for error in errors if error.path]
    yield from deepest or [ValidationError(f"{value!r} is not any of the alternatives")]


def _one_of(validator: Any, schemas: list[Any], value: object, _: object) -> _Errors:
    met = sum(validator.evolve(schema=schema).is_valid(value) for schema in schemas)
    if met > 1:
        yield ValidationError("it meets more than one of the alternatives")
    elif not met:
        yield from _any_of(validator, schemas, value, _)


def _enum(_: Any, known: list[Any], value: object, __: object) -> _Errors:
    said = _same(value)
    if all(said != _same(other) for other in known):
        yield ValidationError(f"{value!r} is not one of {known!r}")


def _unique(_: Any, unique: bool, value: object, __: object) -> _Errors:
    if unique and isinstance(value, list) and len({_same(item) for item in value}) < len(value):
        yield ValidationError("the items are not all different")


def _pattern(_: Any, pattern: str, value: object, __: object) -> _Errors:
    if isinstance(value, str) and not _matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, value: Any, _: object) -> _Errors:
    if isinstance(value, dict):
        for pattern, schema in patterns.items():
            for name, member in value.items():
                if _matches(pattern, name):
                    yield from validator.descend(member, schema, path=name, schema_path=pattern)


def _additional(validator: Any, allowed: Any, value: Any, schema: Any) -> _Errors:
    if not isinstance(value, dict):
        return
    patterns = schema.get("patternProperties", {})
    for name, member in value.items():
        known = name in schema.get("properties", {})
        if known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError(f"{name!r} was unexpected")
        else:
            yield from validator.descend(member, allowed, path=name)


_OURS = {
    "additionalProperties": _additional,
    "anyOf": _any_of,
    "enum": _enum,
    "oneOf": _one_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique,
}


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found; one that can't be read, or is written out too long, always is."""
    try:
        return not _is_fit(pattern) or bool(regex.search(pattern, text, timeout=PATTERN_SECONDS))
    except TimeoutError:
        raise _TooMuch from None
    except regex.error:  # of another dialect of patterns than Python's
        return True


@functools.lru_cache(maxsize=1024)
def _is_fit(pattern: str) -> bool:
    """Python's would take gigabytes for ``(a{1000}){1000}``; the other library has a limit."""
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, retriever=_refuse)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def _same(value: Any) -> str:
    """What equal values have in common: 1 and 1.0 are equal, 1 and true are not."""
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case _:
            return value


def _path(steps: Iterable[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _told(message: str) -> str:
    first = message.partition("\n")[0]
    return first if len(first) <= 300 else f"{first[:300]}…"
