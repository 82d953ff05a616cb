"""The client's key → the identity that the request carries from here on."""

import hashlib
import hmac

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.core.errors import Unauthenticated
from bridge.web.keys import OPEN_ROUTES, PRINCIPAL, SETTINGS, Principal

LOCAL = Principal(id="local")


@web.middleware
async def auth(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request pass whose key is right; where no key is set any key is accepted."""
    keys = request.app[SETTINGS].api_keys
    request[PRINCIPAL] = LOCAL
    if keys and not _is_open(request):
        request[PRINCIPAL] = identify(_presented(request), keys)
    return await handler(request)


def identify(presented: str | None, keys: tuple[str, ...]) -> Principal:
    """The principal of a key; takes the same time for every wrong key.

    Raises :class:`bridge.core.errors.Unauthenticated`.
    """
    if not presented:
        raise Unauthenticated(
            "This server wants an API key: send it as 'Authorization: Bearer KEY' or 'x-api-key: "
            "KEY'."
        )
    digest = _digest(presented)
    found = None
    for key in keys:  # all of them, also after a match
        known = _digest(key)
        if hmac.compare_digest(digest, known):
            found = known
    if found is None:
        raise Unauthenticated("The API key is not one of this server's.")
    return Principal(id=f"key_{found.hex()[:16]}")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def _presented(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("x-api-key", "").strip() or None


def _is_open(request: web.Request) -> bool:
    """Whether the request needs no key; what does not exist needs none to be told so."""
    match = request.match_info
    return match.http_exception is not None or match.route in request.app[OPEN_ROUTES]
