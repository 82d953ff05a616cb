"""How many tokens a request has, as the Messages API itself counts them."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bridge.claude.asked import AskedTurn
from bridge.claude.failures import upstream_error
from bridge.claude.history import alternating
from bridge.claude.login import Login
from bridge.claude.thinking import EFFORT
from bridge.core.errors import NotProvided, UpstreamFault
from bridge.core.rules import check_conversation

API = "https://api.anthropic.com"
VERSION = "2023-06-01"
SECONDS = 60.0

_COUNTED = ("tools", "tool_choice", "thinking", "output_config")
"""What of the extra fields of a request is part of its prompt."""

_ADVICE = (
    "Tokens are counted by Anthropic's API, which takes an API key for it: run the server with "
    "ANTHROPIC_API_KEY. This server's login is of another kind, and it makes no estimates; the "
    "usage of an answer tells the true count."
)


async def count_tokens(asked: AskedTurn, login: Login, environment: Mapping[str, str]) -> int:
    """The tokens of a turn's prompt, without what Claude Code puts before it.

    Raises :class:`NotProvided` with a login that allows no such call, or what the API answered.
    """
    key = environment.get("ANTHROPIC_API_KEY")
    if not key or login.method != "api_key" or login.provider != "firstParty":
        raise NotProvided(_ADVICE)
    url = f"{(environment.get('ANTHROPIC_BASE_URL') or API).rstrip('/')}/v1/messages/count_tokens"
    headers = {"x-api-key": key, "anthropic-version": VERSION, "content-type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    body = json.dumps(_body(asked)).encode()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(
                url,
                data=body,
                headers=headers,
                proxy=_proxy(url, environment),
                allow_redirects=False,
            ) as response,
        ):
            raw, status = await response.read(), response.status
            wait = response.headers.get("retry-after", "")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise upstream_error(None, type(error).__name__) from None
    match _parsed(raw):
        case {"input_tokens": int(tokens)} if status == 200:
            return tokens
        case {"error": {"message": str(words)}} if status >= 400:
            pass
        case _:
            words = ""
    if status < 400:
        raise UpstreamFault("The model's side did not tell a count.")
    raise upstream_error(status, words, retry_after=int(wait) if wait.isdecimal() else None)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _body(asked: AskedTurn) -> dict[str, Any]:
    """The request as the client means it."""
    turn, request = asked.turn, asked.request
    check_conversation(turn.messages)
    fields = {name: value for name, value in request.fields.items() if name in _COUNTED}
    if EFFORT in request.changed:  # the CLI leaves it out; the API would refuse it
        fields.pop("output_config", None)
    system = [{"type": "text", "text": text} for text in turn.system]
    return {
        "model": asked.answering,
        "messages": [
            {"role": side.role.value, "content": side.blocks} for side in alternating(turn.messages)
        ],
        **({"system": system} if system else {}),
        **fields,
    }


def _proxy(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that Claude Code would use as well."""
    lower = {name.lower(): value for name, value in environment.items()}
    parts = urlsplit(url)
    left_out = {"no": lower.get("no_proxy", "")}
    # typeshed has this one for Windows and macOS only; it is there everywhere.
    if urllib.request.proxy_bypass_environment(parts.netloc, left_out):  # type: ignore[attr-defined]
        return None
    return lower.get(f"{parts.scheme}_proxy") or None
