"""Anthropic's Messages API, as ``POST /v1/messages`` speaks it.

Source: the API reference at https://platform.claude.com/docs/en/api/messages and the types of the
official ``anthropic`` package.
"""

from bridge.dialects.anthropic_messages.decode import (
    VERSIONS,
    MessagesRequest,
    decode,
    decode_count,
)
from bridge.dialects.anthropic_messages.encode import (
    OVERLOADED,
    PING,
    EventEncoder,
    render,
    render_error,
    status_of,
)
from bridge.dialects.anthropic_messages.schemas import schemas

__all__ = [
    "OVERLOADED",
    "PING",
    "VERSIONS",
    "EventEncoder",
    "MessagesRequest",
    "decode",
    "decode_count",
    "render",
    "render_error",
    "schemas",
    "status_of",
]
