"""What the requests and answers of OpenAI's endpoints have in common, as JSON Schemas."""

from bridge.core.conversation import LEAST_BUDGET, Effort, ThinkingMode
from bridge.dialects.openai.frames import ERROR_TYPES
from bridge.dialects.openai.parameters import (
    MAX_STOPS,
    StreamOptions,
    WireParameters,
    WireThinking,
)
from bridge.dialects.schemas import SPOKEN, Notes, Schema, nullable, record

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "integer", "minimum": 0, "description": "Seconds since 1970."}

SESSION_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
}
"""The name of a session; ``stats``, ``.`` and ``..`` are refused as well."""

EFFORT: Schema = {
    "enum": list(Effort),
    "description": "How hard the model is to try; it thinks as much as it has to for that. Without "
    "it the model's own default counts.",
}

NOTES: Notes = {
    WireParameters: {
        "model": {
            "description": "`opus`, `sonnet`, `haiku`, a full Claude id, an OpenAI name such as "
            "`gpt-4o`, or whatever else `GET /v1/models` lists. Without it the server's default.",
        },
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
        "session_id": {
            "description": "The conversation that this goes on with, or that begins with it: the "
            "server remembers it under this name. The header `X-Session-Id` does the same.",
            **{keyword: limit for keyword, limit in SESSION_ID.items() if keyword != "type"},
        },
    },
    StreamOptions: {
        "include_usage": {"description": "One more event before the last one, with the tokens."},
    },
    WireThinking: {
        "type": {"enum": list(ThinkingMode), "description": "How the model thinks."},
        "budget_tokens": {
            "minimum": LEAST_BUDGET,
            "description": "The most tokens to think with; required for `enabled`, and refused for "
            "the other types.",
        },
        "display": {
            "enum": ["summarized", "omitted"],
            "description": "Whether the answer tells what the model thought.",
        },
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
