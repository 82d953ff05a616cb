"""Vectors → the answer's JSON."""

import base64
import struct

from bridge.core.embeddings import Vectors
from bridge.dialects.frames import dumps


def render(made: Vectors, *, in_base64: bool) -> bytes:
    """The whole answer.

    Made piece by piece: of a large one this takes a while, and whoever does it beside the event
    loop holds nobody up for longer than one vector takes.
    """
    data = b",".join(
        dumps(
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector).decode() if in_base64 else _numbers(vector),
            }
        )
        for index, vector in enumerate(made.vectors)
    )
    usage = {"prompt_tokens": made.tokens, "total_tokens": made.tokens}
    rest = dumps({"model": made.model, "usage": usage})
    return b'{"object":"list","data":[' + data + b"]," + rest[1:]


def _numbers(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)
