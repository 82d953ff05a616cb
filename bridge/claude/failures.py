"""What a failure of the model's side is to the client: the status, the field, what to do."""

import re
from collections.abc import Mapping
from typing import Any

from bridge.core import errors

TOO_LONG = re.compile(r"prompt is too long", re.IGNORECASE)
_NAMED = re.compile(
    r"[`\"]?(temperature|top_p|top_k|max_tokens|stop_sequences|(?:adaptive )?thinking|"
    r"output_config)\b"
)
_PARAMS = {
    "stop_sequences": "stop",
    "output_config": "reasoning_effort",
    "adaptive thinking": "thinking",
}
_PASSING = {408, 409, 425}  # the request may be well; another time it would be answered

UNTOLD_WAIT = 60
"""Seconds to wait before trying again where Claude Code tells of none: it tells of no wait beyond a
minute."""

LOGIN_ADVICE = (
    "Claude Code is not logged in on the server. Log in there with `claude auth login` (`claude "
    "login` in older versions) and send the request again; or restart the server with "
    "ANTHROPIC_API_KEY, or Bedrock or Vertex credentials. `bridge --demo` works without a login."
)


def upstream_error(
    status: int | None, words: str, *, retry_after: int | None = None
) -> errors.BridgeError:
    """What an upstream failure is to the client.

    ``status`` is the upstream's HTTP status, None when there was none (no network, or the CLI's
    own refusal); ``words`` is what it said.
    """
    if TOO_LONG.search(words):
        return errors.ContextLengthExceeded(
            "The conversation is longer than the model's context length. The model's side said: "
            f"{words}",
            param="messages",
        )
    said = f" It said: {words}" if words else ""
    match status:
        case 401 | 403:
            return errors.UpstreamRefusedLogin(
                f"The model's side refused the server's own login ({status}); your key is not at "
                f"fault. Whoever runs the server should log in again (`claude auth login`) or "
                f"check its API key.{said}"
            )
        case 404:
            return errors.ModelNotFound(
                f"The model's side knows no such model.{said}", param="model"
            )
        case 413:
            return errors.TooLarge(f"The request is too large for the model's side.{said}")
        case 429:
            return errors.RateLimited(
                f"The model's side limits the rate of requests, or the plan's quota is used up."
                f"{said}",
                retry_after=retry_after or UNTOLD_WAIT,
            )
        case 529:
            return errors.Unavailable(
                f"The model's side is overloaded ({status}). Try again later.{said}",
                retry_after=retry_after or UNTOLD_WAIT,
            )
        case int() if 400 <= status < 500 and status not in _PASSING:
            return _refused(words or f"The model's side answered {status}.")
        case int():
            return errors.UpstreamFault(
                f"The model's side is in trouble ({status}). Try again later.{said}",
                code="upstream_unavailable",
                retry_after=retry_after or UNTOLD_WAIT,
            )
        case None:
            return errors.UpstreamFault(f"The model's side could not be reached.{said}")


def _refused(words: str) -> errors.InvalidRequest:
    """The upstream's own words, with the field that they name."""
    named = _NAMED.match(words)
    tool = re.match(r"tools\.(\d+)\.", words)
    param = f"tools[{tool[1]}]" if tool else None
    if named:
        param = _PARAMS.get(named[1], named[1])
    if param in {"temperature", "top_p", "top_k"}:
        words = (
            f"{words.rstrip('.')}. (Claude's models from 4.7 on take no temperature, top_p or "
            "top_k, older ones hardly while they think: leave them out, or name another model. "
            "Whoever runs the server can have them left out, with --lenient-sampling.)"
        )
    return errors.InvalidRequest(words, param=param)


def stream_broken(words: str = "") -> errors.UpstreamFault:
    said = f" ({words})" if words else ""
    return errors.UpstreamFault(
        f"The connection to the model broke in the middle of the answer{said}. What came is not "
        "whole; send the request again.",
        code="stream_broken",
    )


def prose_of(result: Mapping[str, Any], synthetic: Mapping[str, Any] | None) -> str:
    """The upstream's own words, without what the CLI puts before them."""
    words = result.get("result") or "; ".join(result.get("errors") or ())
    if not words and synthetic is not None:
        words = "".join(block.get("text", "") for block in synthetic["message"]["content"])
    return re.sub(r"^API Error: (\d{3} )?", "", words).strip()
