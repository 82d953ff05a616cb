"""The smallest checks of a parsed JSON value; each answers with the value, typed, or raises 400.

`path` is where the value stands, as the API writes it: `messages.0.content`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from bridge.demo.errors import invalid


def string(value: object, path: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise invalid(f"{path}: Input should be a valid string")
    return value


def boolean(value: object, path: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise invalid(f"{path}: Input should be a valid boolean")
    return value


def integer(value: object, path: str, *, least: int) -> int:
    """An integer of at least `least`; true and 1.0 are none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"{path}: Input should be a valid integer")
    if value < least:
        raise invalid(f"{path}: Input should be greater than or equal to {least}")
    return value


def share(value: object, path: str) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{path}: Input should be a valid number")
    if not 0 <= value <= 1:
        raise invalid(f"{path}: range: 0..1")
    return value


def array(value: object, path: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise invalid(f"{path}: Input should be a valid list")
    return value


def mapping(value: object, path: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise invalid(f"{path}: Input should be an object")
    return value


def one_of(value: object, path: str, choices: Collection[str]) -> str:
    """One of a few strings."""
    if not isinstance(value, str) or value not in choices:
        names = [f"'{choice}'" for choice in choices]
        told = " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
        raise invalid(f"{path}: Input should be {told}")
    return value


def tag(value: Mapping[str, Any], path: str, known: Collection[str]) -> str:
    """The `type` of a tagged union, one of `known`."""
    if "type" not in value:
        raise invalid(f"{path}.type: Field required")
    found = value["type"]
    if not isinstance(found, str) or found not in known:
        expected = ", ".join(f"'{name}'" for name in known)
        raise invalid(
            f"{path}: Input tag '{found}' found using 'type' does not match any of the expected "
            f"tags: {expected}"
        )
    return found


def required(value: Mapping[str, Any], path: str, key: str) -> Any:
    """The value of a key that must be there."""
    if key not in value:
        raise invalid(f"{_join(path, key)}: Field required")
    return value[key]


def only(value: Mapping[str, Any], path: str, known: Collection[str]) -> None:
    """Nothing but the known keys."""
    for key in value:
        if key not in known:
            raise invalid(f"{_join(path, key)}: Extra inputs are not permitted")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
