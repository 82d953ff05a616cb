"""The client's key → the identity that the request carries from here on."""

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.web.keyring import LOCAL
from bridge.web.keys import KEYRING, OPEN_ROUTES, PRINCIPAL


@web.middleware
async def auth(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request pass whose key is right; where no key is set any key is accepted."""
    keyring = request.app[KEYRING]
    if not keyring.keys:
        request[PRINCIPAL] = LOCAL
    elif not _is_open(request):
        request[PRINCIPAL] = keyring.identify(_presented(request))
    return await handler(request)


def _presented(request: web.Request) -> str | None:
    """The key; of two the one that Anthropic's API takes as well."""
    if key := request.headers.get("x-api-key", "").strip():
        return key
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def _is_open(request: web.Request) -> bool:
    """Whether the request needs no key; what does not exist needs none to be told so."""
    match = request.match_info
    return match.http_exception is not None or match.route in request.app[OPEN_ROUTES]
