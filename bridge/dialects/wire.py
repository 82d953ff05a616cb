"""What the dialects share: JSON taken apart without trust, and faults that name their place.

cattrs structures the wire into attrs classes. It is hardened: nothing is coerced (5 is not "5",
true is not 1), a string is not a list of characters, an unknown tag names itself, and the path of
a fault is given as the client would write it (``messages[0].content``).
"""

import json
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter

from bridge.core.errors import InvalidRequest

T = TypeVar("T")

MAX_DEPTH = 100
"""Deepest nesting of JSON taken; real requests stay under 20, tool schemas included."""

MAX_VALUES = 200_000
"""Most values in a body: each costs time before anybody else is served. A message is about four."""


_TAGS: dict[type, str] = {}  # the field that tells an object's class, where one does
_ALTERNATIVES: dict[Any, tuple[str, Mapping[str, type]]] = {}  # a union → that, and the classes


MAX_INTEGER = 2**53
"""Largest whole number that every JSON reader takes for what it is."""


class Fault(Exception):
    """A value that is not what its place wants; ``path`` grows from the inside out."""

    def __init__(self, problem: str, code: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.code = code
        self.path = path

    def within(self, step: str) -> "Fault":
        """The same fault seen from one level further out."""
        joined = step + ("" if not self.path or self.path.startswith("[") else ".") + self.path
        return Fault(self.problem, self.code, joined)

    def as_error(self) -> InvalidRequest:
        """The error for the client."""
        colon = "" if self.problem.startswith(("is ", "contains ")) else ":"
        where = f"'{self.path}'{colon} " if self.path else ""
        return InvalidRequest(f"{where}{self.problem}", param=self.path or None, code=self.code)


def mistyped(expected: str, value: object) -> NoReturn:
    """Raise the fault for a value of the wrong type."""
    raise Fault(f"expected {expected}, but got {kind_of(value)} instead.", "invalid_type")


def kind_of(value: object) -> str:
    """A JSON value's type, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


def load_object(body: bytes) -> dict[str, Any]:
    """Bytes → a JSON object, or :class:`InvalidRequest`."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"The body is not UTF-8 text: byte {error.start} is wrong.", code="invalid_json"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    except ValueError:  # Python's own limit, against work that grows with the square of the length
        raise InvalidRequest(
            "The body holds a number of thousands of digits, which is refused.", code="invalid_json"
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"The body must be a JSON object, but it is {kind_of(value)}.", code="invalid_type"
        )
    _check_size(value)
    return value


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _too_deep() -> InvalidRequest:
    return InvalidRequest(
        f"The body is nested more than {MAX_DEPTH} levels deep.", code="invalid_json"
    )


def _check_size(value: object) -> None:
    level: list[Any] = [value]
    values = 0
    for _ in range(MAX_DEPTH):
        children = [c for item in level for c in (item.values() if type(item) is dict else item)]
        values += len(children)
        if values > MAX_VALUES:
            raise InvalidRequest(
                f"The body holds more than {MAX_VALUES} values.", code="invalid_json"
            )
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise _too_deep()


def check_text(value: str) -> str:
    """Text that can be sent on: no NUL, no half of a surrogate pair.

    Raises :class:`Fault`.
    """
    if "\0" in value:
        raise Fault("contains a NUL character, which is not text. Remove it.", "invalid_value")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Fault(
            f"contains half of a surrogate pair at character {error.start}, which is not text.",
            "invalid_value",
        ) from None
    return value


def check_sendable(value: dict[str, Any]) -> dict[str, Any]:
    """JSON that can be sent on, which not all can that Python reads.

    Raises :class:`Fault`.
    """
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Fault(
            "It holds a number that is too large, or half of a surrogate pair.", "invalid_value"
        ) from None
    return value


def unread(raw: object, value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The fields of a JSON value that have no place in what it was structured to.

    Each with its value and its path, in which ``[]`` stands for any item of a list.
    """
    if isinstance(value, tuple) and isinstance(raw, list):
        for item, structured in zip(raw, value, strict=False):
            yield from unread(item, structured, f"{path}[]")
    elif attrs.has(type(value)) and isinstance(raw, dict):
        fields = attrs.fields(type(value))  # type: ignore[arg-type]  # it has them, as we saw
        taken = {attribute.name for attribute in fields}
        for name, inner in raw.items():
            where = f"{path}.{name}" if path else name
            if name in taken:
                yield from unread(inner, getattr(value, name), where)
            elif name != _TAGS.get(type(value)):
                yield where, inner


def hardened_converter() -> Converter:
    """A cattrs converter that takes JSON values as they are or raises :class:`Fault`."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(_is_json_object, _json_object)
    converter.register_structure_hook_factory(
        _is_list, lambda t: _list_of(converter, get_args(t)[0])
    )
    converter.register_structure_hook_factory(
        _is_optional, lambda t: _optional(converter, _without_none(t))
    )
    converter.register_structure_hook_factory(attrs.has, lambda t: _object(converter, t))
    return converter


def tagged(
    converter: Converter,
    union: Any,
    tag: str,
    classes: Mapping[str, type],
    unknown: str,
    *,
    code: str = "invalid_value",
) -> None:
    """Teach the converter a union whose member is told by the field ``tag``.

    ``unknown`` says what an unknown tag means; it is shown with the tag and the known ones, and
    ``code`` is the error's code.
    """
    _TAGS.update(dict.fromkeys(classes.values(), tag))
    _ALTERNATIVES[union] = (tag, classes)

    def structure(value: Any, _: object) -> Any:
        if not isinstance(value, dict):
            mistyped("an object", value)
        if tag not in value:
            raise Fault("is missing.", "missing_required_parameter", tag)
        try:
            name = converter.structure(value[tag], str)
        except Fault as fault:
            raise fault.within(tag) from None
        if name not in classes:
            known = ", ".join(f"'{known}'" for known in classes)
            raise Fault(f"{unknown}: '{name[:100]}'. Known are {known}.", code, tag)
        return converter.structure(value, classes[name])

    converter.register_structure_hook_func(lambda t: t == union, structure)


def alternatives(union: Any) -> tuple[str, Mapping[str, type]] | None:
    """The field that tells the members of a union apart, and the class for each of its values.

    None for a type that no converter was taught with :func:`tagged`.
    """
    return _ALTERNATIVES.get(union)


def tagged_alone(converter: Converter, cls: type, tag: str, value: str, unknown: str) -> None:
    """Teach the converter a class that needs its ``tag``, though no other has its place."""
    plain = type(cls.__name__, (cls,), {})  # without the hook that looks at the tag
    tagged(converter, cls, tag, {value: plain}, unknown, code="unsupported_parameter")


def string_or(converter: Converter, union: Any, kind: type, other: Any, expected: str) -> None:
    """Teach the converter a union of a string and what JSON writes as ``kind``.

    That is structured as ``other``; ``expected`` says what it is, in words.
    """

    def structure(value: Any, _: object) -> Any:
        if isinstance(value, str):
            return converter.structure(value, str)
        if isinstance(value, kind):
            return converter.structure(value, other)
        mistyped(f"a string or {expected}", value)

    converter.register_structure_hook_func(lambda t: t == union, structure)


def _string(value: Any, _: object) -> str:
    if not isinstance(value, str):
        mistyped("a string", value)
    return check_text(value)


def _boolean(value: Any, _: object) -> bool:
    if not isinstance(value, bool):
        mistyped("a boolean", value)
    return value


def _integer(value: Any, _: object) -> int:
    if isinstance(value, float) and value.is_integer():  # JavaScript knows no other numbers
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        mistyped("an integer", value)
    if abs(value) > MAX_INTEGER:
        raise Fault("is too large.", "invalid_value")
    return value


def _number(value: Any, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        mistyped("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Fault("is too large.", "invalid_value")
    return number


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_json_object(kind: Any) -> bool:
    return kind is dict or get_origin(kind) in (dict, Mapping)


def _json_object(value: Any, _: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        mistyped("an object", value)
    return check_sendable(value)


def _list_of(converter: Converter, item: Any) -> Callable[[Any, Any], tuple[Any, ...]]:
    def structure(value: Any, _: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            mistyped("an array", value)
        items = []
        for index, element in enumerate(value):
            try:
                items.append(converter.structure(element, item))
            except Fault as fault:
                raise fault.within(f"[{index}]") from None
        return tuple(items)

    return structure


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _without_none(kind: Any) -> Any:
    rest = tuple(member for member in get_args(kind) if member is not type(None))
    return rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - made at run time


def _optional(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: object) -> Any:
        return None if value is None else converter.structure(value, kind)

    return structure


def _object(converter: Converter, cls: type[T]) -> Callable[[Any, Any], T]:
    hints = typing.get_type_hints(cls)
    # The factory is asked for attrs classes only; type[T] can't say so.
    fields = [(a, hints[a.name]) for a in attrs.fields(cls) if a.init]  # type: ignore[arg-type]

    def structure(value: Any, _: object) -> T:
        if not isinstance(value, dict):
            mistyped("an object", value)
        taken: dict[str, Any] = {}
        for attribute, kind in fields:
            name = attribute.name
            if name in value:
                try:
                    taken[name] = converter.structure(value[name], kind)
                except Fault as fault:
                    raise fault.within(name) from None
            elif attribute.default is attrs.NOTHING:
                raise Fault("is missing.", "missing_required_parameter", name)
        return cls(**taken)

    return structure
