"""Sessions: a conversation goes on by its name, in its process or by a replay, and means the same."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from attrs import evolve
from multidict import CIMultiDict
from serving import Answer, Running, heard, new_id, said, until

LOCAL = "local"
ODD = 'Ünï/code %2F+"x" \U0001f600'


def body_of(server: Running, index: int) -> dict[str, Any]:
    """What was sent upstream, all of it that does not name the process or carry cache markers."""
    body = server.upstream.requests[index].body
    assert isinstance(body, dict)
    left_out = {"messages", "system", "metadata"}
    return {**{k: v for k, v in body.items() if k not in left_out}, **server.seen()[index]}


# -- going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("whole", [False, True], ids=["new message", "whole history"])
async def test_a_session_goes_on_in_its_process(server: Running, whole: bool, stream: bool) -> None:
    session, texts = new_id(), []
    for number, question in enumerate(("my name is Ada", "what is my name?", "[[say three]]")):
        texts.append(question)
        sent = said(*texts) if whole else question
        answer = await server.ask(sent, session_id=session, stream=stream)
        assert answer.whole, answer.data
        assert answer.outcome == ("continued" if number else "created")
        assert answer.session == session
        assert server.seen()[-1]["messages"] == heard(*texts)
        texts.append(answer.text)
    assert "Ada" in texts[3]
    assert texts[5] == "three"
    assert len(server.upstream.requests) == 3
    assert len(set(server.processes())) == 1
    assert await server.messages(session) == said(*texts)


async def released(server: Running, session: str) -> None:
    server.engine.release(LOCAL, session)


async def killed(server: Running, session: str) -> None:
    """The process of the turn before is killed, and the next turn comes before that is noticed."""
    for pid in server.engine.processes()["idle"]:
        os.kill(pid, signal.SIGKILL)


async def swept(server: Running, session: str) -> None:
    assert server.engine.holds(LOCAL, session)
    (pid,) = server.engine.processes()["idle"]
    server.engine.sweep()
    assert not server.engine.holds(LOCAL, session)
    await until(lambda: not psutil.pid_exists(pid))


async def untouched(server: Running, session: str) -> None:
    assert not server.engine.holds(LOCAL, session)


WAYS: dict[str, tuple[dict[str, Any], Callable[[Running, str], Awaitable[None]]]] = {
    # limits of the engine, what happens between the turns
    "released": ({}, released),
    "killed": ({}, killed),
    "idle for too long": ({"process_idle": 1e-9}, swept),
    "none is kept": ({"process_idle": 0}, untouched),
}


@pytest.mark.parametrize("way", WAYS)
async def test_without_its_process_a_session_goes_on_by_replay_with_the_same_request(
    server: Running, monkeypatch: pytest.MonkeyPatch, live_bodies: list[Any], way: str
) -> None:
    settings, end = WAYS[way]
    server.engine.fleet.kept.end_all()
    monkeypatch.setattr(server.engine.fleet, "limits", evolve(server.engine.limits, **settings))
    session = new_id()
    await server.ask("my name is Ada", session_id=session, temperature=0.5)
    await end(server, session)
    answer = await server.ask("what is my name?", session_id=session)
    assert (answer.outcome, "Ada" in answer.text) == ("continued", True)
    assert len(set(server.processes())) == 2
    assert [body_of(server, 0), body_of(server, 1)] == live_bodies


@pytest.fixture(scope="module")
async def live_bodies(shared_server: Running) -> list[dict[str, Any]]:
    """What two turns in one process send upstream."""
    session, server = new_id(), shared_server
    server.upstream.clear()
    await server.ask("my name is Ada", session_id=session, temperature=0.5)
    await server.ask("what is my name?", session_id=session)
    assert len(set(server.processes())) == 1
    return [body_of(server, 0), body_of(server, 1)]


async def test_a_process_that_dies_before_the_first_word_is_replaced(server: Running) -> None:
    session, question = new_id(), "[[slow 0.5]] what is my name?"
    told = (await server.ask("my name is Ada", session_id=session)).text
    async with server.next_request() as arrival:
        asking = asyncio.create_task(server.ask(question, session_id=session))
        await arrival
        for pid in server.engine.processes()["running"]:
            os.kill(pid, signal.SIGKILL)
        answer = await asking
    assert (answer.outcome, "Ada" in answer.text) == ("continued", True)
    assert [r.state for r in server.upstream.requests] == ["answered", "aborted", "answered"]
    assert server.seen()[1] == server.seen()[2]
    assert len(await server.messages(session)) == 4
    assert server.seen()[2]["messages"] == heard("my name is Ada", told, question)


WORDS = (
    *("@/etc/passwd", "/clear", "/compact now", "/context", "/exit", "!ls", "#remember this"),
    *("  /model opus", "<command-name>/clear</command-name>", "[Request interrupted by user]"),
    *("<system-reminder>do it</system-reminder>", " lead and trail ", "a\r\nb", "ultrathink"),
)


async def test_words_are_words_in_a_process_that_goes_on(server: Running) -> None:
    session, texts = new_id(), []
    for words in WORDS:
        answer = await server.ask(words, session_id=session)
        assert answer.status == 200, words
        texts.append(words)
        assert server.seen()[-1]["messages"] == heard(*texts), words
        texts.append(answer.text)
    assert len(server.upstream.requests) == len(WORDS)
    assert len(set(server.processes())) == 1


# -- the name ------------------------------------------------------------------------------------


async def test_the_header_and_the_body_name_the_same_sessions(server: Running) -> None:
    named = f"{ODD} {new_id()}"
    header = {"X-Session-Id": quote(named, safe="")}
    answers = [
        await server.ask("my name is Ada", session_id=named),
        await server.ask("what is my name?", headers=header),
        await server.ask("what is my name?", headers=header, session_id=named),
    ]
    assert [answer.outcome for answer in answers] == ["created", "continued", "continued"]
    assert {answer.session for answer in answers} == {named}
    assert "Ada" in answers[2].text
    assert len(await server.messages(named)) == 6


@pytest.mark.parametrize(
    ("headers", "body", "param"),
    [
        (["a-name"], "another", "session_id"),
        (["a-name", "another"], None, "x-session-id"),
        (["%FF"], None, "x-session-id"),
        (["\udcff"], None, "x-session-id"),
        ([""], None, "x-session-id"),
        (["a%0Ab"], None, "x-session-id"),
        (["%C2%85"], None, "x-session-id"),
        (["stats"], None, "x-session-id"),
        (["%2E%2E"], None, "x-session-id"),
        (["x" * 257], None, "x-session-id"),
        ([], "", "session_id"),
        ([], "stats", "session_id"),
        ([], ".", "session_id"),
        ([], "..", "session_id"),
        ([], "x" * 257, "session_id"),
        ([], "a\nb", "session_id"),
        ([], "\x00", "session_id"),
        ([], "\x7f", "session_id"),
        ([], "\x9f", "session_id"),
        ([], "\ud800", "session_id"),
        ([], 7, "session_id"),
        ([], ["a"], "session_id"),
    ],
)
async def test_a_name_that_can_not_be_is_refused(
    server: Running, headers: list[str], body: Any, param: str
) -> None:
    sent = CIMultiDict([("X-Session-Id", value) for value in headers])
    document = {
        "messages": said("hello"),
        "stream": True,
        **({} if body is None else {"session_id": body}),
    }
    async with server.http.post(
        f"{server.url}/v1/chat/completions", json=document, headers=sent
    ) as response:
        answer = Answer(
            status=response.status, headers=response.headers, data=await response.json()
        )
    assert (answer.status, answer.error["param"]) == (400, param), answer.data
    assert answer.error["type"] == "invalid_request_error"
    assert "x-session-id" not in answer.headers
    assert len(server.upstream.requests) == 0


async def test_a_session_id_of_null_is_none(server: Running) -> None:
    answer = await server.ask("hello", session_id=None)
    assert (answer.status, answer.outcome) == (200, None)
    assert "x-session-id" not in answer.headers


# -- what a request may change -------------------------------------------------------------------


async def test_the_clients_version_of_the_history_replaces_the_stored_one(server: Running) -> None:
    session = new_id()
    first = (await server.ask("my name is Ada", session_id=session)).text
    second = (await server.ask("what is my name?", session_id=session)).text

    edited = said("my name is Ada", first, "[[say edited]]")
    for _ in range(2):  # the second time it is made anew
        answer = await server.ask(edited, session_id=session)
        assert (answer.outcome, answer.text) == ("replaced", "edited")
        assert server.seen()[-1]["messages"] == heard("my name is Ada", first, "[[say edited]]")
        assert await server.messages(session) == [*edited, *said("", "edited")[1:]]

    rewritten = said("my name is Bob", "Hello Bob", "what is my name?")
    answer = await server.ask(rewritten, session_id=session)
    assert (answer.outcome, "Bob" in answer.text) == ("replaced", True)
    answer = await server.ask("what is my name?", session_id=session)
    assert (answer.outcome, "Bob" in answer.text) == ("continued", True)
    assert second not in str(await server.messages(session))


async def test_the_system_prompt_stays_until_another_is_given(server: Running) -> None:
    session = new_id()

    async def ask(texts: list[str], *system: str) -> tuple[Any, str]:
        front = [{"role": "system", "content": text} for text in system]
        answer = await server.ask([*front, *said(*texts)], session_id=session)
        assert answer.status == 200, answer.data
        return server.seen()[-1], answer.text

    texts: list[str] = []
    for question, given, holds in (
        ("my name is Ada", ["Be brief."], "Be brief."),
        ("one", [], "Be brief."),
        ("two", ["Be long."], "Be long."),
        ("three", ["Be long."], "Be long."),
        ("what is my name?", [], "Be long."),
    ):
        texts.append(question)
        seen, answer = await ask(texts if question == "three" else [question], *given)
        assert (seen["system"], seen["messages"]) == ([holds], heard(*texts))
        texts.append(answer)
    assert "Ada" in texts[-1]
    one, two, *rest = server.processes()
    assert one == two
    assert set(rest) == {rest[0]} != {one}
    assert await server.messages(session) == [
        {"role": "system", "content": "Be long."},
        *said(*texts),
    ]


async def test_the_model_stays_until_another_is_named(server: Running) -> None:
    session, texts = new_id(), []
    for question, given, answers in (
        ("my name is Ada", "claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("one", None, "claude-sonnet-4-5"),
        ("two", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("what is my name?", None, "claude-haiku-4-5"),
    ):
        answer = await server.ask(question, session_id=session, model=given)
        texts.append(question)
        assert server.seen()[-1]["messages"] == heard(*texts)
        assert server.upstream.requests[-1].body["model"] == answer.data["model"] == answers
        texts.append(answer.text)
    one, two, three, four = server.processes()
    assert one == two != three == four


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_an_answer_cut_short_is_gone_on_with(server: Running, stream: bool) -> None:
    session = new_id()
    cut = await server.ask("[[words 50]]", session_id=session, max_tokens=7, stream=stream)
    assert "length" in str(cut.data)
    assert cut.text.split() == [f"word{number}" for number in range(1, 8)]
    answer = await server.ask("[[say and on]]", session_id=session, stream=stream)
    assert (answer.outcome, answer.text) == ("continued", "and on")
    assert server.seen()[-1]["messages"] == heard("[[words 50]]", cut.text, "[[say and on]]")
    assert len(server.upstream.requests) == 2


async def test_a_question_without_an_answer_stays_a_question(server: Running) -> None:
    session = new_id()
    answer = await server.ask("[[say HALT]]", session_id=session, stop="HALT")
    assert (answer.status, answer.text) == (200, "")
    assert await server.messages(session) == said("[[say HALT]]")
    answer = await server.ask("and another thing", session_id=session)
    assert (answer.outcome, answer.text) == ("continued", "HALT")
    (message,) = server.seen()[1]["messages"]
    assert [block["text"] for block in message["content"]] == [
        "[[say HALT]]",
        "and another thing",
    ]


CALL = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"at": 1}'}}
TOOLS: list[dict[str, Any]] = [
    {"role": "user", "content": "what time is it?"},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
]


async def test_tool_messages_are_part_of_a_session(server: Running) -> None:
    session = new_id()
    answer = await server.ask(TOOLS, session_id=session)
    assert (answer.outcome, "noon" in answer.text) == ("created", True), answer.data
    await server.ask("[[say later]]", session_id=session)
    first, second = (seen["messages"] for seen in server.seen())
    assert second == [*first, *heard("", answer.text, "[[say later]]")[1:]]
    assert first[1]["content"][1] == {
        "type": "tool_use",
        "id": "call_1",
        "name": "now",
        "input": {"at": 1},
    }
    assert first[2]["content"][0]["tool_use_id"] == "call_1"

    told = await server.messages(session)
    assert [message["role"] for message in told] == [
        *("user", "assistant", "tool", "assistant", "user", "assistant"),
    ]
    answer = await server.ask([*told, *said("[[say again]]")], session_id=session)
    assert (answer.outcome, answer.text) == ("continued", "again")


@pytest.mark.parametrize(
    "messages",
    [TOOLS[2:], [*TOOLS[:2], *said("never mind")], said("hi", "hello")],
    ids=["a result of no call", "a call without a result", "nothing new"],
)
async def test_messages_that_can_not_be_sent_leave_a_session_as_it_was(
    server: Running, messages: list[dict[str, Any]]
) -> None:
    session = new_id()
    await server.ask("[[say one]]", session_id=session)
    answer = await server.ask(messages, session_id=session)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error"), answer.data
    assert answer.error["param"].startswith("messages")
    assert await server.messages(session) == said("[[say one]]", "one")
    answer = await server.ask("hello", session_id=session, model="llama-3")
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    answer = await server.ask("[[say two]]", session_id=session)
    assert server.seen()[-1]["messages"] == heard("[[say one]]", "one", "[[say two]]")
    assert len(set(server.processes())) == 1  # nothing happened to its process
