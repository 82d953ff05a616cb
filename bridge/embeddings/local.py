"""Vectors made in this process, by the WordLlama model that its package carries.

It knows a vector for each of 32,000 tokens; that of a text is their mean. It was trained so that
the first 64 or 128 numbers of a vector are a smaller vector of their own (Matryoshka).
Source: https://github.com/dleemiller/WordLlama
"""

import asyncio
import logging
import math
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound, NotProvided

log = logging.getLogger(__name__)

NAME = "wordllama-l2-supercat"
NAMES = (NAME, "text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
DIMENSIONS = (64, 128, 256)

MAX_TOKENS = 8_192
"""Most tokens of a text, and those of all texts of a request: OpenAI's own limits."""
MAX_TOKENS_IN_ALL = 300_000

MISSING = (
    "This server has no model for embeddings. Whoever runs it can install one in its environment "
    "(pip install wordllama, about 150 MB; it works offline), or name an OpenAI-compatible server "
    "that has one with EMBEDDINGS_BASE_URL."
)


@frozen
class _Model:
    """``rows`` are the vectors of the tokens: a float32 array of (tokens, dimensions)."""

    tokenizer: Any
    rows: Any
    longest: int  # characters of its longest token

    def tokens(self, text: str) -> list[int]:
        """The call for many texts lets other threads run meanwhile; the one for one does not."""
        (encoded,) = self.tokenizer.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoded.ids
        return ids

    def vector(self, tokens: list[int], dimensions: int) -> bytes:
        """Of length 1, as OpenAI's are."""
        mean = self.rows[tokens, :dimensions].mean(axis=0, dtype="float64")
        vector: bytes = (mean / math.sqrt(mean @ mean)).astype("<f4").tobytes()
        return vector


@define
class LocalEngine:
    """Loads the model when it is first needed: that takes half a second and 100 MB."""

    at_once: int = 2
    _model: _Model | None = field(default=None, init=False)
    _loading: threading.Lock = field(factory=threading.Lock, init=False)

    async def embed(self, asked: Texts) -> Vectors:
        """Raises :class:`NotProvided` without the model, :class:`InvalidRequest`."""
        given_up = threading.Event()
        try:
            return await asyncio.to_thread(self._embed, asked, given_up)
        finally:
            given_up.set()

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _embed(self, asked: Texts, given_up: threading.Event) -> Vectors:
        with self._loading:
            self._model = model = self._model or _load()
        if asked.model not in NAMES:
            raise ModelNotFound(
                f"The model {asked.model[:200]!r} makes no embeddings here. Known are "
                f"{', '.join(NAMES)}.",
                param="model",
            )
        dimensions = asked.dimensions or DIMENSIONS[-1]
        if dimensions not in DIMENSIONS:
            raise InvalidRequest(
                f"'dimensions' must be one of {', '.join(map(str, DIMENSIONS))}, but it is "
                f"{dimensions}: the model of this server makes no others.",
                param="dimensions",
                code="invalid_value",
            )
        if sum(map(len, asked.texts)) > MAX_TOKENS_IN_ALL * model.longest:
            raise _too_much()
        vectors, total = [], 0
        for index, text in enumerate(asked.texts):
            if given_up.is_set():
                raise TimeoutError  # nobody hears it
            if len(text) > MAX_TOKENS * model.longest:
                raise _too_long(asked.where(index))
            tokens = model.tokens(text)
            total += len(tokens)
            if len(tokens) > MAX_TOKENS:
                raise _too_long(asked.where(index))
            if total > MAX_TOKENS_IN_ALL:
                raise _too_much()
            vectors.append(model.vector(tokens, dimensions))
        return Vectors(
            model=NAME,
            vectors=tuple(vectors),
            tokens=total,
            ignored=("user",) if asked.user else (),
        )


def _too_long(where: str) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"Invalid '{where}': this model's maximum context length is {MAX_TOKENS} tokens, and the "
        "text has more. Split it.",
        param=where,
    )


def _too_much() -> InvalidRequest:
    return InvalidRequest(
        f"The texts have more than {MAX_TOKENS_IN_ALL} tokens together, max {MAX_TOKENS_IN_ALL} "
        "tokens per request. Send fewer at once.",
        param="input",
        code="max_tokens_per_request",
    )


def _load() -> _Model:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a request takes one processor
    try:
        import wordllama

        with tempfile.TemporaryDirectory(prefix="bridge-wordllama-") as cache:
            # It looks for its own tokenizer in a folder of another name, and then in the cache.
            tokenizers = Path(wordllama.__file__).with_name("tokenizers")
            (Path(cache) / "tokenizers").symlink_to(tokenizers)
            loaded = wordllama.WordLlama.load(
                dim=DIMENSIONS[-1], cache_dir=Path(cache), disable_download=True
            )
    except (ImportError, FileNotFoundError) as error:
        log.info("no model for embeddings: %s", error)
        raise NotProvided(MISSING, code="embeddings_not_provided") from None
    tokenizer = loaded.tokenizer
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # "</s>" in a text is four characters
    return _Model(
        tokenizer=tokenizer,
        rows=loaded.embedding,
        longest=max(map(len, tokenizer.get_vocab())),
    )
