"""What can be read off the first bytes of an image or a PDF, without any library.

Sources: the PNG, GIF, JPEG (ITU T.81, table B.1) and WebP (RFC 9649) header layouts.
"""

import base64
import binascii
import re
import struct
from typing import Any

import attrs

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
# Start-of-frame markers: C0-CF without DHT (C4), JPG (C8) and DAC (CC).
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


@attrs.frozen
class Picture:
    """An image's real media type and its size in pixels; 0 x 0 when the header is cut short."""

    media_type: str
    width: int
    height: int


def decode(data: str) -> bytes | None:
    """The bytes of strict standard base64, or None when `data` is not that."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def image(source: dict[str, Any]) -> Picture | None:
    """What the bytes of an image source say; None for other sources and unknown bytes."""
    data = source.get("data")
    if source.get("type") != "base64" or not isinstance(data, str):
        return None
    raw = decode(data)
    return None if raw is None else picture(raw)


def picture(raw: bytes) -> Picture | None:
    """The media type and pixel size `raw` begins with, or None when it is no known image."""
    for magic, media_type, size in _READERS:
        if raw.startswith(magic) and (media_type != "image/webp" or raw[8:12] == b"WEBP"):
            try:
                width, height = size(raw)
            except (struct.error, IndexError):
                width = height = 0
            return Picture(media_type, width, height)
    return None


def pdf_pages(data: str) -> int:
    """How many pages a base64 PDF seems to have, at least 1; compressed ones are not read."""
    return max(1, len(_PAGE.findall(decode(data) or b"")))


def _png(raw: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", raw, 16)
    return width, height


def _gif(raw: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", raw, 6)
    return width, height


def _jpeg(raw: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if raw[at] != 0xFF:
            return 0, 0
        marker = raw[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        elif marker in _SOF:
            height, width = struct.unpack_from(">HH", raw, at + 5)
            return width, height
        else:
            at += 2 + max(2, struct.unpack_from(">H", raw, at + 2)[0])


def _webp(raw: bytes) -> tuple[int, int]:
    kind = raw[12:16]
    if kind == b"VP8X":
        return (
            int.from_bytes(_slice(raw, 24, 3), "little") + 1,
            int.from_bytes(_slice(raw, 27, 3), "little") + 1,
        )
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", raw, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", raw, 26)
    return width & 0x3FFF, height & 0x3FFF


def _slice(raw: bytes, at: int, length: int) -> bytes:
    part = raw[at : at + length]
    if len(part) < length:
        raise IndexError(at)
    return part


_READERS = (
    (b"\x89PNG\r\n\x1a\n", "image/png", _png),
    (b"GIF87a", "image/gif", _gif),
    (b"GIF89a", "image/gif", _gif),
    (b"\xff\xd8\xff", "image/jpeg", _jpeg),
    (b"RIFF", "image/webp", _webp),
)
