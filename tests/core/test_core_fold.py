"""Events → a completion: every legal order gives one, every other order is a fault of ours."""

import itertools

import pytest

from bridge.core.errors import BridgeError, InvalidRequest, RateLimited, UpstreamFault
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
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
from bridge.core.fold import Block, Completion, Folder, OutOfOrder, fold

START = TurnStarted(model="claude-x", message_id="msg_1")
USAGE = UsageReported(usage=Usage(input_tokens=3, output_tokens=5))
STOP = TurnFinished(reason=FinishReason.STOP)
FAILURE = UpstreamFault("it broke")
FAIL = TurnFailed(error=FAILURE)


def text(index: int = 0) -> Event:
    return BlockStarted(index=index, kind=BlockKind.TEXT)


def think(index: int = 0) -> Event:
    return BlockStarted(index=index, kind=BlockKind.THINKING)


def call(index: int = 0, call_id: str = "call_1", name: str = "look") -> Event:
    return BlockStarted(index=index, kind=BlockKind.TOOL_CALL, call_id=call_id, name=name)


def said(piece: str, index: int = 0) -> Event:
    return TextDelta(index=index, text=piece)


def thought(piece: str, index: int = 0) -> Event:
    return ThinkingDelta(index=index, text=piece)


def sign(piece: str, index: int = 0) -> Event:
    return SignatureDelta(index=index, signature=piece)


def redacted(index: int = 0, data: str = "secret") -> Event:
    return BlockStarted(index=index, kind=BlockKind.REDACTED_THINKING, data=data)


def args(piece: str, index: int = 0) -> Event:
    return ToolArgsDelta(index=index, json=piece)


def end(index: int = 0) -> Event:
    return BlockEnded(index=index)


WORDS = BlockKind.TEXT
THOUGHTS = BlockKind.THINKING
CALL = BlockKind.TOOL_CALL
HIDDEN = BlockKind.REDACTED_THINKING

# the events between TurnStarted and UsageReported → the blocks that they are
LEGAL = {
    "no-blocks": ([], []),
    "an-empty-block": ([text(), end()], [Block(kind=WORDS, text="")]),
    "one-delta": ([text(), said("hi"), end()], [Block(kind=WORDS, text="hi")]),
    "deltas-join": (
        [text(), said("a"), said(""), said("b"), said("c"), end()],
        [Block(kind=WORDS, text="abc")],
    ),
    "thinking": ([think(), thought("hm"), thought("m"), end()], [Block(kind=THOUGHTS, text="hmm")]),
    "signed-thinking": (
        [think(), thought("hm"), sign("si"), sign("g"), end()],
        [Block(kind=THOUGHTS, text="hm", signature="sig")],
    ),
    "a-signature-between-words": (
        [think(), sign("s"), thought("hm"), end()],
        [Block(kind=THOUGHTS, text="hm", signature="s")],
    ),
    "signatures-of-their-own": (
        [think(), sign("a"), end(), think(1), sign("b", 1), end(1)],
        [
            Block(kind=THOUGHTS, text="", signature="a"),
            Block(kind=THOUGHTS, text="", signature="b"),
        ],
    ),
    "redacted-thinking": ([redacted(), end()], [Block(kind=HIDDEN, text="", data="secret")]),
    "a-call": (
        [call(), args('{"a":'), args("1}"), end()],
        [Block(kind=CALL, text='{"a":1}', call_id="call_1", name="look")],
    ),
    "a-call-without-arguments": (
        [call(), end()],
        [Block(kind=CALL, text="", call_id="call_1", name="look")],
    ),
    "all-kinds-in-a-row": (
        [
            *[think(0), thought("t", 0), end(0)],
            *[text(1), said("w", 1), end(1)],
            *[call(2), args("{}", 2), end(2)],
            *[call(3, "call_2", "find"), args("[]", 3), end(3)],
            *[text(4), said("v", 4), end(4)],
        ],
        [
            Block(kind=THOUGHTS, text="t"),
            Block(kind=WORDS, text="w"),
            Block(kind=CALL, text="{}", call_id="call_1", name="look"),
            Block(kind=CALL, text="[]", call_id="call_2", name="find"),
            Block(kind=WORDS, text="v"),
        ],
    ),
}


@pytest.mark.parametrize(("middle", "blocks"), LEGAL.values(), ids=LEGAL)
def test_a_legal_order_is_folded(middle: list[Event], blocks: list[Block]) -> None:
    assert fold([START, *middle, USAGE, STOP]) == Completion(
        model="claude-x",
        message_id="msg_1",
        blocks=tuple(blocks),
        reason=FinishReason.STOP,
        usage=Usage(input_tokens=3, output_tokens=5),
    )


@pytest.mark.parametrize("reason", FinishReason)
def test_the_reason_and_the_stop_sequence_are_kept(reason: FinishReason) -> None:
    folded = fold([START, USAGE, TurnFinished(reason=reason, stop_sequence="END")])
    assert (folded.reason, folded.stop_sequence) == (reason, "END")


def test_what_is_known_of_a_refusal_is_kept() -> None:
    told = {"type": "refusal", "category": "bio"}
    assert (
        fold([START, USAGE, TurnFinished(reason=FinishReason.REFUSAL, refusal=told)]).refusal
        == told
    )
    assert fold([START, USAGE, STOP]).refusal is None


def test_text_of_joins_the_blocks_of_one_kind() -> None:
    folded = fold([START, *LEGAL["all-kinds-in-a-row"][0], USAGE, STOP])
    assert folded.text_of(WORDS) == "wv"
    assert folded.text_of(THOUGHTS) == "t"
    assert folded.text_of(CALL) == "{}[]"


def test_events_may_come_from_any_iterable() -> None:
    assert fold(iter((START, USAGE, STOP))).blocks == ()


ILLEGAL = {
    "nothing": [],
    "no-start-but-a-block": [text(), end(), USAGE, STOP],
    "no-start-but-a-delta": [said("a")],
    "no-start-but-an-end-of-a-block": [end()],
    "no-start-but-usage": [USAGE, STOP],
    "no-start-but-an-end": [STOP],
    "started-twice": [START, START, USAGE, STOP],
    "started-inside-a-block": [START, text(), START, end(), USAGE, STOP],
    "started-after-usage": [START, USAGE, START, STOP],
    "no-end": [START, USAGE],
    "no-end-after-a-block": [START, text(), said("a"), end()],
    "no-usage": [START, STOP],
    "usage-twice": [START, USAGE, USAGE, STOP],
    "usage-inside-a-block": [START, text(), USAGE, end(), STOP],
    "finished-inside-a-block": [START, text(), STOP],
    "a-block-after-usage": [START, USAGE, text(), end(), STOP],
    "a-block-inside-a-block": [START, text(), text(1), end(1), end(), USAGE, STOP],
    "the-same-block-again-while-open": [START, text(), text(), end(), USAGE, STOP],
    "the-same-index-again": [START, text(), end(), text(), end(), USAGE, STOP],
    "indexes-from-1": [START, text(1), end(1), USAGE, STOP],
    "indexes-from-minus-1": [START, text(-1), end(-1), USAGE, STOP],
    "an-index-left-out": [START, text(), end(), text(2), end(2), USAGE, STOP],
    "a-delta-outside-a-block": [START, said("a"), USAGE, STOP],
    "a-delta-after-its-block": [START, text(), end(), said("a"), USAGE, STOP],
    "a-delta-of-another-block": [START, text(), said("a", 1), end(), USAGE, STOP],
    "a-delta-of-an-earlier-block": [
        *[START, text(), end(), text(1), said("a", 0), end(1), USAGE, STOP]
    ],
    "a-delta-after-usage": [START, USAGE, said("a"), STOP],
    "a-signature-outside-a-block": [START, sign("a"), USAGE, STOP],
    "a-signature-of-another-block": [START, think(), sign("a", 1), end(), USAGE, STOP],
    "a-signature-after-its-block": [START, think(), end(), sign("a"), USAGE, STOP],
    "redacted-thinking-without-an-end": [START, redacted(), USAGE, STOP],
    "an-end-without-a-block": [START, end(), USAGE, STOP],
    "an-end-twice": [START, text(), end(), end(), USAGE, STOP],
    "an-end-of-another-block": [START, text(), end(1), USAGE, STOP],
    "finished-twice": [START, USAGE, STOP, STOP],
    "started-after-the-end": [START, USAGE, STOP, START],
    "a-block-after-the-end": [START, USAGE, STOP, text()],
    "a-delta-after-the-end": [START, USAGE, STOP, said("a")],
    "usage-after-the-end": [START, USAGE, STOP, USAGE],
    **{
        f"{delta}-in-{block}": [START, opened, piece, end(), USAGE, STOP]
        for (block, opened), (delta, piece) in itertools.product(
            {"text": text(), "thinking": think(), "a-call": call(), "redacted": redacted()}.items(),
            {
                "words": said("a"),
                "thoughts": thought("a"),
                "arguments": args("a"),
                "a-signature": sign("a"),
            }.items(),
        )
        if (block, delta)
        not in {
            ("text", "words"),
            ("thinking", "thoughts"),
            ("thinking", "a-signature"),
            ("a-call", "arguments"),
        }
    },
}


@pytest.mark.parametrize("events", ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_order_is_refused(events: list[Event]) -> None:
    with pytest.raises(OutOfOrder):
        fold(events)


def test_the_docstring_is_the_whole_law() -> None:
    """Of all sequences of up to six events only these; one block, since every index is 0."""
    letters = {"S": START, "B": text(), "d": said("x"), "E": end(), "U": USAGE, "F": STOP}
    accepted = set()
    for length in range(7):
        for word in itertools.product(letters, repeat=length):
            try:
                fold([letters[letter] for letter in word])
            except OutOfOrder:
                continue
            accepted.add("".join(word))
    assert accepted == {"SUF", "SBEUF", "SBdEUF"}


FAILS = {
    "first": [],
    "after-the-start": [START],
    "inside-a-block": [START, text(), said("half")],
    "between-blocks": [START, text(), end()],
    "after-usage": [START, USAGE],
}


@pytest.mark.parametrize("before", FAILS.values(), ids=FAILS)
@pytest.mark.parametrize("error", [FAILURE, InvalidRequest("no", param="model"), RateLimited("")])
def test_a_failed_turn_raises_its_own_error(before: list[Event], error: BridgeError) -> None:
    with pytest.raises(type(error)) as caught:
        fold([*before, TurnFailed(error=error), START])
    assert caught.value is error


def test_nothing_after_a_failure_is_read() -> None:
    events = iter([START, FAIL, STOP])
    with pytest.raises(UpstreamFault):
        fold(events)
    assert list(events) == [STOP]


def test_a_folder_is_done_only_at_the_end() -> None:
    folder = Folder()
    for event in (START, text(), said("a"), end(), USAGE):
        folder.feed(event)
        assert folder.completion is None
    folder.feed(STOP)
    assert folder.completion is not None
    assert folder.completion.text_of(WORDS) == "a"


def test_an_error_of_order_names_the_event() -> None:
    with pytest.raises(OutOfOrder, match=r"TextDelta\(index=3\) in no block") as caught:
        fold([START, said("stray", 3)])
    assert "stray" not in str(caught.value)
    with pytest.raises(OutOfOrder, match="no end"):
        fold([START, USAGE])
