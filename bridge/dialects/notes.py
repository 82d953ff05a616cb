"""What the dialects' schemas have in common: small schemas, and notes to the classes they share."""

from bridge.core.conversation import LEAST_BUDGET, ThinkingMode
from bridge.dialects import blocks
from bridge.dialects.schemas import SPOKEN, Notes, Schema
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
    blocks.ToolUseBlock: {
        "id": {"description": "The call's id."},
        "name": {"description": "The function."},
        "input": {"description": "The arguments."},
    },
    blocks.ThinkingBlock: {
        "thinking": {"description": "What the model thought."},
        "signature": {"description": "By which its side knows it again."},
    },
    blocks.RedactedBlock: {"data": {"description": "As it came."}},
    blocks.TextBlock: {"text": {"description": "The text; outside of answers it says something."}},
    blocks.Base64Source: {
        "media_type": {
            "description": "Of a picture `image/png`, `image/jpeg`, `image/gif` or `image/webp`, "
            "of a document `application/pdf`."
        },
        "data": {"description": "The bytes in base64."},
    },
    blocks.UrlSource: {"url": {"description": "`https://…`; the model's side fetches it."}},
    blocks.TextSource: {
        "data": {"description": "The text.", "pattern": SPOKEN},
        "media_type": {"enum": ["text/plain"], "description": "Its type."},
    },
    blocks.PiecesSource: {
        "content": {"description": "The pieces.", "pattern": SPOKEN, "minItems": 1}
    },
    blocks.FileSource: {"file_id": {"description": "Refused: this server keeps no files."}},
    blocks.ImageBlock: {"source": {"description": "The picture."}},
    blocks.Citations: {"enabled": {"description": "Whether the answer is to cite it."}},
    blocks.DocumentBlock: {
        "source": {"description": "The document."},
        "title": {"description": "Its title, which the model is told."},
        "context": {"description": "What else the model is told about it."},
        "citations": {"description": "Whether the answer is to cite it."},
    },
    blocks.SearchResultBlock: {
        "source": {"description": "Where it was found.", "pattern": SPOKEN},
        "title": {"description": "Its title.", "pattern": SPOKEN},
        "content": {"description": "What was found.", "minItems": 1},
        "citations": {"description": "Whether the answer is to cite it."},
    },
}
