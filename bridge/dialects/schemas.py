"""JSON Schemas of what is on the wire: derived from attrs classes, or written down.

A request's schema follows the types that :mod:`bridge.dialects.wire` structures it to, and a table
of notes says what types can't: words about a field, and the limits that its decoder holds it to. As
the decoders do, the schemas let unknown fields pass. All of them are components of one OpenAPI
document and refer to each other by name.
"""

import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Union, get_args, get_origin

import attrs
from attrs import define, field

from bridge.dialects.policy import Policy
from bridge.dialects.wire import MAX_INTEGER, alternatives

Schema = dict[str, Any]

Notes = Mapping[type, Mapping[str, Schema]]
"""Keywords for the fields of a class; for the class itself under ``""``.

A limit goes to the alternatives that it fits: ``pattern`` to the string among a string, an array
and null. A note with a ``type`` takes the place of what the field's type says. ``required`` makes
a field required that is not by its type.
"""

SPOKEN = r"[^\s\u0000]"
"""The pattern of a text that says something."""

_PLAIN: Mapping[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER},
    float: {"type": "number"},
    type(None): {"type": "null"},
}
_ABOUT = frozenset({"description", "examples", "default", "deprecated"})
_LIMITS = {
    **dict.fromkeys(("enum", "pattern", "minLength", "maxLength"), ("string",)),
    **dict.fromkeys(("minimum", "maximum"), ("integer", "number")),
    **dict.fromkeys(("items", "minItems", "maxItems"), ("array",)),
}
_MARKUP = re.compile(r":\w+:`(?:[\w.]*\.)?(\w+)`|``(.*?)``", re.DOTALL)


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """What meets the schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(description: str, /, optional: Iterable[str] = (), **properties: Schema) -> Schema:
    """An object that we write: of just these properties, all but the optional ones always there."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in set(optional)],
        "additionalProperties": False,
    }


def derived(
    root: type, prefix: str, *, notes: Notes, policy: Policy | None = None
) -> dict[str, Schema]:
    """The components of a request: the root and each class that may be within it, by their names.

    The names are those of the classes after the ``prefix``, without a ``Wire`` before them. The
    fields of the ``policy`` are among the root's.
    """
    deriving = _Deriving(prefix=prefix, notes=notes)
    name = deriving.component(root)
    if policy is not None:
        deriving.made[name]["properties"] |= _by_policy(policy)
    return deriving.made


def plain_words(cls: Any) -> str:
    """The first paragraph of a docstring, its markup made Markdown's."""
    first = (inspect.getdoc(cls) or "").partition("\n\n")[0]
    return _MARKUP.sub(lambda m: f"`{m[1] or m[2]}`", " ".join(first.split()))


def _by_policy(policy: Policy) -> dict[str, Schema]:
    refused = {
        name: {
            "description": "Can't be honoured, and without it the answer would be another: refused "
            "unless it asks for nothing.",
            "enum": [None, *asks_nothing.values],
            "x-effect": "refused",
        }
        for name, asks_nothing in policy.refused.items()
    }
    ignored: dict[str, Schema] = {
        name: {
            "description": "Has no effect; it is named in the header `x-bridge-ignored`.",
            "x-effect": "none",
        }
        for name in policy.ignored
        if name.isidentifier()  # the others are paths into other fields
    }
    return refused | ignored


@define(kw_only=True)
class _Deriving:
    prefix: str
    notes: Notes
    made: dict[str, Schema] = field(factory=dict)
    _tags: dict[str, tuple[str, tuple[str, ...]]] = field(factory=dict)

    def of(self, kind: Any) -> Schema:
        """The schema of a type."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin = get_origin(kind)
        if origin is tuple:
            return {"type": "array", "items": self.of(get_args(kind)[0])}
        if kind is dict or origin in (dict, Mapping):
            return {"type": "object"}
        if origin in (Union, types.UnionType):
            return self._union(get_args(kind))
        if attrs.has(kind):
            return self._objects((kind,))
        raise TypeError(f"{kind} has no schema")

    def _union(self, members: tuple[Any, ...]) -> Schema:
        objects = tuple(member for member in members if attrs.has(member))
        null = type(None)
        options = [self.of(m) for m in members if m not in objects and m is not null]
        options += [self._objects(objects)] if objects else []
        options += [self.of(null)] if null in members else []
        return options[0] if len(options) == 1 else {"anyOf": options}

    def _objects(self, classes: tuple[type, ...]) -> Schema:
        """One of these classes, told by a tag if the converter was taught one."""
        found = alternatives(Union[classes])  # noqa: UP007 - made at run time
        if found is None:
            (cls,) = classes
            return ref(self.component(cls))
        tag, by_name = found
        names: dict[type, list[str]] = {}
        for name, cls in by_name.items():
            names.setdefault(cls, []).append(name)
        to = {cls: ref(self.component(cls, tag, tuple(told))) for cls, told in names.items()}
        if len(to) == 1:
            return next(iter(to.values()))
        mapping = {name: to[cls]["$ref"] for name, cls in by_name.items()}
        return {
            "oneOf": list(to.values()),
            "discriminator": {"propertyName": tag, "mapping": mapping},
        }

    def component(self, cls: Any, tag: str = "", names: tuple[str, ...] = ()) -> str:
        """Make the component of a class, whose ``tag`` has one of these names; says its own."""
        name = f"{self.prefix}{cls.__name__.removeprefix('Wire')}"
        if name in self.made:
            if self._tags[name] != (tag, names):
                raise TypeError(f"{name} is told by different tags")
            return name
        self._tags[name] = (tag, names)
        made = self.made[name] = {"type": "object", "description": plain_words(cls)}
        properties: dict[str, Schema] = {}
        required = []
        if tag:
            properties[tag] = {"const": names[0]} if len(names) == 1 else {"enum": list(names)}
            required.append(tag)
        notes = self._notes(cls)
        hints = typing.get_type_hints(cls)
        for attribute in attrs.fields(cls):
            note = notes.get(attribute.name, {})
            if attribute.default is attrs.NOTHING or note.get("required"):
                required.append(attribute.name)
            said = {keyword: value for keyword, value in note.items() if keyword != "required"}
            properties[attribute.name] = _noted(self.of(hints[attribute.name]), said)
        made.update(properties=properties, required=required, additionalProperties=True)
        made.update(notes.get("", {}))
        return name

    def _notes(self, cls: type) -> dict[str, Schema]:
        """The notes of a class and those that it is made of."""
        inherited: dict[str, Schema] = {}
        for base in reversed(cls.__mro__):
            inherited |= self.notes.get(base, {})
        return inherited


def _noted(by_type: Schema, note: Schema) -> Schema:
    if "type" in note:
        return note
    limits = {keyword: value for keyword, value in note.items() if keyword not in _ABOUT}
    about = {keyword: value for keyword, value in note.items() if keyword in _ABOUT}
    return {**_limited(by_type, limits), **about}


def _limited(schema: Schema, limits: Schema) -> Schema:
    if "anyOf" in schema:
        return {"anyOf": [_limited(option, limits) for option in schema["anyOf"]]}
    fitting = {
        keyword: _limited(schema["items"], value) if keyword == "items" else value
        for keyword, value in limits.items()
        if schema.get("type") in _LIMITS[keyword]
    }
    return {**schema, **fitting}
