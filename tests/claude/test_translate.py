"""The CLI's messages → events, case by case; what the real CLI sends is shown in tests/web."""

from typing import Any

import pytest
from attrs import evolve

from bridge.claude.failures import upstream_error
from bridge.claude.translate import RetryPolicy, Sentinel, Translator
from bridge.core import errors
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
from bridge.core.fold import fold

POLICY = RetryPolicy(retries=2, max_wait=20)


def raw(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "stream_event",
        "event": event,
        "uuid": "u",
        "session_id": "s",
        "parent_tool_use_id": None,
    }


def start(**usage: int) -> dict[str, Any]:
    message = {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 5, **usage}}
    return raw({"type": "message_start", "message": message})


def block(index: int, **content: Any) -> dict[str, Any]:
    return raw({"type": "content_block_start", "index": index, "content_block": content})


def delta(index: int, **content: Any) -> dict[str, Any]:
    return raw({"type": "content_block_delta", "index": index, "delta": content})


def stop(index: int) -> dict[str, Any]:
    return raw({"type": "content_block_stop", "index": index})


def end(reason: str | None, sequence: str | None = None, **usage: Any) -> dict[str, Any]:
    return raw(
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": sequence},
            "usage": {"output_tokens": 7, **usage},
        }
    )


def text(index: int, words: str) -> list[dict[str, Any]]:
    return [
        block(index, type="text", text=""),
        delta(index, type="text_delta", text=words),
        stop(index),
    ]


def synthetic(words: str, error: str = "unknown", stop_reason: str = "end_turn") -> dict[str, Any]:
    return {
        "type": "assistant",
        "error": error,
        "message": {
            "model": "<synthetic>",
            "content": [{"type": "text", "text": words}],
            "stop_reason": stop_reason,
        },
    }


def result(status: int | None = None, words: str = "", **more: Any) -> dict[str, Any]:
    return {
        "type": "result",
        "subtype": "success",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "is_error": True,
        "num_turns": 1,
        "session_id": "s",
        "result": words,
        "api_error_status": status,
        **more,
    }


def retry(attempt: int, status: int | None, delay_ms: int = 500) -> dict[str, Any]:
    return {
        "type": "system",
        "subtype": "api_retry",
        "attempt": attempt,
        "error_status": status,
        "retry_delay_ms": delay_ms,
    }


def quota(resets_at: int) -> dict[str, Any]:
    info = {"status": "rejected", "resetsAt": resets_at}
    return {"type": "rate_limit_event", "rate_limit_info": info, "uuid": "u", "session_id": "s"}


def feed(*lines: dict[str, Any], policy: RetryPolicy = POLICY) -> list[Event]:
    translator = Translator(policy=policy, now=lambda: 1000.0)
    events: list[Event] = []
    for line in lines:
        events += translator.feed(line)
    return events


STARTED = TurnStarted(model="claude-x", message_id="msg_1")
USED = UsageReported(usage=Usage(input_tokens=5, output_tokens=7))


UNTOLD = UsageReported(usage=evolve(USED.usage, reasoning_tokens=None))
"""The model thought, and did not say how much of it was that."""


def finished(
    reason: FinishReason, sequence: str | None = None, used: UsageReported = USED
) -> list[Event]:
    return [used, TurnFinished(reason=reason, stop_sequence=sequence)]


def said(index: int, words: str) -> list[Event]:
    return [
        BlockStarted(index=index, kind=BlockKind.TEXT),
        TextDelta(index=index, text=words),
        BlockEnded(index=index),
    ]


def call(index: int, arguments: str = "{}") -> list[dict[str, Any]]:
    return [
        block(index, type="tool_use", id=f"t{index}", name="f", input={}),
        delta(index, type="input_json_delta", partial_json=arguments),
        stop(index),
    ]


def called(index: int, arguments: str = "{}") -> list[Event]:
    return [
        BlockStarted(index=index, kind=BlockKind.TOOL_CALL, call_id=f"t{index}", name="f"),
        ToolArgsDelta(index=index, json=arguments),
        BlockEnded(index=index),
    ]


ANSWERS: dict[str, tuple[list[dict[str, Any]], list[Event]]] = {
    "words": (
        [start(), *text(0, "hi"), end("end_turn")],
        [STARTED, *said(0, "hi"), *finished(FinishReason.STOP)],
    ),
    "a stop sequence": (
        [start(), *text(0, "hi"), end("stop_sequence", "X")],
        [STARTED, *said(0, "hi"), *finished(FinishReason.STOP_SEQUENCE, "X")],
    ),
    "max_tokens without a word": (
        [start(), end("max_tokens")],
        [STARTED, *finished(FinishReason.LENGTH)],
    ),
    "the context is full": (
        [start(), *text(0, "hi"), end("model_context_window_exceeded")],
        [STARTED, *said(0, "hi"), *finished(FinishReason.CONTEXT_WINDOW)],
    ),
    "a refusal": (
        [start(), end("refusal")],
        [STARTED, *finished(FinishReason.REFUSAL)],
    ),
    "a refusal that the stream does not name": (
        [
            start(),
            {"type": "system", "subtype": "model_refusal_no_fallback"},
            synthetic("can't", stop_reason="refusal"),
            end(None),
        ],
        [STARTED, *finished(FinishReason.REFUSAL)],
    ),
    "thinking first": (
        [
            start(),
            block(0, type="thinking", thinking=""),
            delta(0, type="thinking_delta", thinking="hm"),
            delta(0, type="signature_delta", signature="abc"),
            stop(0),
            *text(1, "hi"),
            end("end_turn"),
        ],
        [
            STARTED,
            BlockStarted(index=0, kind=BlockKind.THINKING),
            ThinkingDelta(index=0, text="hm"),
            SignatureDelta(index=0, signature="abc"),
            BlockEnded(index=0),
            *said(1, "hi"),
            *finished(FinishReason.STOP, used=UNTOLD),
        ],
    ),
    "redacted thinking": (
        [
            start(),
            block(0, type="redacted_thinking", data="x"),
            stop(0),
            *text(1, "hi"),
            end("end_turn"),
        ],
        [
            STARTED,
            BlockStarted(index=0, kind=BlockKind.REDACTED_THINKING, data="x"),
            BlockEnded(index=0),
            *said(1, "hi"),
            *finished(FinishReason.STOP, used=UNTOLD),
        ],
    ),
    "what nobody asked for leaves no gap": (
        [
            start(),
            block(0, type="server_tool_use", id="s1", name="web_search", input={}),
            stop(0),
            *text(1, "hi"),
            end("end_turn"),
        ],
        [STARTED, *said(0, "hi"), *finished(FinishReason.STOP)],
    ),
    "a tool call": (
        [
            start(),
            block(0, type="tool_use", id="t1", name="f", input={}),
            delta(0, type="input_json_delta", partial_json='{"a"'),
            delta(0, type="input_json_delta", partial_json=":1}"),
            stop(0),
            end("tool_use"),
        ],
        [
            STARTED,
            BlockStarted(index=0, kind=BlockKind.TOOL_CALL, call_id="t1", name="f"),
            ToolArgsDelta(index=0, json='{"a"'),
            ToolArgsDelta(index=0, json=":1}"),
            BlockEnded(index=0),
            *finished(FinishReason.TOOL_CALLS),
        ],
    ),
    "a call, and an end that names none": (
        [start(), *call(0), end("end_turn")],
        [STARTED, *called(0), *finished(FinishReason.TOOL_CALLS)],
    ),
    "a call, and a stop sequence": (
        [start(), *text(0, "hi"), *call(1), end("stop_sequence", "X")],
        [STARTED, *said(0, "hi"), *called(1), *finished(FinishReason.TOOL_CALLS, "X")],
    ),
    "an end that names a call, and none": (
        [start(), *text(0, "hi"), end("tool_use")],
        [STARTED, *said(0, "hi"), *finished(FinishReason.STOP)],
    ),
    "a call that is cut": (
        [start(), *call(0, '{"a": '), end("max_tokens")],
        [STARTED, *called(0, '{"a": '), *finished(FinishReason.LENGTH)],
    ),
    "a refusal in the middle of a call": (
        [start(), *call(0, '{"a": '), end("refusal")],
        [STARTED, *called(0, '{"a": '), *finished(FinishReason.REFUSAL)],
    ),
    "nothing after the end": (
        [start(), *text(0, "hi"), end("end_turn"), *text(1, "more"), result(500)],
        [STARTED, *said(0, "hi"), *finished(FinishReason.STOP)],
    ),
    "a retry that goes well": (
        [retry(1, 529), retry(2, None), start(), *text(0, "hi"), end("end_turn")],
        [STARTED, *said(0, "hi"), *finished(FinishReason.STOP)],
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer(kind: str) -> None:
    lines, events = ANSWERS[kind]
    assert feed(*lines) == events
    fold(events)  # a legal order


def test_usage_is_the_last_word_of_each_figure() -> None:
    events = feed(
        start(cache_read_input_tokens=3, output_tokens=1),
        *text(0, "hi"),
        end(
            "end_turn",
            input_tokens=None,
            cache_creation_input_tokens=2,
            output_tokens_details={"thinking_tokens": 4},
        ),
    )
    (usage,) = [event.usage for event in events if isinstance(event, UsageReported)]
    assert usage == Usage(
        input_tokens=5,
        cache_read_tokens=3,
        cache_write_tokens=2,
        output_tokens=7,
        reasoning_tokens=4,
    )
    assert usage.prompt_tokens == 10


LOGGED_OUT = synthetic("Not logged in · Please run /login", error="authentication_failed")

FAILURES: dict[str, tuple[list[dict[str, Any]], type[errors.BridgeError], str, int | None]] = {
    # messages → error, words in it, retry_after
    "not logged in": ([LOGGED_OUT, result()], errors.NotLoggedIn, "claude auth login", None),
    "401": (
        [synthetic("API Error: 401 bad key", error="authentication_failed"), result(401)],
        *(errors.UpstreamRefusedLogin, "bad key", None),
    ),
    "403": (
        [result(403, "API Error: 403 no")],
        errors.UpstreamRefusedLogin,
        "your key is not",
        None,
    ),
    "404": ([result(404, "API Error: 404 model: x")], errors.ModelNotFound, "model: x", None),
    "400": (
        [result(400, "API Error: 400 messages.0: bad")],
        errors.InvalidRequest,
        "messages.0: bad",
        None,
    ),
    "413": ([result(413, "API Error: 413 big")], errors.TooLarge, "big", None),
    "422": ([result(422, "")], errors.InvalidRequest, "422", None),
    "429": ([result(429, "slow down")], errors.RateLimited, "slow down", 60),
    "a quota": ([quota(1090), result(429, "limit reached")], errors.RateLimited, "limit", 90),
    "529": ([result(529, "busy")], errors.Unavailable, "busy", 60),
    "too long": (
        [result(400, "API Error: 400 prompt is too long: 9 tokens > 5 maximum")],
        *(errors.ContextLengthExceeded, "9 tokens", None),
    ),
    "too long, says the CLI": (
        [result(None, "Prompt is too long")],
        errors.ContextLengthExceeded,
        "",
        None,
    ),
    "no network": (
        [result(None, "API Error: Connection error.")],
        errors.UpstreamFault,
        "reached",
        None,
    ),
    "an empty answer": ([start(), end("end_turn")], errors.UpstreamFault, "empty answer", None),
    "white space": (
        [start(), *text(0, " \n"), end("end_turn")],
        errors.UpstreamFault,
        "empty",
        None,
    ),
    "an end that names a call, and nothing": (
        [start(), end("tool_use")],
        errors.UpstreamFault,
        "empty",
        None,
    ),
    "arguments that are no JSON": (
        [start(), *call(0, "{a: 1}"), end("tool_use")],
        errors.UpstreamFault,
        "not a JSON object",
        None,
    ),
    "a break": (
        [start(), *text(0, "hi"), retry(1, None)],
        errors.UpstreamFault,
        "broke in the middle",
        None,
    ),
    "a break, and the lock in the way": (
        [start(), *text(0, "hi"), result(result="Prompt is too long")],
        *(errors.UpstreamFault, "middle of the answer. What", None),
    ),
    "started over": (
        [start(), *text(0, "hi"), start()],
        errors.UpstreamFault,
        "started over",
        None,
    ),
    "an error in mid stream": (
        [
            start(),
            block(0, type="text", text=""),
            synthetic("API Error: Overloaded"),
            stop(0),
            end("end_turn"),
            result(529, "API Error: Overloaded"),
        ],
        *(errors.Unavailable, "Overloaded", 60),
    ),
    "one retry too many": (
        [retry(1, 500), retry(2, 500), retry(3, 500)],
        errors.UpstreamFault,
        "500",
        1,
    ),
    "a retry too late": ([retry(1, 429, 60_300)], errors.RateLimited, "rate", 61),
    "a login that a retry can't help": ([retry(1, 401)], errors.UpstreamRefusedLogin, "401", None),
    "no network, tried often": ([retry(3, None)], errors.UpstreamFault, "reached", None),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure(kind: str) -> None:
    lines, error, words, retry_after = FAILURES[kind]
    last = feed(*lines)[-1]
    assert isinstance(last, TurnFailed)
    assert type(last.error) is error
    assert words in last.error.message
    assert "API Error" not in last.error.message
    assert last.error.retry_after == retry_after


def test_an_oauth_login_may_be_renewed_once() -> None:
    policy = RetryPolicy(retries=0, max_wait=20, login_refreshes=True)
    assert feed(retry(1, 401), policy=policy) == []
    assert isinstance(feed(retry(1, 401), retry(2, 401), policy=policy)[-1], TurnFailed)


def test_a_lost_process_fails_a_turn_once() -> None:
    translator = Translator(policy=POLICY)
    (event,) = translator.lost("gone")
    assert isinstance(event, TurnFailed)
    assert event.error.code == "process_lost"
    assert translator.lost("gone") == []


def test_messages_of_no_interest() -> None:
    translator = Translator(policy=POLICY)
    said = {"content": [{"type": "text", "text": "hi"}], "model": "m"}
    assert translator.feed({"type": "assistant", "message": said}) == []
    assert translator.feed({**start(), "parent_tool_use_id": "toolu_1"}) == []
    assert translator.feed({"type": "command_lifecycle", "state": "queued"}) == []
    assert not translator.ended


@pytest.mark.parametrize("status", [None, *range(400, 600)])
def test_every_upstream_status_is_some_error(status: int | None) -> None:
    assert upstream_error(status, "words").status >= 400


KILLS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "words": ([start(), *text(0, "hi"), end("end_turn")], False),
    "a call": ([start(), block(0, type="tool_use", id="t", name="f"), end("tool_use")], False),
    "a call of what is not there": (
        [start(), block(0, type="tool_use", id="t", name="g"), end("tool_use")],
        True,
    ),
    "max_tokens": ([start(), *text(0, "hi"), end("max_tokens")], True),
    "a refusal": ([start(), *text(0, "hi"), end("refusal")], True),
    "a refusal that the CLI explains": (
        [start(), synthetic("no", stop_reason="refusal"), end("refusal")],
        True,
    ),
    "nothing": ([start(), end("end_turn")], True),
    "white space": ([start(), *text(0, " "), end("end_turn")], True),
    "a failure, whose status is still to come": (
        [start(), synthetic("API Error: Overloaded"), end("end_turn")],
        False,
    ),
}


@pytest.mark.parametrize("kind", KILLS)
def test_the_sentinel_kills_what_would_go_on_by_itself(kind: str) -> None:
    lines, kills = KILLS[kind]
    sentinel = Sentinel(frozenset("f"))
    assert [sentinel.must_kill(line) for line in lines] == [False] * (len(lines) - 1) + [kills]
