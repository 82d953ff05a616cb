"""Any conversation, as strategies of Hypothesis."""

from typing import Any

from hypothesis import strategies as st
from openai_media import DRAWN, PDF, encoded

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
words = st.text(characters, min_size=1, max_size=6)
said = words.filter(str.strip).map(lambda value: Text(text=value))
drawn = st.sampled_from([Image(media_type=kind, data=encoded(raw)) for kind, raw in DRAWN.items()])
linked = st.builds(LinkedImage, url=st.sampled_from(["https://a/b.png", "https://é.example/?a=b"]))
titles = st.none() | words
files = st.one_of(
    st.builds(
        Document,
        media_type=st.just("application/pdf"),
        data=st.sampled_from([encoded(PDF), encoded(PDF + b"more")]),
        title=titles,
        context=titles,
    ),
    st.builds(
        Document,
        media_type=st.just("text/plain"),
        data=words.filter(lambda value: value.strip() and value[0] != "\ufeff"),
        title=titles,
        context=titles,
    ),
    st.builds(LinkedDocument, url=st.just("https://a/b.pdf"), title=titles, context=titles),
)
shown = drawn | linked | files
told = words.map(lambda value: Text(text=value))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
arguments = st.dictionaries(words, json_values, max_size=2)


def message(role: Role, *parts: Any) -> Message:
    return Message(role=role, parts=parts)


@st.composite
def results(draw: st.DrawFn, call_id: str) -> ToolResult:
    """What a call gave back; one that failed has nothing but words."""
    is_error = draw(st.booleans())
    pieces = st.lists(told if is_error else told | shown, max_size=3)
    return ToolResult(call_id=call_id, content=tuple(draw(pieces)), is_error=is_error)


@st.composite
def rounds(draw: st.DrawFn) -> list[Message]:
    """What the user says, what the model answers, and what its calls give back."""
    found = [message(Role.USER, *draw(st.lists(said | shown, min_size=1, max_size=3)))]
    found += [message(Role.SYSTEM, *texts) for texts in draw(st.lists(st.tuples(said), max_size=1))]
    ids = draw(st.lists(words, unique=True, max_size=3))
    calls = [ToolCall(id=id_, name=draw(words), arguments=draw(arguments)) for id_ in ids]
    texts = draw(st.lists(said, min_size=0 if calls else 1, max_size=2))
    found.append(message(Role.ASSISTANT, *texts, *calls))
    found += [
        message(
            Role.USER,
            draw(results(id_)),
        )
        for id_ in draw(st.permutations(ids))
    ]
    return found


conversations = st.builds(
    lambda found, last: [*(one for round_ in found for one in round_), message(Role.USER, last)],
    st.lists(rounds(), max_size=3),
    said,
)
