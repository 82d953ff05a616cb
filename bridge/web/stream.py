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

from aiohttp import web

from bridge.dialects.openai_chat.encode import PING


class EventStream(AbstractAsyncContextManager["EventStream"]):
    """Frames to a client, with a ping after every ``ping_seconds`` of silence."""

    def __init__(
        self, request: web.Request, headers: Mapping[str, str], *, ping_seconds: float
    ) -> None:
        self._request = request
        self._ping_seconds = ping_seconds
        self._last_sent = time.monotonic()
        self._pings: asyncio.Task[None] | None = None
        self._preparing = asyncio.Lock()
        self.response = web.StreamResponse(
            headers={
                **headers,
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )

    @property
    def started(self) -> bool:
        """Whether the head of the response is out: an error can only be a frame from then on."""
        return self.response.prepared

    async def send(self, frames: bytes) -> None:
        """Send whole frames. Raises ``ConnectionResetError`` when the client is gone."""
        if not self.response.prepared:
            async with self._preparing:
                if not self.response.prepared:
                    await self.response.prepare(self._request)
        self._last_sent = time.monotonic()
        await self.response.write(frames)

    async def __aenter__(self) -> Self:
        self._pings = asyncio.create_task(self._ping())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pings is not None:
            self._pings.cancel()
            await asyncio.wait([self._pings])
            if not self._pings.cancelled():
                self._pings.exception()  # a client that is gone; the frames tell it as well

    async def _ping(self) -> None:
        while True:
            silent = time.monotonic() - self._last_sent
            if silent >= self._ping_seconds:
                await self.send(PING)
            else:
                await asyncio.sleep(self._ping_seconds - silent)
