"""Sampling and limits reach the model, each turn its own, and the model's refusals the client."""

import asyncio
import random
from typing import Any

import pytest
from serving import Running, new_id, running

OLDER = "claude-sonnet-4-5"
NEWER = "claude-opus-5-5"
OFF = {"type": "disabled"}
DEFAULTS = {"temperature": 1, "thinking": OFF, "max_tokens": 32_000}
"""What Claude Code asks of the older model by itself."""

WATCHED = ("temperature", "top_p", "max_tokens", "stop_sequences", "thinking", "output_config")

PARAMETERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # what the client says; what the model is asked then
    "nothing": ({}, DEFAULTS),
    "null": (dict.fromkeys(("temperature", "top_p", "max_tokens", "stop")), DEFAULTS),
    "temperature": ({"temperature": 0.25}, {**DEFAULTS, "temperature": 0.25}),
    "temperature 0": ({"temperature": 0}, {**DEFAULTS, "temperature": 0}),
    "temperature above 1": ({"temperature": 1.5}, DEFAULTS),
    "top_p alone": ({"top_p": 0.5}, {"top_p": 0.5, "thinking": OFF, "max_tokens": 32_000}),
    "max_tokens": ({"max_tokens": 77}, {**DEFAULTS, "max_tokens": 77}),
    "max_completion_tokens": (
        {"max_completion_tokens": 78, "max_tokens": 77},
        {**DEFAULTS, "max_tokens": 78},
    ),
    "stop": ({"stop": "END"}, {**DEFAULTS, "stop_sequences": ["END"]}),
    "stops": ({"stop": ["a1", "b2"]}, {**DEFAULTS, "stop_sequences": ["a1", "b2"]}),
    "effort": (
        {"reasoning_effort": "low"},
        {**DEFAULTS, "thinking": {"type": "enabled", "budget_tokens": 2_048}},
    ),
    "thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 1_500}},
        {**DEFAULTS, "thinking": {"type": "enabled", "budget_tokens": 1_500}},
    ),
    "many": (
        {"temperature": 0.5, "max_tokens": 99, "stop": ["zzz"]},
        {**DEFAULTS, "temperature": 0.5, "max_tokens": 99, "stop_sequences": ["zzz"]},
    ),
}


def asked(server: Running) -> list[dict[str, Any]]:
    """The parameters of each request that reached the model."""
    return [
        {name: received.body[name] for name in WATCHED if received.body.get(name) is not None}
        for received in server.upstream.requests
    ]


@pytest.mark.parametrize("named", [True, False], ids=["session", "stateless"])
async def test_parameters_reach_the_model_and_never_show_in_the_next_turn(
    server: Running, named: bool
) -> None:
    """All of them in a row, in an order of chance, in one conversation and one process."""
    order = [*PARAMETERS, *PARAMETERS]
    random.Random(6).shuffle(order)  # noqa: S311 - any order will do
    session = {"session_id": new_id()} if named else {}
    messages: list[dict[str, Any]] = []
    for number, name in enumerate(order):
        question = {"role": "user", "content": f"[[say answer {number}]]"}
        messages.append(question)
        answer = await server.ask(
            [question] if named else messages, model=OLDER, **session, **PARAMETERS[name][0]
        )
        assert answer.text == f"answer {number}", (name, answer.data)
        changed = "temperature" if name == "temperature above 1" else None
        assert answer.headers.get("x-bridge-changed") == changed
        messages.append({"role": "assistant", "content": answer.text})
    expected = [(name, PARAMETERS[name][1]) for name in order]
    assert list(zip(order, asked(server), strict=True)) == expected
    assert len(set(server.processes())) == 1


FINISHES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "all of it": ("[[say one two three]]", {}, "one two three", "stop"),
    "max_tokens": ("[[words 50]]", {"max_tokens": 3}, "word1 word2 word3", "length"),
    "max_completion_tokens": ("[[words 9]]", {"max_completion_tokens": 1}, "word1", "length"),
    "stop": ("[[say one two three]]", {"stop": "two"}, "one ", "stop"),
    "the first stop": ("[[say one two three]]", {"stop": ["three", "two"]}, "one ", "stop"),
    "a stop that is not met": ("[[say one two]]", {"stop": ["four"]}, "one two", "stop"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_the_reason_tells_what_ended_the_answer(server: Running, stream: bool) -> None:
    async def ended(question: str, fields: dict[str, Any]) -> tuple[str, str]:
        answer = await server.ask(question, stream=stream, **fields)
        assert answer.whole, answer.data
        return answer.text, answer.finish_reason

    rows = FINISHES.items()
    found = await asyncio.gather(*(ended(question, fields) for _, (question, fields, *_) in rows))
    assert dict(zip(FINISHES, found, strict=True)) == {name: row[2:] for name, row in rows}


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("name", ["temperature", "top_p"])
async def test_a_model_that_refuses_a_parameter_gives_that_very_error(
    server: Running, name: str, stream: bool
) -> None:
    answer = await server.ask("hi", model=NEWER, stream=stream, **{name: 0.5})
    assert (answer.status, answer.error["param"]) == (400, name)
    assert answer.error["type"] == "invalid_request_error"
    (received,) = server.upstream.requests
    assert received.body[name] == 0.5, "the model's side was asked, and said no"
    after = await server.ask("hi", model=NEWER)
    assert after.status == 200, "it was that turn's"


async def test_a_lenient_server_leaves_out_what_the_model_would_refuse() -> None:
    async with running(lenient_sampling=True) as server:
        for stream in (False, True):
            answer = await server.ask("hi", model=NEWER, stream=stream, temperature=0, top_p=0.5)
            assert answer.whole, answer.data
            assert answer.headers["x-bridge-ignored"] == "temperature, top_p"
        older = await server.ask("hi", model=OLDER, temperature=0)
        assert "x-bridge-ignored" not in older.headers
        sampled = [{k for k in a if k in {"temperature", "top_p"}} for a in asked(server)]
        assert sampled == [set(), set(), {"temperature"}]
