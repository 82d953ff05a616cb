"""A connection: what of HTTP aiohttp leaves open, and errors in our shape."""

import asyncio
import logging
import re
import time
import uuid

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import LineTooLong

from bridge.core.errors import BridgeError, HeadTooLarge, Internal, InvalidRequest
from bridge.web.dialects import is_anthropic
from bridge.web.errors import error_response
from bridge.web.keys import ARRIVED
from bridge.web.middlewares.envelope import COMMON_HEADERS

log = logging.getLogger(__name__)

PROBE_SECONDS = 0.05
"""How soon a client that has ended its side is probed again; each time after twice as long."""

AT_ONCE_SECONDS = 0.2
"""A client of HTTP/1.0 that ends its side so soon after its request waits for the answer."""


HEAD_SECONDS = 60.0
"""How long a client may take from connecting until the head of its first request is whole."""


class Connection(web.RequestHandler):
    """aiohttp's connection; what never reaches the application is answered in our shape too."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there, and has to say soon what it wants."""
        super().connection_made(transport)
        self._loop.call_later(HEAD_SECONDS, self._expect_a_request)

    def _expect_a_request(self) -> None:
        if self._request_count == 0 and self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes came. What is no body ends the request that waits for one, too."""
        super().data_received(data)
        request = self._current_request
        if self._messages and request is not None and not request.content.is_eof():
            request.content.set_exception(web.RequestPayloadError("it is malformed"))

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. Returns whether the connection stays open.

        It may have left, or closed only its own side to wait for the answer, as simple tools do.
        Before the answer has begun that is found out; after that it counts as gone.
        """
        if self._waiter is not None and not self._waiter.done():
            return False
        if self._current_request is not None and self._current_request.writer.output_size > 0:
            return False
        self.close()  # when the request is answered
        self._loop.call_soon(self._ended)  # by then a request that was just read has its handler
        return True

    def _ended(self) -> None:
        request = self._current_request
        if request is None:
            if self.transport is not None:
                self.transport.close()
        elif not request.content.is_eof():
            request.content.feed_eof()
        elif request.version >= HttpVersion11:
            self._probe(request, PROBE_SECONDS)
        elif self.transport is not None and not _just_read(request):
            self.transport.close()

    def _probe(self, request: web.BaseRequest, again_after: float) -> None:
        """Find out whether the client is there: if not, its side resets the connection when
        something comes, and the next write tells, which cancels the handler.

        A 102 may come before any answer, and every client has to skip it (RFC 9110, 15.2).
        """
        begun = self._current_request is not request or request.writer.output_size > 0
        if begun or self.transport is None:
            return
        self.transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        self._loop.call_later(again_after, self._probe, request, 2 * again_after)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; what aiohttp refused by itself (an unknown ``Expect``) in our shape."""
        if isinstance(resp, web.HTTPException):
            resp = self.handle_error(request, resp.status, message=resp.text)
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that never reached the application."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; the connection can only be closed")
        request_id = f"req_{uuid.uuid4().hex}"
        error: BridgeError
        if status >= 500:
            log.error("a connection failed (%s)", request_id, exc_info=exc)
            error = Internal(f"The server made a mistake; its log tells more under {request_id}.")
        elif isinstance(exc, LineTooLong) or "Too many headers" in (message or ""):
            error = HeadTooLarge(
                f"The request's head is too large: its first line and each header may have "
                f"{self.max_field_size} bytes, and there may be {self.max_headers} headers."
            )
        else:
            error = InvalidRequest(
                f"This is not a request that can be read: {_first_line(message)}",
                param=_header_named_in(message),
                code="bad_http",
            )
        response = error_response(request, error, request_id)
        response.headers.update({**COMMON_HEADERS, "x-request-id": request_id})
        if is_anthropic(request):
            response.headers["request-id"] = request_id
        response.force_close()
        return response


def _just_read(request: web.BaseRequest) -> bool:
    """Whether the client ended its side with its request, as who only leaves hardly does.

    HTTP/1.0 has nothing to probe with, and nobody is to pay for an answer that nobody reads.
    """
    arrived: float = request.get(ARRIVED, 0.0)
    return time.monotonic() - arrived < AT_ONCE_SECONDS


def _first_line(message: str | None) -> str:
    line = (message or "it is malformed").strip().splitlines()[0]
    return "".join(c if c.isprintable() else "?" for c in line)[:200]


def _header_named_in(message: str | None) -> str | None:
    """The header that the HTTP parser stopped in; it shows the line as a Python literal."""
    match = re.search(r"""b['"]([A-Za-z0-9-]{1,64}):""", message or "")
    return match[1].lower() if match else None
