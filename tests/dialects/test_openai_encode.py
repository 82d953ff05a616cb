"""Completions, chunks and errors as a client of OpenAI's reads them."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai.types.chat as official
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import ErrorObject
from openai_answers import (
    CREATED,
    ERRORS,
    ID,
    MODEL,
    USAGE,
    Block,
    call,
    chunks,
    data,
    document,
    stream,
    thoughts,
    turn,
    words,
)

from bridge.core import errors
from bridge.core.errors import BridgeError, Kind, RateLimited, UpstreamFault
from bridge.core.events import BlockStarted, Event, FinishReason, TurnFailed, Usage
from bridge.core.fold import fold
from bridge.dialects.frames import dumps
from bridge.dialects.openai.frames import DONE, ERROR_TYPES, PING, frame, render_error, render_usage
from bridge.dialects.openai_chat import render
from bridge.dialects.openai_chat.encode import FINISH_REASONS

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

WIRE_USAGE = {
    "prompt_tokens": 321,
    "completion_tokens": 4000,
    "total_tokens": 4321,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 50},
}


def wire_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def delta_call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


def opened(index: int, call_id: str, name: str) -> dict[str, Any]:
    return delta_call(index, id=call_id, type="function", function={"name": name, "arguments": ""})


def more(index: int, piece: str) -> dict[str, Any]:
    return delta_call(index, function={"arguments": piece})


SAID = {"role": "assistant", "refusal": None}

# blocks, reason → the document's message, the stream's deltas after the first, the finish reason
ANSWERS: dict[str, tuple[list[Block], FinishReason, dict[str, Any], list[dict[str, Any]], str]] = {
    "words": (
        [words("Hel", "lo")],
        FinishReason.STOP,
        {**SAID, "content": "Hello"},
        [{"content": "Hel"}, {"content": "lo"}],
        "stop",
    ),
    "nothing": ([], FinishReason.STOP, {**SAID, "content": None}, [], "stop"),
    "a-stop-sequence": (
        [words("a")],
        FinishReason.STOP_SEQUENCE,
        {**SAID, "content": "a"},
        [{"content": "a"}],
        "stop",
    ),
    "cut-off": (
        [words("a")],
        FinishReason.LENGTH,
        {**SAID, "content": "a"},
        [{"content": "a"}],
        "length",
    ),
    "refused": (
        [words("I can")],
        FinishReason.REFUSAL,
        {**SAID, "content": "I can"},
        [{"content": "I can"}],
        "content_filter",
    ),
    "refused-without-a-word": (
        [],
        FinishReason.REFUSAL,
        {**SAID, "content": ""},
        [],
        "content_filter",
    ),
    "blocks-of-words-join": (
        [words("a"), words(), words("b")],
        FinishReason.STOP,
        {**SAID, "content": "ab"},
        [{"content": "a"}, {"content": "b"}],
        "stop",
    ),
    "thinking": (
        [thoughts("hm", "m"), words("yes")],
        FinishReason.STOP,
        {**SAID, "content": "yes", "reasoning_content": "hmm"},
        [{"reasoning_content": "hm"}, {"reasoning_content": "m"}, {"content": "yes"}],
        "stop",
    ),
    "a-call": (
        [call("c1", "look", '{"a":', "1}")],
        FinishReason.TOOL_CALLS,
        {**SAID, "content": None, "tool_calls": [wire_call("c1", "look", '{"a":1}')]},
        [opened(0, "c1", "look"), more(0, '{"a":'), more(0, "1}")],
        "tool_calls",
    ),
    "a-call-without-arguments": (
        [call("c1", "look")],
        FinishReason.TOOL_CALLS,
        {**SAID, "content": None, "tool_calls": [wire_call("c1", "look", "{}")]},
        [opened(0, "c1", "look"), more(0, "{}")],
        "tool_calls",
    ),
    "a-call-with-an-empty-piece": (
        [call("c1", "look", "")],
        FinishReason.TOOL_CALLS,
        {**SAID, "content": None, "tool_calls": [wire_call("c1", "look", "{}")]},
        [opened(0, "c1", "look"), more(0, ""), more(0, "{}")],
        "tool_calls",
    ),
    "calls-are-counted-apart-from-blocks": (
        [
            thoughts("hm"),
            words("I look."),
            call("c1", "look", "{}"),
            words("And:"),
            call("c2", "find", "[]"),
        ],
        FinishReason.TOOL_CALLS,
        {
            **SAID,
            "content": "I look.And:",
            "reasoning_content": "hm",
            "tool_calls": [wire_call("c1", "look", "{}"), wire_call("c2", "find", "[]")],
        },
        [
            {"reasoning_content": "hm"},
            {"content": "I look."},
            opened(0, "c1", "look"),
            more(0, "{}"),
            {"content": "And:"},
            opened(1, "c2", "find"),
            more(1, "[]"),
        ],
        "tool_calls",
    ),
    "a-call-cut-off": (
        [call("c1", "look", '{"a')],
        FinishReason.LENGTH,
        {**SAID, "content": None, "tool_calls": [wire_call("c1", "look", '{"a')]},
        [opened(0, "c1", "look"), more(0, '{"a')],
        "length",
    ),
}


@pytest.mark.parametrize(
    ("blocks", "reason", "message", "deltas", "finish"), ANSWERS.values(), ids=ANSWERS
)
def test_a_document(
    blocks: list[Block],
    reason: FinishReason,
    message: dict[str, Any],
    deltas: list[dict[str, Any]],
    finish: str,
) -> None:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    assert document(turn(*blocks, reason=reason)) == {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": [choice],
        "usage": WIRE_USAGE,
    }


@pytest.mark.parametrize("include_usage", [False, True], ids=["no-usage", "usage"])
@pytest.mark.parametrize(
    ("blocks", "reason", "message", "deltas", "finish"), ANSWERS.values(), ids=ANSWERS
)
def test_a_stream(
    blocks: list[Block],
    reason: FinishReason,
    message: dict[str, Any],
    deltas: list[dict[str, Any]],
    finish: str,
    include_usage: bool,
) -> None:
    envelope = {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        **({"usage": None} if include_usage else {}),
    }

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**envelope, "choices": [choice]}

    assert chunks(turn(*blocks, reason=reason), include_usage=include_usage) == [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *(chunk(delta) for delta in deltas),
        chunk({}, finish),
        *([{**envelope, "choices": [], "usage": WIRE_USAGE}] if include_usage else []),
    ]


# -- the older form of calls ---------------------------------------------------------------------


def older(**function: str) -> dict[str, Any]:
    return {"function_call": function}


# blocks, reason → the document's message, the stream's deltas after the first, the finish reason
OLDER: dict[str, tuple[list[Block], FinishReason, dict[str, Any], list[dict[str, Any]], str]] = {
    "words": (
        [words("a")],
        FinishReason.STOP,
        {**SAID, "content": "a"},
        [{"content": "a"}],
        "stop",
    ),
    "a-call": (
        [call("c1", "look", '{"a":', "1}")],
        FinishReason.TOOL_CALLS,
        {**SAID, "content": None, **older(name="look", arguments='{"a":1}')},
        [older(name="look", arguments=""), older(arguments='{"a":'), older(arguments="1}")],
        "function_call",
    ),
    "a-call-without-arguments": (
        [thoughts("hm"), words("I look."), call("c1", "look")],
        FinishReason.TOOL_CALLS,
        {
            **SAID,
            "content": "I look.",
            "reasoning_content": "hm",
            **older(name="look", arguments="{}"),
        },
        [
            {"reasoning_content": "hm"},
            {"content": "I look."},
            older(name="look", arguments=""),
            older(arguments="{}"),
        ],
        "function_call",
    ),
    "of-several-calls-the-first": (
        [call("c1", "look", "{}"), call("c2", "find", '{"a"', ":1}"), call("c3", "find")],
        FinishReason.TOOL_CALLS,
        {**SAID, "content": None, **older(name="look", arguments="{}")},
        [older(name="look", arguments=""), older(arguments="{}")],
        "function_call",
    ),
    "a-call-cut-off": (
        [call("c1", "look", '{"a')],
        FinishReason.LENGTH,
        {**SAID, "content": None, **older(name="look", arguments='{"a')},
        [older(name="look", arguments=""), older(arguments='{"a')],
        "length",
    ),
    "refused": (
        [],
        FinishReason.REFUSAL,
        {**SAID, "content": ""},
        [],
        "content_filter",
    ),
}


@pytest.mark.parametrize(
    ("blocks", "reason", "message", "deltas", "finish"), OLDER.values(), ids=OLDER
)
def test_the_older_form(
    blocks: list[Block],
    reason: FinishReason,
    message: dict[str, Any],
    deltas: list[dict[str, Any]],
    finish: str,
) -> None:
    events = turn(*blocks, reason=reason)
    whole, read = document(events, legacy=True), chunks(events, legacy=True)
    [choice] = whole["choices"]
    assert (choice["message"], choice["finish_reason"]) == (message, finish)
    assert [chunk["choices"][0]["delta"] for chunk in read] == [
        {"role": "assistant", "content": "", "refusal": None},
        *deltas,
        {},
    ]
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in read]
    assert finishes == [None] * (len(deltas) + 1) + [finish]
    check_document(whole)
    for chunk in read:
        check_chunk(chunk)


def test_each_event_is_sent_when_it_comes() -> None:
    sent = stream(turn(words("a"), call("c1", "look", "{}")), include_usage=True)
    assert [len(data(frames)) for frames in sent] == [1, 0, 1, 0, 1, 1, 0, 0, 3]


def test_every_reason_has_its_word() -> None:
    assert FINISH_REASONS.keys() == set(FinishReason)


USAGES = {
    "nothing": (Usage(), (0, 0, 0, 0, 0)),
    "plain": (Usage(input_tokens=3, output_tokens=4), (3, 4, 7, 0, 0)),
    "cached-tokens-are-part-of-the-prompt": (
        Usage(input_tokens=1, cache_read_tokens=10, output_tokens=1),
        (11, 1, 12, 10, 0),
    ),
    "tokens-written-to-the-cache-too": (Usage(cache_write_tokens=10), (10, 0, 10, 0, 0)),
    "reasoning-is-part-of-the-answer": (
        Usage(output_tokens=9, reasoning_tokens=8),
        (0, 9, 9, 0, 8),
    ),
}


@pytest.mark.parametrize(("usage", "numbers"), USAGES.values(), ids=USAGES)
def test_usage(usage: Usage, numbers: tuple[int, ...]) -> None:
    prompt, answer, total, cached, reasoning = numbers
    assert render_usage(usage) == {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


UNTOLD = Usage(input_tokens=3, output_tokens=4, reasoning_tokens=None)
WITHOUT_DETAILS = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 0},
}


def test_what_nobody_tells_of_the_reasoning_is_left_out() -> None:
    assert render_usage(UNTOLD) == WITHOUT_DETAILS
    events = turn(words("a"), usage=UNTOLD)
    assert document(events)["usage"] == WITHOUT_DETAILS
    assert chunks(events, include_usage=True)[-1]["usage"] == WITHOUT_DETAILS


# -- the fold and the stream agree ---------------------------------------------------------------

# whatever could break a line, a frame, a string or an encoding
PIECES = ["\n", "\r\n", "\n\n", "\u2028", "\u2029", "\x85", "\x0b\x1e", "\ud83d", "\ude00", "\0"]
pieces = st.lists(
    st.sampled_from([*PIECES, "", "data: [DONE]", "\\", '"', "\U0001f600"])
    | st.text(st.characters(exclude_categories=()), max_size=6),
    max_size=4,
)
ids = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
blocks_ = st.lists(
    st.builds(lambda p: words(*p), pieces)
    | st.builds(lambda p: thoughts(*p), pieces)
    | st.builds(lambda i, n, p: call(i, n, *p), ids, ids, pieces),
    max_size=5,
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


def assembled(read: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client makes of the chunks of a stream."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    finishes = []
    for chunk in read:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content", "")
            message["reasoning_content"] += delta.get("reasoning_content", "")
            for piece in delta.get("tool_calls", []):
                if piece["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append(
                        wire_call(piece["id"], piece["function"]["name"], "")
                    )
                function = message["tool_calls"][piece["index"]]["function"]
                function["arguments"] += piece["function"]["arguments"]
            finishes.append(choice["finish_reason"])
    *nones, finish = finishes
    assert set(nones) <= {None}, "one finish chunk, after all others"
    return {
        **{key: {chunk[key] for chunk in read} for key in ("id", "created", "model")},
        "message": message,
        "finish_reason": finish,
        "usage": read[-1].get("usage"),
    }


@steady
@given(turns, st.booleans())
def test_a_document_is_its_stream(events: list[Event], include_usage: bool) -> None:
    whole = document(events)
    [choice] = whole["choices"]
    message = choice["message"]
    read = chunks(events, include_usage=include_usage)
    assert read[0]["choices"][0]["delta"]["role"] == message["role"] == "assistant"
    assert assembled(read) == {
        **{key: {whole[key]} for key in ("id", "created", "model")},
        "message": {
            "content": message["content"] or "",
            "reasoning_content": message.get("reasoning_content", ""),
            "tool_calls": message.get("tool_calls", []),
        },
        "finish_reason": choice["finish_reason"],
        "usage": whole["usage"] if include_usage else None,
    }


@steady
@given(turns, st.booleans())
def test_both_are_what_the_official_client_knows(events: list[Event], include_usage: bool) -> None:
    check_document(document(events))
    for chunk in chunks(events, include_usage=include_usage):
        check_chunk(chunk)


def check_document(value: dict[str, Any]) -> None:
    parsed = official.ChatCompletion.model_validate(value, strict=True)
    check_extras(parsed)
    assert parsed.usage is not None
    choice = value["choices"][0]
    assert {"finish_reason", "index", "message", "logprobs"} == choice.keys()  # null, yet required
    assert {"role", "content", "refusal"} <= choice["message"].keys()


def check_chunk(value: dict[str, Any]) -> None:
    check_extras(official.ChatCompletionChunk.model_validate(value, strict=True))
    for choice in value["choices"]:
        assert {"finish_reason", "index", "delta", "logprobs"} == choice.keys()


def check_extras(value: Any) -> None:
    """The official types keep what they don't know; nothing may be there but the reasoning."""
    if isinstance(value, pydantic.BaseModel):
        assert set(value.model_extra or ()) <= {"reasoning_content"}
        for _, inner in value:
            check_extras(inner)
    elif isinstance(value, list):
        for inner in value:
            check_extras(inner)


def without(value: Any, *path: str | int) -> Any:
    *way, last = path
    holder = value
    for step in way:
        holder = holder[step]
    del holder[last]
    return value


REQUIRED: dict[str, tuple[Callable[[Any], None], tuple[str | int, ...]]] = {
    ".".join(map(str, ("document" if check is check_document else "chunk", *path))): (check, path)
    for check, paths in [
        (
            check_document,
            [
                *[("id",), ("object",), ("created",), ("model",), ("choices",), ("usage",)],
                *[("choices", 0, key) for key in ("index", "message", "logprobs")],
                ("choices", 0, "finish_reason"),
                *[("choices", 0, "message", key) for key in ("role", "content", "refusal")],
                *[("choices", 0, "message", "tool_calls", 0, k) for k in ("id", "function")],
                ("choices", 0, "message", "tool_calls", 0, "function", "arguments"),
                *[("usage", f"{key}_tokens") for key in ("prompt", "completion", "total")],
            ],
        ),
        (
            check_chunk,
            [
                *[("id",), ("object",), ("created",), ("model",), ("choices",)],
                *[("choices", 0, key) for key in ("index", "delta", "logprobs")],
                ("choices", 0, "finish_reason"),
                ("choices", 0, "delta", "tool_calls", 0, "index"),
            ],
        ),
    ]
    for path in paths
}


@pytest.mark.parametrize(("check", "path"), REQUIRED.values(), ids=REQUIRED)
def test_the_check_notices_what_is_missing(
    check: Callable[[Any], None], path: tuple[str | int, ...]
) -> None:
    events = turn(call("c1", "look", "{}"), reason=FinishReason.TOOL_CALLS)
    value = document(events) if check is check_document else chunks(events)[1]
    check(value)
    with pytest.raises((pydantic.ValidationError, AssertionError)):
        check(without(value, *path))


# -- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_text_never_breaks_a_frame(piece: str) -> None:
    said = f"a{piece}b"
    events = turn(thoughts(said), words(said), call("c1", "look", said))
    for frames in stream(events, include_usage=True):
        for line in frames.removesuffix(b"\n\n").split(b"\n\n") if frames else []:
            assert line.startswith(b"data: ")
            assert len(line.decode().splitlines()) == 1  # its lines end at U+2028, too
    survives = "".join("?" if "\ud800" <= c <= "\udfff" else c for c in said)
    message = assembled(chunks(events))["message"]
    assert message["content"] == message["reasoning_content"] == survives
    assert document(events)["choices"][0]["message"]["content"] == survives


def test_a_client_that_reads_lines_with_httpx() -> None:
    frames = b"".join(stream(turn(words(*PIECES, "end"))))
    lines = [line for line in httpx.Response(200, content=frames).iter_lines() if line]
    *read, done = (line.removeprefix("data: ") for line in lines)
    assert done == "[DONE]"
    said = assembled([json.loads(line) for line in read])["message"]["content"]
    assert said == "\n\r\n\n\n\u2028\u2029\x85\x0b\x1e??\0end"


def test_a_pair_cut_in_two_is_two_halves_in_the_document_too() -> None:
    events = turn(words("\ud83d", "\ude00"))
    assert document(events)["choices"][0]["message"]["content"] == "??"


def test_a_whole_pair_is_sent_as_it_is() -> None:
    assert "\U0001f600".encode() in b"".join(stream(turn(words("\U0001f600"))))


def test_dumps_is_compact_utf_8() -> None:
    assert dumps({"é": [1, None, "a b"]}) == '{"é":[1,null,"a b"]}'.encode()


def test_the_fixed_frames() -> None:
    assert frame({"a": 1}) == b'data: {"a":1}\n\n'
    assert DONE == b"data: [DONE]\n\n"
    assert PING == b": ping\n\n"  # a comment: clients pass over it


# -- errors --------------------------------------------------------------------------------------

WHOLE = turn(thoughts("hm"), words("a", "b"), call("c1", "look", "{", "}"))


@pytest.mark.parametrize("include_usage", [False, True], ids=["no-usage", "usage"])
@pytest.mark.parametrize("count", range(len(WHOLE)))
def test_a_turn_that_fails_ends_with_an_error_frame(count: int, include_usage: bool) -> None:
    error = UpstreamFault("it\nbroke \ud800", param="model")
    before, failed = WHOLE[:count], TurnFailed(error=error)
    *sent, last = stream([*before, failed], include_usage=include_usage)
    assert sent == stream(WHOLE, include_usage=include_usage)[:count]
    told = {"message": "it\nbroke ?", "type": "api_error", "param": "model"}
    assert [json.loads(line) for line in data(last)] == [
        {"error": {**told, "code": "upstream_error"}}
    ]
    assert b"[DONE]" not in b"".join([*sent, last])


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_an_error(cls: type[BridgeError]) -> None:
    kind, code = ERRORS[cls]
    body = render_error(cls("what is wrong"))
    assert body == {
        "error": {"message": "what is wrong", "type": kind, "param": None, "code": code}
    }
    ErrorObject.model_validate(body["error"], strict=True)


def test_every_error_has_a_row() -> None:
    ours = {cls for cls in vars(errors).values() if isinstance(cls, type) and cls is not Kind}
    assert {cls for cls in ours if issubclass(cls, BridgeError)} == ERRORS.keys()
    assert ERROR_TYPES.keys() == set(Kind)


def test_an_error_keeps_its_param_and_code() -> None:
    error = RateLimited("slow down", param="messages[0].content", code="quota", retry_after=3)
    assert render_error(error)["error"] == {
        "message": "slow down",
        "type": "rate_limit_error",
        "param": "messages[0].content",
        "code": "quota",
    }


def test_rendering_changes_nothing() -> None:
    events = turn(words("a"), usage=USAGE)
    completion = fold(events)
    first = render(completion, completion_id=ID, created=CREATED)
    first["choices"].clear()
    assert render(completion, completion_id=ID, created=CREATED)["choices"]
    assert isinstance(events[1], BlockStarted)
