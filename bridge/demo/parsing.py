"""JSON as strictly as the API reads it: the bytes of a request body, and an object in a text."""

import json
import math
from typing import Any, NoReturn

from bridge.demo.errors import invalid


def parse(raw: bytes) -> Any:
    """The JSON value in `raw`; 400 when it is not UTF-8, not JSON, or holds half a surrogate pair.

    NaN, Infinity and numbers too large for a float are not JSON; a NUL in a string is.
    """
    try:
        text = raw.decode()
        value = _STRICT.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise invalid("The request body is not valid JSON: lone surrogate in string") from None
    except RecursionError:
        raise invalid("The request body is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError too
        raise invalid(f"The request body is not valid JSON: {error}") from None
    return value


def read_object(text: str, start: int = 0) -> tuple[dict[str, Any], int]:
    """The JSON object that begins at `start`, and where it ends; ValueError when none does."""
    try:
        value, end = _STRICT.raw_decode(text, start)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value, end


def _constant(name: str) -> NoReturn:
    raise ValueError(f"unexpected {name}")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"number out of range: {text[:20]}")
    return value


_STRICT = json.JSONDecoder(parse_constant=_constant, parse_float=_float)
