"""Requests on one session: one after the other, within limits, and what a deletion does to them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from serving import Answer, Running, heard, new_id, running, said, until

from bridge.web.stream import Patience


def waiting(server: Running, session: str) -> int:
    """How many requests stand in the line before a session."""
    entry = server.sessions._entries._owners["local"].get(session)
    return 0 if entry is None else sum(not f.done() for f in entry.line._waiting)


async def queued(
    server: Running, session: str, content: str, **fields: Any
) -> asyncio.Task[Answer]:
    """A request that has taken its place in the line."""
    before = waiting(server, session)
    asking = asyncio.create_task(server.ask(content, session_id=session, **fields))
    await until(lambda: waiting(server, session) > before or asking.done())
    return asking


@contextlib.asynccontextmanager
async def busy(server: Running, session: str) -> AsyncIterator[tuple[aiohttp.ClientResponse, Any]]:
    """Inside it a turn of the session runs that does not end by itself, and streams."""
    body = {"messages": said("[[stall 2]] [[words 9]]"), "stream": True, "session_id": session}
    async with (
        server.next_request() as arrival,
        server.post("/v1/chat/completions", body) as response,
    ):
        await response.content.readuntil(b"word1")
        yield response, await arrival
        response.close()


# -- the line ------------------------------------------------------------------------------------


async def test_requests_at_once_run_in_the_order_of_their_arrival(server: Running) -> None:
    session = new_id()
    async with server.next_request() as arrival:
        asking = [
            asyncio.create_task(server.ask("[[slow 0.2]] [[say answer 0]]", session_id=session))
        ]
        await arrival
        for number in range(1, 10):
            text = f"[[say answer {number}]]"
            asking.append(await queued(server, session, text, stream=bool(number % 2)))
        assert waiting(server, session) == 9
        answers = await asyncio.gather(*asking)
    assert [answer.text for answer in answers] == [f"answer {number}" for number in range(10)]
    assert [answer.outcome for answer in answers] == ["created", *["continued"] * 9]
    texts = []
    for number, seen in enumerate(server.seen()):
        texts.append(("[[slow 0.2]] " if number == 0 else "") + f"[[say answer {number}]]")
        assert seen["messages"] == heard(*texts)
        texts.append(f"answer {number}")
    assert len(server.upstream.requests) == 10
    assert len(set(server.processes())) == 1
    assert await server.messages(session) == said(*texts)


async def test_a_waiting_client_that_leaves_drops_out(server: Running) -> None:
    session = new_id()
    async with server.next_request() as arrival:
        first = asyncio.create_task(server.ask("[[slow 0.3]] [[say 1]]", session_id=session))
        await arrival
        second = await queued(server, session, "[[say 2]]")
        third = await queued(server, session, "[[say 3]]")
        second.cancel()
        await until(lambda: waiting(server, session) == 1)
        assert [(await first).text, (await third).text] == ["1", "3"]
    assert len(server.upstream.requests) == 2
    assert server.seen()[1]["messages"] == heard("[[slow 0.3]] [[say 1]]", "1", "[[say 3]]")


async def test_the_next_one_runs_after_a_turn_that_failed_or_was_left(server: Running) -> None:
    session = new_id()
    await server.ask("[[say 1]]", session_id=session)
    async with busy(server, session) as (response, received):
        failing = await queued(server, session, "[[fail 500]]")
        last = await queued(server, session, "[[say 2]]")
        response.close()
        assert (await failing).status == 502
        assert (await last).text == "2"
    assert received.state == "aborted"
    assert server.seen()[-1]["messages"] == heard("[[say 1]]", "1", "[[say 2]]")


async def test_whoever_comes_after_a_first_turn_that_failed_is_the_first(server: Running) -> None:
    session = new_id()
    async with server.next_request() as arrival:
        first = asyncio.create_task(server.ask("[[slow 0.2]] [[fail 500]]", session_id=session))
        await arrival
        second = await queued(server, session, "[[say 1]]")
        third = await queued(server, session, "[[say 2]]")
        assert (await first).status == 502
        assert [(await second).outcome, (await third).outcome] == ["created", "continued"]
    assert await server.messages(session) == said("[[say 1]]", "1", "[[say 2]]", "2")


@pytest.fixture(scope="module")
async def narrow() -> AsyncIterator[Running]:
    """A server on which nobody waits in line, and two turns run at once."""
    async with running(pool_size=0, session_wait=0.0, max_concurrent=2) as server:
        yield server


async def test_whoever_waits_too_long_is_told_so(narrow: Running) -> None:
    narrow.upstream.clear()
    async with busy(narrow, "one"):
        for stream in (False, True):
            answer = await narrow.ask("hello", session_id="one", stream=stream)
            assert (answer.status, answer.error["code"]) == (503, "session_busy")
            assert int(answer.headers["Retry-After"]) > 0
        assert (await narrow.ask("[[say hi]]", session_id="two")).text == "hi"
    assert len(narrow.upstream.requests) == 2


async def test_a_stream_that_waits_in_line_is_kept_alive() -> None:
    async with running(pool_size=0, patience=Patience(ping=0.05)) as server:
        async with busy(server, "one") as (first, _):
            body = {"messages": said("[[say at last]]"), "stream": True, "session_id": "one"}
            async with server.post("/v1/chat/completions", body) as response:
                assert await response.content.readline() == b": ping\n"
                first.close()
                rest = (await response.content.read()).decode()
        assert "last" in rest
        assert rest.endswith("[DONE]\n\n")
        assert (await server.messages("one"))[-1]["content"] == "at last"


async def test_the_head_of_a_stream_that_waits_in_line_names_the_session() -> None:
    session = "ein Gespräch/1"
    body = {"messages": said("[[say at last]]"), "stream": True, "session_id": session}
    async with (
        running(pool_size=0, patience=Patience(ping=0.05)) as server,
        busy(server, session) as (first, _),
        server.post("/v1/chat/completions", body) as response,
    ):
        assert waiting(server, session) == 1, "the head came before the place did"
        assert response.headers["x-session-id"] == quote(session, safe="")
        first.close()
        assert b"[DONE]" in await response.content.read()


async def test_two_sessions_run_at_the_same_time(server: Running) -> None:
    one, two = new_id(), new_id()
    async with busy(server, one) as (_, received):
        answer = await server.ask("[[say meanwhile]]", session_id=two)
        assert answer.text == "meanwhile"
        assert received.state == "running"


# -- deletion ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/{id}", ""], ids=["one", "all"])
async def test_deleting_a_busy_session_ends_its_turn_and_sends_those_away_who_wait(
    server: Running, path: str
) -> None:
    session = new_id()
    await server.ask("my name is Ada", session_id=session)
    async with busy(server, session) as (response, received):
        waiters = [
            await queued(server, session, "hello", stream=stream) for stream in (True, False)
        ]
        deleted = await server.rest("DELETE", path.format(id=session))
        assert deleted.status == 200
        rest = (await response.content.read()).decode()
        for answer in await asyncio.gather(*waiters):
            assert (answer.status, answer.error["code"]) == (404, "session_deleted")
    assert "[DONE]" not in rest
    error = json.loads(rest.strip().splitlines()[-1].removeprefix("data: "))["error"]
    assert (error["code"], error["type"]) == ("session_deleted", "invalid_request_error")
    async with asyncio.timeout(60):
        await received.ended_event.wait()
    assert received.state == "aborted"
    assert len(server.upstream.requests) == 2
    assert (await server.rest("GET", f"/{session}")).status == 404
    answer = await server.ask("what is my name?", session_id=session)
    assert (answer.outcome, "Ada" in answer.text) == ("created", False)


async def test_deleting_a_session_before_the_first_word_is_an_http_error(server: Running) -> None:
    for stream in (False, True):
        session = new_id()
        async with server.next_request() as arrival:
            asking = asyncio.create_task(server.ask("[[stall]]", session_id=session, stream=stream))
            received = await arrival
            assert (await server.rest("DELETE", f"/{session}")).status == 200
            answer = await asking
        assert (answer.status, answer.error["code"]) == (404, "session_deleted")
        async with asyncio.timeout(60):
            await received.ended_event.wait()


async def test_a_request_after_the_deletion_does_not_wait_for_the_deleted_turn(
    server: Running,
) -> None:
    session = new_id()
    async with busy(server, session):
        await server.rest("DELETE", f"/{session}")
        answer = await server.ask("[[say new]]", session_id=session)
        assert (answer.outcome, answer.text) == ("created", "new")
    assert await server.messages(session) == said("[[say new]]", "new")


async def test_deleting_a_session_whose_turn_waits_for_a_place_gives_the_place_to_nobody(
    narrow: Running,
) -> None:
    narrow.upstream.clear()
    async with busy(narrow, "three"), busy(narrow, "four"):
        waits = asyncio.create_task(narrow.ask("[[say no]]", session_id="five"))
        await until(lambda: narrow.engine.places.waiting == 1)
        assert (await narrow.rest("DELETE", "/five")).status == 200
        assert (await waits).error["code"] == "session_deleted"
    assert (await narrow.ask("[[say yes]]", session_id="five")).text == "yes"
    assert len(narrow.upstream.requests) == 3


# -- limits --------------------------------------------------------------------------------------


async def test_limits_are_told_and_leave_everything_as_it_was() -> None:
    limits = {"max_sessions": 1, "max_session_messages": 4, "max_session_bytes": 2000}
    async with running(pool_size=0, **limits) as server:
        await server.ask("[[say 1]]", session_id="one")

        async def refused(content: Any, session: str) -> None:
            for stream in (False, True):
                answer = await server.ask(content, session_id=session, stream=stream)
                assert (answer.status, answer.error["code"]) == (400, "session_limit"), answer.data
                assert answer.error["param"] == "session_id"
                assert answer.error["type"] == "invalid_request_error"
            assert [s.session.key.id for s in server.sessions.list("local")] == ["one"]

        await refused("[[say 2]]", "two")
        fork = await server.rest("POST", "/one/fork", {})
        assert (fork.status, fork.error["code"]) == (400, "session_limit")
        await refused("x" * 2000, "one")
        second = await server.ask("[[say 2]]", session_id="one")
        assert (second.outcome, second.text) == ("continued", "2")
        await refused("[[say 3]]", "one")
        assert await server.messages("one") == said("[[say 1]]", "1", "[[say 2]]", "2")
        shorter = await server.ask(said("[[say 1]]", "1", "[[say 4]]"), session_id="one")
        assert (shorter.outcome, shorter.text) == ("replaced", "4")
        assert len(set(server.processes())) == 2  # those that were refused took nothing away

        await server.rest("DELETE", "/one")
        assert (await server.ask("[[say 2]]", session_id="two")).outcome == "created"


async def test_evicting_makes_room_with_the_least_recently_used() -> None:
    async with running(
        pool_size=0, max_sessions=2, max_session_bytes=4000, evict_sessions=True
    ) as server:

        def left() -> list[str]:
            return [seen.session.key.id for seen in server.sessions.list("local")]

        for session in ("one", "two", "one", "three"):
            assert (await server.ask("[[say hi]]", session_id=session)).status == 200
        assert left() == ["three", "one"]
        large = "[[say hi]]" + "x" * 3000
        assert (await server.ask(large, session_id="three")).status == 200
        assert left() == ["three"]
        answer = await server.ask(large, session_id="three")  # it does not make room by itself
        assert (answer.status, answer.error["code"]) == (400, "session_limit")
        assert left() == ["three"]
        async with busy(server, "four"):
            for session in ("five", "six"):
                assert (await server.ask("[[say hi]]", session_id=session)).status == 200
            assert left() == ["six", "four"]  # the busy one stays
