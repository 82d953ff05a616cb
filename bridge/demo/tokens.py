"""The demo's token counter and the pieces a streamed text is cut into.

A token is a run of at most twelve letters and digits, or one other visible character. Whitespace
is free, except that a text of nothing but whitespace is one token, so no text costs nothing.
A piece (what one streamed delta carries) is one to four whole tokens that no whitespace parts,
with the whitespace before them; therefore the tokens of the pieces add up to those of the text.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from bridge.demo import media

_TOKEN = re.compile(r"[^\W_]{1,12}|[^\w\s]|_")  # no \s* here: it would be quadratic on blanks
_PIECE_TOKENS = 4
_PIXELS_PER_TOKEN = 750  # the documented rule of thumb for images
_IMAGE_MAX = 1_600
_PDF_PAGE = 1_500  # the lower documented figure for one page's text
_UNSEEN = 500  # what a URL or file source costs: the demo does not fetch it


def count(text: str) -> int:
    """How many tokens `text` is; 0 only for the empty string."""
    if not text:
        return 0
    return sum(1 for _ in _TOKEN.finditer(text)) or 1


def pieces(text: str) -> list[str]:
    """`text` cut into deltas; joined again they are the text, to the character."""
    found = list(_pieces(text))
    if text and not found:
        return [text]
    return found


def _pieces(text: str) -> Iterator[str]:
    start = end = held = 0
    for match in _TOKEN.finditer(text):
        if held and (match.start() > end or held == _PIECE_TOKENS):
            yield text[start:end]
            start, held = end, 0
        end = match.end()
        held += 1
    if held:
        yield text[start:]


def cut(text: str, limit: int) -> str:
    """The first `limit` tokens of `text` (0 or less: nothing), without what follows them."""
    if limit <= 0:
        return ""
    for number, match in enumerate(_TOKEN.finditer(text), start=1):
        if number == limit:
            rest = text[match.end() :]
            return text if not rest.strip() else text[: match.end()]
    return text


def compact(value: object) -> str:
    """`value` as JSON text without spaces, keys as they came."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def of_block(block: dict[str, Any]) -> int:
    """How many tokens one canonical content block, system block or tool definition is."""
    match block:
        case {"type": "text", "text": str(text)}:
            return count(text)
        case {"type": "thinking", "thinking": str(text)}:
            return max(1, count(text))
        case {"type": "image", "source": dict(source)}:
            return _of_image(source)
        case {"type": "document", "source": dict(source)}:
            return _of_document(source)
        case {"type": "tool_use", "name": str(name), "input": given}:
            return count(name) + count(compact(given))
        case {"type": "tool_result", "content": list(parts)}:
            return 1 + sum(of_block(part) for part in parts if isinstance(part, dict))
        case _:
            return count(compact(block))


def _of_image(source: dict[str, Any]) -> int:
    picture = media.image(source)
    if picture is None:
        return _UNSEEN
    return min(_IMAGE_MAX, max(1, math.ceil(picture.width * picture.height / _PIXELS_PER_TOKEN)))


def _of_document(source: dict[str, Any]) -> int:
    match source:
        case {"type": "text", "data": str(text)}:
            return max(1, count(text))
        case {"type": "base64", "data": str(data)}:
            return _PDF_PAGE * media.pdf_pages(data)
        case {"type": "content", "content": list(parts)}:
            return sum(of_block(part) for part in parts if isinstance(part, dict)) or 1
        case {"type": "content", "content": str(text)}:
            return max(1, count(text))
        case _:
            return _UNSEEN
