"""The answer of another server, taken apart without trust."""

import base64
import json
import math
import struct
from typing import Any, NoReturn

from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import UnsupportedParameter, UpstreamFault


def read_vectors(body: bytes, asked: Texts) -> Vectors:
    """The vectors of an answer in OpenAI's shape, in base64 or written out, put into order.

    Raises :class:`UpstreamFault` for what is not one, with a vector of the same length for each
    text; :class:`UnsupportedParameter` if that is not the length that was asked for.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        _wrong("it is not JSON")
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        _wrong("it has no list 'data'")
    model, tokens = answer.get("model"), _tokens(answer.get("usage"))
    if not isinstance(model, str) or not model:
        _wrong("it does not say which 'model' made the vectors")
    found = dict(_numbered(item) for item in answer["data"])
    if len(answer["data"]) != len(asked.texts) or sorted(found) != list(range(len(asked.texts))):
        _wrong(f"it does not hold one vector for each of {len(asked.texts)} texts")
    vectors = tuple(found[index] for index in range(len(asked.texts)))
    length = len(vectors[0])
    if any(len(vector) != length for vector in vectors):
        _wrong("its vectors are not of one length")
    if asked.dimensions not in (None, length // 4):
        raise UnsupportedParameter(
            f"'dimensions': the model {model[:200]!r} makes vectors of {length // 4} dimensions, "
            f"and not of {asked.dimensions}. Leave it out.",
            param="dimensions",
        )
    return Vectors(model=model, vectors=vectors, tokens=tokens)


def _numbered(item: Any) -> tuple[int, bytes]:
    index = item.get("index") if isinstance(item, dict) else None
    if not isinstance(index, int) or isinstance(index, bool):
        _wrong("an item of its 'data' has no 'index'")
    return index, _vector(item.get("embedding"))


def _vector(value: object) -> bytes:
    try:
        if isinstance(value, str):
            packed = base64.b64decode(value, validate=True)
        elif isinstance(value, list):
            packed = struct.pack(f"<{len(value)}f", *value)
        else:
            packed = b""
        numbers = struct.unpack(f"<{len(packed) // 4}f", packed)
    except (ValueError, OverflowError, struct.error):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        _wrong("an 'embedding' is no vector")
    return packed


def _tokens(usage: object) -> int:
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        _wrong("it does not count the tokens ('usage.prompt_tokens')")
    return tokens


def _wrong(what: str) -> NoReturn:
    raise UpstreamFault(
        "The answer of the embeddings server (EMBEDDINGS_BASE_URL) is not one of OpenAI's: "
        f"{what}.",
        code="wrong_answer",
    )
