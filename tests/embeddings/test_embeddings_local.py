"""The model inside wordllama's package, really run."""

import asyncio
import socket
import sys
import threading
from typing import Any

import pytest
from attrs import define, evolve, field
from vectors import BREAD, PARAPHRASE, STRANGER, nearness, needs_model, numbers

from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import BridgeError, InvalidRequest, ModelNotFound, NotProvided
from bridge.embeddings.local import DIMENSIONS, NAME, NAMES, LocalEngine


def texts(*given: str, **fields: Any) -> Texts:
    return Texts(**{"model": NAME, "texts": given, **fields})


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine()


@needs_model
@pytest.mark.parametrize("dimensions", [None, *DIMENSIONS])
async def test_a_paraphrase_is_nearer_than_a_stranger(
    engine: LocalEngine, dimensions: int | None
) -> None:
    made = await engine.embed(texts(BREAD, PARAPHRASE, STRANGER, dimensions=dimensions))
    bread, paraphrase, stranger = map(numbers, made.vectors)
    assert len(bread) == len(paraphrase) == len(stranger) == (dimensions or 256)
    assert all(abs(nearness(v, v) - 1) < 1e-6 for v in (bread, paraphrase, stranger))
    assert nearness(bread, paraphrase) > nearness(bread, stranger) + 0.3


@needs_model
async def test_the_vectors_are_those_of_the_package(engine: LocalEngine) -> None:
    made = await engine.embed(texts(BREAD, "日本語 😀", "a"))
    assert engine._model is not None
    import wordllama

    original = wordllama.WordLlamaInference(engine._model.rows, engine._model.tokenizer)
    for ours, theirs in zip(
        made.vectors, original.embed([BREAD, "日本語 😀", "a"], norm=True), strict=True
    ):
        assert numbers(ours) == pytest.approx(theirs.tolist(), abs=1e-6)
    engine._model.tokenizer.no_padding()


@needs_model
async def test_fewer_dimensions_are_the_first_ones_made_long_again(engine: LocalEngine) -> None:
    whole = numbers((await engine.embed(texts(BREAD))).vectors[0])
    for dimensions in DIMENSIONS:
        short = numbers((await engine.embed(texts(BREAD, dimensions=dimensions))).vectors[0])
        length = sum(x * x for x in whole[:dimensions]) ** 0.5
        assert short == pytest.approx([x / length for x in whole[:dimensions]], abs=1e-6)


@needs_model
async def test_a_text_has_one_vector_whatever_stands_beside_it(engine: LocalEngine) -> None:
    alone = await engine.embed(texts(BREAD))
    among = await engine.embed(texts(STRANGER, BREAD, "a " * 500, BREAD))
    assert among.vectors[1] == among.vectors[3] == alone.vectors[0]


@needs_model
async def test_tokens_are_counted_by_its_tokenizer(engine: LocalEngine) -> None:
    assert (await engine.embed(texts("hello"))).tokens == 1
    assert (await engine.embed(texts("hello", "hello hello"))).tokens == 3
    assert (await engine.embed(texts("</s>"))).tokens > 1, "words, and no mark of the model's"


@needs_model
@pytest.mark.parametrize("name", NAMES)
async def test_the_answer_says_what_made_it(engine: LocalEngine, name: str) -> None:
    assert (await engine.embed(texts("a", model=name))).model == NAME


@needs_model
async def test_the_user_has_no_effect(engine: LocalEngine) -> None:
    assert (await engine.embed(texts("a", user="ada"))).ignored == ("user",)


LONGEST = "-" * 16  # a token of its own


@needs_model
@pytest.mark.parametrize(
    ("asked", "error", "param", "code"),
    [
        (texts("a", model="gpt-4"), ModelNotFound, "model", "model_not_found"),
        (texts("a", dimensions=1536), InvalidRequest, "dimensions", "invalid_value"),
        (texts("a", dimensions=63), InvalidRequest, "dimensions", "invalid_value"),
        (
            texts("a", "hello " * 8192),
            InvalidRequest,
            "input[1]",
            "context_length_exceeded",
        ),
        (texts("a" * 10**6, listed=False), InvalidRequest, "input", "context_length_exceeded"),
        (
            texts(*["hello " * 8000] * 38),
            InvalidRequest,
            "input",
            "max_tokens_per_request",
        ),
        (texts(*["a" * 131_000] * 60), InvalidRequest, "input", "max_tokens_per_request"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_refused(
    engine: LocalEngine, asked: Texts, error: type[BridgeError], param: str, code: str
) -> None:
    with pytest.raises(error) as caught:
        await engine.embed(asked)
    assert (caught.value.param, caught.value.code) == (param, code)


@needs_model
async def test_as_much_as_openai_takes(engine: LocalEngine) -> None:
    assert (await engine.embed(texts(" ".join(["hello"] * 8192)))).tokens == 8192
    longest = await engine.embed(texts(LONGEST * 8000))
    assert 8000 <= longest.tokens <= 8192
    assert len((await engine.embed(texts(*["a word"] * 2048))).vectors) == 2048


@define
class Door:
    """A tokenizer that waits before its first text, until it is opened."""

    tokenizer: Any
    reached: threading.Event = field(factory=threading.Event)
    opened: threading.Event = field(factory=threading.Event)
    texts: int = 0

    def encode_batch_fast(self, batch: list[str], **options: Any) -> Any:
        self.texts += 1
        self.reached.set()
        assert self.opened.wait(10)
        return self.tokenizer.encode_batch_fast(batch, **options)


@needs_model
async def test_the_work_is_done_beside_the_loop_and_ends_when_nobody_waits(
    engine: LocalEngine,
) -> None:
    await engine.embed(texts("a"))
    assert engine._model is not None
    door = Door(tokenizer=engine._model.tokenizer)
    other = LocalEngine()
    other._model = evolve(engine._model, tokenizer=door)
    task = asyncio.create_task(other.embed(texts(*"many texts")))
    assert await asyncio.to_thread(door.reached.wait, 10), "and the loop has run meanwhile"
    task.cancel()
    await asyncio.wait([task])
    door.opened.set()
    for _ in range(20):
        await other.embed(texts("b"))
    assert door.texts == 21, "of the first request's texts only the one that was begun"


@needs_model
async def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("it tried the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert (await LocalEngine().embed(texts("a"))).tokens == 1


@needs_model
async def test_a_package_without_its_files_fetches_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import wordllama

    monkeypatch.setattr(socket, "getaddrinfo", None)
    monkeypatch.setattr(wordllama.WordLlama, "get_filename", lambda *_: "gone.safetensors")
    with pytest.raises(NotProvided):
        await LocalEngine().embed(texts("a"))


async def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = LocalEngine()
    with monkeypatch.context() as gone:
        gone.setitem(sys.modules, "wordllama", None)
        with pytest.raises(
            NotProvided, match=r"pip install wordllama.*EMBEDDINGS_BASE_URL"
        ) as error:
            await engine.embed(texts("a"))
    assert (error.value.status, error.value.code) == (501, "embeddings_not_provided")


@needs_model
async def test_it_is_found_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = LocalEngine()
    with monkeypatch.context() as gone:
        gone.setitem(sys.modules, "wordllama", None)
        with pytest.raises(NotProvided):
            await engine.embed(texts("a"))
    assert isinstance(await engine.embed(texts("a")), Vectors)
