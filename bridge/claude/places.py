"""Places for turns: so many at once, and a fair line for the rest."""

import asyncio
from collections import OrderedDict, deque

from attrs import define, field

from bridge.core.errors import Unavailable

RETRY_AFTER = 5
"""Seconds after which a request that found the line full may try again."""


@define
class Places:
    """At most ``limit`` turns at once; at most ``max_waiting`` wait.

    Among those who wait the owners take turns, so that one who asks for much does not hold up the
    others; what one owner asks for keeps its order. Whoever entered must leave.
    """

    limit: int
    max_waiting: int
    taken: int = field(default=0, init=False)
    _waiting: OrderedDict[str, deque["asyncio.Future[None]"]] = field(
        factory=OrderedDict, init=False
    )  # by owner; the first one is next

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(line) for line in self._waiting.values())

    async def enter(self, owner: str) -> None:
        """Wait for a place. Raises :class:`Unavailable` when too many wait already."""
        if self.taken < self.limit:
            self.taken += 1
            return
        if self.waiting >= self.max_waiting:
            raise Unavailable(
                f"The server is busy: {self.taken} answers are being given (MAX_CONCURRENT, "
                f"MAX_LIVE) and {self.waiting} requests wait already (MAX_QUEUE). Try again later.",
                code="queue_full",
                retry_after=RETRY_AFTER,
            )
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # the place came at the moment that its owner went
            else:
                self._forget(owner, place)
            raise

    def leave(self) -> None:
        """Give the place to whoever is next."""
        while self._waiting:
            owner, line = self._waiting.popitem(last=False)
            place = line.popleft()
            if line:
                self._waiting[owner] = line  # behind the others
            if not place.done():
                place.set_result(None)
                return
        self.taken -= 1

    def _forget(self, owner: str, place: "asyncio.Future[None]") -> None:
        line = self._waiting.get(owner)
        if line is not None and place in line:
            line.remove(place)
            if not line:
                del self._waiting[owner]
