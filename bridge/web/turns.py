"""The one chat handler: a request in, events through, a stream or a document out."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator

from aiohttp import web
from attrs import evolve

from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError, Internal
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
from bridge.sessions.merging import Outcome
from bridge.sessions.session import check_id
from bridge.web.body import read_json_body
from bridge.web.errors import json_response
from bridge.web.keys import DELIVERED, ENGINE, NOTES, PATIENCE, PRINCIPAL, REQUEST_ID, SESSIONS
from bridge.web.sessions import encoded, named_in_header
from bridge.web.stream import EventStream

log = logging.getLogger(__name__)

DECODED_AT_ONCE = 256 * 1024
"""Larger bodies, in bytes, are decoded beside the loop, so that streams go on meanwhile."""


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """``POST /v1/chat/completions``"""
    named = named_in_header(request)
    body = await read_json_body(request)
    if len(body) > DECODED_AT_ONCE:
        asked = await asyncio.to_thread(openai_chat.decode, body, session=named)
    else:
        asked = openai_chat.decode(body, session=named)
    turn = evolve(asked.turn, owner=request[PRINCIPAL].id)
    headers = {}
    if asked.ignored:
        headers["x-bridge-ignored"] = header_list(asked.ignored)
    if asked.changed:
        headers["x-bridge-changed"] = header_list(asked.changed)
    request[NOTES]["stream"] = asked.stream
    if turn.session is not None:
        check_id(turn.session, "session_id")
    async with contextlib.aclosing(_events(request, turn, headers)) as events:
        if asked.stream:
            return await _stream(request, asked, events, headers)
        return await _document(request, asked, events, headers)


async def _events(
    request: web.Request, turn: Turn, headers: dict[str, str]
) -> AsyncGenerator[Event]:
    """The events of a turn, in its session if it names one.

    What becomes of the session is put into ``headers`` as soon as it is known.
    """
    if turn.session is None:
        async with contextlib.aclosing(request.app[ENGINE].run(turn)) as events:
            async for event in events:
                if isinstance(event, TurnStarted) and event.live:
                    headers["x-bridge-session"] = Outcome.MATCHED.value
                yield event
        return
    headers["x-session-id"] = encoded(turn.session)
    try:
        async with request.app[SESSIONS].enter(turn) as exchange:
            request[NOTES]["session"] = exchange.outcome.value
            headers["x-bridge-session"] = exchange.outcome.value
            async with contextlib.aclosing(exchange.events()) as events:
                async for event in events:
                    yield event
    except BridgeError as error:
        yield TurnFailed(error=error)


async def _document(
    request: web.Request,
    asked: openai_chat.ChatRequest,
    events: AsyncGenerator[Event],
    headers: dict[str, str],
) -> web.Response:
    folder = Folder()
    async for event in events:
        _note(request, event)
        folder.feed(event)
    assert folder.completion is not None  # noqa: S101 - the engine's promise: the last event ends it
    document = openai_chat.render(
        folder.completion,
        completion_id=_completion_id(),
        created=int(time.time()),
        legacy=asked.legacy,
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
        legacy=asked.legacy,
    )
    async with EventStream(request, headers, request.app[PATIENCE]) as stream:
        try:
            await _send(request, events, encoder, stream)
        except ConnectionResetError:
            raise
        except Exception:
            if not stream.started:
                raise
            log.exception("a stream failed (%s)", request[REQUEST_ID])
            mistake = Internal(
                "The server made a mistake in the middle of the answer; its log tells more under "
                f"the request id {request[REQUEST_ID]}."
            )
            await stream.send(encoder.encode(TurnFailed(error=mistake)))
        request[DELIVERED] = True
        await stream.end()
    return stream.response


async def _send(
    request: web.Request,
    events: AsyncGenerator[Event],
    encoder: openai_chat.ChunkEncoder,
    stream: EventStream,
) -> None:
    """Send the events; what says nothing to a client waits for what does."""
    held = b""
    async for event in events:
        _note(request, event)
        if isinstance(event, TurnFailed) and not stream.started:
            raise event.error
        held += encoder.encode(event)
        says_nothing = isinstance(event, TurnStarted | BlockStarted | BlockEnded | UsageReported)
        if held and (stream.started or not says_nothing):
            await stream.send(held)
            held = b""


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
