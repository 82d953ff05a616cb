"""What the requests and answers of OpenAI's endpoints have in common, as JSON Schemas."""

from bridge.core.conversation import Effort
from bridge.dialects.notes import COUNT, MODEL, SESSION, SHARED, TEXT
from bridge.dialects.openai.frames import ERROR_TYPES
from bridge.dialects.openai.parameters import MAX_STOPS, StreamOptions, WireParameters
from bridge.dialects.schemas import SPOKEN, Notes, Schema, nullable, record

EFFORT: Schema = {
    "enum": list(Effort),
    "description": "How hard the model is to try; it thinks as much as it has to for that. Without "
    "it the model's own default counts.",
}

NOTES: Notes = {
    **SHARED,
    WireParameters: {
        "model": MODEL,
        "stream": {"description": "Whether the answer comes as server-sent events, as it is made."},
        "stream_options": {"description": "What comes with a stream."},
        "temperature": {
            "description": "How freely the model picks its words. Above 1 it is taken as 1, which "
            "is Claude's highest. Claude's newer models take none.",
            "minimum": 0,
            "maximum": 2,
        },
        "top_p": {
            "description": "The share of the likeliest words to pick from. Claude's newer models "
            "take none.",
            "minimum": 0,
            "maximum": 1,
        },
        "max_tokens": {"description": "The longest answer, in tokens.", "minimum": 1},
        "stop": {
            "description": f"A text, or up to {MAX_STOPS}, before which the answer ends.",
            "pattern": SPOKEN,
            "maxItems": MAX_STOPS,
            "items": {"pattern": SPOKEN},
        },
        "session_id": SESSION,
    },
    StreamOptions: {
        "include_usage": {"description": "One more event before the last one, with the tokens."},
    },
}
"""What the types of the common parameters do not say."""

COMPONENTS = {
    "Error": record(
        "What went wrong; the same shape for every fault.",
        error=record(
            "The fault.",
            message={"type": "string", "description": "What is wrong, and what to do."},
            type={"enum": sorted(set(ERROR_TYPES.values())), "description": "The sort of fault."},
            param=nullable(TEXT)
            | {"description": "The path of the field at fault: `messages[0].content`."},
            code=nullable(TEXT) | {"description": "A word for programs, which stays the same."},
        ),
    ),
    "Usage": record(
        "Tokens, as the model's side counted them.",
        ["completion_tokens_details"],
        prompt_tokens=COUNT | {"description": "Of the request, cached ones included."},
        completion_tokens=COUNT | {"description": "Of the answer, reasoning included."},
        total_tokens=COUNT,
        prompt_tokens_details=record("Of those.", cached_tokens=COUNT),
        completion_tokens_details=record("Of those, where it is told.", reasoning_tokens=COUNT),
    ),
}
"""Errors and token counts, as :mod:`bridge.dialects.openai.frames` writes them."""
