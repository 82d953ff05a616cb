"""What an answer must be, and what of it the client sees: from the model's stream to the fold."""

import json
from typing import Any

import pytest
from attrs import frozen
from claude_turns import CLOSED, OBJECT, asking, call, tool
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bridge.claude.body import JSON_ANSWER, Request
from bridge.claude.demands import Demands
from bridge.claude.translate import RetryPolicy, Translator
from bridge.core.conversation import (
    JsonOutput,
    Part,
    RedactedThinking,
    Text,
    Thinking,
    ToolCall,
    Turn,
)
from bridge.core.errors import BridgeError, ProcessLost, UpstreamFault, WrongAnswer
from bridge.core.events import (
    BlockKind,
    BlockStarted,
    Event,
    FinishReason,
    TextDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    UsageReported,
)
from bridge.core.fold import fold

# -- the model's stream ----------------------------------------------------------------------------

Said = dict[str, Any]


def words(*pieces: str) -> Said:
    return {"type": "text", "pieces": pieces}


def thought(*pieces: str) -> Said:
    return {"type": "thinking", "pieces": pieces}


REDACTED = {"type": "redacted_thinking", "data": "x", "pieces": ()}


def calls(name: str, *pieces: str) -> Said:
    """A call, with its arguments as they come."""
    return {"type": "tool_use", "name": name, "pieces": pieces}


def answers(*pieces: str) -> Said:
    """The call whose arguments are the answer."""
    return calls(JSON_ANSWER, *pieces)


_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def stream(blocks: list[Said], reason: str) -> list[dict[str, Any]]:
    """The events of the Messages API."""
    message = {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 5}}
    lines: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, block in enumerate(blocks):
        start = {key: value for key, value in block.items() if key != "pieces"}
        if block["type"] == "tool_use":
            start |= {"id": f"toolu_{index}", "input": {}}
        lines.append({"type": "content_block_start", "index": index, "content_block": start})
        for piece in block["pieces"]:
            kind, key = _DELTAS[block["type"]]
            delta = {"type": kind, key: piece}
            lines.append({"type": "content_block_delta", "index": index, "delta": delta})
        lines.append({"type": "content_block_stop", "index": index})
    sequence = "###" if reason == "stop_sequence" else None
    ending = {"stop_reason": reason, "stop_sequence": sequence}
    return [*lines, {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}}]


def events_of(blocks: list[Said], reason: str) -> list[Event]:
    translator = Translator(policy=RetryPolicy(retries=0, max_wait=0))
    return [
        event
        for line in stream(blocks, reason)
        for event in translator.feed({"type": "stream_event", "event": line})
    ]


async def demanded(request: Request, turn: Turn, events: list[Event]) -> list[Event]:
    demands = Demands(request, turn)
    return [seen for event in events for seen in await demands.take(event)]


@frozen
class Seen:
    """What the client has of an answer: its blocks, why it ended, and what goes into the history."""

    blocks: list[tuple[str, str]]
    reason: FinishReason
    parts: tuple[Part, ...]
    sequence: str | None = None


async def answer(request: Request, turn: Turn, blocks: list[Said], reason: str) -> Seen:
    """Raises the error of the turn if it has failed."""
    events = await demanded(request, turn, events_of(blocks, reason))
    whole = fold(events)
    last = events[-1]
    assert isinstance(last, TurnFinished)
    assert whole.usage.prompt_tokens == 5
    found = [(block.name or block.kind.value, block.text) for block in whole.blocks]
    return Seen(found, whole.reason, last.message.parts, whole.stop_sequence)


# -- answers in JSON -------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TO_SCHEMA = asking(output=JsonOutput(schema=SCHEMA), tools=(tool("f"), tool("g")))
TO_ANY = asking(output=JsonOutput(), tools=(tool("f"), tool("g")))
JSON_REQUEST = Request(fields={}, json_answer=JSON_ANSWER)

N = '{"n": 1}'
THOUGHT = Thinking(text="hm")
LENGTH, REFUSAL, STOP = FinishReason.LENGTH, FinishReason.REFUSAL, FinishReason.STOP
SEQUENCE, TOOL_CALLS = FinishReason.STOP_SEQUENCE, FinishReason.TOOL_CALLS


def f_call(index: int, name: str = "f", **arguments: Any) -> ToolCall:
    return call(f"toolu_{index}", name, **arguments)


JSON_ANSWERS: dict[str, tuple[Turn, list[Said], str, Seen]] = {
    "the call's arguments are the answer": (
        TO_SCHEMA,
        [answers('{"n"', ": 1}")],
        "tool_use",
        Seen([("text", N)], STOP, (Text(text=N),)),
    ),
    "words beside the call are held back": (
        TO_SCHEMA,
        [words("Here ", "it is"), answers(N), words("done")],
        "tool_use",
        Seen([("text", N)], STOP, (Text(text=N),)),
    ),
    "words that are JSON": (
        TO_SCHEMA,
        [words(" {", '"n": 1}\n')],
        "end_turn",
        Seen([("text", ' {"n": 1}\n')], STOP, (Text(text=' {"n": 1}\n'),)),
    ),
    "words that are JSON in two blocks": (
        TO_SCHEMA,
        [words('{"n":'), thought("hm"), words("1}")],
        "end_turn",
        Seen([("thinking", "hm"), ("text", '{"n":1}')], STOP, (THOUGHT, Text(text='{"n":1}'))),
    ),
    "reasoning goes on, and comes first": (
        TO_SCHEMA,
        [thought("h", "m"), words("so"), REDACTED, thought("hm"), answers(N)],
        "tool_use",
        Seen(
            [("thinking", "hm"), ("redacted_thinking", ""), ("thinking", "hm"), ("text", N)],
            STOP,
            (THOUGHT, RedactedThinking(data="x"), THOUGHT, Text(text=N)),
        ),
    ),
    "of two answers the first one counts": (
        TO_SCHEMA,
        [answers(N), answers("{}"), answers('{"n": 2}')],
        "tool_use",
        Seen([("text", N)], STOP, (Text(text=N),)),
    ),
    "an answer and a call": (
        TO_SCHEMA,
        [words("both"), calls("f", '{"a": 1}'), answers(N), calls("g")],
        "tool_use",
        Seen(
            [("f", '{"a": 1}'), ("text", N), ("g", "")],
            TOOL_CALLS,
            (Text(text=N), f_call(1, a=1), f_call(3, "g")),
        ),
    ),
    "a call alone": (
        TO_SCHEMA,
        [calls("f", "{", "}")],
        "tool_use",
        Seen([("f", "{}")], TOOL_CALLS, (f_call(0),)),
    ),
    "no arguments": (
        TO_ANY,
        [answers()],
        "tool_use",
        Seen([("text", "{}")], STOP, (Text(text="{}"),)),
    ),
    "empty arguments": (
        TO_ANY,
        [answers("", "")],
        "tool_use",
        Seen([("text", "{}")], STOP, (Text(text="{}"),)),
    ),
    "any object": (
        TO_ANY,
        [words('{"n": "x"}')],
        "end_turn",
        Seen([("text", '{"n": "x"}')], STOP, (Text(text='{"n": "x"}'),)),
    ),
    "JSON up to a stop sequence": (
        TO_SCHEMA,
        [words(N)],
        "stop_sequence",
        Seen([("text", N)], SEQUENCE, (Text(text=N),), "###"),
    ),
    "an answer that is cut": (
        TO_SCHEMA,
        [words("so"), answers('{"n', '": ')],
        "max_tokens",
        Seen([("text", '{"n": ')], LENGTH, (Text(text='{"n": '),)),
    ),
    "an answer that is whole and yet not what it should be, when the tokens ran out": (
        TO_SCHEMA,
        [answers('{"n": "x"}')],
        "max_tokens",
        Seen([("text", '{"n": "x"}')], LENGTH, (Text(text='{"n": "x"}'),)),
    ),
    "an answer in words that is cut": (
        TO_SCHEMA,
        [words(' {"n"', ": 1")],
        "max_tokens",
        Seen([("text", ' {"n": 1')], LENGTH, (Text(text=' {"n": 1'),)),
    ),
    "prose that is cut": (TO_SCHEMA, [words("Sure, I")], "max_tokens", Seen([], LENGTH, ())),
    "white space that is cut": (TO_SCHEMA, [words(" \n")], "max_tokens", Seen([], LENGTH, ())),
    "a thought that is cut": (
        TO_SCHEMA,
        [thought("hm")],
        "max_tokens",
        Seen([("thinking", "hm")], LENGTH, ()),
    ),
    "nothing, cut": (TO_SCHEMA, [], "max_tokens", Seen([], LENGTH, ())),
    "a call that is cut": (
        TO_SCHEMA,
        [calls("f", '{"a": ')],
        "max_tokens",
        Seen([("f", '{"a": ')], LENGTH, ()),
    ),
    "words and a call that is cut": (
        TO_SCHEMA,
        [words("let me see"), calls("f", '{"a": ')],
        "max_tokens",
        Seen([("f", '{"a": ')], LENGTH, ()),
    ),
    "a refusal": (
        TO_SCHEMA,
        [words("I ", "won't")],
        "refusal",
        Seen([("text", "I won't")], REFUSAL, (Text(text="I won't"),)),
    ),
    "a refusal without a word": (TO_SCHEMA, [], "refusal", Seen([], REFUSAL, ())),
    "a refusal in the middle of the answer": (
        TO_SCHEMA,
        [words("so"), answers('{"n": ')],
        "refusal",
        Seen([("text", '{"n": ')], REFUSAL, (Text(text='{"n": '),)),
    ),
}


@pytest.mark.parametrize("kind", JSON_ANSWERS)
async def test_an_answer_in_json(kind: str) -> None:
    turn, blocks, reason, seen = JSON_ANSWERS[kind]
    assert await answer(JSON_REQUEST, turn, blocks, reason) == seen


NOT_JSON: dict[str, tuple[Turn, list[Said], str, str]] = {
    "prose": (TO_ANY, [words("one")], "end_turn", "not the JSON object"),
    "prose and JSON": (TO_ANY, [words("It is {}")], "end_turn", "not the JSON object"),
    "a fence": (TO_ANY, [words("```json\n{}\n```")], "end_turn", "not the JSON object"),
    "a list": (TO_ANY, [words("[1]")], "end_turn", "not the JSON object"),
    "a number": (TO_ANY, [words("1")], "end_turn", "not the JSON object"),
    "null": (TO_ANY, [words("null")], "end_turn", "not the JSON object"),
    "not a number": (TO_ANY, [words('{"n": NaN}')], "end_turn", "not the JSON object"),
    "endless": (TO_ANY, [words('{"n": -Infinity}')], "end_turn", "not the JSON object"),
    "too deep": (TO_ANY, [words('{"a":' * 5000 + "1" + "}" * 5000)], "end_turn", "not the JSON"),
    "half of it": (TO_ANY, [words('{"n":')], "stop_sequence", "not the JSON object"),
    "nothing before a stop sequence": (TO_ANY, [], "stop_sequence", "not the JSON object"),
    "a thought alone": (TO_ANY, [thought("hm")], "stop_sequence", "not the JSON object"),
    "white space": (TO_ANY, [words(" ")], "stop_sequence", "not the JSON object"),
    "an ending nobody knows": (TO_ANY, [thought("hm")], "pause_turn", "not the JSON object"),
    "a field too few": (TO_SCHEMA, [answers("{}")], "tool_use", "'$': 'n' is a required property"),
    "no arguments": (TO_SCHEMA, [answers()], "tool_use", "'$': 'n' is a required property"),
    "a field of another type": (TO_SCHEMA, [words('{"n": "x"}')], "end_turn", "'$.n': 'x' is not"),
    "a wrong answer before the right one": (
        TO_SCHEMA,
        [answers("{}"), answers(N)],
        "tool_use",
        "'n' is a required property",
    ),
    "a wrong answer beside a call": (
        TO_SCHEMA,
        [answers("{}"), calls("f", "{}")],
        "tool_use",
        "'n' is a required property",
    ),
}


@pytest.mark.parametrize("kind", NOT_JSON)
async def test_an_answer_that_is_not_the_json(kind: str) -> None:
    turn, blocks, reason, problem = NOT_JSON[kind]
    with pytest.raises(WrongAnswer) as caught:
        await answer(JSON_REQUEST, turn, blocks, reason)
    assert problem in caught.value.message
    assert caught.value.code == "schema_mismatch"


async def test_an_answer_is_passed_on_piece_by_piece() -> None:
    pieces = [N[:2], N[2:5], N[5:]]
    demands = Demands(JSON_REQUEST, TO_SCHEMA)
    seen = [
        [type(passed).__name__ for passed in await demands.take(event)]
        for event in events_of([words("so"), answers(*pieces)], "tool_use")
    ]
    delta = ["TextDelta"]
    answered = [["BlockStarted"], delta, delta, delta, ["BlockEnded"]]
    ending = [[], ["UsageReported", "TurnFinished"]]
    assert seen == [["TurnStarted"], [], [], [], *answered, *ending]


async def test_an_answer_under_another_name() -> None:
    turn = asking(output=JsonOutput(), tools=(tool(JSON_ANSWER),))
    request = Request(fields={}, json_answer=f"{JSON_ANSWER}_")
    blocks = [calls(JSON_ANSWER, '{"x": 1}'), calls(f"{JSON_ANSWER}_", N)]
    seen = await answer(request, turn, blocks, "tool_use")
    theirs = f_call(0, JSON_ANSWER, x=1)
    assert seen == Seen(
        [(JSON_ANSWER, '{"x": 1}'), ("text", N)], TOOL_CALLS, (Text(text=N), theirs)
    )


# -- calls ---------------------------------------------------------------------------------------

MUST_CALL = Request(fields={}, calls=True)
ONE_OF = asking(tools=(tool("f"), tool("g")))


@pytest.mark.parametrize(
    ("blocks", "reason", "wrong"),
    [
        ([calls("f", "{}")], "tool_use", False),
        ([words("let me see"), calls("g", "{}"), calls("f", "{}")], "tool_use", False),
        ([calls("unknown", "{}")], "tool_use", False),
        ([words("no")], "end_turn", True),
        ([words("no")], "stop_sequence", True),
        ([], "stop_sequence", True),
        ([words("no")], "max_tokens", False),
        ([calls("f", '{"a')], "max_tokens", False),
        ([words("no")], "refusal", False),
    ],
)
async def test_a_call_that_must_be_made(blocks: list[Said], reason: str, wrong: bool) -> None:
    events = events_of(blocks, reason)
    seen = await demanded(MUST_CALL, ONE_OF, events)
    if not wrong:
        assert seen == events
        fold(seen)
        return
    assert seen[:-1] == events[:-1]
    with pytest.raises(WrongAnswer) as caught:
        fold(seen)
    assert caught.value.code == "tool_not_called"


STRICT = asking(
    tools=(
        tool("f", CLOSED, strict=True),
        tool("g", {**OBJECT, "properties": {"a": {"minimum": 5}}}, strict=True),
        tool("loose", CLOSED),
    )
)


@pytest.mark.parametrize("request_", [Request(fields={}), MUST_CALL], ids=["may", "must"])
@pytest.mark.parametrize(
    ("blocks", "reason", "problem"),
    [
        ([calls("f", '{"a": 1}')], "tool_use", None),
        ([calls("f")], "tool_use", None),
        (
            [calls("f", '{"a": "x"}')],
            "tool_use",
            "'f' with arguments that do not meet its schema: '$.a'",
        ),
        ([calls("f", '{"b": 1}')], "tool_use", "'b' was unexpected"),
        ([calls("g", '{"a": 4}')], "tool_use", "4 is less than the minimum of 5"),
        ([calls("f", '{"a": 1}'), calls("g", '{"a": 4}')], "tool_use", "'g' with arguments"),
        ([calls("loose", '{"a": "x", "b": 1}')], "tool_use", None),
        ([calls("unknown", '{"a": "x"}')], "tool_use", None),
        ([calls("f", '{"a": "x"')], "max_tokens", None),
        ([calls("f", '{"a": "x"}'), calls("f", "{")], "max_tokens", None),
    ],
)
async def test_the_arguments_of_a_strict_function(
    request_: Request, blocks: list[Said], reason: str, problem: str | None
) -> None:
    events = events_of(blocks, reason)
    seen = await demanded(request_, STRICT, events)
    if problem is None:
        assert seen == events
        fold(seen)
        return
    with pytest.raises(WrongAnswer) as caught:
        fold(seen)
    assert problem in caught.value.message
    assert caught.value.code == "schema_mismatch"


@pytest.mark.parametrize(
    "said", [[answers(N)], [words("so")], []], ids=["answer", "words", "alone"]
)
async def test_the_arguments_of_a_strict_function_are_checked_beside_an_answer_too(
    said: list[Said],
) -> None:
    turn = asking(tools=STRICT.tools, output=JsonOutput(schema=SCHEMA))
    assert (await answer(JSON_REQUEST, turn, [*said, calls("f", "{}")], "tool_use")).parts[-1:]
    with pytest.raises(WrongAnswer, match="'f' with arguments"):
        await answer(JSON_REQUEST, turn, [*said, calls("f", '{"a": "x"}')], "tool_use")


ALTERED: dict[str, tuple[Request, list[Said], str, bool]] = {
    # whether the answer is another one than the process holds
    "words": (Request(fields={}), [words("hi")], "end_turn", False),
    "a call": (MUST_CALL, [words("so"), calls("f", "{}")], "tool_use", False),
    "JSON in words": (JSON_REQUEST, [words(N[:3], N[3:])], "end_turn", False),
    "JSON in words, after a thought": (JSON_REQUEST, [thought("hm"), words(N)], "end_turn", False),
    "JSON in words of two blocks": (JSON_REQUEST, [words(N[:3]), words(N[3:])], "end_turn", True),
    "JSON in a call": (JSON_REQUEST, [answers(N)], "tool_use", True),
    "a call on the way to JSON": (JSON_REQUEST, [calls("f", "{}")], "tool_use", False),
    "the same, with words": (JSON_REQUEST, [words("so"), calls("f", "{}")], "tool_use", True),
}


@pytest.mark.parametrize("kind", ALTERED)
async def test_it_is_known_when_the_answer_is_not_what_the_process_holds(kind: str) -> None:
    request, blocks, reason, altered = ALTERED[kind]
    demands = Demands(request, TO_SCHEMA)
    for event in events_of(blocks, reason):
        await demands.take(event)
    assert demands.altered == altered


# -- whatever the model says -----------------------------------------------------------------------


@pytest.mark.parametrize("request_", [Request(fields={}), MUST_CALL, JSON_REQUEST])
async def test_a_failure_goes_on_as_it_is(request_: Request) -> None:
    failure = TurnFailed(error=ProcessLost("gone"))
    events: list[Event] = [
        TurnStarted(model="m", message_id="1"),
        BlockStarted(index=0, kind=BlockKind.TEXT),
        TextDelta(index=0, text="hi"),
        failure,
    ]
    seen = await demanded(request_, TO_ANY, events)
    assert (seen[0], seen[-1]) == (events[0], failure)
    with pytest.raises(ProcessLost):
        fold(seen)


def cuts(text: str) -> st.SearchStrategy[tuple[str, ...]]:
    """The text in pieces."""
    places = st.lists(st.integers(0, len(text)), max_size=3).map(sorted)
    return places.map(
        lambda at: tuple(text[i:j] for i, j in zip([0, *at], [*at, len(text)], strict=True))
    )


texts = st.sampled_from(["", " ", "\n", "so", N, '{"n"', ": 2}", "[1]", '{"n": "x"}', " {}"])
arguments = st.sampled_from(["", "{}", N, '{"n": "x"}', '{"a": 1}', '{"a": "x"}', '{"b": [{}]}'])
broken = st.sampled_from(["{", '{"a": ', '{"n', '"', "[]", "null", "{}}"])
blocks_ = st.one_of(
    texts.flatmap(cuts).map(lambda pieces: words(*pieces)),
    st.sampled_from(["", "hm"]).map(thought),
    st.just(REDACTED),
    st.builds(
        lambda name, pieces: calls(name, *pieces),
        st.sampled_from([JSON_ANSWER, JSON_ANSWER, "f", "g", "loose", "unknown"]),
        st.one_of(arguments, arguments, arguments, broken).flatmap(cuts),
    ),
)
endings = st.sampled_from(["", "", "", "max_tokens", "stop_sequence", "refusal", "pause_turn"])
requests = st.sampled_from([Request(fields={}), MUST_CALL, JSON_REQUEST])
turns = st.sampled_from(
    [
        asking(tools=STRICT.tools, output=JsonOutput(schema=SCHEMA)),
        asking(tools=STRICT.tools, output=JsonOutput()),
        asking(tools=ONE_OF.tools, output=JsonOutput()),
    ]
)


@settings(max_examples=600, deadline=None)
@given(requests, turns, st.lists(blocks_, max_size=4), endings)
async def test_whatever_the_model_says_is_a_turn_that_keeps_its_word(
    request_: Request, turn: Turn, said: list[Said], ending: str
) -> None:
    has_calls = any(block["type"] == "tool_use" for block in said)
    reason = ending or ("tool_use" if has_calls else "end_turn")
    seen = await demanded(request_, turn, events_of(said, reason))
    try:
        whole = fold(seen)
    except BridgeError as error:
        assert isinstance(error, UpstreamFault)
        assert [event for event in seen if isinstance(event, TurnFailed)] == seen[-1:]
        return
    assert [type(event) for event in seen[-2:]] == [UsageReported, TurnFinished]
    last = seen[-1]
    assert isinstance(last, TurnFinished)
    said_texts = [part.text for part in last.message.parts if isinstance(part, Text)]
    text = whole.text_of(BlockKind.TEXT)
    assert all(text.strip() for text in said_texts), "the Messages API refuses empty texts"
    assert "".join("".join(said_texts).split()) == "".join(text.split()), "as the client saw it"
    called = [part for part in last.message.parts if isinstance(part, ToolCall)]
    shown = [block for block in whole.blocks if block.kind is BlockKind.TOOL_CALL]
    assert [part.id for part in called] == [block.call_id for block in shown][: len(called)]
    assert len(called) == len(shown) or (reason in {"max_tokens", "refusal"} and not called)
    if reason in {"max_tokens", "refusal"}:
        return
    assert ending or (whole.reason is TOOL_CALLS) == bool(called)
    if request_.calls:
        assert called
    if request_.json_answer:
        assert JSON_ANSWER not in {part.name for part in called}
        assert text or called
        if text:
            value = json.loads(text)
            schema = turn.output.schema if turn.output else None
            assert isinstance(value, dict)
            assert schema is None or Draft202012Validator(schema).is_valid(value)
    strict = {function.name: function.schema for function in turn.tools if function.strict}
    kept = [(part.arguments, strict[part.name]) for part in called if part.name in strict]
    assert all(Draft202012Validator(schema).is_valid(given) for given, schema in kept)
