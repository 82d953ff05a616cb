"""Stateless requests: the process of a conversation goes on with it, and nobody can tell but by time."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from serving import Answer, Running, heard, new_id, running, said, until

Messages = list[dict[str, Any]]


@pytest.fixture
async def fresh(server: Running) -> AsyncIterator[Running]:
    """The shared server without any kept process."""
    server.engine.fleet.kept.end_all()
    yield server


async def talk(server: Running, texts: list[str], question: str, **fields: Any) -> Answer:
    """A client that sends all of its history, and remembers the answer."""
    texts.append(question)
    answer = await server.ask(said(*texts), **fields)
    assert answer.status == 200, answer.data
    texts.append(answer.text)
    return answer


QUESTIONS = ("my name is Ada", "[[say two]]", "what is my name?")


def asked(*texts: str) -> Messages:
    """Those messages, under a system prompt."""
    return [{"role": "system", "content": "Be brief."}, *said(*texts)]


@pytest.fixture(scope="module")
async def unmatched() -> list[dict[str, Any]]:
    """What a conversation sends upstream when no process is kept."""
    async with running(pool_size=0, no_match=True) as server:
        texts: list[str] = []
        for question in QUESTIONS:
            answer = await server.ask(asked(*texts, question))
            assert answer.outcome is None
            texts += [question, answer.text]
        assert len(set(server.processes())) == len(QUESTIONS)
        assert server.engine.processes()["idle"] == []
        assert server.engine.matched == 0
        return server.seen()


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_a_conversation_sent_again_goes_on_in_its_process(
    fresh: Running, unmatched: list[dict[str, Any]], stream: bool
) -> None:
    before = (await fresh.rest("GET", "/stats")).data["matched_requests"]
    texts: list[str] = []
    for question in QUESTIONS:
        answer = await fresh.ask(asked(*texts, question), stream=stream)
        assert answer.whole, answer.data
        assert answer.outcome == ("matched" if texts else None)
        assert "x-session-id" not in answer.headers
        texts += [question, answer.text]
    assert fresh.seen() == unmatched
    assert len(set(fresh.processes())) == 1
    assert (await fresh.rest("GET", "/stats")).data["matched_requests"] == before + 2


OTHERS: dict[str, Callable[[Messages], dict[str, Any]]] = {
    # messages → what is sent instead
    "a word of the user": lambda m: {"content": [{**m[0], "content": "my name is Adam"}, *m[1:]]},
    "a word of the answer": lambda m: {
        "content": [m[0], {**m[1], "content": m[1]["content"] + "!"}, m[2]]
    },
    "a space": lambda m: {"content": [{**m[0], "content": "my name is Ada "}, *m[1:]]},
    "a message more": lambda m: {"content": [*said("hi", "hello"), *m]},
    "a message less": lambda m: {"content": m[2:]},
    "a system prompt": lambda m: {"content": [{"role": "system", "content": "Be kind."}, *m]},
    "a later system message": lambda m: {
        "content": [m[0], {"role": "system", "content": "psst"}, *m[1:]]
    },
    "another model": lambda m: {"content": m, "model": "claude-haiku-4-5"},
    "a session": lambda m: {"content": m, "session_id": new_id()},
}


async def test_what_differs_in_anything_is_not_matched(fresh: Running) -> None:
    texts: list[str] = []
    await talk(fresh, texts, "my name is Ada")
    (process,) = fresh.processes()
    for what, change in OTHERS.items():
        fresh.upstream.clear()
        sent = change(said(*texts, "what is my name?"))
        answer = await fresh.ask(**sent)
        assert answer.outcome in (None, "created"), what
        assert process not in fresh.processes(), what
        words = [text["text"] for m in fresh.seen()[0]["messages"] for text in m["content"]]
        expected = [m["content"] for m in sent["content"] if m["role"] != "system"]
        assert [word for word in words if "psst" not in word] == expected, what
        while len(fresh.engine.fleet.kept) > 1:  # make room: the first is the oldest
            fresh.engine.fleet.kept.discard(fresh.engine.fleet.kept._kept.pop().process)
    assert (await talk(fresh, texts, "what is my name?")).outcome == "matched"


async def test_a_sessions_process_is_not_for_others(fresh: Running) -> None:
    session = new_id()
    first = await fresh.ask("my name is Ada", session_id=session)
    history = said("my name is Ada", first.text, "what is my name?")
    assert (await fresh.ask(history)).outcome is None
    assert (await fresh.ask(history, session_id=new_id())).outcome == "created"
    assert (await fresh.ask(history, session_id=session)).outcome == "continued"
    one, two, three, four = fresh.processes()
    assert one == four
    assert len({one, two, three}) == 3


async def test_a_turn_that_was_not_whole_is_not_matched(fresh: Running) -> None:
    for question in ("[[cut 3]] [[words 9]]", "[[refuse]]"):
        answer = await fresh.ask(question)
        history = said(question, answer.text, "[[say on]]")
        answer = await fresh.ask(history)
        assert (answer.outcome, answer.text) == (None, "on")
        assert fresh.seen()[-1]["messages"] == heard(*(m["content"] for m in history))
    assert len(set(fresh.processes())) == 4


async def test_a_failed_turn_ends_the_process_and_the_conversation_goes_on(fresh: Running) -> None:
    texts: list[str] = []
    await talk(fresh, texts, "my name is Ada")
    for failure in ("[[fail 500]]", "[[break 3]] [[words 9]]", "[[empty]]"):
        answer = await fresh.ask(said(*texts, failure))
        assert answer.status >= 400
        again = await talk(fresh, texts, "what is my name?")
        assert (again.outcome, "Ada" in again.text) == (None, True)
        assert fresh.seen()[-1]["messages"] == heard(*texts[:-1])


async def test_another_key_is_not_matched() -> None:
    async with running(pool_size=0, api_keys=("key-of-one", "key-of-two")) as server:
        texts: list[str] = []
        await talk(server, texts, "my name is Ada", key="key-of-one")
        stolen = await server.ask(said(*texts, "what is my name?"), key="key-of-two")
        assert stolen.outcome is None
        own = await server.ask(said(*texts, "what is my name?"), key="key-of-one")
        assert own.outcome == "matched"
        one, two, three = server.processes()
        assert one == three != two


async def test_conversations_with_the_same_words_do_not_mix(fresh: Running) -> None:
    first: list[list[str]] = [[], [], []]
    await asyncio.gather(*(talk(fresh, texts, "my name is Ada") for texts in first))
    answers = await asyncio.gather(*(talk(fresh, texts, "what is my name?") for texts in first))
    assert [answer.outcome for answer in answers] == ["matched"] * 3
    assert len(set(fresh.processes())) == 3
    fourth = first[0][:2]
    answer = await talk(fresh, fourth, "what is my name?")  # all three have gone on
    assert (answer.outcome, fourth) == (None, first[0])
    assert all(seen["messages"] == heard(*first[0][:3]) for seen in fresh.seen()[3:])
    for texts, question in zip(first, ("[[say a]]", "[[say b]]", "[[say c]]"), strict=True):
        assert (await talk(fresh, texts, question)).text == question[6]


async def test_an_answer_made_anew_does_not_hold_the_one_before(fresh: Running) -> None:
    texts: list[str] = []
    await talk(fresh, texts, "my name is Ada")
    for _ in range(2):
        again = texts[:2]
        await talk(fresh, again, "[[say one]]")
        assert fresh.seen()[-1]["messages"] == heard(*texts, "[[say one]]")
    one, two, three = fresh.processes()
    assert one == two != three


async def test_an_answer_with_reasoning_is_matched_without_it(fresh: Running) -> None:
    texts: list[str] = []  # the client can't send the reasoning back, the process does
    await talk(fresh, texts, "think, then [[say done]]", model="opus")
    answer = await talk(fresh, texts, "[[say next]]", model="opus")
    assert answer.outcome == "matched"
    _, told, _ = fresh.seen()[1]["messages"]
    assert [part["type"] for part in told["content"]] == ["thinking", "text"]


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "not yet noticed"])
async def test_a_killed_process_is_replaced_by_a_replay(fresh: Running, noticed: bool) -> None:
    texts: list[str] = []
    await talk(fresh, texts, "my name is Ada")
    (pid,) = fresh.engine.processes()["idle"]
    os.kill(pid, signal.SIGKILL)
    if noticed:
        await until(lambda: fresh.engine.processes()["idle"] == [])
    answer = await talk(fresh, texts, "what is my name?")
    assert (answer.outcome, "Ada" in answer.text) == (None, True)
    assert fresh.seen()[1]["messages"] == heard(*texts[:3])
    assert len(set(fresh.processes())) == len(fresh.upstream.requests) == 2


async def test_no_more_processes_are_kept_than_may_live() -> None:
    async with running(max_live=1) as server:
        await _one_place(server)


async def _one_place(fresh: Running) -> None:
    one: list[str] = []
    two: list[str] = []
    await talk(fresh, one, "my name is Ada")
    await talk(fresh, two, "my name is Bob")
    assert len(fresh.engine.processes()["idle"]) == 1
    assert (await talk(fresh, two, "what is my name?")).outcome == "matched"
    answer = await talk(fresh, one, "what is my name?")
    assert (answer.outcome, "Ada" in answer.text) == (None, True)
    assert len(fresh.engine.processes()["idle"]) == 1
