"""What a turn emits, in order.

The legal order, which :func:`bridge.core.fold.fold` checks::

    TurnStarted
      (BlockStarted (TextDelta | CitationDelta | …)* BlockEnded)*
      UsageReported
    TurnFinished

``TurnFailed`` may come at any point, also first, and is always last. A block's deltas are of the
block's own kind and carry its index; indexes count from 0 without gaps.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from bridge.core.conversation import Message, Role
from bridge.core.errors import BridgeError


class BlockKind(StrEnum):
    """What a block of the answer holds."""

    TEXT = "text"
    THINKING = "thinking"
    REDACTED_THINKING = "redacted_thinking"
    TOOL_CALL = "tool_call"


class FinishReason(StrEnum):
    """Why the model stopped, in the words of this project; each dialect has its own for these."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CONTEXT_WINDOW = "context_window"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"


@frozen(kw_only=True)
class Usage:
    """Real token counts, as the Messages API reports them.

    ``input_tokens`` excludes what was read from or written to the prompt cache; ``prompt_tokens``
    is the sum that was paid for. ``hour_cache_write_tokens`` are those of ``cache_write_tokens``
    that are kept for an hour. ``reasoning_tokens`` is the part of ``output_tokens`` that was
    thinking, None where the API does not tell how much of it was.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    hour_cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int | None = 0

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt, cached ones included."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """What both took together."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            hour_cache_write_tokens=self.hour_cache_write_tokens + other.hour_cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=_sum(self.reasoning_tokens, other.reasoning_tokens),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@frozen(kw_only=True)
class TurnStarted:
    """The model began to answer; ``model`` is the one that does, ``message_id`` its own id.

    ``usage`` is what is known of the token counts so far: the prompt's, and a few of the answer's.
    ``live`` says that the process which held the conversation went on with it; else the history was
    replayed into a fresh one. ``changed`` and ``ignored`` name parameters that have another effect
    with this model than was asked, or none.
    """

    model: str
    message_id: str
    usage: Usage = field(factory=Usage, eq=False)
    live: bool = False
    changed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@frozen(kw_only=True)
class BlockStarted:
    """A block opens; ``call_id`` and ``name`` belong to tool calls, ``data`` to redacted thinking,
    which is all in it."""

    index: int
    kind: BlockKind
    call_id: str = ""
    name: str = ""
    data: str = ""


@frozen(kw_only=True)
class TextDelta:
    """More of the answer's words, as they arrived."""

    index: int
    text: str


@frozen(kw_only=True)
class CitationDelta:
    """What the words of a text block are taken from, in the Messages API's own terms."""

    index: int
    citation: Mapping[str, Any]


@frozen(kw_only=True)
class ThinkingDelta:
    """More of the model's reasoning, as they arrived."""

    index: int
    text: str


@frozen(kw_only=True)
class SignatureDelta:
    """More of the signature of the model's reasoning, which makes it acceptable when sent back."""

    index: int
    signature: str


@frozen(kw_only=True)
class ToolArgsDelta:
    """More of a tool call's arguments: a piece of JSON text."""

    index: int
    json: str


@frozen(kw_only=True)
class BlockEnded:
    """A block is whole."""

    index: int


@frozen(kw_only=True)
class UsageReported:
    """The token counts of the whole turn."""

    usage: Usage


@frozen(kw_only=True)
class TurnFinished:
    """The answer is whole; ``message`` is all of it, as the model's side wants it back.

    ``refusal`` is what the Messages API tells of a refusal (its ``stop_details``), if it does.
    """

    reason: FinishReason
    stop_sequence: str | None = None
    refusal: Mapping[str, Any] | None = field(default=None, eq=False)
    message: Message = field(factory=lambda: Message(role=Role.ASSISTANT, parts=()), eq=False)


@frozen(kw_only=True)
class TurnFailed:
    """There will be no more of this answer."""

    error: BridgeError


Delta = TextDelta | CitationDelta | ThinkingDelta | SignatureDelta | ToolArgsDelta
Event = TurnStarted | BlockStarted | Delta | BlockEnded | UsageReported | TurnFinished | TurnFailed
