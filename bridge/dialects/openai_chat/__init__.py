"""OpenAI chat completions, as ``POST /v1/chat/completions`` speaks it.

Source: the API reference of OpenAI and the types of the official ``openai`` package.
"""

from bridge.dialects.openai_chat.decode import ChatRequest, decode
from bridge.dialects.openai_chat.encode import ChunkEncoder, render, render_messages
from bridge.dialects.openai_chat.examine import Examined, examine, field_of
from bridge.dialects.openai_chat.schemas import schemas

__all__ = [
    "ChatRequest",
    "ChunkEncoder",
    "Examined",
    "decode",
    "examine",
    "field_of",
    "render",
    "render_messages",
    "schemas",
]
