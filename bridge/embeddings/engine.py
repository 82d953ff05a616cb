"""What makes vectors of texts, and how much of it goes on at once."""

import asyncio
from typing import Protocol

from attrs import define, field

from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import TurnTimeout, Unavailable

RETRY_AFTER = 5
"""Seconds until there may be room again."""


class Engine(Protocol):
    """Makes vectors, for up to ``at_once`` requests at once."""

    @property
    def at_once(self) -> int: ...

    async def embed(self, asked: Texts) -> Vectors:
        """Raises :class:`bridge.core.errors.BridgeError`."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...


@define(kw_only=True)
class Embeddings:
    """An engine with a place for each request that it works on, and a line of bounded length.

    ``timeout`` is the longest time for one answer in seconds, waiting included.
    """

    engine: Engine
    max_waiting: int
    timeout: float
    _places: asyncio.Semaphore = field(init=False)
    _inside: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.engine.at_once)

    async def embed(self, asked: Texts) -> Vectors:
        """The vectors of the texts.

        Raises :class:`bridge.core.errors.BridgeError`.
        """
        if self._inside >= self.engine.at_once + self.max_waiting:
            raise Unavailable(
                f"{self.max_waiting} requests for embeddings wait already (MAX_QUEUE). Send it "
                "again a little later.",
                code="queue_full",
                retry_after=RETRY_AFTER,
            )
        self._inside += 1
        try:
            async with asyncio.timeout(self.timeout), self._places:
                return await self.engine.embed(asked)
        except TimeoutError:
            raise TurnTimeout(
                f"The embeddings took longer than {self.timeout:g} seconds (MAX_TIMEOUT). Send "
                "fewer texts at once."
            ) from None
        finally:
            self._inside -= 1
