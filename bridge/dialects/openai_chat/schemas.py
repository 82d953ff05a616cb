"""Chat completions as JSON Schemas: the request, the whole answer, and the events of a stream."""

from bridge.dialects.notes import COUNT, SECONDS, TEXT
from bridge.dialects.openai.frames import FINISH_REASONS
from bridge.dialects.openai.schemas import EFFORT, NOTES
from bridge.dialects.openai_chat import models
from bridge.dialects.openai_chat.tools import MAX_TOOLS
from bridge.dialects.schemas import Notes, Schema, derived, nullable, record, ref

_NAME = {"pattern": "^[a-zA-Z0-9_-]{1,64}$"}
_CONTENT = {"description": "What is said: a text, or parts of it."}

_NOTES: Notes = {
    **NOTES,
    models.WireRequest: {
        "": {
            "description": "A conversation to be answered. Fields that are not named here are "
            "accepted; they have no effect, and are named in the header `x-bridge-ignored`."
        },
        "messages": {
            "description": "The conversation so far, or, in a session, what is new in it. It ends "
            "with a message of the user or a function.",
            "minItems": 1,
        },
        "max_completion_tokens": {
            "description": "The longest answer, in tokens; it counts before `max_tokens`.",
            "minimum": 1,
        },
        "reasoning_effort": EFFORT,
        "thinking": {
            "description": "How the model thinks, in Anthropic's own form. Not every model can do "
            "all of it."
        },
        "tools": {"description": "The functions that the model may call.", "maxItems": MAX_TOOLS},
        "tool_choice": {
            "description": "Whether one must be called, and which.",
            "enum": ["none", "auto", "required"],
        },
        "parallel_tool_calls": {"description": "Whether several may be called at once."},
        "functions": {
            "description": "The older form of `tools`.",
            "deprecated": True,
            "maxItems": MAX_TOOLS,
        },
        "function_call": {
            "description": "The older form of `tool_choice`.",
            "deprecated": True,
            "enum": ["none", "auto"],
        },
        "response_format": {"description": "What the answer must be: text, or JSON."},
    },
    models.TextPart: {"text": {"description": "The text; null says nothing."}},
    models.RefusalPart: {"refusal": {"description": "The words with which an answer was refused."}},
    models.ImageUrl: {
        "url": {
            "description": "`data:image/png;base64,…` or `https://…`; a PNG, JPEG, GIF or WebP.",
        }
    },
    models.ImagePart: {"image_url": {"description": "The picture."}},
    models.FileData: {
        "file_data": {
            "type": "string",
            "required": True,
            "description": "`data:application/pdf;base64,…`, a text in UTF-8 in the same form, or "
            "the `https://…` URL of a PDF.",
        },
        "file_id": {"type": "null", "description": "Refused: this server keeps no files."},
        "filename": {"description": "The model is told this name."},
        "context": {"description": "What else the model is told of it; no field of OpenAI's."},
    },
    models.FilePart: {"file": {"description": "The file."}},
    models.ToolResultPart: {
        "tool_use_id": {"description": "The call that it answers."},
        "content": _CONTENT,
        "is_error": {"description": "Whether the call has failed."},
    },
    models.FunctionCall: {
        "name": {"description": "The function."},
        "arguments": {"description": "A JSON object, as a string; an empty one counts as `{}`."},
    },
    models.WireToolCall: {
        "id": {"description": "The call's id, which its result names."},
        "function": {"description": "The function, and its arguments."},
        "type": {"description": "`function`."},
    },
    models.SystemMessage: {"content": _CONTENT},
    models.UserMessage: {"content": _CONTENT},
    models.AssistantMessage: {
        "content": _CONTENT,
        "refusal": {"description": "The words with which it was refused."},
        "tool_calls": {"description": "The functions that the model called."},
        "function_call": {"description": "The older form of them.", "deprecated": True},
        "audio": {"type": "null", "description": "Refused: this server keeps no spoken answers."},
        "thinking_blocks": {"description": "What the model thought, as it came."},
    },
    models.ToolMessage: {
        "tool_call_id": {"description": "The call that it answers."},
        "content": _CONTENT,
        "is_error": {"description": "Whether the call has failed; no field of OpenAI's."},
    },
    models.FunctionMessage: {
        "name": {"description": "The function whose call it answers."},
        "content": {"description": "What the call gave back."},
    },
    models.WireFunction: {
        "name": _NAME | {"description": "Up to 64 letters, digits, underscores and hyphens."},
        "description": {"description": "What it does, for the model."},
        "parameters": {
            "description": "A JSON Schema of the arguments: of the type `object`, without `anyOf`, "
            "`oneOf`, `allOf`, `enum` or `not` at its top. Without it there are none."
        },
        "strict": {"description": "Whether arguments that do not meet it are an error."},
    },
    models.WireTool: {"function": {"description": "The function."}},
    models.NamedFunction: {"name": {"description": "The function."}},
    models.FunctionChoice: {"function": {"description": "The function."}},
    models.AllowedTools: {
        "mode": {"enum": ["auto", "required"], "description": "Whether one must be called."},
        "tools": {"description": "The functions.", "maxItems": MAX_TOOLS},
    },
    models.AllowedChoice: {"allowed_tools": {"description": "The functions."}},
    models.NamedSchema: {
        "name": _NAME | {"description": "Up to 64 letters, digits, underscores and hyphens."},
        "description": {"description": "What the answer is for, for the model."},
        "schema": {"description": "The JSON Schema of the answer. Without it, any JSON object."},
        "strict": {"description": "Makes no difference: the answer must meet the schema anyway."},
    },
    models.JsonSchemaFormat: {"json_schema": {"description": "The schema."}},
}

_FINISH = {
    "enum": [*dict.fromkeys(FINISH_REASONS.values()), "function_call"],
    "description": "Why the answer ended.",
}
_CALL = record("A call's function.", name=TEXT, arguments=TEXT | {"description": "JSON."})
_SPEAKER: Schema = {"const": "assistant"}
_LOGPROBS: Schema = {"type": "null"}

_ANSWERS = {
    "ChatCompletion": record(
        "A whole answer.",
        id=TEXT,
        object={"const": "chat.completion"},
        created=SECONDS,
        model=TEXT | {"description": "The model that answered."},
        choices={
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": record(
                "The answer; there is one.",
                index=COUNT,
                message=ref("ChatAnswer"),
                logprobs=_LOGPROBS,
                finish_reason=_FINISH,
            ),
        },
        usage=ref("Usage"),
    ),
    "ChatAnswer": record(
        "What the model said, and which functions it called.",
        ["reasoning_content", "tool_calls", "function_call"],
        role=_SPEAKER,
        content=nullable(TEXT),
        refusal={"type": "null"},
        reasoning_content=TEXT | {"description": "What the model thought, if it is told."},
        tool_calls={"type": "array", "minItems": 1, "items": ref("ChatCall")},
        function_call=_CALL | {"description": "The older form, for requests in the older form."},
    ),
    "ChatCall": record(
        "A call that the model makes.",
        id=TEXT | {"description": "The result names it."},
        type={"const": "function"},
        function=_CALL,
    ),
    "ChatCompletionChunk": record(
        "The data of an event; of the last one it is `[DONE]`, and of one that tells a failure, "
        "after which nothing comes, it is an `Error`.",
        ["usage"],
        id=TEXT,
        object={"const": "chat.completion.chunk"},
        created=SECONDS,
        model=TEXT,
        choices={
            "type": "array",
            "maxItems": 1,
            "items": record(
                "A piece of the answer.",
                index=COUNT,
                delta=ref("ChatDelta"),
                logprobs=_LOGPROBS,
                finish_reason=nullable(_FINISH),
            ),
        },
        usage=nullable(ref("Usage"))
        | {"description": "With `include_usage`: null in every event but the last one of them."},
    ),
    "ChatDelta": record(
        "What is new.",
        ["role", "content", "refusal", "reasoning_content", "tool_calls", "function_call"],
        role=_SPEAKER,
        content=TEXT,
        refusal={"type": "null"},
        reasoning_content=TEXT,
        tool_calls={
            "type": "array",
            "items": record(
                "A piece of a call; the first one of each has its id and name.",
                ["id", "type"],
                index=COUNT | {"description": "Which of the calls it belongs to."},
                id=TEXT,
                type={"const": "function"},
                function=_CALL | {"required": ["arguments"]},
            ),
        },
        function_call=_CALL | {"required": ["arguments"]},
    ),
}


def schemas() -> dict[str, Schema]:
    """The components: ``ChatRequest``, ``ChatCompletion``, ``ChatCompletionChunk``, their parts."""
    request = derived(models.WireRequest, "Chat", notes=_NOTES, policy=models.POLICY)
    return {**request, **_ANSWERS}
