"""JSON Schemas that strangers wrote: whether they are any, and whether a value meets one.

Nothing is ever fetched for a schema, and no schema can keep the server busy: what takes more than
:data:`MAX_STEPS` to check, or a pattern more than :data:`PATTERN_SECONDS`, is refused.
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import jsonschema_rs
import regex
from attrs import define, frozen
from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_STEPS = 100_000
"""Most keywords that are applied to one value: a second or two, and far more than answers take."""

PATTERN_SECONDS = 0.1

_DRAFTS = tuple(
    f"{scheme}://json-schema.org/{draft}/schema"
    for scheme in ("http", "https")
    for draft in ("draft-04", "draft-06", "draft-07", "draft/2019-09", "draft/2020-12")
)


@frozen(kw_only=True)
class Fault:
    """What is wrong, and where: ``path`` leads there from the root, ``.a[0].b``."""

    path: str
    problem: str


def schema_fault(schema: Mapping[str, Any]) -> Fault | None:
    """What keeps ``schema``, which was JSON, from being a JSON Schema; None when it is one."""
    return _schema_fault(json.dumps(schema))


@functools.lru_cache(maxsize=1024)
def _schema_fault(text: str) -> Fault | None:
    schema = _of_known_draft(json.loads(text))
    try:
        jsonschema_rs.meta.validate(schema)
        jsonschema_rs.validator_for(schema, retriever=_refuse)
    except jsonschema_rs.ValidationError as error:
        return Fault(path=_path(error.instance_path), problem=_told(error.message))
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        return Fault(path="", problem=_told(str(error)))
    return None


def value_fault(value: object, schema: Mapping[str, Any]) -> Fault | None:
    """What keeps a JSON value from meeting ``schema``; None when it meets it.

    ``schema`` is one that :func:`schema_fault` finds nothing wrong with.
    """
    known = _of_known_draft(schema)
    base = validators.validator_for(known, default=Draft202012Validator)
    steps = _Steps()
    checked = {keyword: steps.counted(check) for keyword, check in base.VALIDATORS.items()}
    checked |= {"pattern": steps.counted(_pattern), "patternProperties": steps.counted(_properties)}
    counting = validators.extend(base, checked)  # type: ignore[no-untyped-call]
    validator = counting(_plain(known), registry=Registry())
    try:
        error = best_match(validator.iter_errors(value))
    except _TooMuch:
        return Fault(path="", problem="it takes too long to check")
    except (Unresolvable, RecursionError):
        return Fault(path="", problem="the schema leads nowhere")
    if error is None:
        return None
    return Fault(path=_path(error.absolute_path), problem=_told(error.message))


class _TooMuch(Exception):
    """A value takes too long to check."""


@define
class _Steps:
    """Counts the keywords that are applied."""

    taken: int = 0

    def counted(self, check: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.taken += 1
            if self.taken > MAX_STEPS:
                raise _TooMuch
            return check(*args)

        return counted


def _matches(pattern: str, text: str) -> bool:
    try:
        return regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        raise _TooMuch from None
    except regex.error:  # of another dialect of patterns than Python's
        return True


def _pattern(_: Any, pattern: str, value: object, __: object) -> Iterable[ValidationError]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _properties(validator: Any, patterns: Any, value: Any, _: object) -> Iterable[ValidationError]:
    if isinstance(value, dict):
        for pattern, schema in patterns.items():
            for name, member in value.items():
                if _matches(pattern, name):
                    yield from validator.descend(member, schema, path=name, schema_path=pattern)


def _of_known_draft(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, which says its draft only if that is a known one: others would be fetched."""
    draft = schema.get("$schema")
    known = not isinstance(draft, str) or draft.removesuffix("#") in _DRAFTS
    return {key: value for key, value in schema.items() if known or key != "$schema"}


def _plain(schema: Any) -> Any:
    """The schema without drafts inside: each would have its own, uncounted validator."""
    if isinstance(schema, dict):
        return {
            key: _plain(value)
            for key, value in schema.items()
            if key != "$schema" or not isinstance(value, str)
        }
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside the schema")


def _path(steps: Iterable[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _told(message: str) -> str:
    first = message.partition("\n")[0]
    return first if len(first) <= 300 else f"{first[:300]}…"
