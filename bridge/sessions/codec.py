"""Core messages ↔ JSON values, for a store. Not the wire: this is read back by us alone."""

import json
from typing import TypeVar

from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from bridge.core.conversation import (
    Image,
    LinkedImage,
    Part,
    RedactedThinking,
    ResultPart,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

T = TypeVar("T")

_TAGS = {
    Text: "text",
    Image: "image",
    LinkedImage: "linked_image",
    ToolCall: "tool_call",
    ToolResult: "tool_result",
    Thinking: "thinking",
    RedactedThinking: "redacted_thinking",
}


def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True, omit_if_default=True)
    configure_tagged_union(Part, made, tag_generator=_TAGS.__getitem__, tag_name="type")
    configure_tagged_union(
        ResultPart,
        made,
        tag_generator=_TAGS.__getitem__,
        tag_name="type",
        default=Text,  # as which they were all written once
    )
    return made


_CONVERTER = _converter()


def dump(value: T, kind: type[T]) -> bytes:
    """A value as JSON; half of a surrogate pair, which a model may send, stays what it is."""
    raw = _CONVERTER.unstructure(value, unstructure_as=kind)
    text = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def load(raw: bytes, kind: type[T]) -> T:
    """The value again.

    Raises what cattrs and :mod:`json` raise for bytes that :func:`dump` did not make.
    """
    return _CONVERTER.structure(json.loads(raw.decode("utf-8", "surrogatepass")), kind)
