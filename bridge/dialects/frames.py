"""JSON as it is put on the wire, in documents and in server-sent events."""

import json

_LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def dumps(value: object) -> bytes:
    """JSON as the wire wants it: compact UTF-8; half a surrogate pair becomes a question mark.

    U+0085, U+2028 and U+2029 are escaped: some clients' line readers (httpx's) end a line there.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for end, escaped in _LINE_ENDS.items():
        text = text.replace(end, escaped)
    return text.encode(errors="replace")
