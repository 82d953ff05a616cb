"""Reasoning: asked for, shown, counted, and given back to the model as it was."""

import os
import signal
from typing import Any

import pytest
from serving import Answer, Running, new_id, said, until

OLDER = "claude-sonnet-4-5"  # thinks with a budget, when it is asked to
NEWER = "claude-opus-5-5"  # always thinks, as it sees fit

CITY = {
    "type": "function",
    "function": {
        "name": "city_of",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


def thoughts(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The reasoning in a request that reached the model."""
    parts = [part for message in request["messages"] for part in message["content"]]
    return [part for part in parts if part["type"] in {"thinking", "redacted_thinking"}]


async def killed(server: Running) -> None:
    """Every process that held a conversation is gone."""
    processes = server.engine.processes()
    pids = [pid for state in ("idle", "waiting") for pid in processes[state]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not any(server.engine.processes()[s] for s in ("idle", "waiting")))


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("model", [OLDER, NEWER])
async def test_reasoning_comes_beside_the_answer(server: Running, model: str, stream: bool) -> None:
    answer = await server.ask(
        "[[think first this]] [[say then that]]",
        model=model,
        reasoning_effort="high",
        stream=stream,
        stream_options={"include_usage": True} if stream else None,
    )
    assert answer.whole, answer.data
    assert answer.message["reasoning_content"] == "first this"
    assert answer.message["content"] == "then that"
    assert answer.usage["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert answer.usage["completion_tokens"] == 4
    assert "x-bridge-changed" not in answer.headers


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"reasoning_effort": "none"}, {}),
        ({"thinking": {"type": "disabled"}}, {}),
        ({}, {"X-Claude-Max-Thinking-Tokens": "0"}),
        ({"reasoning_effort": None, "thinking": None}, {}),
    ],
)
async def test_a_model_that_can_is_told_not_to_think(
    server: Running, fields: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = await server.ask("think, then say", model=OLDER, headers=headers, **fields)
    assert "reasoning_content" not in answer.message
    assert answer.usage["completion_tokens_details"] == {"reasoning_tokens": 0}


async def test_effort_that_can_not_be_had_is_named(server: Running) -> None:
    answer = await server.ask("hi", model=NEWER, reasoning_effort="none")
    assert answer.headers["x-bridge-changed"] == "reasoning_effort"
    (received,) = server.upstream.requests
    assert received.body["output_config"] == {"effort": "low"}


async def test_a_budget_comes_from_the_header_unless_the_body_says_something(
    server: Running,
) -> None:
    header = {"X-Claude-Max-Thinking-Tokens": "3000"}
    await server.ask("hi", model=OLDER, headers=header)
    await server.ask("hi", model=OLDER, headers=header, reasoning_effort="low")
    asked = [received.body["thinking"] for received in server.upstream.requests]
    assert [thinking.get("budget_tokens") for thinking in asked] == [3_000, 2_048]
    wrong = await server.ask("hi", headers={"X-Claude-Max-Thinking-Tokens": "many"})
    assert (wrong.status, wrong.error["param"]) == (400, "x-claude-max-thinking-tokens")


async def test_thinking_that_the_model_does_not_take_gets_its_own_error(server: Running) -> None:
    answer = await server.ask(
        "hi", model=NEWER, thinking={"type": "enabled", "budget_tokens": 2_000}
    )
    assert (answer.status, answer.error["param"]) == (400, "thinking")
    assert "not supported for this model" in answer.error["message"]
    # Claude Code takes the refusal as advice and asks once more, in the very same words
    assert {received.state for received in server.upstream.requests} == {"refused"}


@pytest.mark.parametrize("named", [True, False], ids=["session", "stateless"])
@pytest.mark.parametrize("model", [OLDER, NEWER])
async def test_reasoning_is_given_back_as_it_was_live_and_after_a_replay(
    server: Running, model: str, named: bool
) -> None:
    """Three turns in one process, then the same conversation in a new process for each turn."""
    sent: list[list[dict[str, Any]]] = []
    for replays in (False, True):
        server.upstream.clear()
        session = {"session_id": new_id()} if named else {}
        texts: list[str] = []
        for question in ("[[think alpha]] [[say a]]", "[[redacted]] [[say b]]", "[[say c]]"):
            texts.append(question)
            messages = said(question) if named else said(*texts)
            answer = await server.ask(messages, model=model, reasoning_effort="low", **session)
            assert answer.status == 200, answer.data
            texts.append(answer.text)
            if replays:
                await killed(server)
        sent.append(server.seen())
        assert len(set(server.processes())) == (3 if replays else 1)
    live, replayed = sent
    assert live == replayed
    first, second = thoughts(live[-1])
    assert first["thinking"] == "alpha"
    assert first["signature"]
    assert second["type"] == "redacted_thinking"


async def test_reasoning_is_given_to_nobody_else(server: Running) -> None:
    """Neither to another conversation with the same words, nor to one that was changed."""
    await server.ask("[[think secret]] [[say a]]", model=NEWER, reasoning_effort="low")
    await killed(server)
    server.upstream.clear()
    for before in ("[[think other]] [[say a]]", "[[think secret]] [[say a]]!"):
        await server.ask(said(before, "a", "and?"), model=NEWER)
    system = {"role": "system", "content": "x"}
    await server.ask([system, *said("[[think secret]] [[say a]]", "a", "and?")], model=NEWER)
    assert [thoughts(request) for request in server.seen()] == [[], [], []]
    await server.ask(said("[[think secret]] [[say a]]", "a", "and?"), model=NEWER)
    assert [thought["thinking"] for thought in thoughts(server.seen()[-1])] == ["secret"]


@pytest.mark.parametrize("named", [True, False], ids=["session", "stateless"])
@pytest.mark.parametrize("lost", [False, True], ids=["parked", "replayed"])
async def test_reasoning_before_a_call_is_there_when_its_result_comes(
    server: Running, lost: bool, named: bool
) -> None:
    session = {"session_id": new_id()} if named else {}
    question = {"role": "user", "content": '[[think who]] [[call city_of {"name": "Ada"}]]'}
    fields = {"model": NEWER, "tools": [CITY], "reasoning_effort": "medium", **session}
    first = await server.ask([question], **fields)
    assert first.message["reasoning_content"] == "who"
    (call,) = first.message["tool_calls"]
    if lost:
        await killed(server)
    result = {"role": "tool", "tool_call_id": call["id"], "content": "[[say London]]"}
    answered = {"role": "assistant", "content": None, "tool_calls": [call]}
    last = await server.ask([result] if named else [question, answered, result], **fields)
    assert last.text == "London"
    assert [thought["thinking"] for thought in thoughts(server.seen()[-1])] == ["who"]
    assert len(server.upstream.requests) == 2


async def test_a_json_answer_may_be_thought_about(server: Running) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answer: Answer = await server.ask(
        '[[think one]] [[json {"n": 1}]]',
        model=OLDER,
        reasoning_effort="low",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    )
    assert answer.status == 200, answer.data
    assert (answer.text, answer.message["reasoning_content"]) == ('{"n": 1}', "one")
