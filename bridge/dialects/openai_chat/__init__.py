"""OpenAI chat completions, as ``POST /v1/chat/completions`` speaks it.

Source: the API reference of OpenAI and the types of the official ``openai`` package.
"""

from bridge.dialects.openai_chat.decode import ChatRequest, decode
from bridge.dialects.openai_chat.encode import (
    ChunkEncoder,
    render,
    render_error,
    render_messages,
    render_usage,
)

__all__ = [
    "ChatRequest",
    "ChunkEncoder",
    "decode",
    "render",
    "render_error",
    "render_messages",
    "render_usage",
]
