"""Vectors asked of another server that speaks OpenAI's API."""

import asyncio
import json
from typing import Any

import aiohttp
from attrs import define, field

from bridge import __version__
from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import (
    BridgeError,
    InvalidRequest,
    NotFound,
    RateLimited,
    TooLarge,
    TurnTimeout,
    Unavailable,
    UpstreamFault,
    UpstreamRefusedLogin,
)
from bridge.embeddings.answer import read_vectors

MAX_ANSWER = 256 * 2**20
"""Largest answer taken, in bytes: 2,048 vectors of 3,072 numbers, written out, are half of that."""

MAX_ERROR = 64 * 2**10
"""How much of an error is read, in bytes."""

CONNECT_SECONDS = 10.0

_WHO = "The embeddings server (EMBEDDINGS_BASE_URL)"


@define(kw_only=True)
class ForwardEngine:
    """Asks ``base_url`` with ``key``, for ``model`` if it is set, else for the client's.

    Nothing of a client's headers is sent on, and no redirect is followed. Made inside of the event
    loop that it is used in.
    """

    base_url: str
    key: str | None = field(repr=False)
    model: str | None
    at_once: int
    _http: aiohttp.ClientSession = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        headers = {"User-Agent": f"bridge/{__version__}"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        self._http = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=self.at_once),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def embed(self, asked: Texts) -> Vectors:
        """Raises :class:`BridgeError`."""
        body: dict[str, Any] = {
            "model": self.model or asked.model,
            "input": list(asked.texts) if asked.listed else asked.texts[0],
            "encoding_format": "base64",  # the official clients ask for it, so servers know it
        }
        optional = {"dimensions": asked.dimensions, "user": asked.user}
        body |= {name: value for name, value in optional.items() if value is not None}
        url = f"{self.base_url}/embeddings"
        try:
            async with self._http.post(url, json=body, allow_redirects=False) as response:
                if response.status != 200:
                    raise self._failure(response, await _read(response, MAX_ERROR, cut=True))
                answer = await _read(response, MAX_ANSWER)
        except TimeoutError as error:  # aiohttp's own, which is a ClientError as well
            raise TurnTimeout(
                f"{_WHO} could not be reached within {CONNECT_SECONDS:g} seconds."
            ) from error
        except aiohttp.ClientError as error:
            raise UpstreamFault(
                f"{_WHO} could not be reached, or broke off: {type(error).__name__}."
            ) from error
        return await asyncio.to_thread(read_vectors, answer, asked)

    def _failure(self, response: aiohttp.ClientResponse, body: bytes) -> BridgeError:
        status, told = response.status, _told(body)
        words = str(told.get("message") or "")[:1000] or "no reason given"
        if self.key is not None:
            words = words.replace(self.key, "…")
        saying = f"{_WHO} answered {status}: {words}"
        param, code = _text(told.get("param")), _text(told.get("code"))
        match status:
            case 401 | 403 if self.key is None:
                return UpstreamRefusedLogin(
                    f"{_WHO} wants a key ({status}). Whoever runs this server has to set "
                    "EMBEDDINGS_API_KEY."
                )
            case 401 | 403:
                return UpstreamRefusedLogin(
                    f"{_WHO} refused this server's own EMBEDDINGS_API_KEY ({status}). The "
                    "client's key is not at fault."
                )
            case 404 if told:
                return NotFound(words, param=param, code=code or "model_not_found")
            case 400 | 422:
                return InvalidRequest(words, param=param, code=code)
            case 413:
                return TooLarge(words, param=param, code=code)
            case 429:
                return RateLimited(saying, code=code, retry_after=_seconds(response))
            case 408 | 504:
                return TurnTimeout(saying)
            case _ if status >= 500:
                return Unavailable(saying, retry_after=_seconds(response))
            case _ if 300 <= status < 400:
                return UpstreamFault(
                    f"{_WHO} answered {status} and leads elsewhere, which is not followed. Name "
                    "the place itself."
                )
            case _:
                return UpstreamFault(f"{saying}. Does an OpenAI-compatible API begin there?")


async def _read(response: aiohttp.ClientResponse, limit: int, *, cut: bool = False) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            if cut:
                break
            raise UpstreamFault(f"{_WHO} sent an answer of more than {limit} bytes.")
    return bytes(body)


def _told(body: bytes) -> dict[str, Any]:
    """The error in OpenAI's shape, or in that of the servers that put it elsewhere."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) and isinstance(error.get("message"), str) else {}


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _seconds(response: aiohttp.ClientResponse) -> int | None:
    after = response.headers.get("Retry-After", "")
    return min(int(after), 3600) if after.isascii() and after.isdigit() else None
