"""What the model reads, as content blocks of the Messages API: the words of the model's side.

Source: https://platform.claude.com/docs/en/api/messages.
"""

from typing import Any

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Media,
    Passages,
    ResultPart,
    SearchResult,
    Text,
)


def block_of(part: ResultPart) -> dict[str, Any]:
    """The block of something that is read, in a message of the user or in a result."""
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image() | LinkedImage():
            return {"type": "image", "source": _source(part)}
        case Document() | LinkedDocument() | Passages():
            told = {"title": part.title, "context": part.context}
            about = {name: text for name, text in told.items() if text}
            return {"type": "document", "source": _source(part), **about, **_cited(part.cited)}
        case SearchResult():
            return {
                "type": "search_result",
                "source": part.source,
                "title": part.title,
                "content": [{"type": "text", "text": text} for text in part.texts],
                **_cited(part.cited),
            }


def _source(part: Media) -> dict[str, Any]:
    match part:
        case LinkedImage() | LinkedDocument():
            return {"type": "url", "url": part.url}
        case Passages():
            return {"type": "content", "content": [block_of(piece) for piece in part.content]}
        case Image() | Document():
            kind = "text" if part.media_type == "text/plain" else "base64"
            return {"type": kind, "media_type": part.media_type, "data": part.data}


def _cited(cited: bool) -> dict[str, Any]:
    return {"citations": {"enabled": True}} if cited else {}
