"""What the demo remembers of a request it was sent."""

import asyncio
import time
from typing import Any, Literal

import attrs

from bridge.demo.canonical import canonical

State = Literal["running", "answered", "refused", "failed", "aborted"]


@attrs.define(kw_only=True, eq=False)
class Received:
    """One POST /v1/messages, from its arrival to its end.

    `path` has the query; `headers` are lower-case; `body` is the parsed document, or the raw text
    when that is no JSON object. `state` is "running", then one of "answered" (whole), "refused" (an
    error status), "failed" (an injected break, stall or mid-stream error) and "aborted" (the client
    went away, or the demo was stopped). `status` is the HTTP status sent, None when nothing was.
    `started` and `ended` are seconds of `time.monotonic()`; `ended_event` is set at the end.
    """

    method: str
    path: str
    headers: dict[str, str] = attrs.field(repr=False)  # they hold the caller's key
    body: dict[str, Any] | str = attrs.field(default="", repr=False)
    state: State = "running"
    status: int | None = None
    started: float = attrs.field(factory=time.monotonic)
    ended: float | None = None
    ended_event: asyncio.Event = attrs.field(factory=asyncio.Event, repr=False)

    @property
    def system_texts(self) -> list[str]:
        """The caller's system prompt, a text for each block, without the CLI's own first two."""
        texts: list[str] = canonical(self.body)["system"]
        return texts

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The canonical messages: user and assistant only, content always a list of blocks."""
        found: list[dict[str, Any]] = canonical(self.body)["messages"]
        return found

    def end(self, state: State) -> None:
        """Ends it once; what ended first stays."""
        if self.state == "running":
            self.state = state
            self.ended = time.monotonic()
            self.ended_event.set()
