"""What becomes of a request's fields: which count, which are refused, which say nothing."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from bridge.core.errors import InvalidRequest, UnsupportedParameter

JsonObject = dict[str, Any]
"""Any JSON object that can be sent on: see :func:`bridge.dialects.wire.check_sendable`."""


@frozen
class AsksNothing:
    """The values of a field that ask for nothing; null is always one of them."""

    values: tuple[object, ...] = ()

    def __call__(self, value: object) -> bool:
        """Whether this is one of them; ``true`` is not 1."""
        return value is None or any(
            value == known and isinstance(value, bool) == isinstance(known, bool)
            for known in self.values
        )

    def __str__(self) -> str:
        """The values as JSON, in words."""
        return ", ".join(f"`{json.dumps(value)}`" for value in self.values)


@frozen(kw_only=True)
class Policy:
    """What becomes of the fields of a request that are not honoured.

    ``refused`` would change the answer and can't be honoured: they are accepted where they ask for
    nothing and refused by name otherwise. ``ignored`` have no effect: like unknown ones they are
    named to the client, unless they ask for nothing.
    """

    refused: Mapping[str, AsksNothing]
    ignored: Mapping[str, AsksNothing]

    def check(self, raw: Mapping[str, Any]) -> None:
        """Raises :class:`UnsupportedParameter` for the first field that can't be honoured."""
        for name, asks_nothing in self.refused.items():
            if not asks_nothing(raw.get(name)):
                raise UnsupportedParameter(
                    f"'{name}' can't be honoured by this server, and to leave it out would change "
                    "the answer. Remove it from the request.",
                    param=name,
                )

    def names_ignored(self, unread: Iterable[tuple[str, object]]) -> tuple[str, ...]:
        """Of the fields that nobody read, those that asked for something; each once."""
        named: dict[str, None] = {}
        for path, value in unread:
            if path not in self.refused and not self.ignored.get(path, AsksNothing())(value):
                named[path] = None
        return tuple(named)


def only_session(named: str | None, in_body: str | None) -> str | None:
    """The session that a request names, in its header or its body.

    Raises :class:`InvalidRequest` if they differ.
    """
    if named is not None and in_body not in (None, named):
        raise invalid(
            "'session_id' and the header X-Session-Id name different sessions: send one of them.",
            "session_id",
        )
    return in_body if named is None else named


def invalid(message: str, param: str) -> InvalidRequest:
    """The error for a value that can't be."""
    return InvalidRequest(message, param=param, code="invalid_value")


def within(value: float | None, low: float, high: float, name: str) -> float | None:
    """The value, unless it is out of range. Raises :class:`InvalidRequest`."""
    if value is not None and not low <= value <= high:
        raise invalid(f"'{name}' must be between {low:g} and {high:g}, but it is {value:g}.", name)
    return value


def listed(words: Iterable[str]) -> str:
    """Words in quotation marks, for a message."""
    return ", ".join(f"'{word}'" for word in words)
