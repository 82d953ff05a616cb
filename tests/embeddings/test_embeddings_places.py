"""How many requests are worked on at once, how many wait, and for how long."""

import asyncio

import pytest
from attrs import define, field

from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import TurnTimeout, Unavailable
from bridge.embeddings.engine import Embeddings

ASKED = Texts(model="m", texts=("a",))


@define
class Slow:
    """An engine that answers when it is told to."""

    at_once: int = 2
    running: int = 0
    go: asyncio.Event = field(factory=asyncio.Event)

    async def embed(self, asked: Texts) -> Vectors:
        self.running += 1
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        return Vectors(model=asked.model, vectors=(b"",), tokens=1)

    async def aclose(self) -> None:
        """Nothing."""


async def test_so_many_at_once_and_so_many_in_line() -> None:
    engine = Slow()
    embeddings = Embeddings(engine=engine, max_waiting=3, timeout=60)
    tasks = [asyncio.create_task(embeddings.embed(ASKED)) for _ in range(5)]
    await asyncio.sleep(0)
    assert engine.running == 2
    with pytest.raises(Unavailable, match="3 requests") as caught:
        await embeddings.embed(ASKED)
    assert (caught.value.code, caught.value.retry_after) == ("queue_full", 5)
    tasks.pop().cancel()
    tasks.pop(0).cancel()
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(embeddings.embed(ASKED)) for _ in range(2)]
    await asyncio.sleep(0)
    assert engine.running == 2
    engine.go.set()
    assert len(await asyncio.gather(*tasks)) == 5


async def test_not_for_longer_than_it_may() -> None:
    engine = Slow()
    embeddings = Embeddings(engine=engine, max_waiting=3, timeout=0.01)
    with pytest.raises(TurnTimeout, match="MAX_TIMEOUT"):
        await embeddings.embed(ASKED)
    assert engine.running == 0
