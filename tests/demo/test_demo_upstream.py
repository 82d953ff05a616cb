"""The server on a real socket, with a raw client and with the official SDK."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import anthropic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.demo import DemoUpstream, Fault

BODY: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 1000}


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {**BODY, "messages": [{"role": "user", "content": text}], **more}


def events(raw: bytes) -> list[dict[str, Any]]:
    found = []
    for frame in raw.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append(value)
    return found


async def read_events(response: aiohttp.ClientResponse) -> tuple[list[dict[str, Any]], bool]:
    """All events, and whether the body was whole."""
    raw = b""
    try:
        async for chunk in response.content.iter_any():
            raw += chunk
    except aiohttp.ClientPayloadError:
        return events(raw), False
    return events(raw), True


def deltas(found: list[dict[str, Any]]) -> list[str]:
    return [e["delta"]["text"] for e in found if e["type"] == "content_block_delta"]


async def test_a_message(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/messages?beta=true", json=asking("hello")) as response:
        answer = await response.json()
    assert response.status == 200
    assert response.headers["request-id"].startswith("req_")
    assert answer["type"] == "message"
    assert answer["stop_reason"] == "end_turn"
    assert answer["usage"]["input_tokens"] == 1
    (seen,) = up.requests
    assert (seen.method, seen.path) == ("POST", "/v1/messages?beta=true")
    assert (seen.state, seen.status) == ("answered", 200)
    assert seen.headers["x-api-key"] == "k"
    assert seen.messages == [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    assert seen.ended is not None
    assert seen.ended >= seen.started


async def test_the_order_of_events(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    thinking = {"type": "adaptive", "display": "summarized"}
    body = asking("[[words 2]] think", stream=True, thinking=thinking)
    async with http.post("/v1/messages", json=body) as response:
        found, whole = await read_events(response)
        assert response.content_type == "text/event-stream"
    assert whole
    kinds = [
        event["delta"]["type"] if event["type"] == "content_block_delta" else event["type"]
        for event in found
    ]
    assert list(dict.fromkeys(kinds)) == [
        "message_start",
        "ping",
        "content_block_start",
        "thinking_delta",
        "signature_delta",
        "content_block_stop",
        "text_delta",
        "message_delta",
        "message_stop",
    ]
    assert kinds[-6:] == ["content_block_start", *["text_delta"] * 2, *kinds[-3:]]
    assert found[0]["message"]["usage"]["output_tokens"] == 1
    assert found[-2]["usage"]["output_tokens"] > 2
    assert up.requests[0].state == "answered"


FAULTS = [
    ("[[break 3]]", Fault.break_stream(3), 3, False, None, "failed"),
    ("[[stream-error 2]]", Fault.stream_error(2), 2, True, "error", "failed"),
    ("[[cut 4]]", Fault.cut(4), 4, True, "message_stop", "answered"),
    ("[[empty]]", Fault.empty(), 0, True, "message_stop", "answered"),
    ("[[break 50]]", Fault.break_stream(50), 9, False, None, "failed"),
]


@pytest.mark.parametrize("queued", [True, False], ids=["queued", "in words"])
@pytest.mark.parametrize(
    ("words", "fault", "count", "whole", "last", "state"), FAULTS, ids=[f[0] for f in FAULTS]
)
async def test_faults_in_a_stream(
    up: DemoUpstream,
    http: aiohttp.ClientSession,
    queued: bool,
    words: str,
    fault: Fault,
    count: int,
    whole: bool,
    last: str | None,
    state: str,
) -> None:
    if queued:
        up.fail_next(fault)
    text = "[[words 9]]" + ("" if queued else words)
    async with http.post("/v1/messages", json=asking(text, stream=True)) as response:
        found, was_whole = await read_events(response)
    assert [d.strip() for d in deltas(found)] == [f"word{n}" for n in range(1, count + 1)]
    assert was_whole is whole
    assert last in (None, found[-1]["type"])
    await up.wait_idle(timeout=60)
    assert up.requests[0].state == state


CALLS = [
    ('[[call f {"city": "New York"}]]', ['{"city"', ':"New', ' York"}'], {"city": "New York"}),
    ('[[call-raw f {"a" : 1}]]', ['{"a"', " :", " 1}"], {"a": 1}),
    ("[[call-raw f {a: 1]]", ["{a:", " 1"], {}),
    ("[[call-raw f [1]]]", ["[1]"], {}),
    ('[[call-raw f {"a": 1} 2]]', ['{"a"', ":", " 1}", " 2"], {}),
    ("[[call-raw f]]", [], {}),
    ("[[call f {}]]", ["{}"], {}),
    ('[[cut 2]] [[call f {"city": "New York"}]]', ['{"city"', ':"New'], {}),
]


@pytest.mark.parametrize(("words", "pieces", "whole"), CALLS, ids=[row[0] for row in CALLS])
async def test_a_call_and_its_arguments(
    http: aiohttp.ClientSession, words: str, pieces: list[str], whole: Any
) -> None:
    body = asking(words)
    async with http.post("/v1/messages", json={**body, "stream": True}) as response:
        found, _ = await read_events(response)
    start = next(event for event in found if event["type"] == "content_block_start")
    assert start["content_block"]["name"] == "f"
    assert start["content_block"]["input"] == {}
    sent = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    assert sent == [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    ending = "max_tokens" if "cut" in words else "tool_use"
    assert found[-2]["delta"]["stop_reason"] == ending
    async with http.post("/v1/messages", json=body) as response:
        answer = await response.json()
    assert answer["content"] == [{**start["content_block"], "input": whole}]
    assert answer["stop_reason"] == ending


async def test_refusal(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/messages", json=asking("[[refuse]]", stream=True)) as response:
        found, _ = await read_events(response)
    assert found[-2]["delta"]["stop_reason"] == "refusal"


async def test_injected_errors(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    up.fail_next(Fault.error(529), Fault.error(429, "slowly", retry_after=7))
    rows = []
    for text in ("a", "b", "c [[fail 400 no such thing]]", "d"):
        async with http.post("/v1/messages", json=asking(text)) as response:
            answer = await response.json()
            error = answer.get("error", {})
            retry = response.headers.get("retry-after")
            rows.append((response.status, error.get("type"), error.get("message"), retry))
    assert rows == [
        (529, "overloaded_error", "Overloaded", None),
        (429, "rate_limit_error", "slowly", "7"),
        (400, "invalid_request_error", "no such thing", None),
        (200, None, None, None),
    ]
    assert [seen.state for seen in up.requests] == ["refused"] * 3 + ["answered"]


async def test_broken_without_a_stream(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        async with http.post("/v1/messages", json=asking("[[break]]")) as response:
            await response.read()
    async with http.post("/v1/messages", json=asking("[[stream-error]]")) as response:
        assert response.status == 529
    await up.wait_idle(timeout=60)
    assert [seen.state for seen in up.requests] == ["failed", "refused"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stall_ends_when_the_client_leaves(
    up: DemoUpstream, http: aiohttp.ClientSession, stream: bool
) -> None:
    with pytest.raises(TimeoutError):
        await http.post(
            "/v1/messages",
            json=asking("[[stall]]", stream=stream),
            timeout=aiohttp.ClientTimeout(total=0.2),
        )
    await up.wait_idle(timeout=60)
    assert (up.requests[0].state, up.requests[0].status) == ("aborted", None)


async def test_a_stall_in_the_middle(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    body = asking("[[words 9]] [[stall 2]]", stream=True)
    async with http.post("/v1/messages", json=body) as response:
        raw = b""
        while raw.count(b"text_delta") < 2:
            raw += await response.content.readany()
        assert up.requests[0].state == "running"
        with pytest.raises(TimeoutError):
            await up.wait_idle(timeout=0)
    await asyncio.wait_for(up.requests[0].ended_event.wait(), 5)
    assert up.requests[0].state == "aborted"


async def test_leaving_during_the_pace_is_noticed_at_once() -> None:
    up = DemoUpstream(pace=3600)
    await up.start()
    async with aiohttp.ClientSession(up.url, headers={"x-api-key": "k"}) as http:
        body = asking("hello", stream=True)
        headers = {"anthropic-version": "2023-06-01"}
        async with http.post("/v1/messages", json=body, headers=headers) as response:
            await response.content.readany()
            response.close()
        await up.wait_idle(timeout=60)
    assert up.requests[0].state == "aborted"
    await up.stop()


async def test_leaving_a_long_answer_without_a_pace(
    up: DemoUpstream, http: aiohttp.ClientSession
) -> None:
    body = asking("[[words 90000]]", stream=True, max_tokens=100_000)
    async with http.post("/v1/messages", json=body) as response:
        await response.content.readany()
        response.close()
    await up.wait_idle(timeout=60)
    assert up.requests[0].state == "aborted"


async def test_stop_aborts_what_is_running() -> None:
    up = DemoUpstream()
    await up.start()
    async with aiohttp.ClientSession(up.url) as http:
        headers = {"authorization": "Bearer x", "anthropic-version": "2023-06-01"}
        body = asking("[[stall 0]]", stream=True)
        async with http.post("/v1/messages", json=body, headers=headers) as response:
            await response.content.readany()
            await up.stop()
            await up.stop()
            _, whole = await read_events(response)
    assert not whole
    assert up.requests[0].state == "aborted"
    with pytest.raises(RuntimeError, match="not started"):
        assert up.url
    await up.start()
    await up.stop()


async def test_an_answer_may_be_held(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    let_go = asyncio.Event()
    up.hold = let_go.wait
    asked = asyncio.create_task(http.post("/v1/messages", json=asking("[[say done]]")))
    received = await up.next_request(timeout=10)
    async with http.post("/v1/messages", json={**asking("hi"), "model": 5}) as refused:
        assert refused.status == 400  # at once: an error is no answer
    assert (received.state, asked.done()) == ("running", False)
    let_go.set()
    async with await asked as response:
        assert (await response.json())["content"][0]["text"] == "done"


async def test_slow_and_clear(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    up.fail_next(Fault.slow(0.01), Fault.error(500))
    async with http.post("/v1/messages", json=asking("[[say done]]")) as response:
        assert (await response.json())["content"][0]["text"] == "done"
    up.clear()
    assert not up.requests
    async with http.post("/v1/messages", json=asking("hi")) as response:
        assert response.status == 200


async def test_it_keeps_so_many_and_no_more() -> None:
    assert DemoUpstream(keep=3).requests.maxlen == 3
    assert DemoUpstream(keep=None).requests.maxlen is None


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({}, 401, "authentication_error"),
        ({"x-api-key": " "}, 401, "authentication_error"),
        ({"authorization": "Bearer "}, 401, "authentication_error"),
        ({"x-api-key": "k"}, 400, "invalid_request_error"),
    ],
)
async def test_headers(up: DemoUpstream, headers: dict[str, str], status: int, kind: str) -> None:
    async with aiohttp.ClientSession(up.url, headers=headers) as http:
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            async with http.post(path, json=asking("hi")) as response:
                assert response.status == status
                assert (await response.json())["error"]["type"] == kind
    assert [seen.state for seen in up.requests] == ["refused"]


async def test_other_paths_models_and_counting(http: aiohttp.ClientSession) -> None:
    for method, path in (("GET", "/"), ("GET", "/v1/messages"), ("POST", "/v1/models")):
        async with http.request(method, path) as response:
            answer = await response.json()
            assert (response.status, answer["error"]["type"]) == (404, "not_found_error")
            assert answer["request_id"] == response.headers["request-id"]
    async with http.post("/v1/messages/count_tokens", json=asking("hello, world")) as response:
        assert await response.json() == {"input_tokens": 3}
    async with http.post("/v1/messages", json=asking("hi", model="gpt-5")) as response:
        assert (await response.json())["error"]["message"] == "model: gpt-5"
    async with http.get("/v1/models/nope") as response:
        assert response.status == 404


async def test_a_fault_of_its_own_has_the_shape_too(
    up: DemoUpstream, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.demo.model.respond", lambda *_: 1 / 0)
    async with http.post("/v1/messages", json=asking("hi")) as response:
        assert response.status == 500
        assert (await response.json())["error"]["type"] == "api_error"
    assert up.requests[0].state == "failed"


async def test_too_large_too_long_too_deep(up: DemoUpstream, http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/messages", data=io.BytesIO(b" " * (32 * 2**20 + 1))) as response:
        assert response.status == 413
        assert (await response.json())["error"]["type"] == "request_too_large"
    async with http.post("/v1/messages", json=asking("a " * 200_001)) as response:
        message = (await response.json())["error"]["message"]
        assert message == "prompt is too long: 200001 tokens > 200000 maximum"
    deep = json.dumps(asking("hi", tools=[{"name": "f", "input_schema": {"type": "object"}}]))
    for depth in (300, 480, 700, 900, 5000):
        nested = '{"properties":' * depth + "1" + "}" * depth
        raw = deep.replace('{"type": "object"}', '{"type": "object", "x": ' + nested + "}")
        async with http.post("/v1/messages", data=raw.encode()) as response:
            assert response.status in {200, 400}
    assert up.requests[0].state == "refused"


async def test_the_sdk_streams_and_counts(up: DemoUpstream, sdk: anthropic.AsyncAnthropic) -> None:
    async with sdk.messages.stream(**asking("[[words 20]]")) as stream:
        pieces = [piece async for piece in stream.text_stream]
        final = await stream.get_final_message()
    assert len(pieces) == final.usage.output_tokens == 20
    names = [model.id async for model in sdk.models.list()]
    assert "claude-fable-5-2" in names
    assert (await sdk.models.retrieve(names[0])).id == names[0]
    counted = await sdk.messages.count_tokens(model=names[0], messages=asking("a b")["messages"])
    assert counted.input_tokens == 2
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content"):
        await sdk.messages.create(**asking(""))
    with pytest.raises(anthropic.APIStatusError) as caught:
        await sdk.messages.create(**asking("[[fail 529]]"))
    assert caught.value.status_code == 529
    with pytest.raises(anthropic.APIStatusError):
        async with sdk.messages.stream(**asking("[[stream-error 1]] hello")) as stream:
            await stream.get_final_message()


async def test_the_sdk_sees_a_broken_stream(sdk: anthropic.AsyncAnthropic) -> None:
    pieces: list[str] = []
    with pytest.raises(Exception, match=r"incomplete|closed"):
        async with sdk.messages.stream(**asking("[[words 9]] [[break 3]]")) as stream:
            while True:
                pieces.append(await anext(stream.text_stream))
    assert pieces == ["word1", " word2", " word3"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_sdk_goes_through_tools_and_thinking(
    sdk: anthropic.AsyncAnthropic, streamed: bool
) -> None:
    tools = [
        {
            "name": "get_weather",
            "description": "Weather of a city",
            "input_schema": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        }
    ]
    body = asking(
        "What is the weather in Paris?",
        tools=tools,
        max_tokens=4000,
        model="claude-opus-4-5",
        thinking={"type": "enabled", "budget_tokens": 1024},
    )

    async def turn(request: dict[str, Any]) -> Any:
        if not streamed:
            return await sdk.messages.create(**request)
        async with sdk.messages.stream(**request) as stream:
            return await stream.get_final_message()

    first = await turn(body)
    assert first.stop_reason == "tool_use"
    thought, call = first.content
    assert thought.type == "thinking"
    assert thought.signature
    assert call.input == {"city": "Paris"}
    body["messages"] += [
        {"role": "assistant", "content": [thought.model_dump(), call.to_dict()]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21"}],
        },
    ]
    second = await turn(body)
    assert "get_weather returned: sunny, 21" in second.content[-1].text


KEYS = st.sampled_from(
    [
        *("type", "role", "content", "text", "source", "data", "media_type", "name", "id"),
        *("input", "input_schema", "tool_use_id", "cache_control", "thinking", "signature"),
        *("budget_tokens", "format", "schema", "effort", "properties", "required", "edits"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda kids: st.lists(kids, max_size=3) | st.dictionaries(KEYS, kids, max_size=5),
    max_leaves=12,
)
KINDS = st.sampled_from(
    [
        *("text", "image", "document", "tool_use", "tool_result", "thinking", "base64", "url"),
        *("enabled", "adaptive", "auto", "any", "tool", "json_schema", "ephemeral", "custom"),
        *("object", "search_result", "server_tool_use", "file", "content", "redacted_thinking"),
    ]
)
BLOCKS = st.builds(lambda kind, rest: {**rest, "type": kind}, KINDS, st.dictionaries(KEYS, VALUES))
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    st.text(max_size=20) | st.lists(BLOCKS | st.just({"type": "text", "text": "a"}), max_size=3),
)
EXTRAS = st.dictionaries(
    st.sampled_from(
        [
            *("system", "tools", "tool_choice", "thinking", "stop_sequences", "temperature"),
            *("top_p", "top_k", "output_config", "cache_control", "metadata", "stream", "model"),
            *("context_management", "max_tokens", "messages", "x"),
        ]
    ),
    VALUES | BLOCKS | st.lists(BLOCKS, max_size=2) | st.booleans() | st.text(max_size=4),
    max_size=3,
)
REQUESTS = st.builds(
    lambda first, rest, extra: (
        asking(first) | {"messages": asking(first)["messages"] + rest} | extra
    ),
    st.text(min_size=1, max_size=30),
    st.lists(MESSAGES, max_size=3),
    EXTRAS,
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(value=VALUES | REQUESTS | REQUESTS)
async def test_any_body_is_answered_or_refused_in_shape(
    up: DemoUpstream, http: aiohttp.ClientSession, value: Any
) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        async with http.post(path, data=json.dumps(value).encode()) as response:
            raw = await response.read()
            assert response.status in {200, 400, 404}, raw
            if response.content_type == "text/event-stream":
                assert events(raw)[-1]["type"] == "message_stop"
                continue
            answer = json.loads(raw)
            if response.status != 200:
                assert answer["type"] == "error"
                assert isinstance(answer["error"]["type"], str)
                assert isinstance(answer["error"]["message"], str)
