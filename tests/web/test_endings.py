"""The bridge decides when the model is called: each kind of ending, with its upstream requests."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from attrs import evolve
from serving import Running, running, said, until

from bridge.core.events import Event, TextDelta
from bridge.demo import Fault
from bridge.dialects.openai_chat import ChunkEncoder
from bridge.settings import Settings
from bridge.web.stream import Patience


def joined(events: list[str]) -> str:
    """The words of a stream."""
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
    )


def finish(events: list[str]) -> list[str]:
    """The finish reasons of a stream."""
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    return [
        choice["finish_reason"]
        for chunk in chunks
        for choice in chunk.get("choices", ())
        if choice["finish_reason"]
    ]


async def settled(server: Running) -> int:
    """The number of upstream requests, when the CLI had its chance to make another one."""
    await server.upstream.wait_idle(timeout=60)
    await until(lambda: not server.engine.fleet.running)
    await server.engine.fleet.pool.settled()
    if not len(server.engine.fleet.kept):  # it is gone; what it had sent came before this:
        async with server.http.get(server.upstream.url):
            return len(server.upstream.requests)
    # A CLI that went on by itself would ask again within 10 ms; the next turn takes longer.
    status, _ = await server.chat("[[say afterwards]]")
    assert status == 200
    return len(server.upstream.requests) - 1


ANSWERS: dict[str, tuple[str, str, str]] = {
    # message → words, finish reason
    "a normal answer": ("[[say hello there]]", "hello there", "stop"),
    "max_tokens": ("[[cut 3]] [[words 50]]", "", "length"),
    "a refusal": ("[[refuse]]", "", "content_filter"),
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_an_answer_is_one_upstream_request(server: Running, kind: str, stream: bool) -> None:
    message, words, reason = ANSWERS[kind]
    if stream:
        status, events = await server.stream(message)
        assert (status, events[-1], finish(events)) == (200, "[DONE]", [reason])
        text = joined(events)
    else:
        status, body = await server.chat(message)
        assert status == 200, body
        assert body["choices"][0]["finish_reason"] == reason
        text = body["choices"][0]["message"]["content"]
    assert words in text
    assert await settled(server) == 1


async def test_a_stop_sequence_may_be_all_that_the_model_says(server: Running) -> None:
    status, body = await server.chat("[[say HALT]]", stop=["HALT"])
    assert status == 200, body
    assert body["choices"][0]["finish_reason"] == "stop"
    assert not body["choices"][0]["message"]["content"]
    assert await settled(server) == 1


async def test_a_cut_answer_holds_what_came_before_the_cut(server: Running) -> None:
    _, whole = await server.stream("[[words 50]]")
    _, events = await server.stream("[[cut 3]] [[words 50]]")
    assert joined(events)
    assert joined(whole).startswith(joined(events))
    assert len(joined(events)) < len(joined(whole))


async def test_max_tokens_of_the_request_ends_the_answer(server: Running) -> None:
    status, body = await server.chat("[[words 50]]", max_tokens=7)
    assert status == 200
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 7
    assert await settled(server) == 1


async def test_a_stop_sequence_ends_the_answer(server: Running) -> None:
    status, body = await server.chat("[[say one two HALT three]]", stop=["HALT"])
    assert status == 200
    assert body["choices"][0]["message"]["content"] == "one two "
    assert body["choices"][0]["finish_reason"] == "stop"
    assert server.upstream.requests[0].body["stop_sequences"] == ["HALT"]


FAILURES: dict[str, tuple[str, int, str, str, int]] = {
    # message → status, code, words in the message, upstream requests
    "an empty answer": ("[[empty]]", 502, "empty_answer", "empty", 1),
    "400": ("[[fail 400 the moon is wrong]]", 400, "", "the moon is wrong", 1),
    "401": ("[[fail 401]]", 502, "upstream_authentication", "claude auth login", 1),
    "403": ("[[fail 403]]", 502, "upstream_authentication", "claude auth login", 1),
    "404": ("[[fail 404]]", 404, "model_not_found", "model", 2),
    "413": ("[[fail 413]]", 413, "request_too_large", "too large", 1),
    "429": ("[[fail 429 retry-after 7]]", 429, "rate_limit_exceeded", "limits the rate", 1),
    "408": ("[[fail 408]]", 502, "upstream_unavailable", "(408)", 1),
    "500": ("[[fail 500]]", 502, "upstream_unavailable", "(500)", 1),
    "503": ("[[fail 503]]", 502, "upstream_unavailable", "(503)", 1),
    "529": ("[[fail 529]]", 503, "overloaded", "(529)", 1),
    "an over-long prompt": (
        "[[fail 400 prompt is too long: 9 tokens > 5 maximum]]",
        *(400, "context_length_exceeded", "too long", 1),
    ),
}


@pytest.mark.parametrize(
    ("kind", "stream"),
    [
        *((kind, bool(n % 2)) for n, kind in enumerate(FAILURES)),
        ("400", False),
    ],  # 400 is the second
)
async def test_an_upstream_failure_is_an_http_error(
    server: Running, kind: str, stream: bool
) -> None:
    message, status, code, words, upstream_requests = FAILURES[kind]
    if stream:
        got, events = await server.stream(message)
        body: dict[str, Any] = json.loads(events[0])
    else:
        got, body = await server.chat(message)
    assert got == status, body
    assert set(body) == {"error"}
    assert words in body["error"]["message"]
    assert (body["error"]["code"] or "") == code
    assert await settled(server) == upstream_requests


async def test_a_rate_limit_tells_when_to_come_back(server: Running) -> None:
    body = {
        "model": "haiku",
        "messages": [{"role": "user", "content": "[[fail 429 retry-after 7]]"}],
    }
    async with server.http.post(f"{server.url}/v1/chat/completions", json=body) as response:
        assert response.status == 429
        assert 7 <= int(response.headers["Retry-After"]) <= 9  # the CLI adds a little at random


@pytest.fixture(scope="module")
async def slow_server() -> AsyncIterator[Running]:
    """Its model speaks slowly enough for a break to come after what was said before it."""
    async with running(demo_pace=0.05) as server:
        yield server


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[[break 3]] [[words 50]]", "stream_broken"),
        ("[[stream-error 3]] [[words 50]]", "overloaded"),
    ],
)
async def test_a_break_in_mid_stream_is_an_error_frame_and_no_text_comes_twice(
    slow_server: Running, message: str, code: str
) -> None:
    server = slow_server
    _, whole = await server.stream("[[words 50]]")
    server.upstream.clear()
    status, events = await server.stream(message)
    assert status == 200
    assert "[DONE]" not in events
    assert finish(events) == []
    last = json.loads(events[-1])
    assert last["error"]["code"] == code
    assert joined(events[:-1])
    assert joined(whole).startswith(joined(events[:-1]))
    assert await settled(server) == 1


async def test_a_break_in_a_document_is_an_error(slow_server: Running) -> None:
    slow_server.upstream.clear()
    status, body = await slow_server.chat("[[break 3]] [[words 50]]")
    assert (status, body["error"]["code"]) == (502, "stream_broken")
    assert await settled(slow_server) == 1


async def test_a_prompt_over_the_context_is_refused_by_name(server: Running) -> None:
    status, body = await server.chat("word " * 250_000)
    assert (status, body["error"]["code"]) == (400, "context_length_exceeded"), body
    assert len(server.upstream.requests) <= 1


async def test_after_every_ending_the_next_history_is_clean(server: Running) -> None:
    for message, *_ in [*ANSWERS.values(), *FAILURES.values()]:
        await server.chat(message)
    server.upstream.clear()
    await server.chat("[[say clean]]")
    (seen,) = server.seen()
    assert seen["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "[[say clean]]"}]}
    ]


async def test_retries_before_the_first_token_are_ours_and_bounded() -> None:
    async with running(retries=2, retry_max_wait=2.0) as server:
        server.upstream.fail_next(Fault.error(529), Fault.error(500))
        status, body = await server.chat("[[say third time]]")
        assert (status, len(server.upstream.requests)) == (200, 3), body

        server.upstream.clear()
        server.upstream.fail_next(*[Fault.error(529)] * 9)
        status, body = await server.chat("hello")
        assert (status, len(server.upstream.requests)) == (503, 3), body

        server.upstream.clear()  # a wait longer than RETRY_MAX_WAIT is the client's to make
        status, body = await server.chat("[[fail 429 retry-after 60]]")
        assert (status, len(server.upstream.requests)) == (429, 1), body


def test_a_stream_whose_retries_fail_has_not_begun() -> None:
    settings = Settings()
    assert settings.retries * settings.retry_max_wait < Patience().ping


async def test_a_retry_that_would_end_after_the_deadline_is_not_made() -> None:
    async with running(retries=2, retry_max_wait=20.0, max_timeout=5.0) as server:
        status, body = await server.chat("[[fail 429 retry-after 7]]")
        assert (status, len(server.upstream.requests)) == (429, 1), body


async def test_no_network_is_502() -> None:
    async with running() as server:
        await server.upstream.stop()
        status, body = await server.chat("hello")
        assert (status, body["error"]["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_a_client_that_leaves_aborts_the_upstream_request(
    server: Running, stream: bool
) -> None:
    body = {
        "model": "haiku",
        "stream": stream,
        "messages": [{"role": "user", "content": "[[stall 2]] [[words 50]]"}],
    }
    arrival = asyncio.create_task(server.upstream.next_request(timeout=60))
    await asyncio.sleep(0)  # it listens from here on
    request = asyncio.create_task(server.http.post(f"{server.url}/v1/chat/completions", json=body))
    received = await arrival
    if stream:
        response = await request
        await response.content.readline()
        response.close()
    else:
        request.cancel()
    async with asyncio.timeout(60):
        await received.ended_event.wait()
    assert received.state == "aborted"
    assert await settled(server) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("message", ["[[stall]]", "[[stall 2]] [[words 9]]"])
async def test_a_turn_that_takes_too_long_ends(
    server: Running, monkeypatch: pytest.MonkeyPatch, message: str, stream: bool
) -> None:
    await server.ask("[[say hi]]")  # so that its process need not start within the time
    server.upstream.clear()
    monkeypatch.setattr(
        server.engine.fleet, "limits", evolve(server.engine.limits, max_timeout=3.0)
    )
    messages = said("[[say hi]]", "hi", message)
    if stream and "words" in message:
        status, events = await server.stream(messages)
        assert status == 200
        assert json.loads(events[-1])["error"]["code"] == "timeout"
        assert "[DONE]" not in events
    else:
        status, events = await (server.stream if stream else server.chat)(messages)
        assert status == 504
    (received,) = server.upstream.requests
    async with asyncio.timeout(60):
        await received.ended_event.wait()
    assert received.state == "aborted"


async def test_a_client_that_does_not_read_loses_its_place() -> None:
    async with running(max_concurrent=1, patience=Patience(stall=0.5)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (host, int(port)))
            messages = [{"role": "user", "content": "[[words 25000]]"}]
            body = json.dumps({"model": "haiku", "stream": True, "messages": messages}).encode()
            head = (
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            arrival = asyncio.create_task(server.upstream.next_request(timeout=60))
            await loop.sock_sendall(sock, head.encode() + body)
            await arrival
            status, answer = await server.chat("[[say next]]")
            assert status == 200, answer


async def test_a_mistake_of_ours_in_mid_stream_is_a_frame(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = ChunkEncoder.encode

    def broken(self: ChunkEncoder, event: Event) -> bytes:
        if isinstance(event, TextDelta) and event.text.strip() == "three":
            raise RuntimeError("a bug")
        return encode(self, event)

    monkeypatch.setattr(ChunkEncoder, "encode", broken)
    status, events = await server.stream("[[say one two three four]]")
    assert status == 200
    assert joined(events[:-1]) == "one two"
    error = json.loads(events[-1])["error"]
    assert error["code"] == "internal_error"
    assert "a bug" not in events[-1]


async def test_a_client_that_leaves_after_the_last_frame_had_its_answer(server: Running) -> None:
    messages = [{"role": "user", "content": "[[say all of it]]"}]
    with structlog.testing.capture_logs() as lines:
        async with server.post(
            "/v1/chat/completions", {"model": "haiku", "stream": True, "messages": messages}
        ) as response:
            await response.content.readuntil(b"[DONE]\n\n")
            response.close()
        await until(lambda: any(line["event"] == "request" for line in lines))
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["status"] == 200


async def test_silence_is_filled_with_pings_and_an_error_after_one_is_a_frame() -> None:
    async with running(patience=Patience(ping=0.05)) as server:
        status, events = await server.stream("[[slow 0.5]] [[say at last]]")
        assert status == 200
        assert events.count(": ping") >= 2
        assert joined([event for event in events if not event.startswith(":")]) == "at last"
        server.engine.fleet.limits = evolve(server.engine.limits, max_timeout=1.0)
        status, events = await server.stream("[[stall]]")
        assert (status, events[0]) == (200, ": ping")
        assert json.loads(events[-1])["error"]["code"] == "timeout"
