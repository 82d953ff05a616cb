"""The Messages API as JSON Schemas: requests, the whole answer, the events of a stream, errors."""

from bridge.core.conversation import Effort
from bridge.dialects.anthropic_messages import models
from bridge.dialects.anthropic_messages.decode import MAX_NAME, MAX_TOOLS
from bridge.dialects.anthropic_messages.encode import ERROR_TYPES, STOP_REASONS
from bridge.dialects.notes import COUNT, MODEL, SESSION, SHARED, TEXT
from bridge.dialects.schemas import SPOKEN, Notes, Schema, derived, nullable, record, ref

_ONE_AT_A_TIME = {"disable_parallel_tool_use": {"description": "Whether at most one is called."}}
_EFFORTS = [effort for effort in Effort if effort not in (Effort.NONE, Effort.MINIMAL)]

_NOTES: Notes = {
    **SHARED,
    models.WireConversation: {
        "": {
            "description": "A conversation whose tokens are to be counted. Fields that are not "
            "named here have no effect, and are named in the header `x-bridge-ignored`."
        },
        "messages": {
            "description": "The conversation so far, or, in a session, what is new in it. It ends "
            "with a message of the user.",
            "minItems": 1,
        },
        "model": MODEL,
        "system": {"description": "The system prompt."},
        "tools": {"description": "The tools that the model may call.", "maxItems": MAX_TOOLS},
        "tool_choice": {"description": "Whether one must be called, and which."},
        "thinking": {"description": "How the model thinks. Not every model can do all of it."},
        "output_config": {"description": "How hard the model is to try, and the answer's form."},
        "session_id": SESSION,
    },
    models.WireRequest: {
        "": {
            "description": "A conversation to be answered. Fields that are not named here have no "
            "effect, and are named in the header `x-bridge-ignored`."
        },
        "max_tokens": {"description": "The longest answer, in tokens.", "minimum": 1},
        "stream": {"description": "Whether the answer comes as server-sent events, as it is made."},
        "temperature": {
            "description": "How freely the model picks its words. Claude's newer models take none.",
            "minimum": 0,
            "maximum": 1,
        },
        "top_p": {
            "description": "The share of the likeliest words to pick from. Newer models take none.",
            "minimum": 0,
            "maximum": 1,
        },
        "top_k": {
            "description": "How many of the likeliest words to pick from. Newer models take none.",
            "minimum": 0,
        },
        "stop_sequences": {
            "description": "Texts before which the answer ends.",
            "items": {"pattern": SPOKEN},
        },
        "metadata": {"description": "About the request."},
    },
    models.ToolResultBlock: {
        "tool_use_id": {"description": "The call that it answers."},
        "content": {"description": "What the call gave back."},
        "is_error": {"description": "Whether the call has failed."},
    },
    models.UserMessage: {
        "content": {
            "description": "What is said: a text, or blocks.",
            "pattern": SPOKEN,
            "minItems": 1,
        }
    },
    models.AssistantMessage: {"content": {"description": "What was answered: a text, or blocks."}},
    models.SystemMessage: {"content": {"description": "The instruction."}},
    models.WireTool: {
        "name": {
            "description": f"Up to {MAX_NAME} letters, digits, underscores and hyphens.",
            "pattern": f"^[a-zA-Z0-9_-]{{1,{MAX_NAME}}}$",
        },
        "input_schema": {
            "description": "A JSON Schema of the arguments: of the type `object`, without `anyOf`, "
            "`oneOf`, `allOf`, `enum` or `not` at its top."
        },
        "description": {"description": "What it does, for the model."},
        "strict": {"description": "Whether arguments that do not meet the schema are an error."},
        "type": {"enum": ["custom"], "description": "Tools that Anthropic runs are refused."},
    },
    models.AutoChoice: _ONE_AT_A_TIME,
    models.AnyChoice: _ONE_AT_A_TIME,
    models.NamedChoice: {"name": {"description": "The tool."}, **_ONE_AT_A_TIME},
    models.JsonFormat: {"schema": {"description": "The JSON Schema that the answer must meet."}},
    models.OutputConfig: {
        "effort": {"enum": _EFFORTS, "description": "How hard the model is to try."},
        "format": {"description": "The answer's form."},
    },
    models.Metadata: {"user_id": {"description": "Your own id of the person who asks."}},
}

_STOPPED = {
    "stop_reason": nullable({"enum": sorted(set(STOP_REASONS.values()))})
    | {"description": "Why the answer ended; null in `message_start`."},
    "stop_sequence": nullable(TEXT),
    "stop_details": {"type": "object", "description": "Of a refusal: what the model's side tells."},
}
_INDEX = {"index": COUNT | {"description": "Which of the blocks."}}


def _event(kind: str, **properties: Schema) -> Schema:
    return record(f"The event `{kind}`.", type={"const": kind}, **properties)


_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}

_CITATION: Schema = {"type": "object", "description": "As the model's side tells it."}

_ANSWERS: dict[str, Schema] = {
    "Message": record(
        "A whole answer; in `message_start` one that holds nothing yet.",
        ["stop_details"],
        id=TEXT,
        type={"const": "message"},
        role={"const": "assistant"},
        model=TEXT | {"description": "The model that answered."},
        content={"type": "array", "items": ref("MessageBlock")},
        **_STOPPED,
        usage=ref("MessageUsage"),
    ),
    "MessageBlock": {
        "description": "A piece of the answer.",
        "oneOf": [
            record(
                "Words, and what they cite.",
                ["citations"],
                type={"const": "text"},
                text=TEXT,
                citations={"type": "array", "minItems": 1, "items": _CITATION},
            ),
            record("Reasoning.", type={"const": "thinking"}, thinking=TEXT, signature=TEXT),
            record(
                "Reasoning for the model's side alone.",
                type={"const": "redacted_thinking"},
                data=TEXT,
            ),
            record(
                "A call.",
                type={"const": "tool_use"},
                id=TEXT,
                name=TEXT,
                input={"type": "object"},
            ),
        ],
    },
    "MessageUsage": record(
        "Tokens, as the model's side counted them.",
        ["output_tokens_details"],
        input_tokens=COUNT | {"description": "Those that no cache was used for."},
        cache_creation_input_tokens=COUNT,
        cache_read_input_tokens=COUNT,
        cache_creation=record(
            "Of those written to the cache.",
            ephemeral_5m_input_tokens=COUNT,
            ephemeral_1h_input_tokens=COUNT,
        ),
        output_tokens=COUNT,
        output_tokens_details=record("Of those, where it is told.", thinking_tokens=COUNT),
    ),
    "MessageEvent": {
        "description": "The data of an event, whose `type` is also its name.",
        "oneOf": [
            _event("message_start", message=ref("Message")),
            _event("content_block_start", **_INDEX, content_block=ref("MessageBlock")),
            _event(
                "content_block_delta",
                **_INDEX,
                delta={
                    "oneOf": [
                        record("What is new.", type={"const": kind}, **{name: TEXT})
                        for kind, name in _DELTAS.items()
                    ]
                    + [
                        record(
                            "What the words cite.",
                            type={"const": "citations_delta"},
                            citation=_CITATION,
                        )
                    ]
                },
            ),
            _event("content_block_stop", **_INDEX),
            _event("ping"),
            _event(
                "message_delta",
                delta=record("How it ended.", ["stop_details"], **_STOPPED),
                usage=ref("MessageUsage"),
            ),
            _event("message_stop"),
            ref("AnthropicError"),
        ],
    },
    "TokenCount": record("How long the prompt is.", input_tokens=COUNT),
    "AnthropicError": record(
        "What went wrong, in Anthropic's shape; the same for every fault.",
        type={"const": "error"},
        error=record(
            "The fault.",
            type={
                "enum": sorted({*ERROR_TYPES.values(), "request_too_large"}),
                "description": "The sort of fault.",
            },
            message={"type": "string", "description": "What is wrong, and what to do."},
        ),
        request_id=TEXT,
    ),
}


def schemas() -> dict[str, Schema]:
    """The components: ``MessagesRequest``, ``MessagesConversation``, ``Message``, their parts."""
    return {
        **derived(models.WireRequest, "Messages", notes=_NOTES, policy=models.POLICY),
        **derived(models.WireConversation, "Messages", notes=_NOTES, policy=models.POLICY),
        **_ANSWERS,
    }
