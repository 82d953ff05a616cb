"""Turns as events, and a client that reads the frames that become of them."""

import json
from typing import Any

from bridge.core import errors
from bridge.core.errors import BridgeError
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    Event,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.core.fold import fold
from bridge.dialects.frames import dumps
from bridge.dialects.openai_chat import ChunkEncoder, render

ID, CREATED, MODEL = "chatcmpl-1", 1_700_000_000, "claude-opus-4-5"
USAGE = Usage(
    input_tokens=1,
    cache_read_tokens=20,
    cache_write_tokens=300,
    output_tokens=4000,
    reasoning_tokens=50,
)

# the class of an error → its type and its code, as a client reads them
ERRORS: dict[type[BridgeError], tuple[str, str | None]] = {
    errors.BridgeError: ("api_error", None),
    errors.InvalidRequest: ("invalid_request_error", None),
    errors.SessionLimit: ("invalid_request_error", "session_limit"),
    errors.UnsupportedParameter: ("invalid_request_error", "unsupported_parameter"),
    errors.ContextLengthExceeded: ("invalid_request_error", "context_length_exceeded"),
    errors.MethodNotAllowed: ("invalid_request_error", None),
    errors.TooLarge: ("invalid_request_error", "request_too_large"),
    errors.HeadTooLarge: ("invalid_request_error", "head_too_large"),
    errors.BodyTooSlow: ("invalid_request_error", "body_timeout"),
    errors.UnsupportedMediaType: ("invalid_request_error", None),
    errors.Unauthenticated: ("authentication_error", "invalid_api_key"),
    errors.Forbidden: ("permission_error", None),
    errors.NotFound: ("invalid_request_error", None),
    errors.ModelNotFound: ("invalid_request_error", "model_not_found"),
    errors.SessionNotFound: ("invalid_request_error", "session_not_found"),
    errors.RequestNotFound: ("invalid_request_error", "request_not_found"),
    errors.SessionDeleted: ("invalid_request_error", "session_deleted"),
    errors.RateLimited: ("rate_limit_error", "rate_limit_exceeded"),
    errors.Internal: ("api_error", "internal_error"),
    errors.StorageFault: ("api_error", "storage_failed"),
    errors.NotProvided: ("api_error", "not_provided"),
    errors.UpstreamFault: ("api_error", "upstream_error"),
    errors.WrongAnswer: ("api_error", "wrong_answer"),
    errors.UpstreamRefusedLogin: ("api_error", "upstream_authentication"),
    errors.ProcessLost: ("api_error", "process_lost"),
    errors.Unavailable: ("service_unavailable_error", "overloaded"),
    errors.NotLoggedIn: ("service_unavailable_error", "not_logged_in"),
    errors.SessionBusy: ("service_unavailable_error", "session_busy"),
    errors.ShuttingDown: ("service_unavailable_error", "shutting_down"),
    errors.TurnTimeout: ("timeout_error", "timeout"),
}

Block = tuple[str, ...]


def words(*pieces: str) -> Block:
    return ("text", *pieces)


def thoughts(*pieces: str) -> Block:
    return ("thinking", *pieces)


def call(call_id: str, name: str, *pieces: str) -> Block:
    return ("tool_call", call_id, name, *pieces)


def block_events(index: int, block: Block) -> list[Event]:
    kind = BlockKind(block[0])
    if kind is BlockKind.TOOL_CALL:
        _, call_id, name, *pieces = block
        start = BlockStarted(index=index, kind=kind, call_id=call_id, name=name)
        deltas: list[Event] = [ToolArgsDelta(index=index, json=piece) for piece in pieces]
    else:
        start = BlockStarted(index=index, kind=kind)
        made = TextDelta if kind is BlockKind.TEXT else ThinkingDelta
        deltas = [made(index=index, text=piece) for piece in block[1:]]
    return [start, *deltas, BlockEnded(index=index)]


def turn(
    *blocks: Block, reason: FinishReason = FinishReason.STOP, usage: Usage = USAGE
) -> list[Event]:
    """A whole turn in its legal order."""
    return [
        TurnStarted(model=MODEL, message_id="msg_1"),
        *(event for index, block in enumerate(blocks) for event in block_events(index, block)),
        UsageReported(usage=usage),
        TurnFinished(reason=reason),
    ]


def document(events: list[Event], *, legacy: bool = False) -> dict[str, Any]:
    """The JSON answer, as a client reads it."""
    rendered = render(fold(events), completion_id=ID, created=CREATED, legacy=legacy)
    read: dict[str, Any] = json.loads(dumps(rendered))
    return read


def stream(
    events: list[Event], *, include_usage: bool = False, legacy: bool = False
) -> list[bytes]:
    """The bytes for each event."""
    encoder = ChunkEncoder(
        completion_id=ID, created=CREATED, include_usage=include_usage, legacy=legacy
    )
    return [encoder.encode(event) for event in events]


def data(frames: bytes) -> list[str]:
    """The data of each frame; every frame must be one line of data and an empty line."""
    if not frames:
        return []
    assert frames.endswith(b"\n\n")
    lines = frames.removesuffix(b"\n\n").split(b"\n\n")
    assert all(line.startswith(b"data: ") for line in lines)
    assert all(len(line.splitlines()) == 1 for line in lines)
    return [line.removeprefix(b"data: ").decode() for line in lines]


def chunks(
    events: list[Event], *, include_usage: bool = False, legacy: bool = False
) -> list[dict[str, Any]]:
    """The chunks of a stream that must end well."""
    *read, done = data(b"".join(stream(events, include_usage=include_usage, legacy=legacy)))
    assert done == "[DONE]"
    return [json.loads(line) for line in read]
