"""The line before a session: one at a time, in the order in which they came."""

import asyncio
from collections import deque

from attrs import define, field

from bridge.core.errors import BridgeError, SessionBusy

MAX_WAITING = 32
"""How many may wait: each has its whole request in memory."""

RETRY_AFTER = 5
"""Seconds after which a request that waited too long may try again."""


@define
class Line:
    """Whoever entered must leave; then the next one in the line has entered."""

    _taken: bool = field(default=False, init=False)
    _waiting: deque["asyncio.Future[None]"] = field(factory=deque, init=False)

    @property
    def empty(self) -> bool:
        """Whether nobody is in it, nor waits."""
        return not self._taken

    async def enter(self, limit: float) -> None:
        """Wait for one's place, ``limit`` seconds at most.

        Raises :class:`SessionBusy` after that, or at once when too many wait, or the error that the
        line was closed with.
        """
        if not self._taken:
            self._taken = True
            return
        if len(self._waiting) >= MAX_WAITING:
            raise SessionBusy(
                f"{MAX_WAITING} requests wait for this session already. Requests on a session run "
                "one after the other.",
                retry_after=RETRY_AFTER,
            )
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(limit):
                await self._stand(place)
        except TimeoutError:
            raise SessionBusy(
                f"Earlier requests on this session have kept this one waiting for {limit:g} seconds"
                " (SESSION_WAIT_SECONDS). Requests on one session run one after the other.",
                retry_after=RETRY_AFTER,
            ) from None

    async def _stand(self, place: "asyncio.Future[None]") -> None:
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # the place came at the moment that its owner went
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Let the next one enter."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._taken = False

    def close(self, error: BridgeError) -> None:
        """Send everybody who waits away with ``error``."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(error)
