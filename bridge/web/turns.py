"""The one chat handler: a request in, events through, a stream or a document out."""

import contextlib
import time
import uuid
from collections.abc import AsyncGenerator

from aiohttp import web
from attrs import evolve

from bridge.core.errors import InvalidRequest, TooLarge, UnsupportedMediaType, UnsupportedParameter
from bridge.core.events import (
    BlockEnded,
    BlockStarted,
    Event,
    TurnFailed,
    TurnStarted,
    UsageReported,
)
from bridge.core.fold import Folder
from bridge.dialects import openai_chat
from bridge.web.errors import json_response
from bridge.web.keys import ENGINE, NOTES, PING_SECONDS, PRINCIPAL, SETTINGS
from bridge.web.stream import EventStream


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """``POST /v1/chat/completions``"""
    if "X-Session-Id" in request.headers:
        raise UnsupportedParameter(
            "Sessions are not part of this version: send the whole conversation in 'messages'.",
            param="x-session-id",
        )
    asked = openai_chat.decode(await read_json_body(request))
    turn = evolve(asked.turn, owner=request[PRINCIPAL].id)
    headers = {}
    if asked.ignored:
        headers["x-bridge-ignored"] = header_list(asked.ignored)
    if asked.changed:
        headers["x-bridge-changed"] = header_list(asked.changed)
    request[NOTES]["stream"] = asked.stream
    async with contextlib.aclosing(request.app[ENGINE].run(turn)) as events:
        if asked.stream:
            return await _stream(request, asked, events, headers)
        return await _document(request, events, headers)


async def _document(
    request: web.Request, events: AsyncGenerator[Event], headers: dict[str, str]
) -> web.Response:
    folder = Folder()
    async for event in events:
        _note(request, event)
        folder.feed(event)
    assert folder.completion is not None  # noqa: S101 - the engine's promise: the last event ends it
    document = openai_chat.render(
        folder.completion, completion_id=_completion_id(), created=int(time.time())
    )
    return json_response(document, headers={**headers, "Cache-Control": "no-store"})


async def _stream(
    request: web.Request,
    asked: openai_chat.ChatRequest,
    events: AsyncGenerator[Event],
    headers: dict[str, str],
) -> web.StreamResponse:
    encoder = openai_chat.ChunkEncoder(
        completion_id=_completion_id(),
        created=int(time.time()),
        include_usage=asked.include_usage,
    )
    held = b""
    async with EventStream(request, headers, ping_seconds=request.app[PING_SECONDS]) as stream:
        async for event in events:
            _note(request, event)
            if isinstance(event, TurnFailed) and not stream.started:
                raise event.error
            held += encoder.encode(event)
            says_nothing = isinstance(
                event, TurnStarted | BlockStarted | BlockEnded | UsageReported
            )
            if held and (stream.started or not says_nothing):
                await stream.send(held)
                held = b""
    await stream.response.write_eof()
    return stream.response


def _note(request: web.Request, event: Event) -> None:
    """What the access log says of a turn: never its words."""
    match event:
        case TurnStarted(model=model):
            request[NOTES]["model"] = model
        case UsageReported(usage=usage):
            request[NOTES]["tokens_in"] = usage.prompt_tokens
            request[NOTES]["tokens_out"] = usage.output_tokens
        case TurnFailed(error=error):
            request[NOTES]["error"] = error.code or error.kind.value


def _completion_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


def header_list(names: tuple[str, ...]) -> str:
    """Field names for a header: at most 20 of them, without anything that could break out."""
    safe = ["".join(c if c.isalnum() or c in "_-." else "?" for c in n[:64]) for n in names[:20]]
    return ", ".join(name.encode("ascii", "replace").decode() for name in safe)


async def read_json_body(request: web.Request) -> bytes:
    """The body of a request that must be JSON.

    The content type is required: a browser sends other types across origins without asking, and a
    page that anybody may open must not be able to spend the tokens of whoever looks at it.
    Raises :class:`UnsupportedMediaType` or :class:`TooLarge`.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not (
        kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
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
