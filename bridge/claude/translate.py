"""The CLI's messages → core events: the only place that knows the shapes of its stream.

They are taken as the CLI writes them, as JSON objects (``stream_event``, ``assistant``, ``system``,
``rate_limit_event``, ``result``). Source of the stream's shapes: the Messages API's own events
(``message_start`` …), which the CLI passes on one by one inside ``stream_event`` messages.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from bridge.claude.answer import Answer
from bridge.claude.failures import (
    LOGIN_ADVICE,
    TOO_LONG,
    prose_of,
    stream_broken,
    upstream_error,
)
from bridge.core import errors
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    CitationDelta,
    Event,
    FinishReason,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)

REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.CONTEXT_WINDOW,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}
_CUT = {FinishReason.LENGTH, FinishReason.CONTEXT_WINDOW, FinishReason.REFUSAL}
_BLOCKS = {
    "text": BlockKind.TEXT,
    "thinking": BlockKind.THINKING,
    "redacted_thinking": BlockKind.REDACTED_THINKING,
    "tool_use": BlockKind.TOOL_CALL,
}
_ENDS_A_TURN = {"end_turn", "stop_sequence", "tool_use"}

Raw = dict[str, Any]
"""A message as the CLI writes it."""


@define
class Sentinel:
    """Tells from the raw messages of a turn when the CLI must be killed at once.

    After ``max_tokens``, a refusal, an answer without visible output or a call of a function that
    is not among its ``functions`` the CLI asks the model again by itself, about 10 ms after the
    ``message_delta`` that tells of it. By then it is locked (see
    :func:`bridge.claude.options.locked`), unless the whole answer came faster than the lock got
    there. An interrupt sent then loses the race; a kill in the same step of the loop wins it,
    unless the loop is held up.
    """

    _functions: frozenset[str] = frozenset()
    _visible: bool = field(default=False, init=False)
    _strange: bool = field(default=False, init=False)  # a call that it would answer by itself
    _failed: bool = field(default=False, init=False)

    def must_kill(self, raw: Raw) -> bool:
        """Look at the next raw message of the turn."""
        if raw.get("type") == "assistant":
            # The CLI's own prose about a failure; it closes the stream by itself, and the result
            # that tells the status is still to come. About a refusal it writes prose as well, but
            # there the stream goes on to its own end.
            refused = raw["message"].get("stop_reason") == "refusal"
            self._failed |= bool(raw.get("error")) and not refused
        if self._failed or raw.get("type") != "stream_event":
            return False
        event = raw.get("event") or {}
        match event.get("type"):
            case "content_block_start":
                block = event["content_block"]
                if block.get("type") == "tool_use":
                    self._visible = True
                    self._strange |= block.get("name") not in self._functions
            case "content_block_delta":
                self._visible |= bool(str(event["delta"].get("text", "")).strip())
            case "message_delta":
                reason = event["delta"].get("stop_reason")
                well = self._visible and not self._strange and reason in _ENDS_A_TURN
                return reason is not None and not well
        return False


@frozen(kw_only=True)
class RetryPolicy:
    """Which of the CLI's own retries may go on.

    ``retries`` counts them; ``max_wait`` is the longest wait before one, in seconds.
    ``login_refreshes`` says that after a 401 the CLI first renews its login, once.
    """

    retries: int
    max_wait: float
    login_refreshes: bool = False

    def allows(self, *, attempt: int, status: int | None, wait: float) -> bool:
        """Whether the model may be called again, ``wait`` seconds from now."""
        if status in {401, 403}:
            return self.login_refreshes and status == 401 and attempt == 1
        return attempt <= self.retries and wait <= self.max_wait


@define
class Translator:
    """One turn: :meth:`feed` takes each message and gives the events that it means.

    :attr:`ended` is true after ``TurnFinished`` or ``TurnFailed``; nothing is emitted after it.
    ``now`` gives the time as seconds since 1970.
    """

    _policy: RetryPolicy
    _now: Callable[[], float] = time.time
    ended: bool = field(default=False, init=False)
    _blocks: dict[int, int] = field(factory=dict, init=False)  # their index → ours
    _open: int | None = field(default=None, init=False)
    _started: bool = field(default=False, init=False)
    _visible: bool = field(default=False, init=False)
    _calls: bool = field(default=False, init=False)
    _thought: bool = field(default=False, init=False)
    _usage: dict[str, Any] = field(factory=dict, init=False)
    _answer: Answer = field(factory=Answer, init=False)
    _synthetic: Raw | None = field(default=None, init=False)
    _refused: bool = field(default=False, init=False)
    _quota_resets_at: int | None = field(default=None, init=False)

    def feed(self, message: Raw) -> list[Event]:
        """Translate the next message of the turn."""
        if self.ended:
            return []
        events = list(self._translate(message))
        self.ended = any(isinstance(event, TurnFinished | TurnFailed) for event in events)
        return events

    def lost(self, why: str) -> list[Event]:
        """The process ended without a word; says so unless the turn had ended."""
        if self.ended:
            return []
        self.ended = True
        return [TurnFailed(error=errors.ProcessLost(why))]

    def _translate(self, message: Raw) -> list[Event]:
        match message.get("type"), message.get("subtype"):
            case "stream_event", _:
                if self._synthetic is None and message.get("parent_tool_use_id") is None:
                    return self._stream(message["event"])
            case "assistant", _:
                if message.get("error") and message["message"].get("stop_reason") != "refusal":
                    self._synthetic = message  # prose, no answer; its status comes with the result
            case "system", "model_refusal_no_fallback":
                self._refused = True  # it may then leave the stop reason out of the stream
            case "system", "api_retry":
                return self._retry(message)
            case "rate_limit_event", _:
                if message["rate_limit_info"]["status"] == "rejected":
                    self._quota_resets_at = message["rate_limit_info"].get("resetsAt")
            case "result", _:
                return [TurnFailed(error=self._failure(message))]
        return []

    # -- the stream of the Messages API ----------------------------------------------------------

    def _stream(self, event: dict[str, Any]) -> list[Event]:
        self._answer.feed(event)
        match event.get("type"):
            case "message_start":
                return self._message_start(event["message"])
            case "content_block_start":
                return self._block_start(event["index"], event["content_block"])
            case "content_block_delta":
                return self._delta(event["index"], event["delta"])
            case "content_block_stop":
                return self._block_stop(event["index"])
            case "message_delta":
                return self._message_delta(event)
            case _:
                return []

    def _message_start(self, message: dict[str, Any]) -> list[Event]:
        if self._started:  # a second model call that nobody asked for
            return [TurnFailed(error=errors.UpstreamFault("The answer was started over."))]
        self._started = True
        self._usage = dict(message.get("usage") or {})
        usage = usage_of(self._usage)
        return [TurnStarted(model=message["model"], message_id=message["id"], usage=usage)]

    def _block_start(self, index: int, block: dict[str, Any]) -> list[Event]:
        self._thought |= block.get("type") in {"thinking", "redacted_thinking"}
        kind = _BLOCKS.get(block.get("type", ""))
        if kind is None:  # server-side tools, which nobody has asked for
            return []
        self._calls |= kind is BlockKind.TOOL_CALL
        ours = self._blocks[index] = len(self._blocks)
        self._open = index
        return [
            BlockStarted(
                index=ours,
                kind=kind,
                call_id=block.get("id", ""),
                name=block.get("name", ""),
                data=block.get("data", ""),
            )
        ]

    def _delta(self, index: int, delta: dict[str, Any]) -> list[Event]:
        ours = self._blocks.get(index)
        if ours is None:
            return []
        match delta.get("type"):
            case "text_delta":
                self._visible |= bool(delta["text"].strip())
                made: Event = TextDelta(index=ours, text=delta["text"])
            case "thinking_delta":
                made = ThinkingDelta(index=ours, text=delta["thinking"])
            case "input_json_delta":
                made = ToolArgsDelta(index=ours, json=delta["partial_json"])
            case "citations_delta":
                made = CitationDelta(index=ours, citation=delta["citation"])
            case "signature_delta":
                made = SignatureDelta(index=ours, signature=delta["signature"])
            case _:
                return []
        return [made]

    def _block_stop(self, index: int) -> list[Event]:
        if self._open != index:
            return []
        self._open = None
        return [BlockEnded(index=self._blocks[index])]

    def _message_delta(self, event: dict[str, Any]) -> list[Event]:
        self._usage |= {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
        reason = event["delta"].get("stop_reason") or ("refusal" if self._refused else None)
        if reason is None:
            return []
        events: list[Event] = []
        if self._open is not None:
            events += self._block_stop(self._open)
        if reason in {"end_turn", "tool_use"} and not (self._visible or self._calls):
            return [
                *events,
                TurnFailed(
                    error=errors.UpstreamFault(
                        "The model gave an empty answer. Try again, or change the last message.",
                        code="empty_answer",
                    )
                ),
            ]
        try:
            message = self._answer.message(cut=REASONS.get(reason) in _CUT)
        except ValueError:
            unreadable = errors.UpstreamFault(
                "The model called a function with arguments that are not a JSON object. Try again.",
                code="bad_arguments",
            )
            return [*events, TurnFailed(error=unreadable)]
        return [
            *events,
            UsageReported(usage=usage_of(self._usage, thought=self._thought)),
            TurnFinished(
                reason=self._reason(reason),
                stop_sequence=event["delta"].get("stop_sequence"),
                refusal=event["delta"].get("stop_details"),
                message=message,
            ),
        ]

    def _reason(self, told: str) -> FinishReason:
        """Why the model stopped; whether it called is seen by its calls, as the CLI sees it."""
        reason = REASONS.get(told, FinishReason.STOP)
        if told not in _ENDS_A_TURN:
            return reason
        if self._calls:
            return FinishReason.TOOL_CALLS
        return FinishReason.STOP if reason is FinishReason.TOOL_CALLS else reason

    # -- failures --------------------------------------------------------------------------------

    def _retry(self, data: dict[str, Any]) -> list[Event]:
        """The CLI is about to call again, after ``retry_delay_ms``: allow it or end the turn."""
        status, wait = data.get("error_status"), (data.get("retry_delay_ms") or 0) / 1000
        if self._started:
            return [TurnFailed(error=stream_broken())]
        if self._policy.allows(attempt=data.get("attempt", 0), status=status, wait=wait):
            return []
        return [TurnFailed(error=upstream_error(status, "", retry_after=math.ceil(wait)))]

    def _failure(self, result: Raw) -> errors.BridgeError:
        words, status = prose_of(result, self._synthetic), result.get("api_error_status")
        if self._synthetic is not None and self._synthetic["error"] == "authentication_failed":
            if status is None:
                return errors.NotLoggedIn(LOGIN_ADVICE)
        elif self._started and status is None:
            # Too long it was not, or nothing would have come: that is our own lock, see options.py.
            return stream_broken("" if TOO_LONG.search(words) else words)
        wait = None
        if self._quota_resets_at is not None:
            wait = max(1, math.ceil(self._quota_resets_at - self._now()))
        return upstream_error(status, words, retry_after=wait)


def usage_of(raw: dict[str, Any], *, thought: bool = False) -> Usage:
    """Usage as the Messages API says it; the model may have ``thought`` without its telling."""
    details = raw.get("output_tokens_details") or {}
    written = raw.get("cache_creation") or {}
    told: int | None = details.get("thinking_tokens")
    return Usage(
        input_tokens=raw.get("input_tokens") or 0,
        cache_read_tokens=raw.get("cache_read_input_tokens") or 0,
        cache_write_tokens=raw.get("cache_creation_input_tokens") or 0,
        hour_cache_write_tokens=written.get("ephemeral_1h_input_tokens") or 0,
        output_tokens=raw.get("output_tokens") or 0,
        reasoning_tokens=told if told is not None or thought else 0,
    )
