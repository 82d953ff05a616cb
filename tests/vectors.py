"""What the tests of embeddings share."""

import importlib.util
import struct

import pytest

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("wordllama") is None,
    reason="wordllama is not installed (it has no wheel for every machine), so it is not tested",
)

BREAD = "Baking bread needs flour, water, salt and yeast."
PARAPHRASE = "You bake a loaf from yeast, water, flour and a pinch of salt."
STRANGER = "The stock market fell sharply on Tuesday afternoon."


def numbers(vector: bytes) -> tuple[float, ...]:
    """The numbers of a packed vector."""
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def nearness(
    one: "tuple[float, ...] | list[float]", other: "tuple[float, ...] | list[float]"
) -> float:
    """The cosine of two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))
