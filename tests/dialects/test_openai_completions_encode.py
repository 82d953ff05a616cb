"""Documents and streams of the older completions, as a client of OpenAI's reads them."""

import json
from typing import Any

import openai.types as official
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_answers import (
    CREATED,
    ERRORS,
    MODEL,
    USAGE,
    Block,
    call,
    data,
    thoughts,
    turn,
    words,
)

from bridge.core.errors import BridgeError, UpstreamFault
from bridge.core.events import Event, FinishReason, TurnFailed, Usage
from bridge.core.fold import fold
from bridge.dialects.frames import dumps
from bridge.dialects.openai_completions import ChunkEncoder, CompletionRequest, decode, render
from bridge.dialects.openai_completions.encode import FINISH_REASONS

Json = dict[str, Any]
Choices = list[list[Event]]

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

ID = "cmpl-1"
WIRE_USAGE = {
    "prompt_tokens": 321,
    "completion_tokens": 4000,
    "total_tokens": 4321,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 50},
}
TWICE = {
    "prompt_tokens": 642,
    "completion_tokens": 8000,
    "total_tokens": 8642,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 100},
}
UNTOLD = Usage(input_tokens=3, output_tokens=4, reasoning_tokens=None)


def asking(count: int = 1, **fields: Any) -> CompletionRequest:
    prompts = [f"prompt {number}:" for number in range(count)]
    return decode(json.dumps({"prompt": prompts, **fields}).encode())


def document(asked: CompletionRequest, choices: Choices) -> Json:
    """The JSON answer, as a client reads it."""
    completions = [fold(events) for events in choices]
    rendered = render(asked, completions, completion_id=ID, created=CREATED)
    read: Json = json.loads(dumps(rendered))
    return read


def in_turn(choices: Choices) -> list[tuple[int, Event]]:
    """The events of all choices, one after another."""
    return [(number, event) for number, events in enumerate(choices) for event in events]


def side_by_side(choices: Choices) -> list[tuple[int, Event]]:
    """One event of each choice after another, the last choice's first."""
    longest = max(map(len, choices))
    return [
        (number, events[step])
        for step in range(longest)
        for number, events in reversed(list(enumerate(choices)))
        if step < len(events)
    ]


def stream(asked: CompletionRequest, events: list[tuple[int, Event]]) -> list[bytes]:
    """The bytes for each event."""
    encoder = ChunkEncoder(asked=asked, completion_id=ID, created=CREATED)
    return [encoder.encode(event, number) for number, event in events]


def chunks(asked: CompletionRequest, events: list[tuple[int, Event]]) -> list[Json]:
    """The chunks of a stream that must end well."""
    *read, done = data(b"".join(stream(asked, events)))
    assert done == "[DONE]"
    return [json.loads(line) for line in read]


def choice(text: str, finish: str | None, index: int = 0) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def envelope(kind: list[Json], **more: Any) -> Json:
    head = {"id": ID, "object": "text_completion", "created": CREATED, "model": MODEL}
    return {**head, "choices": kind, **more}


# blocks, reason → the text, the pieces of the stream, the finish reason
ANSWERS: dict[str, tuple[list[Block], FinishReason, str, list[str], str]] = {
    "words": ([words("Hel", "lo")], FinishReason.STOP, "Hello", ["Hel", "lo"], "stop"),
    "nothing": ([], FinishReason.STOP, "", [], "stop"),
    "a-stop-sequence": ([words("a")], FinishReason.STOP_SEQUENCE, "a", ["a"], "stop"),
    "cut-off": ([words("a")], FinishReason.LENGTH, "a", ["a"], "length"),
    "refused": ([words("no")], FinishReason.REFUSAL, "no", ["no"], "content_filter"),
    "refused-without-a-word": ([], FinishReason.REFUSAL, "", [], "content_filter"),
    "blocks-of-words-join": (
        [words("a"), words(), words("b")],
        FinishReason.STOP,
        "ab",
        ["a", "b"],
        "stop",
    ),
    "thinking-has-no-place": (
        [thoughts("hm"), words("yes"), thoughts("so")],
        FinishReason.STOP,
        "yes",
        ["yes"],
        "stop",
    ),
    "a-call-has-no-place": (
        [words("I look."), call("c1", "look", "{}")],
        FinishReason.TOOL_CALLS,
        "I look.",
        ["I look."],
        "stop",
    ),
}


@pytest.mark.parametrize(
    ("blocks", "reason", "text", "pieces", "finish"), ANSWERS.values(), ids=ANSWERS
)
def test_a_document(
    blocks: list[Block], reason: FinishReason, text: str, pieces: list[str], finish: str
) -> None:
    assert document(asking(), [turn(*blocks, reason=reason)]) == envelope(
        [choice(text, finish)], usage=WIRE_USAGE
    )


@pytest.mark.parametrize("include_usage", [False, True], ids=["no-usage", "usage"])
@pytest.mark.parametrize(
    ("blocks", "reason", "text", "pieces", "finish"), ANSWERS.values(), ids=ANSWERS
)
def test_a_stream(
    blocks: list[Block],
    reason: FinishReason,
    text: str,
    pieces: list[str],
    finish: str,
    include_usage: bool,
) -> None:
    asked = asking(stream_options={"include_usage": include_usage})
    more: Json = {"usage": None} if include_usage else {}
    assert chunks(asked, in_turn([turn(*blocks, reason=reason)])) == [
        *(envelope([choice(piece, None)], **more) for piece in pieces),
        envelope([choice("", finish)], **more),
        *([envelope([], usage=WIRE_USAGE)] if include_usage else []),
    ]


REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CONTEXT_WINDOW: "length",
    FinishReason.TOOL_CALLS: "stop",
    FinishReason.REFUSAL: "content_filter",
}


@pytest.mark.parametrize("reason", FinishReason)
def test_every_reason_has_its_word(reason: FinishReason) -> None:
    events = [turn(words("a"), reason=reason)]
    assert FINISH_REASONS[reason] == REASONS[reason]
    assert document(asking(), events)["choices"][0]["finish_reason"] == REASONS[reason]
    assert chunks(asking(), in_turn(events))[-1]["choices"][0]["finish_reason"] == REASONS[reason]


@pytest.mark.parametrize("usage", [USAGE, UNTOLD], ids=["told", "untold"])
def test_the_usage_of_reasoning_is_told_where_it_is_known(usage: Usage) -> None:
    events = [turn(words("a"), usage=usage)]
    asked = asking(stream_options={"include_usage": True})
    told = document(asked, events)["usage"]
    assert ("completion_tokens_details" in told) == (usage is USAGE)
    assert chunks(asked, in_turn(events))[-1]["usage"] == told


# -- the prompt before the answer ----------------------------------------------------------------


def test_an_echo() -> None:
    asked = asking(echo=True)
    events = [turn(words(" a", "b"))]
    assert document(asked, events)["choices"] == [choice("prompt 0: ab", "stop")]
    assert [chunk["choices"] for chunk in chunks(asked, in_turn(events))] == [
        [choice("prompt 0:", None)],
        [choice(" a", None)],
        [choice("b", None)],
        [choice("", "stop")],
    ]


def test_an_echo_of_several() -> None:
    asked, events = asking(2, echo=True), [turn(words(" a")), turn(words(" b"))]
    assert document(asked, events)["choices"] == [
        choice("prompt 0: a", "stop"),
        choice("prompt 1: b", "stop", 1),
    ]
    assert [chunk["choices"] for chunk in chunks(asked, side_by_side(events))] == [
        [choice("prompt 1:", None, 1)],
        [choice("prompt 0:", None)],
        [choice(" b", None, 1)],
        [choice(" a", None)],
        [choice("", "stop", 1)],
        [choice("", "stop")],
    ]


# -- several prompts -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", [in_turn, side_by_side])
def test_several_prompts(order: Any) -> None:
    asked = asking(2, stream_options={"include_usage": True})
    events = [turn(words("a", "b")), turn(words("c"), reason=FinishReason.LENGTH)]
    assert document(asked, events) == envelope(
        [choice("ab", "stop"), choice("c", "length", 1)], usage=TWICE
    )
    read = chunks(asked, order(events))
    assert read[-1] == envelope([], usage=TWICE)
    of = {n: [c for chunk in read for c in chunk["choices"] if c["index"] == n] for n in (0, 1)}
    assert of[0] == [choice("a", None), choice("b", None), choice("", "stop")]
    assert of[1] == [choice("c", None, 1), choice("", "length", 1)]
    assert len(read) == 6


def test_the_end_comes_after_the_last_choice_only() -> None:
    asked = asking(3, stream_options={"include_usage": True})
    sent = stream(asked, in_turn([turn(words("a"))] * 3))
    ends = [b"[DONE]" in frames for frames in sent]
    usages = [b'"prompt_tokens"' in frames for frames in sent]
    assert ends == usages == [False] * (len(sent) - 1) + [True]


def test_each_event_is_sent_when_it_comes() -> None:
    sent = stream(asking(echo=True), in_turn([turn(thoughts("hm"), words("a"))]))
    assert [len(data(frames)) for frames in sent] == [1, 0, 0, 0, 0, 1, 0, 0, 2]


# -- the fold and the stream agree ---------------------------------------------------------------

PIECES = ["\n", "\r\n", "\n\n", "\u2028", "\u2029", "\x85", "\x0b\x1e", "\ud83d", "\ude00", "\0"]
pieces_ = st.lists(
    st.sampled_from([*PIECES, "", "data: [DONE]", "\\", '"', "\U0001f600"])
    | st.text(st.characters(exclude_categories=()), max_size=6),
    max_size=4,
)
blocks_ = st.lists(
    st.builds(lambda p: words(*p), pieces_)
    | st.builds(lambda p: thoughts(*p), pieces_)
    | st.builds(lambda p: call("c1", "look", *p), pieces_),
    max_size=4,
)
counts = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    input_tokens=counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
    output_tokens=counts,
    reasoning_tokens=st.none() | counts,
)
turns = st.builds(
    lambda blocks, reason, usage: turn(*blocks, reason=reason, usage=usage),
    blocks_,
    st.sampled_from(FinishReason),
    usages,
)


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[Choices, list[tuple[int, Event]]]:
    """Up to four turns, and their events in any order that keeps each turn's own."""
    choices = draw(st.lists(turns, min_size=1, max_size=4))
    order = [number for number, events in enumerate(choices) for _ in events]
    left = [iter(events) for events in choices]
    return choices, [(number, next(left[number])) for number in draw(st.permutations(order))]


@steady
@given(interleaved(), st.booleans(), st.booleans())
def test_a_document_is_its_stream(
    played: tuple[Choices, list[tuple[int, Event]]], echo: bool, include_usage: bool
) -> None:
    choices, events = played
    asked = asking(len(choices), echo=echo, stream_options={"include_usage": include_usage})
    whole, read = document(asked, choices), chunks(asked, events)
    check_document(whole)
    texts, finishes = [""] * len(choices), [None] * len(choices)
    for chunk in read:
        check_document(chunk)
        assert (chunk["id"], chunk["model"]) == (ID, MODEL)
        for part in chunk["choices"]:
            assert finishes[part["index"]] is None, "nothing comes after a choice's end"
            texts[part["index"]] += part["text"]
            finishes[part["index"]] = part["finish_reason"]
    assert [(c["text"], c["finish_reason"], c["index"]) for c in whole["choices"]] == [
        (text, finish, index)
        for index, (text, finish) in enumerate(zip(texts, finishes, strict=True))
    ]
    assert read[-1].get("usage") == (whole["usage"] if include_usage else None)


def check_document(value: Json) -> None:
    """A chunk has the same type; what it leaves open is null, and more than is known is not there."""
    known = {**value, "choices": [{**c, "finish_reason": c["finish_reason"] or "stop"} for c in value["choices"]]}  # fmt: skip
    parsed = official.Completion.model_validate(known, strict=True)
    check_extras(parsed)
    for one in value["choices"]:
        assert one.keys() == {"text", "index", "logprobs", "finish_reason"}


def check_extras(value: Any) -> None:
    if isinstance(value, pydantic.BaseModel):
        assert not value.model_extra
        for _, inner in value:
            check_extras(inner)
    elif isinstance(value, list):
        for inner in value:
            check_extras(inner)


@pytest.mark.parametrize("key", ["id", "object", "created", "model", "choices"])
def test_the_check_notices_what_is_missing(key: str) -> None:
    value = document(asking(), [turn(words("a"))])
    check_document(value)
    del value[key]
    with pytest.raises((pydantic.ValidationError, KeyError)):
        check_document(value)


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_text_never_breaks_a_frame(piece: str) -> None:
    said = f"a{piece}b"
    sendable = said if piece.isspace() else "a"  # NUL and halves are refused
    asked = decode(json.dumps({"prompt": sendable, "echo": True}).encode())
    events = in_turn([turn(words(said))])
    for frames in stream(asked, events):
        for line in frames.removesuffix(b"\n\n").split(b"\n\n") if frames else []:
            assert line.startswith(b"data: ")
            assert len(line.decode().splitlines()) == 1  # its lines end at U+2028, too
    survives = "".join("?" if "\ud800" <= c <= "\udfff" else c for c in said)
    texts = [chunk["choices"][0]["text"] for chunk in chunks(asked, events)]
    assert texts == [sendable, survives, ""]


# -- errors --------------------------------------------------------------------------------------

WHOLE = turn(thoughts("hm"), words("a", "b"))


@pytest.mark.parametrize("include_usage", [False, True], ids=["no-usage", "usage"])
@pytest.mark.parametrize("count", range(len(WHOLE)))
def test_a_turn_that_fails_ends_with_an_error_frame(count: int, include_usage: bool) -> None:
    asked = asking(2, stream_options={"include_usage": include_usage})
    error = UpstreamFault("it\nbroke \ud800", param="model")
    before: list[tuple[int, Event]] = [(0, event) for event in WHOLE]
    before += [(1, event) for event in WHOLE[:count]]
    *sent, last = stream(asked, [*before, (1, TurnFailed(error=error))])
    assert sent == stream(asked, before)
    told = {"message": "it\nbroke ?", "type": "api_error", "param": "model"}
    assert [json.loads(line) for line in data(last)] == [
        {"error": {**told, "code": "upstream_error"}}
    ]
    assert b"[DONE]" not in b"".join([*sent, last])
    assert b'"prompt_tokens"' not in b"".join([*sent, last])


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_an_error(cls: type[BridgeError]) -> None:
    kind, code = ERRORS[cls]
    failed = TurnFailed(error=cls("what is wrong"))
    (frames,) = stream(asking(), [(0, failed)])
    told = {"message": "what is wrong", "type": kind, "param": None, "code": code}
    assert [json.loads(line) for line in data(frames)] == [{"error": told}]
    official.ErrorObject.model_validate(told, strict=True)
