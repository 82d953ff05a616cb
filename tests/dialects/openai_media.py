"""Pictures and files for the tables of these tests, and where a message may hold them."""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from openai_bodies import HI, YO, calling, image, result, text, tool_result, user
from PIL import Image as Pillow

from bridge.core.conversation import Media, ToolResult, Turn

Json = dict[str, Any]


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def data_url(media_type: str, raw: bytes) -> str:
    return f"data:{media_type};base64,{encoded(raw)}"


def drawn(form: str, size: tuple[int, int] = (3, 2), *, mode: str = "RGB", **options: Any) -> bytes:
    """A picture of that form, as Pillow writes it."""
    held = io.BytesIO()
    Pillow.new(mode, size).save(held, form, **options)
    return held.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says that it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def claimed_jpeg(width: int, height: int) -> bytes:
    raw = bytearray(drawn("JPEG"))
    at = raw.index(b"\xff\xc0") + 5
    raw[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(raw)


def claimed_gif(width: int, height: int) -> bytes:
    raw = bytearray(drawn("GIF"))
    raw[6:10] = struct.pack("<HH", width, height)
    return bytes(raw)


FORMS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
DRAWN = {media_type: drawn(form) for media_type, form in FORMS.items()}
PNG = encoded(DRAWN["image/png"])
PDF = b"%PDF-1.4\n%%EOF\n"


def file(file_data: Any, **fields: Any) -> Json:
    return {"type": "file", "file": {"file_data": file_data, **fields}}


# the name of a place → the messages with a part in it, and the path of that part
PLACES: dict[str, tuple[Callable[[Json], list[Json]], str]] = {
    "alone": (lambda part: [user([part])], "messages[0].content[0]"),
    "beside-words": (lambda part: [HI, user([text("see"), part])], "messages[1].content[1]"),
    "in-the-history": (lambda part: [user([part]), YO, HI], "messages[0].content[0]"),
    "in-a-result": (
        lambda part: [HI, calling("c1"), result("c1", [text("see"), part])],
        "messages[2].content[1]",
    ),
    "in-a-result-block": (
        lambda part: [HI, calling("c1"), user([tool_result("c1", [part])])],
        "messages[2].content[0].content[0]",
    ),
}


def held(turn: Turn) -> list[Media]:
    """The pictures and files of a turn, in their order, those of results included."""
    found = []
    for message in turn.messages:
        for part in message.parts:
            pieces = part.content if isinstance(part, ToolResult) else (part,)
            found += [p for p in pieces if isinstance(p, Media)]
    return found


def as_object(url: Any) -> Json:
    return image(url)


def as_string(url: Any) -> Json:
    """As some clients send it: the URL alone."""
    return {"type": "image_url", "image_url": url}
