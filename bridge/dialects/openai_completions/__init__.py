"""OpenAI's older completions, as ``POST /v1/completions`` speaks it: a text to be continued.

Source: the API reference of OpenAI and the types of the official ``openai`` package.
"""

from bridge.dialects.openai_completions.decode import CompletionRequest, decode
from bridge.dialects.openai_completions.encode import ChunkEncoder, render
from bridge.dialects.openai_completions.schemas import schemas

__all__ = ["ChunkEncoder", "CompletionRequest", "decode", "render", "schemas"]
