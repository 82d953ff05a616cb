"""OpenAI's embeddings, as ``POST /v1/embeddings`` speaks it.

Source: the API reference of OpenAI and the types of the official ``openai`` package.
"""

from bridge.dialects.openai_embeddings.decode import EmbeddingsRequest, decode
from bridge.dialects.openai_embeddings.encode import render
from bridge.dialects.openai_embeddings.schemas import schemas

__all__ = ["EmbeddingsRequest", "decode", "render", "schemas"]
