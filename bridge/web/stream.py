"""A response as server-sent events, prepared as late as possible.

Until the first byte an error can still be an HTTP status. So the head of the response is sent with
the first frame, or with the first ping when the model is silent for long.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from aiohttp import HttpVersion11, web
from attrs import frozen


@frozen(kw_only=True)
class Patience:
    """In seconds: the silence after which a stream gets a ping, and how long a client may take to
    read what it was sent, or to send more of its request, before it counts as gone."""

    ping: float = 15.0
    stall: float = 60.0


class EventStream(AbstractAsyncContextManager["EventStream"]):
    """Frames to a client; ``headers`` may be added to until the first one is sent.

    ``ping`` is the frame that fills a silence.
    """

    def __init__(
        self, request: web.Request, headers: Mapping[str, str], patience: Patience, ping: bytes
    ) -> None:
        self._ping = ping
        self._request = request
        self._headers = headers
        self._patience = patience
        self._last_sent = time.monotonic()
        self._writing_since: float | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()  # pings and frames come from two tasks
        self.response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "X-Accel-Buffering": "no",
            }
        )

    @property
    def started(self) -> bool:
        """Whether the head of the response is out: an error can only be a frame from then on."""
        return self.response.prepared

    async def send(self, frames: bytes) -> None:
        """Send whole frames. Raises ``ConnectionResetError`` when the client is gone."""
        async with self._lock:
            self._last_sent = self._writing_since = time.monotonic()
            if not self.response.prepared:
                self.response.headers.update(self._headers)
                if self._request.version < HttpVersion11:
                    self.response.force_close()  # only that tells HTTP/1.0 where the stream ends
                await self.response.prepare(self._request)
            await self.response.write(frames)
            self._writing_since = None

    async def end(self) -> None:
        """The last frame was sent."""
        async with self._lock:
            self._writing_since = time.monotonic()
            await self.response.write_eof()

    async def __aenter__(self) -> Self:
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            if not self._watcher.cancelled():
                self._watcher.exception()  # a client that is gone; the frames tell it as well

    async def _watch(self) -> None:
        """Fill silence with pings; cut the connection of a client that does not read.

        Such a client would hold its turn's place for as long as it likes. Cutting the connection
        cancels the handler.
        """
        while True:
            now = time.monotonic()
            if self._writing_since is not None:
                left = self._writing_since + self._patience.stall - now
                if left <= 0:
                    self._cut()
                    return
                await asyncio.sleep(left)
            elif (silence_left := self._last_sent + self._patience.ping - now) > 0:
                await asyncio.sleep(min(silence_left, self._patience.stall))
            else:
                try:
                    async with asyncio.timeout(self._patience.stall):
                        await self.send(self._ping)
                except TimeoutError:
                    self._cut()
                    return

    def _cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
