"""A reply → bytes on the connection, at its pace, with whatever is meant to go wrong on the way."""

import asyncio
import json

import attrs
from aiohttp import web

from bridge.demo.errors import ApiError, error_body
from bridge.demo.faults import Fault
from bridge.demo.received import Received
from bridge.demo.reply import Reply
from bridge.demo.wire import Envelope, document, frames

_YIELD_EVERY = 16  # without a pace, so that a long answer notices a client that left


@attrs.frozen(kw_only=True)
class Delivery:
    """One answer under way; `trouble` is a break, stall or stream_error, or None.

    Sets `received.status` when the head is sent and ends `received` when the answer has ended.
    """

    request: web.Request = attrs.field(repr=False)
    received: Received
    request_id: str
    pace: float
    trouble: Fault | None

    async def refuse(self, error: ApiError) -> web.StreamResponse:
        """Sends an error answer; ends as "refused"."""
        response = self._response(error.status)
        if error.retry_after is not None:
            response.headers["retry-after"] = f"{error.retry_after:g}"
        response.body = json.dumps(error.body(self.request_id)).encode()
        await response.prepare(self.request)
        await response.write_eof()
        self.received.end("refused")
        return response

    async def whole(self, reply: Reply, envelope: Envelope) -> web.StreamResponse:
        """Sends one JSON document; ends as "answered", or "failed" when broken off half way."""
        await self._stall_at_once()
        if self.trouble and self.trouble.kind == "stream_error":
            trouble = self.trouble
            error = ApiError(status=trouble.status, type=trouble.type, message=trouble.message)
            return await self.refuse(error)
        body = document(reply, envelope)
        if self.trouble:
            return await self._half(body)
        response = self._response(200)
        response.body = body
        await response.prepare(self.request)
        await response.write_eof()
        self.received.end("answered")
        return response

    async def stream(self, reply: Reply, envelope: Envelope) -> web.StreamResponse:
        """Sends the events; ends as "answered", or "failed" when its trouble came."""
        if self.trouble and self.trouble.after is None:
            await self._stall_at_once()
        response = web.StreamResponse(
            headers={
                "content-type": "text/event-stream; charset=utf-8",
                "cache-control": "no-cache",
                "request-id": self.request_id,
            }
        )
        await response.prepare(self.request)
        self.received.status = 200
        sent = 0
        for frame in frames(reply, envelope):
            kind = frame.data["type"]
            if kind == "message_stop":
                break
            if self._due(sent, last=kind == "message_delta", paced=frame.paced):
                return await self._trip(response)
            await response.write(frame.encode())
            if frame.paced:
                sent += 1
                await self._pause(sent)
        # The end of the body leaves with the last event: who has read that finds it ended here.
        await response.write_eof(frame.encode())
        self.received.end("answered")
        return response

    def _due(self, sent: int, *, last: bool, paced: bool) -> bool:
        if self.trouble is None or self.trouble.after is None:
            return False
        return last or (sent >= self.trouble.after and (paced or sent > 0))

    async def _trip(self, response: web.StreamResponse) -> web.StreamResponse:
        trouble = self.trouble
        if trouble is None or trouble.kind == "stall":
            await asyncio.Event().wait()  # until the client leaves or the demo stops
        elif trouble.kind == "break":
            self._drop(response)
        else:
            data = json.dumps(error_body(trouble.type, trouble.message, self.request_id))
            await response.write_eof(f"event: error\ndata: {data}\n\n".encode())
            self.received.end("failed")
        return response

    async def _half(self, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "content-type": "application/json",
                "content-length": str(len(body)),
                "request-id": self.request_id,
            }
        )
        await response.prepare(self.request)
        self.received.status = 200
        await response.write(body[: len(body) // 2])
        self._drop(response)
        return response

    async def _stall_at_once(self) -> None:
        if self.trouble and self.trouble.kind == "stall":
            await asyncio.Event().wait()

    async def _pause(self, sent: int) -> None:
        if self.pace:
            await asyncio.sleep(self.pace)
        elif sent % _YIELD_EVERY == 0:
            await asyncio.sleep(0)

    def _drop(self, response: web.StreamResponse) -> None:
        """Closes the connection; what was written is still flushed, the body stays incomplete."""
        self.received.end("failed")  # first: closing cancels this handler
        response.force_close()
        if self.request.transport is not None:
            self.request.transport.close()

    def _response(self, status: int) -> web.Response:
        self.received.status = status
        return web.Response(
            status=status,
            content_type="application/json",
            headers={"request-id": self.request_id},
        )
