"""The body of a request: its type, its size, its bytes."""

from aiohttp import web

from bridge.core.errors import InvalidRequest, TooLarge, UnsupportedMediaType
from bridge.web.keys import SETTINGS


async def read_json_body(request: web.Request) -> bytes:
    """The body of a request that must be JSON.

    The content type is required: a browser sends other types across origins without asking, and a
    page that anybody may open must not be able to spend the tokens of whoever looks at it.
    Raises :class:`UnsupportedMediaType` or :class:`TooLarge`.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise UnsupportedMediaType(
            f"The Content-Type is {kind[:100]!r}; send 'Content-Type: application/json'.",
            param="content-type",
        )
    limit = request.app[SETTINGS].max_request_size
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except web.HTTPException:
        raise
    except ValueError as error:  # a body that does not decompress, or ends in the wrong place
        raise InvalidRequest(f"The body can't be read: {error}.", code="invalid_body") from None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes (MAX_REQUEST_SIZE).", param="body")
