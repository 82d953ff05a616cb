"""What every turn promises, whatever dialect it came in; and what anybody may send."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from openai_media import DRAWN, held

from bridge.core.conversation import (
    Document,
    Effort,
    Image,
    LinkedDocument,
    LinkedImage,
    Part,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ThinkingMode,
    ToolCall,
    ToolResult,
    Turn,
)
from bridge.core.rules import MAX_MEDIA
from bridge.core.schema import schema_fault

SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": ["string", "null"], "enum": ["x", None]},
        "b": {"anyOf": [{"$ref": "#/$defs/B"}, {"type": "number", "minimum": 0.5}]},
    },
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"B": {"type": "array", "items": {"pattern": "^x"}, "maxItems": 3}},
}

any_character = st.characters(exclude_categories=())  # halves of surrogate pairs too
words_ = st.text(any_character, max_size=8)


def anything(telling: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any JSON, made of what tells something to a dialect too."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | words_ | telling,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words_, inner, max_size=4),
        max_leaves=8,
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a value."""
    steps = value if isinstance(value, dict) else range(len(value))
    found = []
    for step in steps:
        found.append((*path, step))
        if isinstance(value[step], dict | list):
            found += places(value[step], (*path, step))
    return found


def check_reasoning(turn: Turn) -> None:
    thought = turn.reasoning.thought
    assert turn.reasoning.effort in (None, *Effort)
    if thought is not None:
        assert isinstance(thought.mode, ThinkingMode)
        assert (thought.budget is None) == (thought.mode is not ThinkingMode.ENABLED)
        assert thought.budget is None or (type(thought.budget) is int and thought.budget >= 1024)
        assert thought.display in (None, "summarized", "omitted")


def check_schema(schema: Mapping[str, Any]) -> None:
    assert schema["type"] == "object"
    assert schema_fault(schema) is None
    json.dumps(schema, ensure_ascii=False, allow_nan=False).encode()


def check_conversation(turn: Turn, *, continues: bool) -> None:
    """``continues``: results may come before the first answer."""
    pending: set[str] = set()
    assert turn.messages
    assert turn.messages[-1].role is not Role.ASSISTANT
    for message in turn.messages:
        assert message.parts
        continues = continues and message.role is not Role.ASSISTANT
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        assert results or not pending, "a call without its result"
        for part in message.parts:
            match part:
                case Text(text=words):
                    assert words.strip()
                    check_text(words)
                case ToolCall():
                    assert message.role is Role.ASSISTANT
                    assert part.id not in pending
                    pending.add(part.id)
                    check_text(part.id + part.name)
                    assert isinstance(part.arguments, dict)
                    json.dumps(part.arguments, ensure_ascii=False, allow_nan=False).encode()
                case ToolResult():
                    assert message.role is Role.USER
                    assert continues or part.call_id in pending
                    assert part.call_id or (continues and part.name is not None) or pending
                    pending.discard(part.call_id)
                    check_result(part)
                case Thinking() | RedactedThinking():
                    assert message.role is Role.ASSISTANT
                    assert any(isinstance(said, Text | ToolCall) for said in message.parts)
                case _:
                    assert message.role is Role.USER
                    check_shown(part)
    assert not pending
    assert len(held(turn)) <= MAX_MEDIA


def check_result(result: ToolResult) -> None:
    assert result.is_error in (True, False)
    for piece in result.content:
        if isinstance(piece, Text):
            assert piece.text
            check_text(piece.text)
        else:
            check_shown(piece)


def check_shown(part: Part) -> None:
    """A picture or a file, and nothing else."""
    match part:
        case Image(media_type=media_type, data=data):
            assert media_type in DRAWN
            assert base64.b64decode(data, validate=True)
        case LinkedImage(url=url):
            assert url.startswith("https://")
            check_text(url)
        case LinkedDocument(url=url, title=title, context=context):
            assert url.startswith("https://")
            check_text(url)
            assert title is None or title
            assert context is None or context
        case Document(media_type="application/pdf", data=data, title=title):
            assert b"%PDF-" in base64.b64decode(data, validate=True)
            assert title is None or title
        case Document(media_type=media_type, data=words, title=title):
            assert media_type == "text/plain"
            assert words.strip()
            check_text(words)
            assert title is None or title
        case _:
            raise AssertionError(part)


def check_text(words: str) -> None:
    assert isinstance(words, str)
    words.encode()
    assert "\0" not in words
