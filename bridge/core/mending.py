"""Text that came half: what can't be sent on is replaced, not refused."""

import re
from typing import Any

REPLACEMENT = "\ufffd"
_HALF = re.compile("[\ud800-\udfff]")


def mended(value: Any) -> Any:
    """A JSON value whose texts hold no half of a surrogate pair, which is not text.

    A model may write one as ``\\ud83d`` in a call's arguments; nobody could send that back to it.
    """
    match value:
        case str():
            return _HALF.sub(REPLACEMENT, value)
        case list():
            return [mended(item) for item in value]
        case dict():
            return {mended(key): mended(item) for key, item in value.items()}
        case _:
            return value
