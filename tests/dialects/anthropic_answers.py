"""Turns as events, and the official SDK as the client that reads what becomes of them."""

import importlib
import json
from typing import Any

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from openai_answers import block_events

from bridge.core.errors import BridgeError
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    Event,
    FinishReason,
    SignatureDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.core.fold import fold
from bridge.dialects.anthropic_messages import EventEncoder, render
from bridge.dialects.frames import dumps

Json = dict[str, Any]
Block = tuple[str, ...]

ID, MODEL, REQUEST = "msg_1", "claude-opus-5", "req_1"
BEGUN = Usage(
    input_tokens=1, cache_read_tokens=20, cache_write_tokens=300, hour_cache_write_tokens=100, output_tokens=2
)  # fmt: skip
USAGE = Usage(
    input_tokens=1,
    cache_read_tokens=20,
    cache_write_tokens=300,
    hour_cache_write_tokens=100,
    output_tokens=4000,
    reasoning_tokens=50,
)


def reasoning(words: str, *signatures: str) -> Block:
    """Words, and their signature in pieces."""
    return ("signed", words, *signatures)


def redacted(data: str) -> Block:
    return ("redacted_thinking", data)


def _events(index: int, block: Block) -> list[Event]:
    match block:
        case ("signed", words, *signatures):
            start, said, end = block_events(index, ("thinking", words))
            signed = [SignatureDelta(index=index, signature=piece) for piece in signatures]
            return [start, said, *signed, end]
        case ("redacted_thinking", data):
            kind = BlockKind.REDACTED_THINKING
            return [BlockStarted(index=index, kind=kind, data=data), BlockEnded(index=index)]
        case _:
            return block_events(index, block)


def turn(
    *blocks: Block,
    reason: FinishReason = FinishReason.STOP,
    usage: Usage = USAGE,
    **finished: Any,
) -> list[Event]:
    """A whole turn in its legal order."""
    return [
        TurnStarted(model=MODEL, message_id=ID, usage=BEGUN),
        *(event for index, block in enumerate(blocks) for event in _events(index, block)),
        UsageReported(usage=usage),
        TurnFinished(reason=reason, **finished),
    ]


def stream(events: list[Event]) -> list[bytes]:
    """The bytes for each event."""
    encoder = EventEncoder(request_id=REQUEST)
    return [encoder.encode(event) for event in events]


def frames(raw: bytes) -> list[Json]:
    """The data of each frame, which must be named as its event is."""
    if not raw:
        return []
    assert raw.endswith(b"\n\n")
    read = []
    for frame in raw.removesuffix(b"\n\n").split(b"\n\n"):
        name, data = frame.splitlines()
        assert len(frame.decode().splitlines()) == 2
        read.append(json.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + read[-1]["type"].encode()
    return read


def document(events: list[Event]) -> Json:
    """The JSON answer, as a client reads it."""
    read: Json = json.loads(dumps(render(fold(events))))
    return read


def failed(error: BridgeError) -> TurnFailed:
    return TurnFailed(error=error)


# -- the official SDK ----------------------------------------------------------------------------

_HTTPX = next(cls for cls in anthropic.DefaultHttpxClient.__mro__ if "httpx" in cls.__module__)
_http: Any = importlib.import_module(_HTTPX.__module__.partition(".")[0])
"""The library that this version of the SDK speaks HTTP with."""

_answer: Json = {}
_client = anthropic.Anthropic(
    api_key="none",
    max_retries=0,
    http_client=anthropic.DefaultHttpxClient(
        transport=_http.MockTransport(lambda _: _http.Response(**_answer))
    ),
)


def sdk(body: bytes, status: int = 200) -> anthropic.Anthropic:
    """The SDK's client, for whom every answer is this one."""
    kind = "text/event-stream" if body.startswith(b"event:") else "application/json"
    _answer.update(status_code=status, content=body, headers={"content-type": kind})
    return _client


ASKED: Any = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


def accumulated(raw: bytes) -> Message:
    """What the SDK makes of a stream."""
    with sdk(raw).messages.stream(**ASKED) as read:
        return read.get_final_message()


def raw_events(raw: bytes) -> list[RawMessageStreamEvent]:
    return list(sdk(raw).messages.create(**ASKED, stream=True))


def received(body: Json) -> Message:
    """What the SDK makes of a document."""
    read: Message = sdk(dumps(body)).messages.create(**ASKED)
    return read
