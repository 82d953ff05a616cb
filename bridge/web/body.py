"""The body of a request: its type, its size, its bytes."""

import asyncio
import zlib

from aiohttp import HttpVersion11, hdrs, web

from bridge.core.errors import BodyTooSlow, InvalidRequest, TooLarge, UnsupportedMediaType
from bridge.web.keys import PATIENCE, SETTINGS

_WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
"""What zlib is told of each encoding; 'deflate' is written with zlib's head and without."""

UNPACKED_AT_ONCE = 64 * 1024
"""Larger bodies, in compressed bytes, are unpacked beside the loop."""


async def read_json_body(request: web.Request) -> bytes:
    """The body of a request that must be JSON, unpacked if it is compressed.

    The content type is required: a browser sends other types across origins without asking, and a
    page that anybody may open must not be able to spend the tokens of whoever looks at it.
    Raises :class:`UnsupportedMediaType`, :class:`TooLarge`, :class:`BodyTooSlow` or
    :class:`InvalidRequest`.
    """
    kind = request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise UnsupportedMediaType(
            f"The Content-Type is {kind[:100]!r}; send 'Content-Type: application/json'.",
            param="content-type",
        )
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding != "identity" and encoding not in _WINDOWS:
        raise UnsupportedMediaType(
            f"The Content-Encoding is {encoding[:100]!r}; send the body as it is, or with gzip or "
            "deflate.",
            param="content-encoding",
        )
    limit = request.app[SETTINGS].max_request_size
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    _invite(request)
    body = await _read(request, limit)
    if request.content_length is not None and len(body) < request.content_length:
        raise _unreadable(f"it ends after {len(body)} of {request.content_length} bytes")
    if encoding == "identity":
        return body
    if len(body) > UNPACKED_AT_ONCE:
        return await asyncio.to_thread(_unpacked, body, encoding, limit)
    return _unpacked(body, encoding, limit)


async def _read(request: web.Request, limit: int) -> bytes:
    """All of the body, however slowly it comes, as long as something comes."""
    body = bytearray()
    loop = asyncio.get_running_loop()
    patience = request.app[PATIENCE].stall
    try:
        async with asyncio.timeout(patience) as deadline:
            while piece := await request.content.readany():
                body += piece
                if len(body) > limit:
                    raise _too_large(limit)
                deadline.reschedule(loop.time() + patience)
    except TimeoutError:
        request.content.set_exception(web.RequestPayloadError("it stopped"))  # no more is read
        raise BodyTooSlow(
            f"The body stopped after {len(body)} bytes: nothing more came for {patience:g} s. Send "
            "the request again.",
            param="body",
        ) from None
    except web.RequestPayloadError as error:
        raise _unreadable(str(error)) from None
    return bytes(body)


async def invited_later(_: web.Request) -> None:
    """``Expect: 100-continue`` is answered by whoever reads the body, when all else is well."""


def _invite(request: web.Request) -> None:
    expected = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expected and request.version >= HttpVersion11 and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    for window in _WINDOWS[encoding]:
        unpacker = zlib.decompressobj(window)
        try:
            unpacked = unpacker.decompress(body, limit + 1)
        except zlib.error as error:
            fault = f"it is no {encoding} ({error})"
            continue
        if len(unpacked) > limit:
            raise _too_large(limit)
        if not unpacker.eof or unpacker.unused_data:
            fault = f"its {encoding} does not end where the body does"
            continue
        return unpacked
    raise _unreadable(fault)


def _unreadable(fault: str) -> InvalidRequest:
    return InvalidRequest(f"The body can't be read: {fault}.", param="body", code="invalid_body")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes (MAX_REQUEST_SIZE).", param="body")
