"""A value for a JSON Schema, taken from a person's words where they fit.

Deterministic and always finite: recursive schemas are cut off by depth and by the number of values.
Understands type, properties, required, items, prefixItems, enum, const, default, $ref into the same
document, allOf, anyOf, oneOf, the numeric and length bounds, and the common string formats.
"""

import re
from itertools import chain
from typing import Any

import attrs

_QUOTED = re.compile(r"\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'(?!\w)|“([^”\n]{1,200})”")
_CAPITAL = re.compile(r"\b[A-Z][\w'-]*(?: [A-Z][\w'-]*)*")
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,6})?(?![\w])")
_SENTENCE = re.compile(r"(?:^|[.!?:]\s+|\n)\s*$")
_PLAIN_WORDS = (
    "A An And Are Can Could Do Does Find For Get Give Hello Hey Hi How I If In Is It Look My No Of "
    "On Or Please Run Say Search Show Tell The There This Use What When Where Which Who Why Will "
    "Would Yes You"
)
_PLAIN = frozenset(_PLAIN_WORDS.split())
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 6
_MOST_VALUES = 400
_MOST_ITEMS = 50
_LONGEST = 2_000


@attrs.define
class Hints:
    """Words and numbers a text offers, handed out in order; the last one is given again."""

    text: str
    strings: list[str]
    numbers: list[float]
    _next_string: int = 0
    _next_number: int = 0

    def string(self) -> str | None:
        """The next quoted text or capitalised name, None when the text has none."""
        if not self.strings:
            return None
        found = self.strings[min(self._next_string, len(self.strings) - 1)]
        self._next_string += 1
        return found

    def number(self) -> float | None:
        """The next number, None when the text has none."""
        if not self.numbers:
            return None
        found = self.numbers[min(self._next_number, len(self.numbers) - 1)]
        self._next_number += 1
        return found


def hints(text: str, skip: int = 0) -> Hints:
    """What `text` offers, without its first `skip` strings and numbers (for a second call)."""
    quoted = [next(filter(None, match.groups())) for match in _QUOTED.finditer(text)]
    names = [
        name
        for match in _CAPITAL.finditer(text)
        if (name := _name(match, text)) and not any(name in found for found in quoted)
    ]
    numbers = [float(match[0]) for match in _NUMBER.finditer(text)]
    strings = list(dict.fromkeys(chain(quoted, names)))
    return Hints(text, strings[skip:] or strings, numbers[skip:] or numbers)


def _name(match: re.Match[str], text: str) -> str:
    words = match[0].split(" ")
    starts = _SENTENCE.search(text[max(0, match.start() - 8) : match.start()]) is not None
    if words[0] in _PLAIN or (starts and len(words) == 1 and len(text.split()) > 1):
        words = words[1:]
    return " ".join(words)


def fill(schema: object, words: Hints) -> Any:
    """A value that `schema` (a parsed JSON Schema; what is malformed counts as empty) allows."""
    return _Filler(root=schema, words=words).value(schema, "", 0)


@attrs.define(kw_only=True)
class _Filler:
    root: object
    words: Hints
    made: int = 0

    def value(self, schema: object, name: str, depth: int) -> Any:
        self.made += 1
        shape = self._resolve(schema, self._deep(depth))
        if "const" in shape:
            return shape["const"]
        choices = shape.get("enum")
        if isinstance(choices, list) and choices:
            return self._choice(choices)
        if "default" in shape:
            return shape["default"]
        match _type(shape):
            case "object":
                return self._object(shape, depth)
            case "array":
                return self._array(shape, name, depth)
            case "integer":
                return int(self._number(shape, whole=True))
            case "number":
                found = self._number(shape, whole=False)
                return int(found) if found.is_integer() else found
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(shape, name)

    def _deep(self, depth: int) -> bool:
        return depth >= _DEEPEST or self.made >= _MOST_VALUES

    def _hopeless(self, depth: int) -> bool:
        """Whether even what is required is left out: no finite value may be valid."""
        return depth >= 4 * _DEEPEST or self.made >= 2 * _MOST_VALUES

    def _resolve(self, schema: object, deep: bool) -> dict[str, Any]:
        """Follows references and takes a branch, until the schema says itself what it is."""
        shape = schema if isinstance(schema, dict) else {}
        for _ in range(16):
            if isinstance(pointer := shape.get("$ref"), str):
                found = self._at(pointer)
                shape = {**found, **{key: shape[key] for key in shape if key != "$ref"}}
                continue
            key = next((k for k in ("anyOf", "oneOf", "allOf") if _listed(shape.get(k))), None)
            if key is None:
                return shape
            branches = _listed(shape[key])
            rest = {k: v for k, v in shape.items() if k != key}
            if key == "allOf":
                for branch in branches:
                    rest = _merge(rest, branch)
                shape = rest
            else:
                shape = {**rest, **self._branch(branches, deep)}
        return {}

    def _branch(self, branches: list[dict[str, Any]], deep: bool) -> dict[str, Any]:
        if deep:  # whatever does not nest ends a recursion
            ends = {"null", "string", "integer", "number", "boolean"}
            return next((b for b in branches if b.get("type") in ends), branches[0])
        return branches[0]

    def _at(self, pointer: str) -> dict[str, Any]:
        found: object = self.root
        for step in pointer.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found if pointer.startswith("#") and isinstance(found, dict) else {}

    def _choice(self, choices: list[Any]) -> Any:
        said = self.words.text.casefold()
        named = (c for c in choices if isinstance(c, str) and c and c.casefold() in said)
        return next(named, choices[0])

    def _object(self, shape: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = shape.get("properties")
        known = properties if isinstance(properties, dict) else {}
        required = shape.get("required")
        deep = self._deep(depth)
        if isinstance(required, list):
            wanted = [key for key in required if isinstance(key, str)]
        else:
            # Nothing said about what must be there: all of it makes the nicer answer.
            wanted = [] if deep else list(known)
        if self._hopeless(depth):
            wanted = []
        return {key: self.value(known.get(key), key, depth + 1) for key in wanted}

    def _array(self, shape: dict[str, Any], name: str, depth: int) -> list[Any]:
        least = _bound(shape.get("minItems"), 0)
        most = _bound(shape.get("maxItems"), _MOST_ITEMS)
        first = _listed(shape.get("prefixItems"))
        wanted = least if self._deep(depth) else max(least, len(first) or 1)
        if self._hopeless(depth):
            wanted = 0
        return [
            self.value(first[n] if n < len(first) else shape.get("items"), name, depth + 1)
            for n in range(min(wanted, most, _MOST_ITEMS))
        ]

    def _number(self, shape: dict[str, Any], *, whole: bool) -> float:
        said = self.words.number()
        step = _real(shape.get("multipleOf")) or (1.0 if whole else 0.0)
        low, high = _real(shape.get("minimum")), _real(shape.get("maximum"))
        above, below = _real(shape.get("exclusiveMinimum")), _real(shape.get("exclusiveMaximum"))
        if above is not None:
            low = max(above + (step or 0.5), above if low is None else low)
        if below is not None:
            high = min(below - (step or 0.5), below if high is None else high)
        found = 1.0 if said is None else said
        found = max(found, low) if low is not None else found
        found = min(found, high) if high is not None else found
        if step > 0 and found % step:
            found = (found // step + (1 if low is not None and found <= low else 0)) * step
        return found

    def _string(self, shape: dict[str, Any], name: str) -> str:
        form = shape.get("format")
        if isinstance(form, str) and form in _FORMATS:
            return _FORMATS[form]
        text = self.words.string() or f"example {name}".strip()
        most = _bound(shape.get("maxLength"), _LONGEST)
        return text.ljust(_bound(shape.get("minLength"), 0), ".")[:most]


def _type(shape: dict[str, Any]) -> str:
    kind = shape.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in shape or "required" in shape:
        return "object"
    return "array" if "items" in shape or "prefixItems" in shape else "string"


def _merge(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    both = {**left, **right}
    for key in ("properties", "$defs"):
        if isinstance(left.get(key), dict) and isinstance(right.get(key), dict):
            both[key] = {**left[key], **right[key]}
    if isinstance(left.get("required"), list) and isinstance(right.get("required"), list):
        both["required"] = [*left["required"], *right["required"]]
    return both


def _listed(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _bound(value: object, otherwise: int) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return min(int(value), _LONGEST) if good and isinstance(value, int) else otherwise


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e15:
        return None
    return float(value)
