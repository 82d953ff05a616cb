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
            "description": f"The text, or up to {MAX_TEXTS}.",
            "minLength": 1,
            "minItems": 1,
            "maxItems": MAX_TEXTS,
            "items": {"minLength": 1},
        },
        "model": {
            "description": "`text-embedding-3-small` or another name of OpenAI's; the answer says "
            "which model made the vectors.",
            "minLength": 1,
        },
        "encoding_format": {"enum": [*FORMATS], "description": "How vectors are written."},
        "dimensions": {"minimum": 1, "description": "How long they are; each model has its own."},
        "user": {"description": "Sent on to another server, without effect here."},
    },
}
_EMBEDDING = record(
    "The vector of a text.",
    object={"const": "embedding"},
    index=COUNT | {"description": "Which text."},
    embedding={
        "anyOf": [
            {"type": "array", "items": {"type": "number"}},
            {"type": "string", "description": "Little-endian floats of 32 bits, in base64."},
        ]
    },
)
_ANSWERS = {
    "Embeddings": record(
        "The vectors, in the order of the texts.",
        object={"const": "list"},
        data={"type": "array", "items": _EMBEDDING},
        model=TEXT | {"description": "The model that made them."},
        usage=record("What it took.", prompt_tokens=COUNT, total_tokens=COUNT),
    )
}


def schemas() -> dict[str, Schema]:
    """The components: ``EmbeddingsRequest``, ``Embeddings``, their parts."""
    return {**derived(WireRequest, "Embeddings", notes=_NOTES, policy=POLICY), **_ANSWERS}
