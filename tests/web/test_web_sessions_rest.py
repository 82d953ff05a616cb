"""Sessions over REST: what is told of them, what can be done with them, and every name."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from clock import Clock
from serving import Running, heard, running, said, until

TTL = 100.0


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[tuple[Running, Clock]]:
    clock = Clock(1_800_000_000.0)
    async with running(pool_size=0, clock=clock, session_ttl=TTL) as server:
        yield server, clock


@pytest.fixture
async def mine(shared: tuple[Running, Clock]) -> Running:
    """A server without sessions, with an empty log."""
    server, _ = shared
    await server.rest("DELETE", "")
    server.upstream.clear()
    return server


@pytest.fixture
def clock(shared: tuple[Running, Clock]) -> Clock:
    return shared[1]


def path_of(session: str) -> str:
    return f"/{quote(session, safe='')}"


def instant(text: str) -> dt.datetime:
    """An RFC 3339 time in UTC."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return dt.datetime.fromisoformat(text)


# -- shapes --------------------------------------------------------------------------------------


async def test_a_session_is_told_whole(mine: Running, clock: Clock) -> None:
    began = clock.now
    answers = [await mine.ask("my name is Ada", session_id="one")]
    clock.now += 7.5
    answers.append(await mine.ask("what is my name?", session_id="one"))
    found = await mine.rest("GET", "/one")
    used = [answer.data["usage"] for answer in answers]

    def total(*path: str) -> int:
        values: list[Any] = used
        for name in path:
            values = [value[name] for value in values]
        return sum(values)

    assert (found.status, found.headers["Cache-Control"]) == (200, "no-store")
    assert found.data == {
        "session_id": "one",
        "created_at": found.data["created_at"],
        "last_accessed": found.data["last_accessed"],
        "expires_at": found.data["expires_at"],
        "message_count": 4,
        "model": "claude-sonnet-4-5",
        "state": "live",
        "usage": {
            "prompt_tokens": total("prompt_tokens"),
            "completion_tokens": total("completion_tokens"),
            "total_tokens": total("total_tokens"),
            "prompt_tokens_details": {
                "cached_tokens": total("prompt_tokens_details", "cached_tokens")
            },
            "completion_tokens_details": {
                "reasoning_tokens": total("completion_tokens_details", "reasoning_tokens")
            },
        },
    }
    created, accessed, expires = (
        instant(found.data[name]) for name in ("created_at", "last_accessed", "expires_at")
    )
    assert created.timestamp() == began
    assert (accessed - created).total_seconds() == 7.5
    assert (expires - accessed).total_seconds() == TTL

    mine.engine.release("local", "one")
    listed = await mine.rest("GET", "")
    assert listed.data == {"sessions": [{**found.data, "state": "parked"}], "total": 1}

    told = await mine.rest("GET", "/one/messages")
    texts = ("my name is Ada", answers[0].text, "what is my name?", answers[1].text)
    assert told.data == {"session_id": "one", "messages": said(*texts), "total": 4}


async def test_the_list_begins_with_what_was_used_last(mine: Running) -> None:
    for session in ("first", "second"):
        await mine.ask("[[say hello]]", session_id=session)
    await mine.ask("[[say hello]]", session_id="first")
    listed = (await mine.rest("GET", "")).data
    assert ([s["session_id"] for s in listed["sessions"]], listed["total"]) == (
        ["first", "second"],
        2,
    )
    assert [s["message_count"] for s in listed["sessions"]] == [4, 2]


async def test_a_session_is_busy_while_its_turn_runs(mine: Running) -> None:
    body = {"messages": said("[[stall 2]] [[words 9]]"), "stream": True, "session_id": "one"}
    async with mine.post("/v1/chat/completions", body) as response:
        await response.content.readline()
        found = (await mine.rest("GET", "/one")).data
        assert (found["state"], found["message_count"]) == ("busy", 0)
        stats = (await mine.rest("GET", "/stats")).data
        assert stats["processes"]["running"]["count"] == 1
        assert stats["session_stats"]["busy_sessions"] == 1
        response.close()
    await until(lambda: mine.sessions.list("local") == [])


async def test_stats(mine: Running) -> None:
    before = (await mine.rest("GET", "/stats")).data["session_stats"]["expired_sessions"]
    await mine.ask("[[say hello]]", session_id="one")
    found = await mine.rest("GET", "/stats")
    stats = found.data
    counts = stats["session_stats"]
    assert (counts["active_sessions"], counts["total_messages"]) == (1, 2)
    assert counts["expired_sessions"] == before
    states = {name: counts[f"{name}_sessions"] for name in ("live", "busy", "waiting", "parked")}
    assert states == {"live": 1, "busy": 0, "waiting": 0, "parked": 0}
    assert stats["cleanup_interval_minutes"] == 1
    assert stats["default_ttl_hours"] == TTL / 3600
    assert set(stats["processes"]) == {"ready", "running", "idle", "waiting"}
    assert stats["processes"]["idle"]["count"] >= 1
    assert stats["processes"]["idle"]["memory_bytes"] > 10_000_000
    assert stats["server_memory_bytes"] > 10_000_000
    assert found.headers["Cache-Control"] == "no-store"


PATHS: dict[str, tuple[str, ...]] = {
    "": ("GET", "HEAD", "DELETE"),
    "/stats": ("GET", "HEAD"),
    "/seed": ("GET", "HEAD", "DELETE"),
    "/seed/messages": ("GET", "HEAD"),
    "/seed/fork": ("POST",),
}


@pytest.mark.parametrize("prefix", ["/v1/sessions", "/api/v1/sessions"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_path_has_its_aliases_and_refuses_other_methods(
    mine: Running, prefix: str, slash: str
) -> None:
    await mine.ask("my name is Ada", session_id="seed")
    for path, methods in PATHS.items():
        url = f"{mine.url}{prefix}{path}{slash}"
        allowed = {"DELETE"} | set(methods) if path == "/stats" else set(methods)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH"):
            async with mine.http.request(
                method, url, json={} if method == "POST" else None
            ) as response:
                if method in methods:
                    assert response.status in (200, 201), (method, path)
                    assert bool(await response.read()) == (method != "HEAD")
                else:
                    assert response.status == 405, (method, path)
                    assert set(response.headers["Allow"].split(", ")) == {*allowed, "OPTIONS"}
                    if method != "HEAD":
                        error = (await response.json())["error"]
                        assert error["type"] == "invalid_request_error"
    async with mine.http.delete(f"{mine.url}{prefix}/seed{slash}") as response:
        assert await response.json() == {"message": "Session seed deleted successfully"}
    async with mine.http.delete(f"{mine.url}{prefix}{slash}") as response:
        assert (response.status, (await response.json())["deleted"]) == (200, 1)  # the fork


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/none"),
        ("GET", "/none/messages"),
        ("POST", "/none/fork"),
        ("DELETE", "/none"),
        ("DELETE", "/stats"),
    ],
)
async def test_a_session_that_is_not_there_is_404(mine: Running, method: str, path: str) -> None:
    found = await mine.rest(method, path, {} if method == "POST" else None)
    assert (found.status, found.error["code"]) == (404, "session_not_found")
    assert found.error["type"] == "invalid_request_error"
    assert found.error["param"] == "session_id"


# -- messages, forks, deletion -------------------------------------------------------------------


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


async def test_messages_can_be_sent_again_as_they_are(mine: Running) -> None:
    system = {"role": "system", "content": "Be brief.\n\nBe kind."}
    later = {"role": "system", "content": "Whisper."}
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    for messages in (
        [system, {"role": "user", "content": parts("my name is", "Ada")}],
        [
            *said("what time is it?"),
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": parts("noon,", "about")},
        ],
        [*said("what is my name?"), later],
        said("[[say the end]]"),
    ):
        told = (await mine.messages("one"))[1:] if mine.sessions.list("local") else []
        answer = await mine.ask([*told, *messages], session_id="one")
        assert answer.outcome == ("continued" if told else "created")
    told = await mine.messages("one")
    assert told[0] == system
    server_heard = mine.seen()[-1]
    mine.upstream.clear()
    await mine.ask(told[:-1], session_id="two")  # its last message is an answer
    assert mine.seen() == [server_heard]
    assert await mine.messages("two") == told


async def test_forks_go_their_own_ways(mine: Running) -> None:
    first = (await mine.ask("my name is Ada", session_id="one")).text
    second = (await mine.ask("[[say two]]", session_id="one")).text

    whole = await mine.rest("POST", "/one/fork", {})
    assert (whole.status, whole.outcome) == (201, "forked")
    assert whole.session == whole.data["session_id"] != "one"
    assert (whole.data["message_count"], whole.data["state"]) == (4, "parked")
    assert whole.data["usage"]["total_tokens"] == 0
    assert (await mine.rest("GET", path_of(whole.session))).data == whole.data
    part = await mine.rest("POST", "/one/fork", {"message_count": 2, "session_id": "a b"})
    assert (part.session, part.data["message_count"]) == ("a b", 2)

    answer = await mine.ask("what is my name?", session_id="a b")
    assert (answer.outcome, "Ada" in answer.text) == ("continued", True)
    assert mine.seen()[-1]["messages"] == heard("my name is Ada", first, "what is my name?")
    original = said("my name is Ada", first, "[[say two]]", second)
    assert await mine.messages("one") == await mine.messages(whole.session) == original
    await mine.ask("[[say three]]", session_id="one")
    assert len(set(mine.processes())) == 2  # the original's process was left to it


async def test_deleting_ends_the_process_and_the_memory(mine: Running) -> None:
    await mine.ask("my name is Ada", session_id="one")
    await mine.ask("my name is Bob", session_id="two")
    pids = mine.engine.processes()["idle"]
    found = await mine.rest("DELETE", "/one")
    assert (found.status, found.data) == (200, {"message": "Session one deleted successfully"})
    assert (await mine.rest("DELETE", "/one")).status == 404
    assert (await mine.rest("GET", "")).data["total"] == 1
    assert not mine.engine.holds("local", "one")
    answer = await mine.ask("what is my name?", session_id="one")
    assert answer.outcome == "created"
    assert not {"Ada", "Bob"} & set(re.findall(r"\w+", answer.text))

    found = await mine.rest("DELETE", "")
    assert (found.status, found.data["deleted"]) == (200, 2)
    assert (await mine.rest("GET", "")).data == {"sessions": [], "total": 0}
    assert not mine.engine.holds("local", "two")
    await until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


# -- time ----------------------------------------------------------------------------------------


async def test_a_session_ends_when_it_was_not_used_for_its_time(
    mine: Running, clock: Clock
) -> None:
    expired = (await mine.rest("GET", "/stats")).data["session_stats"]["expired_sessions"]
    await mine.ask("my name is Ada", session_id="one")
    clock.now += TTL - 0.5
    for path in ("", "/stats", "/one", "/one/messages"):  # reading does not extend its life
        assert (await mine.rest("GET", path)).status == 200
    await mine.rest("POST", "/one/fork", {"session_id": "its fork"})  # nor does a fork
    clock.now += 0.5
    for method, path in (("GET", "/one"), ("GET", "/one/messages"), ("DELETE", "/one")):
        assert (await mine.rest(method, path)).status == 404
    assert [s["session_id"] for s in (await mine.rest("GET", "")).data["sessions"]] == ["its fork"]

    answer = await mine.ask("what is my name?", session_id="one")
    assert (answer.outcome, "Ada" in answer.text) == ("created", False)
    stats = (await mine.rest("GET", "/stats")).data["session_stats"]
    assert stats["expired_sessions"] == expired + 1
    clock.now += TTL - 0.5
    assert (await mine.ask("[[say hi]]", session_id="one")).outcome == "continued"
    clock.now += TTL - 0.5
    assert (await mine.rest("GET", "/one")).status == 200  # its last use counts


async def test_a_sweep_ends_the_processes_of_expired_sessions(mine: Running, clock: Clock) -> None:
    await mine.ask("my name is Ada", session_id="one")
    assert mine.engine.holds("local", "one")
    pids = mine.engine.processes()["idle"]
    clock.now += TTL
    await mine.sessions.sweep()
    assert not mine.engine.holds("local", "one")
    assert len(mine.engine.processes()["idle"]) == len(pids) - 1
    await until(lambda: not all(psutil.pid_exists(pid) for pid in pids))


async def test_a_session_does_not_end_while_its_turn_runs(mine: Running, clock: Clock) -> None:
    await mine.ask("my name is Ada", session_id="one")
    async with mine.next_request() as arrival:
        answering = asyncio.create_task(mine.ask("[[slow 0.3]] [[say hi]]", session_id="one"))
        await arrival
        clock.now += 10 * TTL
        await mine.sessions.sweep()
        found = (await mine.rest("GET", "/one")).data
        assert (found["state"], found["message_count"]) == ("busy", 2)
        assert (await answering).text == "hi"
    found = (await mine.rest("GET", "/one")).data
    assert found["message_count"] == 4
    assert instant(found["last_accessed"]).timestamp() == clock.now


# -- owners --------------------------------------------------------------------------------------

ONE, TWO = "key-of-one", "key-of-two"


async def test_a_session_belongs_to_its_key() -> None:
    async with running(pool_size=0, api_keys=(ONE, TWO), max_sessions=1) as server:
        await server.ask("my name is Ada", session_id="ours", key=ONE)
        for method, path in (
            ("GET", "/ours"),
            ("GET", "/ours/messages"),
            ("POST", "/ours/fork"),
            ("DELETE", "/ours"),
        ):
            found = await server.rest(method, path, {} if method == "POST" else None, key=TWO)
            assert (found.status, found.error["code"]) == (404, "session_not_found"), path
            assert (await server.rest(method, path)).status == 401
        assert (await server.rest("GET", "", key=TWO)).data == {"sessions": [], "total": 0}
        assert (await server.rest("DELETE", "", key=TWO)).data["deleted"] == 0
        stats = (await server.rest("GET", "/stats", key=TWO)).data
        assert stats["session_stats"]["active_sessions"] == 0

        other = await server.ask("what is my name?", session_id="ours", key=TWO)
        assert (other.outcome, "Ada" in other.text) == ("created", False)
        again = await server.ask("what is my name?", session_id="ours", key=ONE)
        assert (again.outcome, "Ada" in again.text) == ("continued", True)
        assert (await server.rest("DELETE", "", key=TWO)).data["deleted"] == 1
        assert (await server.rest("GET", "/ours", key=ONE)).data["message_count"] == 4
        again = await server.ask("what is my name?", session_id="ours", key=ONE)
        assert len(set(server.processes())) == 2  # its process is still there
