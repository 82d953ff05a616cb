"""Events → one completion. A JSON answer is the fold of the stream, so the two can't disagree."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field, frozen

from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    CitationDelta,
    Delta,
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


class OutOfOrder(Exception):
    """An event came where :mod:`bridge.core.events` does not allow it: a fault of ours."""


@frozen(kw_only=True)
class Block:
    """A whole block: ``text`` is its words, its reasoning, or a tool call's arguments as JSON.

    ``citations`` belong to words, ``signature`` to reasoning, ``data`` to redacted reasoning.
    """

    kind: BlockKind
    text: str
    call_id: str = ""
    name: str = ""
    signature: str = ""
    data: str = ""
    citations: tuple[Mapping[str, Any], ...] = ()


@frozen(kw_only=True)
class Completion:
    """A whole answer."""

    model: str
    message_id: str
    blocks: tuple[Block, ...]
    reason: FinishReason
    usage: Usage
    stop_sequence: str | None = None
    refusal: Mapping[str, Any] | None = None

    def text_of(self, kind: BlockKind) -> str:
        """The texts of all blocks of a kind, joined as they came."""
        return "".join(block.text for block in self.blocks if block.kind is kind)


@define
class _Open:
    start: BlockStarted
    pieces: list[str] = field(factory=list)
    signature: list[str] = field(factory=list)
    citations: list[Mapping[str, Any]] = field(factory=list)


_DELTAS: dict[BlockKind, tuple[type[Delta], ...]] = {
    BlockKind.TEXT: (TextDelta, CitationDelta),
    BlockKind.THINKING: (ThinkingDelta, SignatureDelta),
    BlockKind.REDACTED_THINKING: (),
    BlockKind.TOOL_CALL: (ToolArgsDelta,),
}


@define
class Folder:
    """Takes a turn's events one by one; :attr:`completion` is there after ``TurnFinished``.

    Raises :class:`OutOfOrder` for an illegal order, and the error itself at ``TurnFailed``.
    """

    completion: Completion | None = field(default=None, init=False)
    _started: TurnStarted | None = field(default=None, init=False)
    _open: _Open | None = field(default=None, init=False)
    _blocks: list[Block] = field(factory=list, init=False)
    _usage: Usage | None = field(default=None, init=False)

    def feed(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, TurnFailed):
            raise event.error
        if self.completion is not None:
            raise OutOfOrder(f"{_name(event)} after the end")
        if isinstance(event, TurnStarted):
            self._require(self._started is None, event)
            self._started = event
            return
        self._require(self._started is not None, event)
        self._in_turn(event)

    def _in_turn(self, event: Event) -> None:
        match event:
            case BlockStarted():
                self._require(self._open is None and self._usage is None, event)
                self._require(event.index == len(self._blocks), event)
                self._open = _Open(event)
            case TextDelta(index=index, text=piece) | ThinkingDelta(index=index, text=piece):
                self._opened(event, index).pieces.append(piece)
            case CitationDelta(index=index, citation=citation):
                self._opened(event, index).citations.append(citation)
            case SignatureDelta(index=index, signature=piece):
                self._opened(event, index).signature.append(piece)
            case ToolArgsDelta(index=index, json=piece):
                self._opened(event, index).pieces.append(piece)
            case BlockEnded(index=index):
                self._end_block(event, index)
            case UsageReported(usage=usage):
                self._require(self._open is None and self._usage is None, event)
                self._usage = usage
            case TurnFinished():
                self._finish(event)

    def _opened(self, event: Event, index: int) -> _Open:
        opened = self._open
        if (
            opened is None
            or opened.start.index != index
            or not isinstance(event, _DELTAS[opened.start.kind])
        ):
            raise OutOfOrder(f"{_name(event)} in {_where(opened)}")
        return opened

    def _end_block(self, event: Event, index: int) -> None:
        opened = self._open
        if opened is None or opened.start.index != index:
            raise OutOfOrder(f"{_name(event)} in {_where(opened)}")
        start = opened.start
        self._blocks.append(
            Block(
                kind=start.kind,
                text="".join(opened.pieces),
                call_id=start.call_id,
                name=start.name,
                signature="".join(opened.signature),
                data=start.data,
                citations=tuple(opened.citations),
            )
        )
        self._open = None

    def _finish(self, event: TurnFinished) -> None:
        if self._started is None or self._open is not None or self._usage is None:
            raise OutOfOrder(f"{_name(event)} too early")
        self.completion = Completion(
            model=self._started.model,
            message_id=self._started.message_id,
            blocks=tuple(self._blocks),
            reason=event.reason,
            usage=self._usage,
            stop_sequence=event.stop_sequence,
            refusal=event.refusal,
        )

    @staticmethod
    def _require(legal: bool, event: Event) -> None:
        if not legal:
            raise OutOfOrder(_name(event))


def _name(event: Event) -> str:
    """An event for a fault's message: the words in it are the client's, and go in no log."""
    index = getattr(event, "index", None)
    return type(event).__name__ + ("" if index is None else f"(index={index})")


def _where(opened: _Open | None) -> str:
    return "no block" if opened is None else f"the open {_name(opened.start)}"


def fold(events: Iterable[Event]) -> Completion:
    """Fold a whole turn.

    Raises the turn's own error if it failed, :class:`OutOfOrder` if the events are not a turn.
    """
    folder = Folder()
    for event in events:
        folder.feed(event)
    if folder.completion is None:
        raise OutOfOrder("the turn has no end")
    return folder.completion
