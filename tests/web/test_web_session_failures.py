"""What of a turn becomes history: nothing of one that failed, and all of what the model sent."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from serving import Running, heard, new_id, said

# -- turns without an answer ---------------------------------------------------------------------

FAILURES = (
    "[[fail 500]]",
    "[[fail 429 retry-after 7]]",
    "[[break 3]] [[words 9]]",
    "[[stream-error 3]] [[words 9]]",
    "[[empty]]",
    "[[refuse]]",
)


@pytest.fixture
async def leaving(server: Running) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """A client that leaves in the middle of a stream."""

    async def leave(session: str) -> None:
        body = {"messages": said("[[stall 2]] [[words 9]]"), "stream": True, "session_id": session}
        async with server.post("/v1/chat/completions", body) as response:
            await response.content.readline()
            response.close()

    yield leave


async def test_turns_without_an_answer_leave_the_session_as_it_was(
    server: Running, leaving: Callable[[str], Awaitable[None]]
) -> None:
    session = new_id()
    texts = ["my name is Ada"]
    texts.append((await server.ask(texts[0], session_id=session)).text)
    before = (await server.rest("GET", f"/{session}")).data
    for number, failure in enumerate(FAILURES):
        answer = await server.ask(failure, session_id=session, stream=bool(number % 2))
        assert not answer.whole or "content_filter" in str(answer.data), (failure, answer.data)
        assert server.seen()[-1]["messages"] == heard(*texts, failure)
        after = (await server.rest("GET", f"/{session}")).data
        for name in ("message_count", "usage", "model", "created_at"):
            assert after[name] == before[name], failure
        assert await server.messages(session) == said(*texts), failure
    await leaving(session)
    answer = await server.ask("what is my name?", session_id=session)
    assert (answer.outcome, "Ada" in answer.text) == ("continued", True)
    assert server.seen()[-1]["messages"] == heard(*texts, "what is my name?")


async def test_a_session_whose_first_turn_failed_does_not_exist(
    server: Running, leaving: Callable[[str], Awaitable[None]]
) -> None:
    session = new_id()
    for failure in ("[[fail 500]]", "[[empty]]", "[[refuse]]"):
        await server.ask(failure, session_id=session)
        found = await server.rest("GET", f"/{session}")
        assert (found.status, found.error["code"]) == (404, "session_not_found"), failure
    await leaving(session)
    answer = await server.ask("[[say at last]]", session_id=session)
    assert (answer.outcome, answer.text) == ("created", "at last")
    assert server.seen()[-1]["messages"] == heard("[[say at last]]")


# -- reasoning -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "model"), [("live", "opus"), ("replay", "opus"), ("replay", "claude-opus-5-5")]
)
async def test_signed_reasoning_is_sent_back_as_it_came(
    server: Running, way: str, model: str
) -> None:
    session = new_id()
    thinking = "think about it, then [[say done]]"
    first = await server.ask(thinking, session_id=session, model=model, reasoning_effort="low")
    reasoning = first.data["choices"][0]["message"]["reasoning_content"]
    if way == "replay":
        server.engine.release("local", session)
    history = said(thinking, "done", "[[say next]]")  # a client does not send reasoning back
    answer = await server.ask(history, session_id=session, model=model)
    assert (answer.outcome, answer.text) == ("continued", "next"), answer.data
    assert len(set(server.processes())) == (1 if way == "live" else 2)
    thought, words = server.seen()[-1]["messages"][1]["content"]
    assert (thought["type"], thought["thinking"]) == ("thinking", reasoning)
    assert thought["signature"]  # the demo refuses one that it did not make
    assert words == {"type": "text", "text": "done"}
    assert len(server.upstream.requests) == 2

    # Another model can't read it: there the answer goes without.
    answer = await server.ask("[[say other]]", session_id=session, model="claude-sonnet-4-5")
    assert answer.text == "other"
    assert server.seen()[-1]["messages"] == heard(
        thinking, "done", "[[say next]]", "next", "[[say other]]"
    )
