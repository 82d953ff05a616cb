"""What is asked, and what must come of it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from attrs import define, field, frozen
from server import RETRIES

Said = tuple[str, str]  # role, text


@frozen
class Kind:
    """A way to ask: its directives, the errors one of which it must end with, or how it ends."""

    name: str
    directive: str
    errors: tuple[str, ...] = ()
    finish: str = "stop"
    calls: int = 1


ANSWER = Kind("answer", "[[slow .05]]")
SLOW = Kind("slow answer", "[[slow .4]]")
STALL = Kind("stall", "[[stall 2]]", errors=("timeout",))
FAULTS = (
    Kind("429", "[[fail 429]]", errors=("rate_limit_exceeded",), calls=1 + RETRIES),
    Kind("429, wait", "[[fail 429 retry-after 60]]", errors=("rate_limit_exceeded",)),
    Kind("500", "[[fail 500]]", errors=("upstream_unavailable",), calls=1 + RETRIES),
    # Without a pace it may come before the first words are read, and is tried again.
    Kind("break", "[[break 2]]", errors=("stream_broken", "upstream_error"), calls=1 + RETRIES),
    Kind("error in stream", "[[stream-error 2]]", errors=("overloaded",)),
    # After these Claude Code would go on. No model ends so soon that it can't be locked by then.
    Kind("empty", "[[slow .3]] [[empty]]", errors=("empty_answer",)),
    Kind("refuse", "[[slow .3]] [[refuse]]", finish="content_filter"),
    Kind("cut", "[[slow .3]] [[cut 3]]", finish="length"),
    STALL,
)
ALWAYS = {"process_lost", "timeout", "queue_full", "session_busy", "session_limit"}
"""Errors that any request may end with here: processes are killed, and the limits are small."""


@define(eq=False)
class Question:
    """A message on its way; ``allowed`` is what the model may be sent for it."""

    nonce: str
    kind: Kind
    text: str
    reply: str
    allowed: list[dict[str, Any]]
    errors: set[str]
    calls: int = 0
    arrived: asyncio.Event = field(factory=asyncio.Event)
    over: float | None = None


@frozen
class Reply:
    """What came back: an answer, or an error with a code."""

    status: int
    text: str = ""
    finish: str | None = None
    code: str | None = None

    @property
    def stays(self) -> bool:
        """Whether it is part of the conversation from now on."""
        return self.code is None and self.finish != "content_filter"


class Wrong(Exception):
    """Something was not as it must be."""


def expected(system: str, history: Sequence[Said]) -> dict[str, Any]:
    """The canonical form of what the model must be sent."""
    return {
        "system": [system],
        "messages": [
            {"role": role, "content": [{"type": "text", "text": text}]} for role, text in history
        ],
        "tools": [],
    }


def read_reply(status: int, kind: str, raw: str) -> Reply:
    """The answer or the error in a body; raises :class:`Wrong` if it is neither."""
    if status != 200 or kind == "application/json":
        document = json.loads(raw)
        if status != 200:
            return Reply(status, code=_code(document))
        choice = document["choices"][0]
        return Reply(status, choice["message"]["content"] or "", choice["finish_reason"])
    events = [line.removeprefix("data: ") for line in raw.splitlines() if line.startswith("data: ")]
    if not events:
        raise Wrong("a stream without a frame")
    if events[-1] != "[DONE]":
        return Reply(status, code=_code(json.loads(events[-1])))
    choices = [json.loads(event)["choices"][0] for event in events[:-1]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return Reply(status, text, choices[-1]["finish_reason"])


def _code(document: dict[str, Any]) -> str:
    error = document.get("error")
    if not isinstance(error, dict) or set(error) != {"message", "type", "param", "code"}:
        raise Wrong(f"neither an answer nor an error: {str(document)[:200]}")
    if not (error["message"] and error["type"] and error["code"]):
        raise Wrong(f"an error that says nothing: {error}")
    return str(error["code"])
