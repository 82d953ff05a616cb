"""Pictures and files in a message: taken apart, and held against their bytes.

Nothing is ever fetched: a link is handed to the model's side as it is. Limits are those of the
Messages API (https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support).
"""

import base64
import io
import re
from typing import Any

from bridge.core.conversation import Document, Image, LinkedDocument, LinkedImage
from bridge.core.errors import InvalidRequest
from bridge.core.rules import MAX_MEDIA
from bridge.dialects.policy import invalid
from bridge.dialects.wire import Fault, check_text

MAX_SIDE = 8_000
"""Longest side of a picture, in pixels."""

MAX_BYTES = 24 * 1024 * 1024
"""Largest picture or file: more is over the API's 32 MB when it is written in base64."""

PDF = "application/pdf"
PLAIN = "text/plain"

_PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
_LISTED = ", ".join(_PICTURES)
_ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9", "GIF": b"\x00;"}
_OTHER_NAMES = {"image/jpg": "image/jpeg", "application/x-pdf": PDF}
_MAX_PNG_TEXT = 4 * 2**20  # of compressed words, which Pillow unpacks when it looks at a head
_LINK = re.compile(r"https://[^\s/]\S*")
_DATA_URL = re.compile(r"data:([^,;]*)(?:;[^,]*)?;base64,(.*)", re.DOTALL | re.IGNORECASE)
_TEXT_TYPE = re.compile(
    r"text/[\w.+-]+|application/(?:[\w.-]+\+)?(?:x-)?"
    r"(?:json|ndjson|xml|yaml|toml|javascript|typescript|python|sh|sql|tex|latex|ruby|perl|httpd-php)",
    re.ASCII,
)


def picture(url: str, path: str) -> Image | LinkedImage:
    """The picture of an ``image_url``; ``path`` is where its URL stands.

    Raises :class:`InvalidRequest`.
    """
    if _LINK.fullmatch(url):
        return LinkedImage(url=url)
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise invalid(
            f"'{path}' must begin with https://, or be a data: URL such as data:image/png;base64,…",
            path,
        )
    return embedded_picture(found[1], found[2], path)


def embedded_picture(claimed: str, text: str, path: str) -> Image:
    """The picture that is ``text`` in base64, of the type that is ``claimed``.

    Raises :class:`InvalidRequest`.
    """
    media_type = _OTHER_NAMES.get(claimed.lower(), claimed.lower())
    if media_type not in _PICTURES:
        raise invalid(
            f"'{path}' is of the type {media_type[:100]!r}, but must be one of {_LISTED}.", path
        )
    _check_picture(_decoded(text, path, "a picture"), media_type, path)
    return Image(media_type=media_type, data=text)


def link(url: str, path: str) -> str:
    """The URL of something that the model's side fetches. Raises :class:`InvalidRequest`."""
    if _LINK.fullmatch(url) is None:
        raise invalid(f"'{path}' must begin with https://.", path)
    return url


def document(
    file_data: str, filename: str | None, context: str | None, path: str
) -> Document | LinkedDocument:
    """The file of a ``file`` part; ``path`` is where its ``file_data`` stands.

    Raises :class:`InvalidRequest`.
    """
    about: dict[str, Any] = {"title": filename or None, "context": context or None}
    if _LINK.fullmatch(file_data):
        return LinkedDocument(url=file_data, **about)
    found = _DATA_URL.fullmatch(file_data)
    if found is None:
        raise invalid(
            f"'{path}' must be a data: URL in base64, such as data:application/pdf;base64,…, or "
            "the https:// URL of a PDF.",
            path,
        )
    claimed, text = found[1].lower(), found[2]
    media_type = _OTHER_NAMES.get(claimed, claimed)
    raw = _decoded(text, path, "a file")
    if media_type == PDF:
        _check_pdf(raw, path)
        return Document(media_type=PDF, data=text, **about)
    if _TEXT_TYPE.fullmatch(media_type):
        return Document(media_type=PLAIN, data=_plain(raw, path), **about)
    raise invalid(
        f"'{path}' is of the type {media_type[:100]!r}. Claude reads PDFs ({PDF}) and text "
        f"({PLAIN} and the like); a picture belongs into a part of the type 'image_url'.",
        path,
    )


def embedded_pdf(text: str, path: str) -> str:
    """The base64 of a PDF, as it is. Raises :class:`InvalidRequest`."""
    _check_pdf(_decoded(text, path, "a file"), path)
    return text


def check_count(parts: int, path: str) -> None:
    """Raises :class:`InvalidRequest` for more pictures and files than a request may have."""
    if parts > MAX_MEDIA:
        raise invalid(
            f"'{path}': up to {MAX_MEDIA} pictures and files are taken, but there are {parts}.",
            path,
        )


def _decoded(text: str, path: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if not raw:
        raise invalid(f"'{path}' must hold {what} in base64, and no more.", path)
    if len(raw) > MAX_BYTES:
        raise invalid(
            f"'{path}' holds {what} of {len(raw)} bytes; at most {MAX_BYTES} are taken.", path
        )
    return raw


def _check_pdf(raw: bytes, path: str) -> None:
    if b"%PDF-" not in raw[:1024]:
        raise invalid(f"'{path}' says that it is a PDF, but its bytes are not one's.", path)


def _check_picture(raw: bytes, media_type: str, path: str) -> None:
    from PIL import Image as Pillow  # only for whoever sends pictures
    from PIL import PngImagePlugin

    PngImagePlugin.MAX_TEXT_MEMORY = _MAX_PNG_TEXT
    try:
        with Pillow.open(io.BytesIO(raw), formats=tuple(_PICTURES.values())) as opened:
            kind, (width, height) = opened.format, opened.size
            opened.verify()  # the sums of a PNG; of the others it looks at nothing more
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise invalid(
            f"'{path}': the picture is too large; at most {MAX_SIDE} pixels a side are taken.", path
        ) from None
    except Exception:  # noqa: BLE001 - its readers raise what they like for bytes that are wrong
        raise invalid(
            f"'{path}': the bytes are not those of a picture that can be read ({_LISTED} are "
            "taken).",
            path,
        ) from None
    if kind == "MPO":  # a JPEG that has others in its tail, as telephones make them
        kind = "JPEG"
    if kind != _PICTURES[media_type]:
        raise invalid(
            f"'{path}' says that it is {media_type}, but its bytes are those of a {kind}.", path
        )
    if max(width, height) > MAX_SIDE:
        raise invalid(
            f"'{path}': the picture has {width}x{height} pixels; at most {MAX_SIDE} a side are "
            "taken. Make it smaller (Claude sees no more than about 2,000 anyway).",
            path,
        )
    if not _is_whole(raw, kind):
        raise invalid(f"'{path}': the picture is cut off; its end is missing.", path)


def _is_whole(raw: bytes, kind: str) -> bool:
    """Whether it has an end: of half a picture Claude Code would tell the model in words."""
    if kind == "WEBP":
        return 8 + int.from_bytes(raw[4:8], "little") <= len(raw)
    return _ENDS[kind] in raw


def _plain(raw: bytes, path: str) -> str:
    try:
        text = check_text(raw.decode().lstrip("\ufeff"))
    except UnicodeDecodeError as error:
        raise invalid(
            f"'{path}' must be text in UTF-8, but byte {error.start} is wrong.", path
        ) from None
    except Fault as fault:
        raise InvalidRequest(f"'{path}' {fault.problem}", param=path, code=fault.code) from None
    if not text.strip():
        raise invalid(f"'{path}' holds no text.", path)
    return text
