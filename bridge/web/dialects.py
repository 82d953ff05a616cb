"""The dialects that answer turns, as the one handler sees them, and whose errors a request gets."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiohttp import web
from attrs import frozen

from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError
from bridge.core.events import Event
from bridge.core.fold import Completion
from bridge.dialects import anthropic_messages, openai_chat, openai_completions
from bridge.dialects.openai import frames


class Decoded(Protocol):
    """A decoded request: a turn for each choice of the answer, and how it is to be given."""

    @property
    def turns(self) -> tuple[Turn, ...]: ...
    @property
    def stream(self) -> bool: ...
    @property
    def ignored(self) -> tuple[str, ...]: ...
    @property
    def changed(self) -> tuple[str, ...]: ...


class Headers(Protocol):
    """The headers of a request, of which some may be there several times."""

    def getall(self, key: str, default: list[str], /) -> list[str]: ...


Decode = Callable[[bytes, str | None, Headers], Decoded]
"""Takes a body, the session that a header named, and all headers."""

Encode = Callable[[Event, int], bytes]
"""Makes frames of the events of each choice, which is told by its number."""


@frozen(kw_only=True)
class Reply:
    """What an answer is called: a new id, the time in seconds since 1970, the request's id."""

    id: str
    created: int
    request_id: str


@frozen(kw_only=True)
class Dialect:
    """What an endpoint that answers is made of.

    ``encoder`` and ``render`` are given what was asked and the reply to it, whose id begins with
    ``prefix``. ``turns`` is the field that a request's turns come from; ``ping`` is what fills a
    silence.
    """

    prefix: str
    turns: str
    ping: bytes
    decode: Decode
    encoder: Callable[[Any, Reply], Encode]
    render: Callable[[Any, Sequence[Completion], Reply], dict[str, Any]]


def _chat_encoder(asked: openai_chat.ChatRequest, reply: Reply) -> Encode:
    encoder = openai_chat.ChunkEncoder(
        completion_id=reply.id,
        created=reply.created,
        include_usage=asked.include_usage,
        legacy=asked.legacy,
    )
    return lambda event, _: encoder.encode(event)


def _messages_encoder(_: anthropic_messages.MessagesRequest, reply: Reply) -> Encode:
    encoder = anthropic_messages.EventEncoder(request_id=reply.request_id)
    return lambda event, _: encoder.encode(event)


CHAT = Dialect(
    prefix="chatcmpl-",
    turns="messages",
    ping=frames.PING,
    decode=lambda body, session, _: openai_chat.decode(body, session=session),
    encoder=_chat_encoder,
    render=lambda asked, completions, reply: openai_chat.render(
        completions[0], completion_id=reply.id, created=reply.created, legacy=asked.legacy
    ),
)

COMPLETIONS = Dialect(
    prefix="cmpl-",
    turns="prompt",
    ping=frames.PING,
    decode=lambda body, session, _: openai_completions.decode(body, session=session),
    encoder=lambda asked, reply: (
        openai_completions.ChunkEncoder(
            asked=asked, completion_id=reply.id, created=reply.created
        ).encode
    ),
    render=lambda asked, completions, reply: openai_completions.render(
        asked, completions, completion_id=reply.id, created=reply.created
    ),
)


def _of_messages(decode: Callable[..., Decoded]) -> Decode:
    return lambda body, session, headers: decode(
        body,
        session=session,
        version=_joined(headers, "anthropic-version"),
        betas=_joined(headers, "anthropic-beta"),
    )


def _joined(headers: Headers, name: str) -> str | None:
    """A header's values, each once: in several lines or in one is the same (RFC 9110, 5.3)."""
    values = headers.getall(name, [])
    return ", ".join(dict.fromkeys(values)) if values else None


COUNT = _of_messages(anthropic_messages.decode_count)

MESSAGES = Dialect(
    prefix="msg_",
    turns="messages",
    ping=anthropic_messages.PING,
    decode=_of_messages(anthropic_messages.decode),
    encoder=_messages_encoder,
    render=lambda _, completions, __: anthropic_messages.render(completions[0]),
)


# -- errors --------------------------------------------------------------------------------------


def is_anthropic(request: web.BaseRequest) -> bool:
    """Whether a request is one of Anthropic's API: by its path, else by what it says of itself."""
    path = request.path.removeprefix("/api")
    return path.startswith("/v1/messages/") or (
        path == "/v1/messages" or "anthropic-version" in request.headers
    )


def error_document(
    request: web.BaseRequest, error: BridgeError, request_id: str
) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error, as the request's dialect has them."""
    if is_anthropic(request):
        body = anthropic_messages.render_error(error, request_id)
        return anthropic_messages.status_of(error), body
    return error.status, frames.render_error(error)
