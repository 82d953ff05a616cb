"""One session, two dialects: begun in one and gone on with in the other."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic_client import NEWER, OLDER, Told, assistant, calls, result, tell, text, tool, user
from serving import Answer, Running, heard, new_id, running

WEATHER = tool("get_weather", "The weather of a city", city={"type": "string"})
FUNCTION = {
    "type": "function",
    "function": {
        "name": WEATHER["name"],
        "description": WEATHER["description"],
        "parameters": WEATHER["input_schema"],
    },
}
CALL = '[[call get_weather {"city": "Paris"}]] [[call get_weather {"city": "Rome"}]]'


@pytest.fixture
async def fresh(server: Running) -> AsyncIterator[Running]:
    """The shared server without any kept process."""
    server.engine.fleet.kept.end_all()
    yield server


async def ask(server: Running, content: Any, **fields: Any) -> Answer:
    """The same of chat completions as :func:`tell` is of messages."""
    return await server.ask(content, **{"model": OLDER, **fields})


async def said(server: Running, dialect: str, words: str, session: str, **fields: Any) -> str:
    """One turn of a session in a dialect: its outcome."""
    answer: Answer | Told
    if dialect == "chat":
        answer = await ask(server, words, session_id=session, **fields)
    else:
        answer = await tell(server, words, session_id=session, **fields)
    assert answer.status == 200, answer.data
    assert answer.headers["x-session-id"] == session
    return str(answer.outcome)


@pytest.mark.parametrize("first", ["chat", "messages"])
async def test_a_session_goes_on_in_the_other_dialect(fresh: Running, first: str) -> None:
    other = {"chat": "messages", "messages": "chat"}[first]
    session = new_id()
    outcomes = [
        await said(fresh, dialect, words, session)
        for dialect, words in ((first, "[[say a]]"), (other, "[[say b]]"), (first, "[[say c]]"))
    ]
    assert outcomes == ["created", "continued", "continued"]
    conversation = ("[[say a]]", "a", "[[say b]]", "b", "[[say c]]", "c")
    assert fresh.seen()[-1]["messages"] == heard(*conversation[:-1])
    assert len(set(fresh.processes())) == 1
    told = await fresh.messages(session)
    assert [message["content"] for message in told] == list(conversation)


async def test_the_header_names_it_too_and_the_system_prompt_stays(fresh: Running) -> None:
    session = new_id()
    first = await tell(fresh, "[[say a]]", system="Be brief.", headers={"X-Session-Id": session})
    assert (first.outcome, first.headers["x-session-id"]) == ("created", session)
    second = await ask(fresh, "[[say b]]", headers={"X-Session-Id": session})
    third = await tell(fresh, "[[say c]]", headers={"X-Session-Id": session})
    assert [second.outcome, third.outcome] == ["continued", "continued"]
    assert [seen["system"] for seen in fresh.seen()] == [["Be brief."]] * 3
    both = await tell(fresh, "hi", headers={"X-Session-Id": session}, session_id=new_id())
    assert (both.status, both.error["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("first", ["chat", "messages"])
async def test_calls_of_one_dialect_are_answered_in_the_other(fresh: Running, first: str) -> None:
    session = new_id()
    if first == "chat":
        asked = await ask(fresh, CALL, tools=[FUNCTION], session_id=session)
        ids = [call["id"] for call in asked.message["tool_calls"]]
        answers = [result(i, f"fine {n}") for n, i in enumerate(ids)]
        told: Answer | Told = await tell(fresh, [user(answers)], session_id=session)
    else:
        begun = await tell(fresh, CALL, tools=[WEATHER], session_id=session)
        ids = [block["id"] for block in begun.data["content"]]
        results = [
            {"role": "tool", "tool_call_id": i, "content": f"fine {n}"} for n, i in enumerate(ids)
        ]
        told = await ask(fresh, results, session_id=session)
    assert (told.status, told.outcome) == (200, "continued"), told.data
    assert "get_weather returned: fine" in told.text
    assert len(fresh.upstream.requests) == 2
    assert len(set(fresh.processes())) == 1
    seen = fresh.seen()[-1]
    assert seen["messages"][2]["content"] == [
        result(i, [text(f"fine {n}")]) for n, i in enumerate(ids)
    ]
    assert seen["tools"] == [WEATHER]
    stored = await fresh.messages(session)
    assert [message["role"] for message in stored] == [
        *("user", "assistant", "tool", "tool", "assistant")
    ]
    assert [call["id"] for call in stored[1]["tool_calls"]] == ids


async def test_a_whole_history_of_the_other_dialect_continues_it(fresh: Running) -> None:
    session = new_id()
    asked = user("[[think alpha]] [[say a]]")
    first = await tell(fresh, [asked], session_id=session, model=NEWER)
    whole = [asked, {"role": "assistant", "content": "a"}, user("[[say b]]")]
    second = await ask(fresh, whole, session_id=session, model=NEWER)
    assert second.outcome == "continued", second.data
    third = await tell(
        fresh,
        [asked, assistant(first.data["content"]), user("[[say b]]"), assistant("b"), user("hi")],
        session_id=session,
        model=NEWER,
    )
    assert third.outcome == "continued", third.data
    assert fresh.seen()[-1]["messages"][1]["content"] == first.data["content"]
    assert len(set(fresh.processes())) == 1


async def test_thoughts_of_a_session_stay_in_it_for_both(fresh: Running) -> None:
    session = new_id()
    fields: dict[str, Any] = {"model": NEWER, "session_id": session}
    first = await tell(fresh, "[[think alpha]] [[say a]]", **fields)
    await ask(fresh, "[[redacted]] [[say b]]", **fields)
    fresh.engine.fleet.kept.end_all()  # it is replayed
    await tell(fresh, "[[say c]]", **fields)
    seen = fresh.seen()[-1]["messages"]
    assert seen[1]["content"] == first.data["content"]
    assert [block["type"] for block in seen[3]["content"]] == ["redacted_thinking", "text"]


async def test_a_tool_loop_of_a_session_sends_only_what_is_new(fresh: Running) -> None:
    session = new_id()
    begun = await tell(
        fresh, '[[call get_weather {"city": "Paris"}]]', tools=[WEATHER], session_id=session
    )
    (call_id,) = calls(begun.data["content"]).values()
    unanswered = await tell(fresh, "never mind", session_id=session)
    assert (unanswered.status, unanswered.error["type"]) == (400, "invalid_request_error")
    ended = await tell(fresh, [user([result(call_id, "sunny")])], session_id=session)
    assert ended.text == "get_weather returned: sunny"


async def test_another_keys_session_is_another_one() -> None:
    async with running(api_keys=("one", "two"), pool_size=1) as server:
        session = new_id()
        for key, dialect in (("one", "chat"), ("two", "messages")):
            words = f"[[say {key}]]"
            if dialect == "chat":
                answer: Answer | Told = await ask(server, words, session_id=session, key=key)
            else:
                answer = await tell(server, words, session_id=session, key=key)
            assert answer.outcome == "created"
        told = await tell(
            server,
            "[[say three]]",
            session_id=session,
            headers={"Authorization": "Bearer one"},
            model=OLDER,
        )
        assert told.outcome == "continued"
        assert server.seen()[-1]["messages"] == heard("[[say one]]", "one", "[[say three]]")
        unnamed = await tell(server, [user("[[say two]]"), assistant("two"), user("hi")], key="one")
        assert unnamed.outcome is None
