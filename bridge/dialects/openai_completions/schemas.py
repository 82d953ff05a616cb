"""The older completions as JSON Schemas: the request, and the answer, whole or an event of it."""

from bridge.dialects.notes import COUNT, SECONDS, TEXT
from bridge.dialects.openai.schemas import NOTES
from bridge.dialects.openai_completions.decode import MAX_PROMPTS, POLICY, WireRequest
from bridge.dialects.openai_completions.encode import FINISH_REASONS
from bridge.dialects.schemas import SPOKEN, Notes, Schema, derived, nullable, record, ref

_NOTES: Notes = {
    **NOTES,
    WireRequest: {
        "": {
            "description": "A text to go on with. Fields that are not named here are accepted; "
            "they have no effect, and are named in the header `x-bridge-ignored`."
        },
        "prompt": {
            "description": f"The text, or up to {MAX_PROMPTS}, each with an answer of its own.",
            "pattern": SPOKEN,
            "minItems": 1,
            "maxItems": MAX_PROMPTS,
            "items": {"pattern": SPOKEN},
        },
        "echo": {"description": "Whether the answer begins with the text."},
    },
}

_CHOICE = record(
    "An answer, or in a stream a piece of it.",
    text=TEXT,
    index=COUNT | {"description": "The prompt that it belongs to."},
    logprobs={"type": "null"},
    finish_reason=nullable({"enum": list(dict.fromkeys(FINISH_REASONS.values()))})
    | {"description": "Why it ended; null in a piece that is not the last one."},
)
_COMMON: Schema = {
    "id": TEXT,
    "object": {"const": "text_completion"},
    "created": SECONDS,
    "model": TEXT | {"description": "The model that answered."},
    "choices": {"type": "array", "items": _CHOICE},
}
_ANSWERS = {
    "Completion": record(
        "A whole answer.",
        **{**_COMMON, "choices": {**_COMMON["choices"], "minItems": 1}},
        usage=ref("Usage"),
    ),
    "CompletionChunk": record(
        "The data of an event; of the last one it is `[DONE]`, and of one that tells a failure, "
        "after which nothing comes, it is an `Error`.",
        ["usage"],
        **_COMMON,
        usage=nullable(ref("Usage"))
        | {"description": "With `include_usage`: null in every event but the last one of them."},
    ),
}


def schemas() -> dict[str, Schema]:
    """The components: ``CompletionRequest``, ``Completion``, ``CompletionChunk``, their parts."""
    request = derived(WireRequest, "Completion", notes=_NOTES, policy=POLICY)
    return {**request, **_ANSWERS}
