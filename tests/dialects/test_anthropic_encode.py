"""Messages, streams and errors as the official SDK reads them."""

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from anthropic_answers import (
    ASKED,
    BEGUN,
    ID,
    MODEL,
    REQUEST,
    USAGE,
    Block,
    accumulated,
    document,
    failed,
    frames,
    raw_events,
    reasoning,
    received,
    redacted,
    sdk,
    stream,
    turn,
)
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_answers import ERRORS, call, thoughts, words
from pydantic import TypeAdapter

from bridge.core import errors
from bridge.core.errors import BridgeError, Kind
from bridge.core.events import FinishReason, Usage
from bridge.dialects.anthropic_messages import PING, render_error, status_of
from bridge.dialects.anthropic_messages.encode import ERROR_TYPES, STOP_REASONS
from bridge.dialects.frames import dumps

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

Json = dict[str, Any]

WIRE_USAGE: Json = {
    "input_tokens": 1,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 20,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 4000,
    "output_tokens_details": {"thinking_tokens": 50},
}
WIRE_BEGUN = {
    name: 2 if name == "output_tokens" else value
    for name, value in WIRE_USAGE.items()
    if name != "output_tokens_details"
}


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def thinking(value: str, signature: str = "") -> Json:
    return {"type": "thinking", "thinking": value, "signature": signature}


def use(call_id: str, name: str, arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def said(piece: str) -> Json:
    return {"type": "text_delta", "text": piece}


def thought(piece: str) -> Json:
    return {"type": "thinking_delta", "thinking": piece}


def signed(signature: str) -> Json:
    return {"type": "signature_delta", "signature": signature}


def args(piece: str) -> Json:
    return {"type": "input_json_delta", "partial_json": piece}


REASONED = {"type": "redacted_thinking", "data": "secret"}

# blocks, reason → the document's content; of each block of the stream the start and the deltas
ANSWERS: dict[str, tuple[list[Block], FinishReason, list[Json], list[tuple[Json, list[Json]]]]] = {
    "words": (
        [words("Hel", "lo")],
        FinishReason.STOP,
        [text("Hello")],
        [(text(""), [said("Hel"), said("lo")])],
    ),
    "nothing": ([], FinishReason.REFUSAL, [], []),
    "an-empty-block": ([words()], FinishReason.STOP, [text("")], [(text(""), [])]),
    "odd-words": (
        [words("é\u2028\x85\n", "\r\n👍 data: x\n\n")],
        FinishReason.STOP,
        [text("é\u2028\x85\n\r\n👍 data: x\n\n")],
        [(text(""), [said("é\u2028\x85\n"), said("\r\n👍 data: x\n\n")])],
    ),
    "thinking": (
        [reasoning("hmm", "sig"), words("yes")],
        FinishReason.STOP,
        [thinking("hmm", "sig"), text("yes")],
        [(thinking(""), [thought("hmm"), signed("sig")]), (text(""), [said("yes")])],
    ),
    "a-signature-in-pieces": (
        [reasoning("hm", "si", "", "g"), reasoning("m", "other"), words("yes")],
        FinishReason.STOP,
        [thinking("hm", "sig"), thinking("m", "other"), text("yes")],
        [
            (thinking(""), [thought("hm"), signed("sig")]),
            (thinking(""), [thought("m"), signed("other")]),
            (text(""), [said("yes")]),
        ],
    ),
    "thinking-whose-words-are-left-out": (
        [reasoning("", "sig"), words("yes")],
        FinishReason.STOP,
        [thinking("", "sig"), text("yes")],
        [(thinking(""), [thought(""), signed("sig")]), (text(""), [said("yes")])],
    ),
    "thinking-without-a-signature": (
        [thoughts("h", "m")],
        FinishReason.LENGTH,
        [thinking("hm")],
        [(thinking(""), [thought("h"), thought("m")])],
    ),
    "thinking-that-is-redacted": (
        [redacted("secret"), words("yes")],
        FinishReason.STOP,
        [REASONED, text("yes")],
        [(REASONED, []), (text(""), [said("yes")])],
    ),
    "a-call": (
        [call("c1", "look", '{"a":', "1}")],
        FinishReason.TOOL_CALLS,
        [use("c1", "look", {"a": 1})],
        [(use("c1", "look", {}), [args('{"a":'), args("1}")])],
    ),
    "a-call-without-arguments": (
        [call("c1", "look")],
        FinishReason.TOOL_CALLS,
        [use("c1", "look", {})],
        [(use("c1", "look", {}), [])],
    ),
    "a-call-with-an-empty-piece": (
        [call("c1", "look", "", "{}")],
        FinishReason.TOOL_CALLS,
        [use("c1", "look", {})],
        [(use("c1", "look", {}), [args(""), args("{}")])],
    ),
    "everything": (
        [reasoning("hm", "s"), words("I look."), call("c1", "look", "{}"), call("c2", "find", '{"b":[]}'), words("So.")],
        FinishReason.TOOL_CALLS,
        [thinking("hm", "s"), text("I look."), use("c1", "look", {}), use("c2", "find", {"b": []}), text("So.")],
        [
            (thinking(""), [thought("hm"), signed("s")]),
            (text(""), [said("I look.")]),
            (use("c1", "look", {}), [args("{}")]),
            (use("c2", "find", {}), [args('{"b":[]}')]),
            (text(""), [said("So.")]),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("blocks", "reason", "content", "parts"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer(
    blocks: list[Block], reason: FinishReason, content: list[Json], parts: list[Any]
) -> None:
    events = turn(*blocks, reason=reason)
    whole = document(events)
    head = {"id": ID, "type": "message", "role": "assistant", "model": MODEL}
    stopped = {"stop_reason": STOP_REASONS[reason], "stop_sequence": None}
    assert whole == {**head, "content": content, **stopped, "usage": WIRE_USAGE}
    sent = b"".join(stream(events))
    none: Json = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": WIRE_BEGUN}
    expected: list[Json] = [{"type": "message_start", "message": {**head, **none}}]
    for index, (start, deltas) in enumerate(parts):
        at = {"index": index}
        expected += [
            {"type": "content_block_start", **at, "content_block": start},
            *([] if index else [{"type": "ping"}]),
            *({"type": "content_block_delta", **at, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", **at},
        ]
    expected += [
        {"type": "message_delta", "delta": stopped, "usage": WIRE_USAGE},
        {"type": "message_stop"},
    ]
    assert frames(sent) == expected
    check_same(sent, whole)


ONE_OF_THEM: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def check_same(sent: bytes, whole: Json) -> None:
    """The SDK makes the same message of both, and both are of its types."""
    strict = {"strict": True}
    Message.model_validate(whole, **strict)
    for event in frames(sent):
        if event["type"] not in {"ping", "error"}:
            ONE_OF_THEM.validate_python(event, **strict)
    streamed, at_once = accumulated(sent), received(whole)
    assert streamed.to_dict(exclude_unset=False) == at_once.to_dict(exclude_unset=False)
    assert at_once.to_dict(exclude_unset=True) == whole


def test_each_event_is_sent_when_it_comes() -> None:
    sent = stream(turn(words("a"), reasoning("hm", "s", "t")))
    assert [len(frames(raw)) for raw in sent] == [1, 2, 1, 1, 1, 1, 0, 0, 2, 0, 2]


@pytest.mark.parametrize("reason", FinishReason)
def test_why_the_model_stopped(reason: FinishReason) -> None:
    sequence = "END" if reason is FinishReason.STOP_SEQUENCE else None
    events = turn(words("a"), reason=reason, stop_sequence=sequence)
    whole = document(events)
    assert (whole["stop_reason"], whole["stop_sequence"]) == (STOP_REASONS[reason], sequence)
    check_same(b"".join(stream(events)), whole)


def test_every_reason_is_told_apart() -> None:
    assert STOP_REASONS.keys() == set(FinishReason)
    assert len(set(STOP_REASONS.values())) == len(STOP_REASONS)


def test_what_is_known_of_a_refusal() -> None:
    told = {"type": "refusal", "category": "bio", "explanation": "No."}
    events = turn(words("a"), reason=FinishReason.REFUSAL, refusal=told)
    whole = document(events)
    assert whole["stop_details"] == told
    check_same(b"".join(stream(events)), whole)


# the arguments of a call in an answer that was cut off
CUT = [
    '{"a',
    '{"a": "b',
    '{"a": 1,',
    "[1",
    "[1]",
    "5",
    "nul",
    '{"a": NaN}',
    '{"a": 1e999}',
    "[" * 99_999,
]


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.CONTEXT_WINDOW])
@pytest.mark.parametrize("arguments", CUT, ids=lambda arguments: arguments[:12])
def test_a_call_that_was_cut_off_has_no_arguments(arguments: str, reason: FinishReason) -> None:
    events = turn(words("a"), call("c1", "look", arguments), reason=reason)
    assert document(events)["content"] == [text("a"), use("c1", "look", {})]
    assert frames(b"".join(stream(events)))[-4]["delta"] == args(arguments)


# -- usage ---------------------------------------------------------------------------------------

USAGES: dict[str, tuple[Usage, Json]] = {
    "nothing": (
        Usage(),
        {
            **{name: 0 for name in WIRE_USAGE if name.endswith("tokens")},
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens_details": {"thinking_tokens": 0},
        },
    ),
    "all": (USAGE, WIRE_USAGE),
    "thinking-untold": (
        evolve(USAGE, reasoning_tokens=None),
        {name: value for name, value in WIRE_USAGE.items() if name != "output_tokens_details"},
    ),
}


@pytest.mark.parametrize(("usage", "wire"), USAGES.values(), ids=USAGES)
def test_usage(usage: Usage, wire: Json) -> None:
    begun, *between, ended = turn(thoughts("hm"), words("a"), usage=usage)
    events = [
        evolve(begun, usage=evolve(usage, output_tokens=1, reasoning_tokens=0)),
        *between,
        ended,
    ]
    whole = document(events)
    assert whole["usage"] == wire
    sent = b"".join(stream(events))
    start, *_, delta, _ = frames(sent)
    assert delta["usage"] == wire
    told = {**wire, "output_tokens": 1}
    told.pop("output_tokens_details", None)
    assert start["message"]["usage"] == told, "what is said of thinking at the start stays"
    check_same(sent, whole)


def test_what_is_known_at_the_start_is_said_at_the_start() -> None:
    (start,) = frames(stream(turn())[0])
    assert start["message"]["usage"] == WIRE_BEGUN
    assert BEGUN.output_tokens == 2


# -- any answer ----------------------------------------------------------------------------------

characters = st.characters(exclude_categories=["Cs"])
pieces = st.lists(st.text(characters, max_size=4), max_size=3)
json_objects = st.dictionaries(
    st.text(characters, max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers(-99, 99) | st.text(characters, max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=3,
    ),
    max_size=2,
)  # fmt: skip
ids = st.text("abc123_-", min_size=1, max_size=4)


@st.composite
def calls(draw: st.DrawFn) -> Block:
    whole = json.dumps(draw(json_objects), ensure_ascii=draw(st.booleans()))
    at = draw(st.integers(0, len(whole)))
    whole = whole.encode(errors="replace").decode()
    return call(draw(ids), draw(ids), whole[:at], whole[at:])


any_block = st.one_of(
    pieces.map(lambda found: words(*found)),
    st.builds(reasoning, st.text(characters, max_size=4), ids, ids),
    st.builds(redacted, ids),
    calls(),
)


@steady
@given(st.lists(any_block, max_size=4), st.sampled_from(FinishReason))
def test_the_stream_and_the_document_never_disagree(
    blocks: list[Block], reason: FinishReason
) -> None:
    events = turn(*blocks, reason=reason)
    check_same(b"".join(stream(events)), document(events))


# -- errors --------------------------------------------------------------------------------------

# the class → its type, its status, the SDK's exception
FAULTS: dict[type[BridgeError], tuple[str, int, str]] = {
    errors.BridgeError: ("api_error", 500, "InternalServerError"),
    errors.InvalidRequest: ("invalid_request_error", 400, "BadRequestError"),
    errors.SessionLimit: ("invalid_request_error", 400, "BadRequestError"),
    errors.UnsupportedParameter: ("invalid_request_error", 400, "BadRequestError"),
    errors.ContextLengthExceeded: ("invalid_request_error", 400, "BadRequestError"),
    errors.MethodNotAllowed: ("invalid_request_error", 405, "APIStatusError"),
    errors.TooLarge: ("request_too_large", 413, "APIStatusError"),
    errors.HeadTooLarge: ("invalid_request_error", 431, "APIStatusError"),
    errors.BodyTooSlow: ("invalid_request_error", 408, "APIStatusError"),
    errors.UnsupportedMediaType: ("invalid_request_error", 415, "APIStatusError"),
    errors.Unauthenticated: ("authentication_error", 401, "AuthenticationError"),
    errors.Forbidden: ("permission_error", 403, "PermissionDeniedError"),
    errors.NotFound: ("not_found_error", 404, "NotFoundError"),
    errors.ModelNotFound: ("not_found_error", 404, "NotFoundError"),
    errors.SessionNotFound: ("not_found_error", 404, "NotFoundError"),
    errors.RequestNotFound: ("not_found_error", 404, "NotFoundError"),
    errors.SessionDeleted: ("not_found_error", 404, "NotFoundError"),
    errors.RateLimited: ("rate_limit_error", 429, "RateLimitError"),
    errors.Internal: ("api_error", 500, "InternalServerError"),
    errors.StorageFault: ("api_error", 500, "InternalServerError"),
    errors.NotProvided: ("api_error", 501, "InternalServerError"),
    errors.UpstreamFault: ("api_error", 502, "InternalServerError"),
    errors.WrongAnswer: ("api_error", 502, "InternalServerError"),
    errors.UpstreamRefusedLogin: ("api_error", 502, "InternalServerError"),
    errors.ProcessLost: ("api_error", 502, "InternalServerError"),
    errors.Unavailable: ("overloaded_error", 529, "InternalServerError"),
    errors.NotLoggedIn: ("overloaded_error", 503, "InternalServerError"),
    errors.SessionBusy: ("overloaded_error", 503, "InternalServerError"),
    errors.ShuttingDown: ("overloaded_error", 503, "InternalServerError"),
    errors.TurnTimeout: ("timeout_error", 504, "InternalServerError"),
}


def test_every_error_has_a_row() -> None:
    assert FAULTS.keys() == ERRORS.keys()
    assert ERROR_TYPES.keys() == set(Kind)


@pytest.mark.parametrize("cls", FAULTS, ids=lambda cls: cls.__name__)
def test_an_error(cls: type[BridgeError]) -> None:
    kind, status, raised = FAULTS[cls]
    error = cls("what is wrong\nhere", param="messages[0]")
    body = render_error(error, REQUEST)
    assert body == {
        "type": "error",
        "error": {"type": kind, "message": "what is wrong\nhere"},
        "request_id": REQUEST,
    }
    if kind != "request_too_large":  # of the documentation, not of the package's types
        ErrorResponse.model_validate(body, strict=True)
    assert status_of(error) == status
    with pytest.raises(anthropic.APIStatusError) as caught:
        sdk(dumps(body), status).messages.create(**ASKED)
    assert isinstance(caught.value, getattr(anthropic, raised))
    assert (caught.value.status_code, caught.value.body) == (status, body)


WHOLE = turn(words("a"), call("c1", "look", "{}"))


@pytest.mark.parametrize("count", range(len(WHOLE)))
def test_a_failure_ends_a_stream_wherever_it_comes(count: int) -> None:
    error = errors.UpstreamFault("it\nbroke \ud800", param="model")
    *sent, last = stream([*WHOLE[:count], failed(error)])
    assert sent == stream(WHOLE)[:count]
    told = {"type": "api_error", "message": "it\nbroke ?"}
    assert frames(last) == [{"type": "error", "error": told, "request_id": REQUEST}]
    with pytest.raises(anthropic.APIStatusError, match="broke"):
        raw_events(b"".join([*sent, last]))


def test_a_ping_is_nothing_to_the_sdk() -> None:
    assert frames(PING) == [{"type": "ping"}]
    sent = stream(WHOLE)
    assert accumulated(PING.join(sent)) == accumulated(b"".join(sent))


def test_rendering_changes_nothing() -> None:
    events = turn(call("c1", "look", '{"a": []}'))
    first = document(events)
    assert first == document(events)
