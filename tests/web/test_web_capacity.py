"""How many processes and turns there are at most, who waits for a place, and what the counts say."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from serving import Answer, Running, running, said, until

from bridge.claude.process import CliProcess

STREAM = {"messages": said("[[stall 2]] [[words 9]]"), "stream": True}


class Census:
    """All processes that were started, and how many of a server lived at once at the most."""

    def __init__(self) -> None:
        self.started: list[CliProcess] = []
        self._most: Counter[Path] = Counter()  # by the directory of the server's processes

    def add(self, process: CliProcess) -> None:
        self.started.append(process)
        asyncio.get_running_loop().call_soon(self._count)  # when it is known what it is for

    def _count(self) -> None:
        self._most |= Counter(p.launch.scratch for p in self.started if p.alive)

    def most(self, server: Running) -> int:
        return self._most[server.engine.account.launch.scratch]


@pytest.fixture
def census(monkeypatch: pytest.MonkeyPatch) -> Census:
    counted, spawn = Census(), CliProcess.spawn

    async def counted_spawn(self: CliProcess) -> None:
        await spawn(self)
        counted.add(self)

    monkeypatch.setattr(CliProcess, "spawn", counted_spawn)
    return counted


def counts(server: Running) -> dict[str, int]:
    """How many processes there are of each sort; nobody here calls a function."""
    found = {state: len(pids) for state, pids in server.engine.processes().items()}
    assert found.pop("waiting") == 0
    return found


async def settled(server: Running) -> dict[str, int]:
    """The counts when nothing goes on any more."""
    await server.engine.account.known_names()
    await server.engine.fleet.pool.settled()
    return counts(server)


async def queued(server: Running, content: str, **fields: Any) -> asyncio.Task[Answer]:
    """A request that waits for a place."""
    before = server.engine.places.waiting
    asking = asyncio.create_task(server.ask(content, **fields))
    await until(lambda: server.engine.places.waiting > before)
    return asking


async def all_at_once(server: Running, *asked: Awaitable[Answer]) -> list[str]:
    answers = await asyncio.gather(*asked)
    assert [answer.status for answer in answers] == [200] * len(asked)
    return [answer.text for answer in answers]


# -- processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_live", "pool_size"), [(1, 1), (3, 1)])
async def test_there_are_never_more_processes_than_max_live(
    census: Census, max_live: int, pool_size: int
) -> None:
    async with running(max_live=max_live, pool_size=pool_size) as server:
        for number in range(max_live):
            await server.ask("[[say 0]]", session_id=f"s{number}")
        full = await settled(server)
        ready = min(pool_size, max_live - 1)
        assert full == {"ready": ready, "running": 0, "idle": max_live - ready}
        for round_ in ("1", "2"):
            new = [server.ask(f"[[say {round_}]]", stream=bool(n % 2)) for n in range(max_live)]
            old = [server.ask(f"[[say {round_}]]", session_id=f"s{n}") for n in range(max_live)]
            assert await all_at_once(server, *new, *old) == [round_] * 2 * max_live
        await until(lambda: counts(server)["running"] == 0)
        assert (await settled(server))["ready"] == ready, "those that wait leave room for the pool"
        assert children(census) == {p for pids in server.engine.processes().values() for p in pids}
    assert 0 < census.most(server) <= max_live
    assert children(census) == set()


def children(census: Census) -> set[int | None]:
    """Those that are still there by the system's own account, the dead that nobody reaped too."""
    found = {child.pid for child in psutil.Process().children(recursive=True)}
    return {process.pid for process in census.started} & found


async def test_turns_that_come_while_the_pool_is_refilled_do_not_make_one_process_too_many(
    census: Census, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(max_live=2, pool_size=1, no_match=True) as server:
        await settled(server)
        gate, spawn = asyncio.Event(), CliProcess.spawn

        async def slow_spawn(self: CliProcess) -> None:
            spawning.append(self)
            await gate.wait()
            await spawn(self)

        spawning: list[CliProcess] = []
        monkeypatch.setattr(CliProcess, "spawn", slow_spawn)
        async with server.next_request(), server.post("/v1/chat/completions", STREAM) as first:
            await first.content.readuntil(b"word1")
            await until(lambda: len(spawning) == 1)  # the pool's: one runs, so one more may be
            asking = asyncio.create_task(server.ask("[[say 1]]"))
            await until(lambda: server.engine.places.taken == 2)
            gate.set()
            assert (await asking).text == "1"
            assert sum(counts(server).values()) <= 2
            first.close()
    assert census.most(server) == 2


async def test_a_process_that_replaces_a_lost_one_is_not_one_too_many(census: Census) -> None:
    async with running(max_live=2, pool_size=1, no_match=True) as server:
        await settled(server)
        async with server.next_request(), server.post("/v1/chat/completions", STREAM) as first:
            await first.content.readuntil(b"word1")
            await until(lambda: counts(server)["ready"] == 1)
            (ready,) = server.engine.fleet.pool.ready
            begin = ready.begin

            def begin_and_die(*args: Any) -> Any:
                assert ready.pid is not None
                os.kill(ready.pid, 9)
                return begin(*args)

            ready.begin = begin_and_die
            assert (await server.ask("[[say 1]]")).text == "1"
            assert server.engine.faults == {"process_replaced": 1}
            first.close()
    assert census.most(server) == 2


async def test_no_process_is_kept_that_may_not_wait() -> None:
    async with running(process_idle=0, pool_size=0) as server:
        outcomes = [(await server.ask("[[say hi]]", session_id="s")).outcome for _ in range(2)]
        assert outcomes == ["created", "continued"]
        assert await settled(server) == {"ready": 0, "running": 0, "idle": 0}
        assert len(set(server.processes())) == 2
        assert len(server.seen()[1]["messages"]) == 3


async def test_after_a_silence_one_ready_process_is_left_and_the_next_turn_refills() -> None:
    async with running(pool_size=3, max_live=6, process_idle=100) as server:
        clock = server.stand_still()
        await server.ask("[[say hi]]")
        full = {"ready": 3, "running": 0, "idle": 1}
        assert await settled(server) == full
        clock.now += 99
        server.engine.sweep()
        assert await settled(server) == full
        clock.now += 1
        async with server.next_request() as arrival:
            asking = asyncio.create_task(server.ask("[[slow .1]] [[say hi]]"))
            await arrival
            server.engine.sweep()
            assert counts(server)["ready"] == 2, "somebody is there"
            await asking
        clock.now += 100
        server.engine.sweep()
        assert await settled(server) == {"ready": 1, "running": 0, "idle": 0}
        server.engine.sweep()
        assert (await server.ask("[[say hi]]")).text == "hi"
        assert await settled(server) == full


async def test_the_pool_is_not_refilled_while_somebody_waits_for_a_first_word(
    census: Census,
) -> None:
    async with running(pool_size=1, max_live=4) as server:
        assert (await settled(server))["ready"] == 1
        before = len(census.started)
        async with server.next_request() as arrival:
            waiting = asyncio.create_task(server.ask("[[stall]]"))
            await arrival
        assert await settled(server) == {"ready": 0, "running": 1, "idle": 0}
        assert (await server.ask("[[say hi]]")).text == "hi"
        assert await settled(server) == {"ready": 0, "running": 1, "idle": 1}
        assert len(census.started) == before + 1, "the other turn's own"
        waiting.cancel()
        await until(lambda: counts(server)["ready"] == 1)
        async with server.post("/v1/chat/completions", STREAM) as response:
            await response.content.readuntil(b"word1")
            await until(lambda: counts(server) == {"ready": 1, "running": 1, "idle": 1})
            response.close()


# -- the queue -----------------------------------------------------------------------------------


async def test_one_more_than_may_wait_is_told_when_to_come_back() -> None:
    async with running(max_concurrent=1, max_queue=1, pool_size=0) as server:
        async with server.post("/v1/chat/completions", STREAM) as first:
            await first.content.readuntil(b"word1")
            leaving = await queued(server, "[[say no]]")
            for fields in ({}, {"stream": True}, {"session_id": "s"}):
                answer = await server.ask("[[say no]]", **fields)
                assert (answer.status, answer.error["code"]) == (503, "queue_full")
                assert int(answer.headers["Retry-After"]) > 0
            leaving.cancel()
            await until(lambda: server.engine.places.waiting == 0)
            staying = await queued(server, "[[say yes]]")
            first.close()
            assert (await staying).text == "yes"
        assert len(server.upstream.requests) == 2
        assert (await server.rest("GET", "/s")).status == 404
        assert (server.engine.places.taken, server.engine.places.waiting) == (0, 0)


async def test_nobody_waits_where_there_is_no_queue() -> None:
    async with running(max_concurrent=2, max_queue=0, pool_size=0) as server:
        await server.engine.places.enter("somebody")
        assert (await server.ask("[[say yes]]")).text == "yes"
        await server.engine.places.enter("somebody")
        assert (await server.ask("[[say no]]")).error["code"] == "queue_full"


async def test_the_keys_take_turns() -> None:
    keys = ("key-of-ann", "key-of-bob")
    async with running(api_keys=keys, max_concurrent=1, pool_size=0, no_match=True) as server:
        await server.engine.places.enter("somebody")
        names = ("ann 1", "ann 2", "ann 3", "bob 1", "bob 2")
        asking = [
            await queued(server, f"[[say {name}]]", key=f"key-of-{name[:3]}") for name in names
        ]
        server.engine.places.leave()
        assert await all_at_once(server, *asking) == list(names)
        order = [seen["messages"][0]["content"][0]["text"] for seen in server.seen()]
        assert order == [
            f"[[say {name}]]" for name in ("ann 1", "bob 1", "ann 2", "bob 2", "ann 3")
        ]


# -- what is told --------------------------------------------------------------------------------


async def stats(server: Running) -> dict[str, Any]:
    answer = await server.rest("GET", "/stats")
    assert answer.status == 200
    found: dict[str, Any] = answer.data
    return found


async def test_the_stats_tell_of_processes_limits_and_the_queue() -> None:
    settings = {"max_live": 5, "pool_size": 2, "max_concurrent": 2, "max_queue": 7}
    async with running(**settings) as server:
        await server.ask("[[say hi]]", session_id="s")
        await settled(server)
        async with server.post("/v1/chat/completions", STREAM) as first:
            await first.content.readuntil(b"word1")
            await until(lambda: counts(server) == {"ready": 2, "running": 1, "idle": 1})
            await server.engine.places.enter("somebody")
            waiting = await queued(server, "[[say later]]")
            told = await stats(server)
            server.engine.places.leave()
            assert (await waiting).text == "later"
            first.close()
        assert told["limits"] == settings
        assert told["queue"] == {"running": 2, "waiting": 1}
        assert told["faults"] == {}
        assert {state: each["count"] for state, each in told["processes"].items()} == {
            "ready": 2,
            "running": 1,
            "idle": 1,
            "waiting": 0,
        }
        for each in told["processes"].values():
            assert each.keys() == {"count", "memory_bytes", "memory_bytes_each"}
            assert len(each["memory_bytes_each"]) == each["count"]
            assert each["memory_bytes"] == sum(each["memory_bytes_each"])
            assert all(size > 1_000_000 for size in each["memory_bytes_each"])
        spawned = told["spawn_ms"]
        assert spawned.keys() == {"count", "median", "longest"}
        assert 4 <= spawned["count"] <= 6
        assert 0 < spawned["median"] <= spawned["longest"]


async def test_the_limits_told_are_those_that_hold() -> None:
    async with running(max_live=2, pool_size=9, max_concurrent=50) as server:
        told = await stats(server)
        assert told["limits"] == {
            "max_live": 2,
            "max_concurrent": 2,
            "pool_size": 1,
            "max_queue": 100,
        }


async def test_the_stats_of_a_server_that_has_started_nothing() -> None:
    async with running(pool_size=0) as server:
        await settled(server)
        server.engine.fleet.pool.spawned.clear()
        told = await stats(server)
        assert told["spawn_ms"] == {"count": 0, "median": None, "longest": None}


async def kill_a_running_one(server: Running) -> None:
    async with server.post("/v1/chat/completions", STREAM) as response:
        await response.content.readuntil(b"word1")
        ((pid),) = server.engine.processes()["running"]
        os.kill(pid, 9)
        assert b"process_lost" in await response.content.read()


async def kill_one_before_its_first_word(server: Running) -> None:
    async with server.next_request() as arrival:
        asking = asyncio.create_task(server.ask("[[slow .2]] [[say hi]]"))
        await arrival
        (pid,) = server.engine.processes()["running"]
        os.kill(pid, 9)
        assert (await asking).text == "hi"


def failing(content: str) -> Callable[[Running], Awaitable[object]]:
    return lambda server: server.ask(content)


async def test_faults_are_counted_by_their_codes() -> None:
    async with running(pool_size=0) as server:
        expected: dict[str, int] = {}
        for provoke, code in (
            (failing("[[fail 500]]"), "upstream_unavailable"),
            (failing("[[fail 529]]"), "overloaded"),
            (failing("[[fail 429 retry-after 7]]"), "rate_limit_exceeded"),
            (failing("[[empty]]"), "empty_answer"),
            (failing("[[fail 400 no]]"), "invalid_request"),
            (kill_a_running_one, "process_lost"),
            (kill_one_before_its_first_word, "process_replaced"),
            (failing("[[say well]]"), None),
        ):
            await provoke(server)
            if code is not None:
                expected[code] = expected.get(code, 0) + 1
            assert (await stats(server))["faults"] == expected
