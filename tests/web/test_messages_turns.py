"""Anthropic's Messages API over several turns: reasoning, tools, conversations without a name.

An answer is sent back as it came, thinking and all; each step is one request to the model.
"""

import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic_client import (
    BOTH,
    NEWER,
    OLDER,
    TIME,
    TOOLS,
    Told,
    assistant,
    calls,
    official,
    result,
    tell,
    text,
    user,
)
from serving import Running, until

BUDGET: dict[str, Any] = {
    "model": OLDER,
    "max_tokens": 4_000,
    "thinking": {"type": "enabled", "budget_tokens": 1_024},
}
ADAPTIVE: dict[str, Any] = {"model": NEWER, "thinking": {"type": "adaptive"}}
SHOWN: dict[str, Any] = {
    "model": NEWER,
    "thinking": {"type": "adaptive", "display": "summarized"},
}
UNASKED: dict[str, Any] = {"model": NEWER}
THINKING = {"budget": BUDGET, "adaptive": ADAPTIVE, "shown": SHOWN, "unasked": UNASKED}


@pytest.fixture
async def fresh(server: Running) -> AsyncIterator[Running]:
    """The shared server without any kept process."""
    server.engine.fleet.kept.end_all()
    yield server


async def killed(server: Running) -> None:
    """Every process that held a conversation is gone."""
    processes = server.engine.processes()
    for pid in [pid for state in ("idle", "waiting") for pid in processes[state]]:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not any(server.engine.processes()[s] for s in ("idle", "waiting")))


async def said(server: Running, messages: list[dict[str, Any]], **fields: Any) -> Told:
    """One turn of a conversation; the answer is put behind it, as it came."""
    told = await tell(server, messages, **fields)
    assert told.status == 200, told.data
    messages.append(assistant(told.data["content"]))
    return told


# -- reasoning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "dies"),
    [("budget", False), ("budget", True), ("shown", False), ("adaptive", False), ("unasked", True)],
)
async def test_thoughts_come_and_are_taken_back_unchanged(
    fresh: Running, case: str, dies: bool
) -> None:
    fields = THINKING[case]
    messages: list[dict[str, Any]] = []
    outcomes = []
    for asked in ("[[think alpha]] [[say a]]", "[[redacted]] [[say b]]", "[[say c]]"):
        messages.append(user(asked))
        told = await said(fresh, messages, **fields)
        outcomes.append(told.outcome)
        if dies:
            await killed(fresh)
    first, second = messages[1]["content"], messages[3]["content"]
    shown = "alpha" if case in {"budget", "shown"} else ""
    assert first == [
        {"type": "thinking", "thinking": shown, "signature": first[0]["signature"]},
        text("a"),
    ]
    assert first[0]["signature"]
    assert [block["type"] for block in second] == ["redacted_thinking", "text"]
    last = fresh.seen()[-1]["messages"]
    assert [last[1], last[3]] == [messages[1], messages[3]]
    assert outcomes == ([None] * 3 if dies else [None, "matched", "matched"])
    assert len(fresh.upstream.requests) == 3
    assert len(set(fresh.processes())) == (3 if dies else 1)


async def test_a_stream_tells_thoughts_and_their_signature(fresh: Running) -> None:
    content = "[[think one two]] [[redacted]] [[say done]]"
    told = await tell(fresh, content, stream=True, **BUDGET)
    starts = [e["content_block"] for e in told.data if e["type"] == "content_block_start"]
    assert starts[0] == {"type": "thinking", "thinking": "", "signature": ""}
    assert [block["type"] for block in starts[1:]] == ["redacted_thinking", "text"]
    assert starts[1]["data"]
    deltas = [e["delta"] for e in told.data if e["type"] == "content_block_delta"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == "one two"
    assert [d["type"] for d in deltas if e_index(told, d) == 0][-1] == "signature_delta"
    assert told.data[-2]["usage"]["output_tokens_details"]["thinking_tokens"] > 0


def e_index(told: Told, delta: dict[str, Any]) -> int:
    """The block that a delta is of."""
    (index,) = [e["index"] for e in told.data if e.get("delta") is delta]
    return int(index)


async def test_thoughts_with_a_signature_that_is_not_the_models_are_left_out(
    fresh: Running,
) -> None:
    """The API refuses them; Claude Code takes that as advice, and asks again without them."""
    forged = {"type": "thinking", "thinking": "alpha", "signature": "forged"}
    messages = [user("hi"), assistant([forged, text("a")]), user("[[say b]]")]
    told = await tell(fresh, messages, **BUDGET)
    assert (told.status, told.text) == (200, "b")
    assert [received.state for received in fresh.upstream.requests] == ["refused", "answered"]
    assert fresh.seen()[-1]["messages"][1]["content"] == [text("a")]


async def test_a_client_that_leaves_the_thoughts_out_gets_its_answers_as_well(
    fresh: Running,
) -> None:
    messages = [user("[[think alpha]] [[say a]]")]
    await said(fresh, messages, **BUDGET)
    bare = [messages[0], assistant("a"), user("[[say b]]")]
    told = await tell(fresh, bare, **BUDGET)
    assert (told.status, told.text) == (200, "b")


# -- tools ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "dies"), [("budget", False), ("budget", True), ("shown", False), ("unasked", True)]
)
async def test_a_tool_loop_with_thoughts_is_one_request_for_each_step(
    fresh: Running, case: str, dies: bool
) -> None:
    fields = {**THINKING[case], "tools": TOOLS}
    messages = [user(f"[[think which]] [[say Let me see.]] {BOTH}")]
    first = await said(fresh, messages, **fields)
    assert first.data["stop_reason"] == "tool_use"
    kinds = [block["type"] for block in messages[1]["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]
    ids = calls(messages[1]["content"])
    if dies:
        await killed(fresh)
    results = [
        result(ids["get_time"], [text("[[think again]] [[call get_time {}]]")]),
        result(ids["get_weather"], "sunny"),
    ]
    messages.append(user(results))
    second = await said(fresh, messages, **fields)
    if dies:
        await killed(fresh)
    (third_id,) = calls(messages[3]["content"]).values()
    messages.append(user([result(third_id, "noon", is_error=True)]))
    last = await said(fresh, messages, **fields)
    assert [t.data["stop_reason"] for t in (second, last)] == ["tool_use", "end_turn"]
    assert len(fresh.upstream.requests) == 3
    assert len(set(fresh.processes())) == (3 if dies else 1)
    assert [t.outcome for t in (second, last)] == [None if dies else "matched"] * 2
    seen = fresh.seen()[-1]["messages"]
    assert [seen[1], seen[3]] == [messages[1], messages[3]]
    assert seen[2]["content"] == [  # in the order of the calls
        result(ids["get_weather"], [text("sunny")]),
        result(ids["get_time"], [text("[[think again]] [[call get_time {}]]")]),
    ]
    assert seen[4]["content"] == [result(third_id, [text("noon")], is_error=True)]


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_words_after_the_results_reach_the_model(fresh: Running, stream: bool) -> None:
    messages = [user(BOTH)]
    await said(fresh, messages, tools=TOOLS)
    ids = calls(messages[1]["content"])
    after = [result(i) for i in ids.values()]
    messages.append(user([*after, text("[[say thank you]]")]))
    told = await tell(fresh, messages, tools=TOOLS, stream=stream)
    assert told.text == "thank you"
    assert fresh.seen()[-1]["messages"][2]["content"][-1] == text("[[say thank you]]")
    assert len(fresh.upstream.requests) == 2


async def test_the_packages_own_tool_runner(fresh: Running) -> None:
    asked: list[str] = []

    @anthropic.beta_async_tool
    async def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: which one
        """
        asked.append(city)
        return "sunny"

    async with official(fresh) as client:
        runner = client.beta.messages.tool_runner(
            model=OLDER,
            max_tokens=500,
            tools=[get_weather],
            messages=[{"role": "user", "content": '[[call get_weather {"city": "Paris"}]]'}],
        )
        message = await runner.until_done()
    assert asked == ["Paris"]
    assert message.content[0].to_dict() == text("get_weather returned: sunny")
    assert len(fresh.upstream.requests) == 2
    assert len(set(fresh.processes())) == 1


# -- conversations without a name -----------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_a_conversation_goes_on_in_its_process(fresh: Running, stream: bool) -> None:
    fields: dict[str, Any] = {"system": [text("Be brief."), text("Be kind.")]}
    messages = [user([text("my name is Eve"), text("by the way")])]
    first = await said(fresh, messages, **fields)
    messages.append(user("what is my name?"))
    told = await tell(fresh, messages, stream=stream, **fields)
    assert [first.outcome, told.outcome] == [None, "matched"]
    assert "Eve" in told.text
    assert len(set(fresh.processes())) == 1


async def test_what_was_changed_is_replayed(fresh: Running) -> None:
    messages = [user("[[say a]]")]
    await said(fresh, messages, tools=[TIME])
    asked = [*messages, user("[[say b]]")]
    for changed in (
        {"tools": TOOLS},
        {"tools": [TIME], "system": "Be brief."},
        {"tools": [TIME], "model": NEWER},
    ):
        told = await tell(fresh, asked, **changed)
        assert (told.text, told.outcome) == ("b", None), changed
    other = [user("[[say a]]"), assistant([text("A")]), user("[[say b]]")]
    told = await tell(fresh, other, tools=[TIME])
    assert (told.text, told.outcome) == ("b", None)
