"""The one handler of turns: a request in, events through, a stream or a document out."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Mapping

from aiohttp import web
from attrs import evolve

from bridge.core.conversation import Reasoning, Turn
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
from bridge.dialects.thinking import budget_in_header
from bridge.sessions.merging import Outcome
from bridge.sessions.session import check_id
from bridge.web.body import read_json_body
from bridge.web.dialects import (
    CHAT,
    COMPLETIONS,
    MESSAGES,
    Decode,
    Decoded,
    Dialect,
    Encode,
    Reply,
)
from bridge.web.errors import json_response
from bridge.web.keys import (
    DELIVERED,
    ENGINE,
    ENTRY,
    LEDGER,
    NOTES,
    PATIENCE,
    PRINCIPAL,
    REQUEST_ID,
    SESSIONS,
    TOLD,
)
from bridge.web.merged import merged
from bridge.web.sessions import encoded, named_in_header
from bridge.web.stream import EventStream

log = logging.getLogger(__name__)

DECODED_AT_ONCE = 256 * 1024
"""Larger bodies, in bytes, are decoded beside the loop, so that streams go on meanwhile."""

MAX_TOLD = 1_000
"""Of how many ignored fields the log tells, each once."""


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """``POST /v1/chat/completions``"""
    return await _answer(request, CHAT)


async def completions(request: web.Request) -> web.StreamResponse:
    """``POST /v1/completions``"""
    return await _answer(request, COMPLETIONS)


async def messages(request: web.Request) -> web.StreamResponse:
    """``POST /v1/messages``"""
    return await _answer(request, MESSAGES)


async def _answer(request: web.Request, dialect: Dialect) -> web.StreamResponse:
    asked = await decoded(request, dialect.decode)
    turns = [of_caller(request, turn) for turn in asked.turns]
    headers: dict[str, str] = {}
    _tell(request, headers, asked)
    request[NOTES]["stream"] = asked.stream
    ledger, entry = request.app[LEDGER], request[ENTRY]
    each = [
        ledger.recorded(
            turn,
            _events(request, turn, asked, headers),
            arrived=entry.time,
            ended=entry.add,
        )
        for turn in turns
    ]
    events = merged(each, where=dialect.turns)
    async with contextlib.aclosing(events):
        if asked.stream:
            return await _stream(request, dialect, asked, events, headers)
        return await _document(request, dialect, asked, events, headers)


async def decoded(request: web.Request, decode: Decode) -> Decoded:
    """The request as its dialect reads it; the sessions that it names may be such."""
    named = named_in_header(request)
    body = await read_json_body(request)
    if len(body) > DECODED_AT_ONCE:
        asked = await asyncio.to_thread(decode, body, named, request.headers)
    else:
        asked = decode(body, named, request.headers)
    for turn in asked.turns:
        if turn.session is not None:
            check_id(turn.session, "session_id")
            request[ENTRY].owner = request[PRINCIPAL].id
            request[ENTRY].session = turn.session
    return asked


def of_caller(request: web.Request, turn: Turn) -> Turn:
    """The turn as one of the caller's, with what its headers ask."""
    budget = request.headers.get("X-Claude-Max-Thinking-Tokens")
    if budget is not None:
        in_header = Reasoning(thought=budget_in_header(budget))
        if turn.reasoning.effort is None and turn.reasoning.thought is None:
            turn = evolve(turn, reasoning=in_header)
    return evolve(turn, owner=request[PRINCIPAL].id, request=request[ENTRY].ref)


def _tell(
    request: web.Request,
    headers: dict[str, str],
    asked: Decoded,
    started: TurnStarted | None = None,
) -> None:
    """Tell the client which of its fields had no effect, or another one; and once the log."""
    tell(
        request,
        headers,
        ignored=(*asked.ignored, *(started.ignored if started else ())),
        changed=(*asked.changed, *(started.changed if started else ())),
    )


def tell(
    request: web.Request,
    headers: dict[str, str],
    *,
    ignored: tuple[str, ...],
    changed: tuple[str, ...] = (),
) -> None:
    """Put the names of such fields into the headers of the answer, and once into the log."""
    for header, names in (("x-bridge-ignored", ignored), ("x-bridge-changed", changed)):
        if names:
            headers[header] = header_list(tuple(dict.fromkeys(names)))
    told = request.app[TOLD]
    for name in ignored:
        if name not in told and len(told) < MAX_TOLD:
            told.add(name)
            log.info("a client sends %r, which has no effect here", name[:100])


async def _events(
    request: web.Request, turn: Turn, asked: Decoded, headers: dict[str, str]
) -> AsyncGenerator[Event]:
    """The events of a turn, in its session if it names one.

    What becomes of the session, and of the parameters, is put into ``headers`` as soon as it is
    known.
    """
    if turn.session is None:
        async with contextlib.aclosing(request.app[ENGINE].run(turn)) as events:
            async for event in events:
                if isinstance(event, TurnStarted):
                    _tell(request, headers, asked, event)
                    if event.live:
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
                    if isinstance(event, TurnStarted):
                        _tell(request, headers, asked, event)
                    yield event
    except BridgeError as error:
        yield TurnFailed(error=error)


async def _document(
    request: web.Request,
    dialect: Dialect,
    asked: Decoded,
    events: AsyncGenerator[tuple[int, Event]],
    headers: Mapping[str, str],
) -> web.Response:
    folders = [Folder() for _ in asked.turns]
    async for choice, event in events:
        _note(request, event)
        folders[choice].feed(event)
    completed = [folder.completion for folder in folders if folder.completion is not None]
    assert len(completed) == len(folders)  # noqa: S101 - the engine's promise: the last event ends it
    document = dialect.render(asked, completed, _reply(request, dialect))
    return json_response(document, headers=dict(headers))


async def _stream(
    request: web.Request,
    dialect: Dialect,
    asked: Decoded,
    events: AsyncGenerator[tuple[int, Event]],
    headers: Mapping[str, str],
) -> web.StreamResponse:
    encode = dialect.encoder(asked, _reply(request, dialect))
    async with EventStream(request, headers, request.app[PATIENCE], dialect.ping) as stream:
        try:
            await _send(request, events, encode, stream)
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
            await stream.send(encode(TurnFailed(error=mistake), 0))
        request[DELIVERED] = True
        await stream.end()
    return stream.response


async def _send(
    request: web.Request,
    events: AsyncGenerator[tuple[int, Event]],
    encode: Encode,
    stream: EventStream,
) -> None:
    """Send the events; what says nothing to a client waits for what does."""
    held = b""
    async for choice, event in events:
        _note(request, event)
        if isinstance(event, TurnFailed) and not stream.started:
            raise event.error
        held += encode(event, choice)
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
            notes = request[NOTES]
            notes["tokens_in"] = notes.get("tokens_in", 0) + usage.prompt_tokens
            notes["tokens_out"] = notes.get("tokens_out", 0) + usage.output_tokens
        case TurnFailed(error=error):
            request[NOTES]["error"] = error.code or error.kind.value


def _reply(request: web.Request, dialect: Dialect) -> Reply:
    return Reply(
        id=f"{dialect.prefix}{uuid.uuid4().hex}",
        created=int(time.time()),
        request_id=request[REQUEST_ID],
    )


def header_list(names: tuple[str, ...]) -> str:
    """Field names for a header: 20 and how many more, without anything that could break out."""
    safe = ["".join(c if c.isalnum() or c in "_-.[]" else "?" for c in n[:64]) for n in names[:20]]
    if len(names) > len(safe):
        safe.append(f"+{len(names) - len(safe)}")
    return ", ".join(name.encode("ascii", "replace").decode() for name in safe)
