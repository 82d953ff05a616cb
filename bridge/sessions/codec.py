"""Core values ↔ JSON, for a store. Not the wire: this is read back by us alone."""

import json
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Part,
    Passages,
    RedactedThinking,
    ResultPart,
    SearchResult,
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
    Document: "document",
    LinkedDocument: "linked_document",
    Passages: "passages",
    SearchResult: "search_result",
    ToolCall: "tool_call",
    ToolResult: "tool_result",
    Thinking: "thinking",
    RedactedThinking: "redacted_thinking",
}


def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True, omit_if_default=True)
    _tag(made, ResultPart)  # before what holds it, or it is not tagged in there
    tagged = made.get_structure_hook(ResultPart)
    made.register_structure_hook(  # once there were only texts in a result, without a tag
        ResultPart, lambda raw, kind: tagged({"type": "text", **raw}, kind)
    )
    _tag(made, Part)
    return made


def _tag(converter: Converter, union: Any) -> None:
    configure_tagged_union(union, converter, tag_generator=_TAGS.__getitem__, tag_name="type")


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
