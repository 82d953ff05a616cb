"""A picture and a document, small enough to be made here, and the demo model's words for them."""

import base64
import struct
import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = b"".join(
    (
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress((b"\0" + bytes(range(9))) * 2)),
        _chunk(b"IEND", b""),
    )
)
"""Three pixels wide and two high."""

PNG_DATA = base64.b64encode(PNG).decode()
PNG_URL = f"data:image/png;base64,{PNG_DATA}"
PNG_SEEN = "I see an image (image/png, 3x2 pixels)."

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
PDF_DATA = base64.b64encode(PDF).decode()
PDF_URL = f"data:application/pdf;base64,{PDF_DATA}"
PDF_SEEN = f"I see a PDF document of {len(PDF)} bytes."
