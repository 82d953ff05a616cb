"""Server-sent events, errors and token counts, as OpenAI's endpoints write them."""

from typing import Any

from bridge.core.errors import BridgeError, Kind
from bridge.core.events import FinishReason, Usage
from bridge.dialects.frames import dumps

FINISH_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CONTEXT_WINDOW: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.REFUSAL: "content_filter",
}

ERROR_TYPES = {
    Kind.INVALID_REQUEST: "invalid_request_error",
    Kind.AUTHENTICATION: "authentication_error",
    Kind.PERMISSION: "permission_error",
    Kind.NOT_FOUND: "invalid_request_error",
    Kind.RATE_LIMIT: "rate_limit_error",
    Kind.INTERNAL: "api_error",
    Kind.UPSTREAM: "api_error",
    Kind.UNAVAILABLE: "service_unavailable_error",
    Kind.TIMEOUT: "timeout_error",
}

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"


def frame(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + dumps(value) + b"\n\n"


def render_error(error: BridgeError) -> dict[str, Any]:
    """The body of an error, and the data of an error frame."""
    return {
        "error": {
            "message": error.message,
            "type": ERROR_TYPES[error.kind],
            "param": error.param,
            "code": error.code,
        }
    }


def render_usage(usage: Usage) -> dict[str, Any]:
    """Token counts in OpenAI's shape: cached tokens are part of the prompt's.

    Those of the reasoning are left out where nobody tells them.
    """
    thought = usage.reasoning_tokens
    told = {} if thought is None else {"reasoning_tokens": thought}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        **({"completion_tokens_details": told} if told else {}),
    }
