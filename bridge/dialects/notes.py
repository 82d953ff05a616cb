"""What the dialects' schemas have in common: small schemas, and notes to the classes they share."""

from bridge.core.conversation import LEAST_BUDGET, ThinkingMode
from bridge.dialects.blocks import RedactedBlock, ThinkingBlock, ToolUseBlock
from bridge.dialects.schemas import Notes, Schema
from bridge.dialects.thinking import WireThinking

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "integer", "minimum": 0, "description": "Seconds since 1970."}

ID_LIMITS: Schema = {
    "minLength": 1,
    "maxLength": 256,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
}
"""What the name of a session may be; ``stats``, ``.`` and ``..`` are refused as well."""

SESSION: Schema = {
    **ID_LIMITS,
    "description": "The conversation that this goes on with, or that begins with it: the server "
    "remembers it under this name. The header `X-Session-Id` does the same.",
}

MODEL: Schema = {
    "description": "`opus`, `sonnet`, `haiku`, a full Claude id, an OpenAI name such as `gpt-4o`, "
    "or whatever else `GET /v1/models` lists. Without it the server's default.",
}

SHARED: Notes = {
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
    ToolUseBlock: {
        "id": {"description": "The call's id."},
        "name": {"description": "The function."},
        "input": {"description": "The arguments."},
    },
    ThinkingBlock: {
        "thinking": {"description": "What the model thought."},
        "signature": {"description": "By which its side knows it again."},
    },
    RedactedBlock: {"data": {"description": "As it came."}},
}
