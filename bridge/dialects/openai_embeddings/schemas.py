"""Embeddings as JSON Schemas: the request and the answer."""

from bridge.dialects.notes import COUNT, TEXT
from bridge.dialects.openai_embeddings.decode import FORMATS, MAX_TEXTS, POLICY, WireRequest
from bridge.dialects.schemas import Notes, Schema, derived, record

_NOTES: Notes = {
    WireRequest: {
        "": {
            "description": "Texts whose vectors are wanted. Fields that are not named here have no "
            "effect, and are named in the header `x-bridge-ignored`."
        },
        "input": {
            "description": f"A text, or up to {MAX_TEXTS}. Tokens are refused.",
            "minLength": 1,
            "minItems": 1,
            "maxItems": MAX_TEXTS,
            "items": {"minLength": 1},
        },
        "model": {"description": "A model for embeddings; the answer names the one that made them.",
                  "minLength": 1},
        "encoding_format": {"description": "How vectors are written.", "enum": list(FORMATS)},
        "dimensions": {"description": "How long a vector is to be.", "minimum": 1},
        "user": {"description": "Your own id of the person who asks."},
    }
}  # fmt: skip

_ANSWERS = {
    "EmbeddingList": record(
        "The vectors of the texts, in their order.",
        object={"const": "list"},
        data={
            "type": "array",
            "items": record(
                "A vector.",
                object={"const": "embedding"},
                index=COUNT | {"description": "The text that it belongs to."},
                embedding={
                    "anyOf": [{"type": "array", "items": {"type": "number"}}, TEXT],
                    "description": "Numbers, or little-endian 32-bit floats in base64.",
                },
            ),
        },
        model=TEXT | {"description": "The model that made them."},
        usage=record("Tokens.", prompt_tokens=COUNT, total_tokens=COUNT),
    ),
}


def schemas() -> dict[str, Schema]:
    """The components: ``EmbeddingsRequest``, ``EmbeddingList``."""
    return {**derived(WireRequest, "Embeddings", notes=_NOTES, policy=POLICY), **_ANSWERS}
