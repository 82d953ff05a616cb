"""Signatures of thinking blocks: made by the demo, known again by the demo, and by it alone.

A signature holds a digest of the thinking it was given for and a seal over that digest. So a block
comes back whole, or with its text left out (`display: "omitted"`), but not with another text.
"""

import base64
import hashlib
import hmac

from bridge.demo import media

_SEAL = b"bridge demo thinking"  # not a secret: it only tells the demo's own blocks from others'
_LENGTH = 32


def sign(thinking: str) -> str:
    """The base64 signature of a thinking text; the same text always gets the same one."""
    digest = hashlib.sha256(_bytes(thinking)).digest()
    return base64.b64encode(digest + _seal(digest)).decode()


def is_valid(signature: str, thinking: str) -> bool:
    """Whether the demo made `signature`, for this very text or for one since left out."""
    raw = media.decode(signature)
    if raw is None or len(raw) != 2 * _LENGTH:
        return False
    digest, seal = raw[:_LENGTH], raw[_LENGTH:]
    if not hmac.compare_digest(seal, _seal(digest)):
        return False
    return not thinking or digest == hashlib.sha256(_bytes(thinking)).digest()


def _seal(digest: bytes) -> bytes:
    return hmac.new(_SEAL, digest, hashlib.sha256).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
