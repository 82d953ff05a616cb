"""POST /v1/compatibility: its verdict is what then happens, request by request."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from attrs import frozen
from serving import Answer, Running, new_id, running

OLDER = "claude-sonnet-4-5"
NEWER = "claude-opus-5-5"


@frozen(kw_only=True)
class Both:
    """What was foretold of a request, what came of it, and how often the model was asked before."""

    body: dict[str, Any]
    verdict: dict[str, Any]
    answer: Answer
    asked: int


async def examine(server: Running, body: Any, **headers: str) -> Answer:
    async with server.post("/v1/compatibility", body, **headers) as response:
        data = json.loads(await response.read())
        return Answer(status=response.status, headers=response.headers, data=data)


async def answered(server: Running, body: Any, **headers: str) -> Answer:
    async with server.post("/v1/chat/completions", body, **headers) as response:
        text = await response.text()
        data = (
            json.loads(text)
            if response.content_type == "application/json"
            else [line.removeprefix("data: ") for line in text.splitlines() if line]
        )
        return Answer(status=response.status, headers=response.headers, data=data)


def names(header: str | None) -> set[str]:
    """The fields that a header of the answer names."""
    return set(header.split(", ")) if header else set()


def function(name: str = "look", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def said(*content: Any, **fields: Any) -> list[dict[str, Any]]:
    """Messages that end with a question of these parts."""
    question = [{"type": "text", "text": "[[say ok]]"}, *content]
    return [{"role": "user", "content": question, **fields}]


_OTHERS = """
    model stream stream_options temperature top_p max_tokens max_completion_tokens stop n logprobs
    tools tool_choice parallel_tool_calls functions function_call response_format reasoning_effort
    thinking session_id seed user logit_bias modalities audio store
"""
NULLS = dict.fromkeys(_OTHERS.split())

ACCEPTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "nulls": NULLS,
    "what asks for nothing": {
        "n": 1,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {},
        "modalities": ["text"],
        "store": False,
        "service_tier": "auto",
        "presence_penalty": 0,
        "verbosity": "medium",
        "metadata": {},
        "audio": {},
        "prediction": {},
        "enable_tools": False,
    },
    "ignored": {
        "seed": 1,
        "user": "me",
        "metadata": {"a": "b"},
        "presence_penalty": 0.5,
        "store": True,
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "verbosity": "low",
    },
    "unknown": {"something_new": 1, "a.b": {"c": 1}, "keep_alive": "5m", "x": None},
    "a stream": {"stream": True, "stream_options": {"include_usage": True}},
    "clamped": {"temperature": 1.5},
    "sampling": {"temperature": 0.5, "max_tokens": 9, "stop": ["x"]},
    "top_p": {"top_p": 0.5},
    "both limits": {"max_tokens": 9, "max_completion_tokens": 10.0},
    "the older form": {"functions": [{"name": "look"}], "function_call": "auto"},
    "no functions": {"tools": [], "functions": [], "tool_choice": "auto"},
    "JSON": {
        "response_format": {"type": "json_object"},
        "messages": [{"role": "user", "content": "two towns"}],
    },
    "an effort": {"reasoning_effort": "low", "seed": 1},
    "an effort that is fitted": {"reasoning_effort": "max", "model": "claude-opus-4-6"},
    "an effort with little room": {"reasoning_effort": "high", "max_tokens": 500},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 2_000, "odd": 1}},
    "none of it": {"reasoning_effort": "none", "model": NEWER},
    "another model's name": {"model": "gpt-4o-mini", "seed": 1},
    "a session": {"session_id": new_id()},
    "media, and what is unknown inside": {
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": True, "odd": 1},
        "messages": said(
            {
                "type": "image_url",
                "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"},
            },
            {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}},
            name="Ada",
            odd=1,
        ),
    },
}
"""Fields of requests that are answered. Without messages or a model they get such."""

REFUSED: dict[str, dict[str, Any]] = {
    "one": {"n": 2},
    "several": {"logprobs": True, "temperature": 5, "seed": 1, "n": 2, "stop": " ", "top_p": 2},
    "several of functions": {"tools": [function("a b")], "functions": [{"name": "c"}], "n": 2},
    "modalities": {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}},
    "an unknown model": {"model": "llama", "temperature": 1.5, "seed": 1},
    "a model of the wrong type": {"model": 5},
    "no messages": {"messages": None},
    "nothing in them": {"messages": []},
    "a message": {"messages": [{"role": "king", "content": "hi"}], "n": 2},
    "a part": {"messages": said({"type": "input_audio", "input_audio": {}})},
    "a picture": {"messages": said({"type": "image_url", "image_url": {"url": "http://x/y"}})},
    "a call without its result": {
        "messages": [
            *said(),
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}],
            },
            *said(),
        ]
    },
    "prefill": {"messages": [*said(), {"role": "assistant", "content": "Sure,"}]},
    "a choice": {"tool_choice": "required"},
    "a choice of what is not there": {
        "tools": [function()],
        "tool_choice": {"type": "function", "function": {"name": "see"}},
    },
    "a schema": {"tools": [function(parameters={"type": 5})]},
    "a format": {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
    "an effort": {"reasoning_effort": "much"},
    "a budget": {"thinking": {"type": "enabled", "budget_tokens": 5}},
    "a limit": {"max_tokens": 0, "max_completion_tokens": -1},
    "types": {"stream": "yes", "temperature": "1", "max_tokens": 1.5, "session_id": 5},
    "tools of ours": {"enable_tools": True},
    "a session without a name": {"session_id": ""},
    "a session of a name that is taken": {"session_id": "stats"},
    "a session with a long name": {"session_id": "x" * 2_000},
    "a choice in a session without functions": {
        "session_id": "no-such-session",
        "tool_choice": "required",
    },
    "a result in a session without a call": {
        "session_id": "no-such-session",
        "messages": [{"role": "tool", "tool_call_id": "call_1", "content": "hi"}],
    },
}

BY_THE_MODEL: dict[str, dict[str, Any]] = {
    "temperature": {"model": NEWER, "temperature": 0.5},
    "top_p": {"model": NEWER, "top_p": 0.5},
    "both on an older one": {"model": OLDER, "temperature": 0.5, "top_p": 0.5},
    "sampling of one that thinks": {
        "model": OLDER,
        "reasoning_effort": "low",
        "temperature": 0.5,
    },
}
"""Sampling that the model's side refuses when it is asked."""


@pytest.fixture(scope="module")
async def found(shared_server: Running) -> AsyncIterator[Mapping[str, Both]]:
    """Each request of the tables, examined and then sent; those that can go on in one process."""
    both, history = {}, []
    shared_server.upstream.clear()
    tables = {"accepted": ACCEPTED, "refused": REFUSED, "by the model": BY_THE_MODEL}
    for kind, table in tables.items():
        for case, fields in table.items():
            body = {"model": OLDER, "messages": [*history, *said()], **fields}
            asked = len(shared_server.upstream.requests)
            seen = await examine(shared_server, body)
            assert seen.status == 200, (case, seen.data)
            assert len(shared_server.upstream.requests) == asked, "it asks no model"
            answer = await answered(shared_server, body)
            both[f"{kind}: {case}"] = Both(body=body, verdict=seen.data, answer=answer, asked=asked)
            if answer.whole and "messages" not in fields and answer.text == "ok":
                history += [*said(), {"role": "assistant", "content": "ok"}]
    yield both


def fields_of(params: list[str | None]) -> set[str]:
    """The fields of the request that these paths lead into."""
    return {(param or "").split(".")[0].split("[")[0] for param in params}


@pytest.mark.parametrize("case", ACCEPTED)
async def test_what_is_accepted_is_answered_as_foretold(
    found: Mapping[str, Both], case: str
) -> None:
    both = found[f"accepted: {case}"]
    verdict, answer = both.verdict, both.answer
    assert answer.whole, answer.data
    assert (verdict["object"], verdict["endpoint"]) == ("compatibility", "/v1/chat/completions")
    assert (verdict["accepted"], verdict["refused"]) == (True, [])
    assert set(verdict["ignored"]) == names(answer.headers.get("x-bridge-ignored"))
    assert set(verdict["changed"]) == names(answer.headers.get("x-bridge-changed"))
    told = answer.data if isinstance(answer.data, dict) else json.loads(answer.data[0])
    assert verdict["model"]["asked"] == both.body["model"]
    assert verdict["model"]["answers"] == told["model"]
    assert verdict["model_may_refuse"] == []


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_is_refused_as_foretold(
    server: Running, found: Mapping[str, Both], case: str
) -> None:
    """Also those that come when the first fault is mended, one after the other."""
    both = found[f"refused: {case}"]
    body, answer, told = {**both.body, "model": "no-such-model"}, both.answer, []
    while True:
        told.append({**answer.error, "status": answer.status})
        (field,) = fields_of([answer.error["param"]])
        if field in {"messages", "model"} or body.pop(field, None) is None:
            break
        answer = await answered(server, body)
        if answer.error["code"] == "model_not_found":  # which is found out last: all else is well
            break
    assert told[0]["status"] in {400, 404}
    assert both.verdict["accepted"] is False
    assert both.verdict["refused"] == [
        {name: error[name] for name in ("param", "status", "code", "message")} for error in told
    ]


@pytest.mark.parametrize("case", BY_THE_MODEL)
async def test_what_the_model_refuses_is_foretold_as_a_risk(
    found: Mapping[str, Both], case: str
) -> None:
    both = found[f"by the model: {case}"]
    assert both.answer.status == 400
    assert both.verdict["accepted"] is True
    assert both.answer.error["param"] in both.verdict["model_may_refuse"]


async def test_every_field_has_one_place(found: Mapping[str, Both]) -> None:
    for case, both in found.items():
        verdict = both.verdict
        places = {
            "honoured": set(verdict["honoured"]),
            "neutral": set(verdict["neutral"]),
            "changed": set(verdict["changed"]),
            "ignored": {name for name in verdict["ignored"] if name in both.body},
            "refused": fields_of([error["param"] for error in verdict["refused"]]),
        }
        listed = [name for place in places.values() for name in place]
        missing = both.body.keys() - set(listed)
        assert not missing, (case, missing)
        twice = {name for name in listed if listed.count(name) > 1}
        assert not twice, (case, places)
        assert set(verdict["honoured"]) <= both.body.keys(), case


async def test_what_asks_for_nothing_is_neutral(found: Mapping[str, Both]) -> None:
    for case in ("nulls", "what asks for nothing"):
        both = found[f"accepted: {case}"]
        assert set(both.verdict["neutral"]) == set(ACCEPTED[case]), case
        assert set(both.verdict["honoured"]) == both.body.keys() - ACCEPTED[case].keys(), case


# -- headers and keys -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Session-Id": "one"},
        {"X-Session-Id": "stats"},
        {"X-Session-Id": "%ff"},
        {"X-Claude-Max-Thinking-Tokens": "5"},
        {"X-Claude-Max-Thinking-Tokens": "many"},
    ],
    ids=str,
)
async def test_headers_count_as_they_do_in_the_request(
    server: Running, headers: dict[str, str]
) -> None:
    body = {"model": OLDER, "messages": said(), "session_id": "two"}
    if "X-Session-Id" not in headers:
        del body["session_id"]
    answer = await answered(server, body, **headers)
    assert answer.status == 400
    seen = await examine(server, body, **headers)
    errors = [seen.error] if seen.status == 400 else seen.data["refused"]
    assert [(e["param"], e["code"], e["message"]) for e in errors] == [
        (answer.error["param"], answer.error["code"], answer.error["message"])
    ]
    assert not server.upstream.requests


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_type"),
        (b'{"messages": NaN}', "invalid_json"),
        (b'{"messages": "\xff"}', "invalid_json"),
        (b"[" * 1_000_000, "invalid_json"),
    ],
    ids=["nothing", "half", "an array", "NaN", "not UTF-8", "deep"],
)
async def test_what_is_no_request_is_refused(server: Running, body: bytes, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{server.url}/v1/compatibility"
    async with server.http.post(url, data=io.BytesIO(body), headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == code
    async with server.http.post(url, data=io.BytesIO(b"{}")) as response:
        assert response.status == 415
    async with server.http.get(url) as response:
        assert response.status == 405


async def test_an_empty_request(server: Running) -> None:
    seen = await examine(server, {})
    assert seen.status == 200
    assert [error["param"] for error in seen.data["refused"]] == ["messages"]
    assert seen.data["model"] == {"asked": None, "answers": "claude-opus-5-5"}


async def test_nothing_begins_by_asking(server: Running) -> None:
    """No session, no process."""
    session, before = new_id(), server.engine.processes()
    seen = await examine(server, {"model": OLDER, "messages": said(), "session_id": session})
    assert seen.data["accepted"] is True
    assert (await server.rest("GET", f"/{session}")).status == 404
    assert server.engine.processes() == before


async def test_a_server_with_keys_and_leniency() -> None:
    key = {"x-api-key": "the-key-of-the-server"}
    async with running(api_keys=tuple(key.values()), lenient_sampling=True) as server:
        body = {"model": NEWER, "messages": said(), "temperature": 0.5}
        refused = await examine(server, body)
        assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
        seen = await examine(server, body, **key)
        assert not server.upstream.requests
        answer = await answered(server, body, **key)
        assert answer.headers["x-bridge-ignored"] == "temperature"
        assert seen.data["ignored"] == ["temperature"]
        assert (seen.data["accepted"], seen.data["model_may_refuse"]) == (True, [])
