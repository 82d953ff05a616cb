"""Functions that the client runs: one request upstream for each step, parked or replayed."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from commands import Serve, none_left
from serving import Answer, Running, new_id, running, until

from bridge.demo import DemoUpstream

Messages = list[dict[str, Any]]


def function(name: str, description: str | None = None, **properties: Any) -> dict[str, Any]:
    """A function of the client's, with these parameters."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    described = {} if description is None else {"description": description}
    return {"type": "function", "function": {"name": name, **described, "parameters": schema}}


WEATHER = function("get_weather", "The weather of a city", city={"type": "string"})
TIME = function("get_time")
TOOLS = [WEATHER, TIME]
BOTH = '[[call get_weather {"city": "Paris"}]] [[call get_time {}]]'


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(call_id: str, content: Any = "fine", **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **fields}


def message(answer: Answer) -> dict[str, Any]:
    """The message of an answer, to be sent back."""
    assert answer.status == 200, answer.data
    found: dict[str, Any] = answer.data["choices"][0]["message"]
    return found


def calls(answer: Answer) -> dict[str, str]:
    """The functions that an answer calls → the ids of the calls."""
    assert answer.data["choices"][0]["finish_reason"] == "tool_calls"
    return {call["function"]["name"]: call["id"] for call in message(answer)["tool_calls"]}


@pytest.fixture
async def fresh(server: Running) -> AsyncIterator[Running]:
    """The shared server without any kept process."""
    server.engine.fleet.kept.end_all()
    yield server


# -- what a client sees ---------------------------------------------------------------------------


async def test_calls_as_a_document(fresh: Running) -> None:
    answer = await fresh.ask(f"[[say One moment.]] {BOTH}", tools=TOOLS)
    (choice,) = answer.data["choices"]
    first, second = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "One moment."
    assert first == {
        "id": first["id"],
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
    }
    assert second["function"] == {"name": "get_time", "arguments": "{}"}
    assert len({first["id"], second["id"]}) == 2


async def test_calls_as_a_stream(fresh: Running) -> None:
    answer = await fresh.ask(BOTH, tools=TOOLS, stream=True)
    *chunks, done = answer.data
    choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
    assert done == "[DONE]"
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] for choice in choices[-2:]] == [None, "tool_calls"]
    pieces = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    heads = [piece for piece in pieces if "id" in piece]
    assert [(head["index"], head["function"]["name"]) for head in heads] == [
        (0, "get_weather"),
        (1, "get_time"),
    ]
    assert all(head["type"] == "function" for head in heads)
    arguments = {0: "", 1: ""}
    for piece in pieces:
        arguments[piece["index"]] += piece["function"]["arguments"]
    assert arguments == {0: '{"city":"Paris"}', 1: "{}"}
    assert len([piece for piece in pieces if piece["index"] == 0]) > 2  # in pieces, as they came


async def test_the_older_form(fresh: Running) -> None:
    fields = {"functions": [tool["function"] for tool in TOOLS]}
    asked = user('[[call get_weather {"city": "Paris"}]]')
    answer = await fresh.ask([asked], **fields)
    (choice,) = answer.data["choices"]
    assert choice["finish_reason"] == "function_call"
    call = choice["message"]["function_call"]
    assert call == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert fresh.upstream.requests[-1].body["tool_choice"]["disable_parallel_tool_use"] is True
    told = {"role": "function", "name": "get_weather", "content": "sunny"}
    last = await fresh.ask([asked, message(answer), told], **fields)
    assert last.text == "get_weather returned: sunny"
    stream = await fresh.ask([asked], **fields, stream=True)
    deltas = [json.loads(chunk)["choices"][0]["delta"] for chunk in stream.data[:-1]]
    pieces = [delta["function_call"] for delta in deltas if "function_call" in delta]
    assert pieces[0] == {"name": "get_weather", "arguments": ""}
    assert "".join(piece["arguments"] for piece in pieces) == '{"city":"Paris"}'


async def test_the_older_form_in_a_session(fresh: Running) -> None:
    session, fields = new_id(), {"functions": [tool["function"] for tool in TOOLS]}
    await fresh.ask('[[call get_weather {"city": "Paris"}]]', session_id=session, **fields)
    told = {"role": "function", "name": "get_weather", "content": "sunny"}
    last = await fresh.ask([told], session_id=session)
    assert (last.text, last.outcome) == ("get_weather returned: sunny", "continued")
    assert len(set(fresh.processes())) == 1


async def test_what_the_model_is_told_of_functions_is_what_the_client_said(fresh: Running) -> None:
    odd = {
        "$defs": {"place": {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}},
        "type": "object",
        "properties": {"where": {"$ref": "#/$defs/place"}},
        "x-of-the-clients": [1, 2],
    }
    told = {"type": "function", "function": {"name": "look", "parameters": odd}}
    none = {"type": "function", "function": {"name": "a_first", "description": "x" * 9000}}
    await fresh.ask("hello", tools=[told, none])
    (seen,) = fresh.seen()
    assert seen["tools"] == [
        {"name": "look", "input_schema": odd},
        {
            "name": "a_first",
            "description": "x" * 9000,
            "input_schema": {"type": "object", "properties": {}},
        },
    ]
    assert list(seen["tools"][0]["input_schema"]) == list(odd)


CHOICES: dict[str, tuple[dict[str, Any], Any, list[str]]] = {
    # fields of the request → tool_choice and functions upstream
    "auto": ({"tool_choice": "auto"}, None, ["get_weather", "get_time"]),
    "none": ({"tool_choice": "none"}, {"type": "none"}, ["get_weather", "get_time"]),
    "required": ({"tool_choice": "required"}, {"type": "any"}, ["get_weather", "get_time"]),
    "named": (
        {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
        {"type": "tool", "name": "get_time"},
        ["get_time"],
    ),
    "allowed": (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "get_time"}}],
                },
            }
        },
        None,
        ["get_time"],
    ),
    "one at a time": (
        {"parallel_tool_calls": False},
        {"type": "auto", "disable_parallel_tool_use": True},
        ["get_weather", "get_time"],
    ),
}


@pytest.mark.parametrize("case", CHOICES)
async def test_a_choice_reaches_the_model(fresh: Running, case: str) -> None:
    fields, choice, offered = CHOICES[case]
    answer = await fresh.ask("hello there", tools=TOOLS, **fields)
    assert answer.status == 200
    (received,) = fresh.upstream.requests
    assert received.body.get("tool_choice") == choice
    assert [tool["name"] for tool in received.body["tools"]] == offered
    called = [call["function"]["name"] for call in message(answer).get("tool_calls") or ()]
    assert bool(called) == (case in {"required", "named"})
    assert set(called) <= set(offered)


async def test_a_model_that_always_thinks_is_told_to_call(fresh: Running) -> None:
    answer = await fresh.ask("hello", model="gpt-4o", tools=TOOLS, tool_choice="required")
    assert calls(answer)
    (received,) = fresh.upstream.requests
    assert "tool_choice" not in received.body
    assert all("must be called" in tool["description"] for tool in received.body["tools"])
    asked = {"model": "gpt-4o", "tools": TOOLS, "tool_choice": "required"}
    refused = await fresh.ask("[[say no]]", **asked)
    assert (refused.status, refused.error["code"]) == (502, "tool_not_called")


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_a_call_that_the_choice_does_not_allow_is_an_error(
    fresh: Running, stream: bool
) -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}}
    for choice in (named, allowed):
        asked = {"model": "gpt-4o", "tools": TOOLS, "tool_choice": choice, "stream": stream}
        answer = await fresh.ask("[[call get_time {}]]", **asked)
        assert answer.error["code"] == "tool_not_allowed"
        assert not answer.whole


async def test_a_forced_call_does_not_force_the_next(fresh: Running) -> None:
    answer = await fresh.ask([user("hello")], tools=[WEATHER], tool_choice="required")
    history = [user("hello"), message(answer), result(calls(answer)["get_weather"])]
    last = await fresh.ask(history, tools=[WEATHER])
    assert last.text.startswith("get_weather returned: fine")
    assert len(set(fresh.processes())) == 1
    assert "tool_choice" not in fresh.upstream.requests[-1].body


async def test_an_unanswerable_choice_of_a_session_is_refused(fresh: Running) -> None:
    answer = await fresh.ask("hello", session_id=new_id(), tool_choice="required")
    assert (answer.status, answer.error["param"]) == (400, "tool_choice")
    assert not fresh.upstream.requests


async def test_a_session_remembers_its_functions(fresh: Running) -> None:
    session = new_id()
    await fresh.ask("hello", session_id=session, tools=TOOLS)
    answer = await fresh.ask('[[call get_weather {"city": "Rome"}]]', session_id=session)
    last = await fresh.ask([result(calls(answer)["get_weather"])], session_id=session)
    assert last.text == "get_weather returned: fine"
    assert [len(seen["tools"]) for seen in fresh.seen()] == [2, 2, 2]
    assert len(set(fresh.processes())) == 1


# -- the loop: parked, or replayed ----------------------------------------------------------------


Step = Callable[[Running, str | None], Awaitable[None]]


async def nothing(server: Running, session: str | None) -> None:
    pass


async def kill(server: Running, session: str | None) -> None:
    (pid,) = server.engine.processes()["waiting"]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: server.engine.processes()["waiting"] == [])


async def evict(server: Running, session: str | None) -> None:
    server.engine.fleet.kept.end_oldest()


async def expire(server: Running, session: str | None) -> None:
    server.engine.fleet.kept.end_idle(1e9, waiting=0)


async def end_all(server: Running, session: str | None) -> None:
    server.engine.fleet.kept.end_all()


GONE: dict[str, Step] = {
    "killed": kill,
    "evicted": evict,
    "waited too long": expire,
    "ended": end_all,
}


async def loop(server: Running, between: Step, session: str | None, **fields: Any) -> Answer:
    """A loop of two calls, sent whole, or to a session piece by piece."""
    named = {} if session is None else {"session_id": session}
    asked = user(BOTH)
    answer = await server.ask([asked], tools=TOOLS, **named, **fields)
    ids = calls(answer)
    await between(server, session)
    results = [result(ids["get_time"], "noon"), result(ids["get_weather"], "sunny")]
    before = [] if session else [asked, message(answer)]
    last = await server.ask([*before, *results], tools=TOOLS, **named, **fields)
    assert last.status == 200, last.data
    return last


@pytest.mark.parametrize("session", [False, True], ids=["stateless", "session"])
async def test_a_parked_turn_goes_on_with_one_request_a_step(fresh: Running, session: bool) -> None:
    last = await loop(fresh, nothing, new_id() if session else None)
    assert last.text == "get_weather returned: sunny\nget_time returned: noon"
    assert last.outcome == ("continued" if session else "matched")
    assert len(fresh.upstream.requests) == 2
    assert len(set(fresh.processes())) == 1


@pytest.mark.parametrize("session", [False, True], ids=["stateless", "session"])
@pytest.mark.parametrize("how", GONE)
async def test_a_turn_that_is_gone_is_replayed_with_one_request_a_step(
    fresh: Running, how: str, session: bool
) -> None:
    await loop(fresh, nothing, new_id() if session else None)
    parked = fresh.seen()
    fresh.engine.fleet.kept.end_all()
    fresh.upstream.clear()
    last = await loop(fresh, GONE[how], new_id() if session else None)
    assert last.text == "get_weather returned: sunny\nget_time returned: noon"
    assert last.outcome == ("continued" if session else None)
    assert fresh.seen() == parked
    assert len(set(fresh.processes())) == 2


async def test_another_keys_parked_turn_is_not_gone_on_with() -> None:
    async with running(api_keys=("one-key-of-the-server", "another-key-of-the-server")) as server:
        answer = await server.ask([user(BOTH)], tools=TOOLS, key="one-key-of-the-server")
        ids = calls(answer)
        history = [user(BOTH), message(answer), *(result(i) for i in ids.values())]
        other = await server.ask(history, tools=TOOLS, key="another-key-of-the-server")
        assert (other.status, other.outcome) == (200, None)
        own = await server.ask(history, tools=TOOLS, key="one-key-of-the-server")
        assert (own.status, own.outcome) == (200, "matched")
        assert len(server.upstream.requests) == 3
        assert len(set(server.processes())) == 2


async def test_an_edited_history_is_not_that_of_the_parked_turn(fresh: Running) -> None:
    answer = await fresh.ask([user(BOTH)], tools=TOOLS)
    edited = json.loads(json.dumps(message(answer)).replace("Paris", "Rome"))
    results = [result(i) for i in calls(answer).values()]
    last = await fresh.ask([user(BOTH), edited, *results], tools=TOOLS)
    assert (last.status, last.outcome) == (200, None)
    (call, _) = fresh.seen()[-1]["messages"][1]["content"]
    assert call["input"] == {"city": "Rome"}


async def test_ids_of_other_models_are_made_fit(fresh: Running) -> None:
    """Some begin at call 0 in every answer, some hold characters that the Messages API refuses."""

    def called(call_id: str) -> Messages:
        named = {"name": "get_time", "arguments": "{}"}
        call = {"id": call_id, "type": "function", "function": named}
        return [{"role": "assistant", "tool_calls": [call]}, result(call_id, call_id)]

    history = [user("hello"), *called("call_0"), user("again"), *called("call_0"), user("more")]
    last = await fresh.ask([*history, *called("functions.time:1")], tools=TOOLS)
    assert last.text == "get_time returned: functions.time:1"
    blocks = [b for m in fresh.seen()[0]["messages"] for b in m["content"]]
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    assert len(set(ids)) == 3
    assert [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"] == ids


async def test_earlier_calls_without_functions_now(fresh: Running) -> None:
    answer = await fresh.ask([user(BOTH)], tools=TOOLS)
    results = [result(i) for i in calls(answer).values()]
    fresh.engine.fleet.kept.end_all()
    last = await fresh.ask([user(BOTH), message(answer), *results, user("hello")])
    assert last.status == 200
    received = fresh.upstream.requests[-1].body
    assert [tool["name"] for tool in received["tools"]] == ["get_weather", "get_time"]
    assert received["tool_choice"] == {"type": "none"}


# -- edges ----------------------------------------------------------------------------------------


Wrong = Callable[[dict[str, str]], Messages]
WRONG: dict[str, tuple[Wrong, str]] = {
    # the ids of two calls → what is sent for them; a word of the error
    "one is missing": (lambda ids: [result(ids["get_time"])], "get_weather"),
    "all are missing": (lambda _: [user("hello?")], "get_time"),
    "an unknown one": (
        lambda ids: [result(ids["get_time"]), result(ids["get_weather"]), result("call_of_nobody")],
        "call_of_nobody",
    ),
    "one twice": (lambda ids: [result(i) for i in (*ids.values(), ids["get_time"])], "get_time"),
}


@pytest.mark.parametrize("session", [False, True], ids=["stateless", "session"])
@pytest.mark.parametrize("case", WRONG)
async def test_results_that_do_not_fit_are_refused_and_the_turn_still_waits(
    fresh: Running, case: str, session: bool
) -> None:
    wrong, named = WRONG[case]
    fields = {"tools": TOOLS, **({"session_id": new_id()} if session else {})}
    answer = await fresh.ask([user(BOTH)], **fields)
    ids = calls(answer)
    before = [] if session else [user(BOTH), message(answer)]
    refused = await fresh.ask([*before, *wrong(ids)], **fields)
    assert refused.status == 400
    assert refused.error["type"] == "invalid_request_error"
    assert refused.error["param"].startswith("messages")
    assert ids.get(named, named) in refused.error["message"]
    last = await fresh.ask([*before, *(result(i) for i in ids.values())], **fields)
    assert last.text == "get_weather returned: fine\nget_time returned: fine"
    assert len(fresh.upstream.requests) == 2
    assert len(set(fresh.processes())) == 1


async def test_a_result_for_another_sessions_call(fresh: Running) -> None:
    one, other = new_id(), new_id()
    call = calls(await fresh.ask("[[call get_time {}]] one", session_id=one, tools=TOOLS))
    await fresh.ask("hello", session_id=other, tools=TOOLS)
    refused = await fresh.ask([result(call["get_time"])], session_id=other)
    assert refused.status == 400
    assert call["get_time"] in refused.error["message"]
    assert len(await fresh.messages(other)) == 2
    last = await fresh.ask([result(call["get_time"])], session_id=one)
    assert (last.text, last.outcome) == ("get_time returned: fine", "continued")


async def test_words_after_the_results(fresh: Running) -> None:
    session = new_id()
    call = calls(await fresh.ask("[[call get_time {}]]", session_id=session, tools=TOOLS))
    said = [result(call["get_time"], "noon"), user("and now?")]
    last = await fresh.ask(said, session_id=session)
    assert last.text == 'get_time returned: noon\nYou said: "and now?".'
    assert [b["type"] for b in fresh.seen()[-1]["messages"][-1]["content"]] == [
        "tool_result",
        "text",
    ]
    assert len(fresh.upstream.requests) == 2


PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
RESULTS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], bool]] = {
    # the message → the content upstream, and whether the parked turn goes on
    "one character": ({"content": "x"}, [{"type": "text", "text": "x"}], True),
    "60,000": ({"content": "é" * 60_000}, [{"type": "text", "text": "é" * 60_000}], True),
    "500,000": ({"content": "x" * 500_000}, [{"type": "text", "text": "x" * 500_000}], False),
    "nothing": ({"content": ""}, [], False),
    "texts": (
        {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        True,
    ),
    "a picture": (
        {
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            ]
        },
        [
            {"type": "text", "text": "a"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ],
        False,
    ),
    "a link": (
        {"content": [{"type": "image_url", "image_url": {"url": "https://127.0.0.1/x.png"}}]},
        [{"type": "image", "source": {"type": "url", "url": "https://127.0.0.1/x.png"}}],
        False,
    ),
    "an error": ({"content": "no", "is_error": True}, [{"type": "text", "text": "no"}], True),
    "a command": ({"content": "@/etc/passwd"}, [{"type": "text", "text": "@/etc/passwd"}], True),
}


@pytest.mark.parametrize("case", RESULTS)
async def test_a_result_reaches_the_model_whole(fresh: Running, case: str) -> None:
    fields, content, live = RESULTS[case]
    session = new_id()
    call = calls(await fresh.ask("[[call get_time {}]]", session_id=session, tools=TOOLS))
    last = await fresh.ask([{**result(call["get_time"]), **fields}], session_id=session)
    assert last.status == 200, last.data
    (block,) = fresh.seen()[-1]["messages"][-1]["content"]
    assert block["content"] == content
    assert block.get("is_error", False) == fields.get("is_error", False)
    assert (len(set(fresh.processes())) == 1) == live
    assert len(fresh.upstream.requests) == 2


async def test_ten_rounds(fresh: Running) -> None:
    messages = [user("[[call get_time {}]]")]
    for round_ in range(10):
        answer = await fresh.ask(messages, tools=TOOLS)
        more = f"round {round_} [[call get_time {{}}]]" if round_ < 9 else "done"
        messages += [message(answer), result(calls(answer)["get_time"], more)]
    last = await fresh.ask(messages, tools=TOOLS)
    assert last.text == "get_time returned: done"
    assert len(fresh.upstream.requests) == 11
    assert len(set(fresh.processes())) == 1


async def test_forty_functions_some_of_them_with_names_of_claude_codes_own(fresh: Running) -> None:
    own = ["Bash", "Read", "Task", "Agent", "WebSearch", "Skill", "StructuredOutput"]
    tools = [function(name) for name in (*own, *(f"tool_{i}" for i in range(33)))]
    asked = user(" ".join(f"[[call {tool['function']['name']} {{}}]]" for tool in tools))
    answer = await fresh.ask([asked], tools=tools)
    assert list(calls(answer)) == [tool["function"]["name"] for tool in tools]
    results = [result(i, name) for name, i in calls(answer).items()]
    last = await fresh.ask([asked, message(answer), *results], tools=tools)
    assert last.text == "\n".join(f"{name} returned: {name}" for name in calls(answer))
    assert last.outcome == "matched"
    assert len(fresh.upstream.requests) == 2


async def test_a_call_of_what_does_not_exist(fresh: Running) -> None:
    asked = user("[[call get_lost {}]] [[call get_time {}]]")
    answer = await fresh.ask([asked], tools=TOOLS)
    assert fresh.engine.processes()["waiting"] == []  # Claude Code would have answered by itself
    results = [result(i, f"no such function: {name}") for name, i in calls(answer).items()]
    last = await fresh.ask([asked, message(answer), *results], tools=TOOLS)
    assert last.text.startswith("get_lost returned: no such function: get_lost")
    assert len(fresh.upstream.requests) == 2


async def test_arguments_that_are_no_json(fresh: Running) -> None:
    answer = await fresh.ask('[[call-raw get_weather {"city": ]]', tools=TOOLS)
    assert (answer.status, answer.error["code"]) == (502, "bad_arguments")
    assert len(fresh.upstream.requests) == 1


async def test_arguments_that_are_cut(fresh: Running) -> None:
    text = "x" * 400
    asked = f'[[cut 3]] [[call get_weather {{"city": "{text}"}}]]'
    answer = await fresh.ask(asked, tools=TOOLS)
    (choice,) = answer.data["choices"]
    assert choice["finish_reason"] == "length"
    arguments = choice["message"]["tool_calls"][0]["function"]["arguments"]
    assert arguments.startswith('{"city"')
    assert not arguments.endswith("}")
    assert len(fresh.upstream.requests) == 1


STRICT = {
    "type": "function",
    "function": {
        "name": "buy",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"how_many": {"type": "integer"}},
            "required": ["how_many"],
            "additionalProperties": False,
        },
    },
}


async def test_strict_arguments_are_asked_for_and_checked(fresh: Running) -> None:
    answer = await fresh.ask('[[call buy {"how_many": 3}]]', tools=[STRICT])
    assert calls(answer)
    (tool,) = fresh.seen()[0]["tools"]
    assert tool["strict"] is True
    wrong = await fresh.ask('[[call buy {"how_many": "three"}]]', tools=[STRICT])
    assert (wrong.status, wrong.error["code"]) == (502, "schema_mismatch")
    assert "'$.how_many'" in wrong.error["message"]


async def test_a_request_without_functions_is_not_offered_those_of_the_process(
    fresh: Running,
) -> None:
    first = await fresh.ask([user("hello")], tools=TOOLS)
    history = [user("hello"), message(first), user("[[call get_time {}]] again")]
    last = await fresh.ask(history)
    assert last.outcome is None
    assert fresh.seen()[-1]["tools"] == []


async def test_a_number_that_is_none_leaves_no_session_that_is_stuck(fresh: Running) -> None:
    session = new_id()
    for number in ("NaN", "1e999", "-Infinity"):
        asked = f'[[call-raw get_weather {{"city": {number}}}]]'
        answer = await fresh.ask(asked, session_id=session, tools=TOOLS)
        assert (answer.status, answer.error["code"]) == (502, "bad_arguments")
    assert (await fresh.ask("hello", session_id=session)).status == 200


async def test_half_a_surrogate_pair_goes_round(fresh: Running) -> None:
    asked = user('[[call get_weather {"city": "\\ud83d"}]] [[call-raw get_time {"a": "\\ud83d"}]]')
    answer = await fresh.ask([asked], tools=TOOLS)
    results = [result(i) for i in calls(answer).values()]
    last = await fresh.ask([asked, message(answer), *results], tools=TOOLS)
    assert (last.status, last.outcome) == (200, "matched")


async def test_names_of_other_models_are_made_fit(fresh: Running) -> None:
    called = {"name": "functions.get time", "arguments": "{}"}
    call = {"id": "1", "type": "function", "function": called}
    history = [
        user("hello"),
        {"role": "assistant", "tool_calls": [call]},
        result("1"),
        user("more"),
    ]
    assert (await fresh.ask(history)).status == 200
    (seen,) = fresh.seen()
    assert seen["messages"][1]["content"][0]["name"] == "functions_get_time"
    assert [tool["name"] for tool in seen["tools"]] == ["functions_get_time"]


# -- parked turns end -----------------------------------------------------------------------------


async def parked(server: Running, session: str) -> dict[str, str]:
    """A session whose turn waits for a result; its one call."""
    call = calls(await server.ask("[[call get_time {}]]", session_id=session, tools=TOOLS))
    assert (await server.rest("GET", f"/{session}")).data["state"] == "waiting"
    assert len(server.engine.processes()["waiting"]) == 1
    return call


async def gone(server: Running) -> None:
    """Nothing waits any more, and what waited is reaped."""
    await until(lambda: server.engine.processes()["waiting"] == [])
    await server.engine.fleet.pool.settled()


async def test_a_client_that_never_comes_back(fresh: Running) -> None:
    session = new_id()
    call = await parked(fresh, session)
    fresh.engine.fleet.kept.end_idle(1e9, waiting=0)
    await gone(fresh)
    assert len(fresh.upstream.requests) == 1
    assert (await fresh.rest("GET", f"/{session}")).data["state"] == "waiting"
    last = await fresh.ask([result(call["get_time"])], session_id=session)
    assert last.text == "get_time returned: fine"
    assert len(fresh.upstream.requests) == 2


async def test_a_session_that_is_deleted_while_it_waits(fresh: Running) -> None:
    session = new_id()
    await parked(fresh, session)
    assert (await fresh.rest("DELETE", f"/{session}")).status == 200
    await gone(fresh)
    assert len(fresh.upstream.requests) == 1


async def test_a_session_that_expires_while_it_waits() -> None:
    now = 1000.0
    async with running(clock=lambda: now, session_ttl=60) as server:
        session = new_id()
        await parked(server, session)
        now += 61
        await server.sessions.sweep()
        await gone(server)
        assert (await server.rest("GET", f"/{session}")).status == 404
        assert len(server.upstream.requests) == 1


async def test_parked_turns_count_against_the_capacity() -> None:
    async with running(max_live=2, pool_size=0) as server:
        sessions = [new_id() for _ in range(4)]
        ids = [
            calls(await server.ask(f"[[call get_time {{}}]] {s}", session_id=s, tools=TOOLS))
            for s in sessions
        ]
        assert len(server.engine.processes()["waiting"]) == 2
        for session, call in zip(sessions, ids, strict=True):
            last = await server.ask([result(call["get_time"])], session_id=session)
            assert last.text == "get_time returned: fine"
        assert len(server.upstream.requests) == 8


async def test_no_turn_is_parked_where_none_may_wait() -> None:
    async with running(tool_wait=0) as server:
        last = await loop(server, nothing, new_id())
        assert last.status == 200
        assert len(server.upstream.requests) == 2
        assert len(set(server.processes())) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
async def test_a_server_that_ends_while_a_turn_waits(
    serve: Serve, tmp_path: Path, number: signal.Signals
) -> None:
    if number is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("needs the parent-death signal of Linux")
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    login = {"ANTHROPIC_BASE_URL": upstream.url, "ANTHROPIC_API_KEY": "a-test-key"}
    options = ("--port", "0", "--session-store", f"sqlite:///{tmp_path}/sessions.db")
    fields = {"model": "claude-sonnet-4-5", "session_id": "one", "tools": TOOLS}

    async def ask(url: str, message: dict[str, Any]) -> dict[str, Any]:
        body = {**fields, "messages": [message]}
        async with http.post(f"{url}/v1/chat/completions", json=body) as response:
            assert response.status == 200, await response.text()
            document = await response.json()
        found: dict[str, Any] = document["choices"][0]["message"]
        return found

    try:
        async with aiohttp.ClientSession() as http:
            async with serve(*options, **login) as served:
                called = await ask(served.url, user("[[call get_time {}]]"))
                children = served.children()
                assert children
                await served.stop(number)
                await none_left(children, 20)
            await upstream.wait_idle(timeout=60)
            assert len(upstream.requests) == 1
            async with serve(*options, **login) as served:
                last = await ask(served.url, result(called["tool_calls"][0]["id"], "noon"))
                assert last["content"] == "get_time returned: noon"
                await served.stop()
            assert len(upstream.requests) == 2
    finally:
        await upstream.stop()
