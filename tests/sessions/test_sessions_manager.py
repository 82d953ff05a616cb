"""Sessions as a whole: what becomes history, in which order, for how long, and whose it is."""

import asyncio
import contextlib
import gc
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from session_bench import (
    BROKE,
    STARTED,
    Bench,
    BrokenStore,
    Script,
    SlowStore,
    Told,
    answer,
    asked,
    bench,
    calling,
    failing,
    finishing,
    key,
    refusing,
    result,
    settle,
    stored,
    user,
)

from bridge.core.conversation import Message, Role
from bridge.core.errors import (
    InvalidRequest,
    SessionBusy,
    SessionDeleted,
    SessionLimit,
    SessionNotFound,
    StorageFault,
)
from bridge.core.events import TurnFailed, TurnFinished, Usage
from bridge.sessions.manager import State
from bridge.sessions.merging import Outcome
from bridge.sessions.session import Session, check_id, size_of
from bridge.sessions.store import MemoryStore, StoreError

SILENCE = Message(role=Role.ASSISTANT, parts=())
FIRST = (user("one"), answer("a1"))


async def begun(**limits: Any) -> Bench:
    """A bench with one session of one turn."""
    made = bench(**limits)
    await made.ask("one")
    return made


# -- history -------------------------------------------------------------------------------------


async def test_a_session_is_its_turns() -> None:
    b = bench()
    told = [await b.ask("one"), await b.ask("two"), await b.ask("one", answer("no"), "three")]
    assert [t.outcome for t in told] == [Outcome.CREATED, Outcome.CONTINUED, Outcome.REPLACED]
    assert [turn.messages for turn in b.runner.seen] == [
        (user("one"),),
        (user("one"), answer("a1"), user("two")),
        (user("one"), answer("no"), user("three")),
    ]
    assert b.history() == (user("one"), answer("no"), user("three"), answer("a3"))
    assert stored(b.store) == {("ann", "s"): b.history()}


async def test_the_events_are_the_runners() -> None:
    b = bench()
    script = finishing(answer("hi"))
    b.play(script)
    told = await b.ask("one")
    assert told.events == list(script)
    assert b.runner.running == 0


async def test_what_a_session_remembers_of_its_turns() -> None:
    b = bench()
    await b.ask("one", model="opus", system=("be brief",))
    b.clock.now += 5
    await b.ask("two")
    await b.ask("three", model="haiku", system=("be long", "very"))
    await b.ask("four")
    assert [(turn.model, turn.system) for turn in b.runner.seen] == [
        ("opus", ("be brief",)),
        ("opus", ("be brief",)),
        ("haiku", ("be long", "very")),
        ("haiku", ("be long", "very")),
    ]
    session = b.manager.get(key()).session
    assert (session.model, session.system) == ("haiku", ("be long", "very"))
    assert (session.created_at, session.last_accessed) == (1000, 1005)
    assert session.usage == Usage(input_tokens=12, output_tokens=20)
    assert session.size == size_of(session.messages, session.system)


async def leave_early(b: Bench) -> None:
    async with (
        b.manager.enter(asked("two")) as exchange,
        contextlib.aclosing(exchange.events()) as events,
    ):
        await anext(events)


async def never_look(b: Bench) -> None:
    async with b.manager.enter(asked("two")):
        pass


async def be_cancelled(b: Bench) -> None:
    b.block()
    task = b.start("two")
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def fail_elsewhere(b: Bench) -> None:
    with pytest.raises(ZeroDivisionError):
        async with b.manager.enter(asked("two")):
            raise ZeroDivisionError


def played(script: Script) -> Callable[[Bench], Any]:
    async def ask(b: Bench) -> None:
        b.play(script)
        await b.ask("two")

    return ask


UNFINISHED = {
    "failed": played(failing()),
    "failed-at-once": played((TurnFailed(error=BROKE),)),
    "refused": played(refusing()),
    "client-left": leave_early,
    "client-left-before-the-first-event": never_look,
    "cancelled": be_cancelled,
    "handler-broke": fail_elsewhere,
}


@pytest.mark.parametrize("unfinished", UNFINISHED.values(), ids=UNFINISHED)
async def test_an_unfinished_turn_leaves_the_history_as_it_was(
    unfinished: Callable[[Bench], Any],
) -> None:
    b = await begun()
    before = b.manager.get(key()).session
    await unfinished(b)
    assert b.manager.get(key()).session == before
    assert stored(b.store) == {("ann", "s"): FIRST}
    assert b.runner.running == 0
    await b.ask("three")
    assert b.history()[:3] == (*FIRST, user("three"))


@pytest.mark.parametrize("unfinished", UNFINISHED.values(), ids=UNFINISHED)
async def test_a_session_whose_first_turn_was_unfinished_does_not_exist(
    unfinished: Callable[[Bench], Any],
) -> None:
    b = bench()
    await unfinished(b)
    with pytest.raises(SessionNotFound):
        b.manager.get(key())
    assert b.ids() == []
    assert stored(b.store) == {}
    assert (await b.ask("one")).outcome is Outcome.CREATED


async def test_a_refusal_is_told_as_it_came() -> None:
    b = bench()
    b.play(refusing())
    assert (await b.ask("one")).events == list(refusing())


async def test_a_conversation_that_can_not_be_is_refused_before_it_runs() -> None:
    b = await begun()
    with pytest.raises(InvalidRequest):
        await b.ask("one", answer("a1"))
    with pytest.raises(InvalidRequest):
        await b.ask(answer("a1"), named="new")
    assert len(b.runner.seen) == 1
    assert b.ids() == ["s"]
    assert b.manager.get(key()).state is State.PARKED


async def test_calls_wait_for_their_results() -> None:
    b = bench()
    b.play(finishing(calling("c1", "c2")))
    await b.ask("one")
    assert b.manager.get(key()).state is State.WAITING
    with pytest.raises(InvalidRequest) as caught:
        await b.ask("two")
    assert caught.value.code == "missing_tool_result"
    await b.ask(result("c1", "c2"))
    assert b.history() == (user("one"), calling("c1", "c2"), result("c1", "c2"), answer("a2"))


async def test_an_answer_without_parts_adds_the_users_message_only() -> None:
    b = await begun()
    b.play(finishing(SILENCE))
    await b.ask("two")
    assert b.history() == (*FIRST, user("two"))
    await b.ask("three")
    assert b.history() == (*FIRST, user("two"), user("three"), answer("a3"))


# -- the order of requests -----------------------------------------------------------------------


async def test_requests_on_one_session_run_in_the_order_in_which_they_came() -> None:
    b = bench()
    gate = b.block(finishing(answer("a1")))
    tasks = [b.start(f"u{number}") for number in range(1, 11)]
    await settle()
    assert len(b.runner.seen) == 1
    gate.set()
    await asyncio.gather(*tasks)
    expected = [part for n in range(1, 11) for part in (user(f"u{n}"), answer(f"a{n}"))]
    assert b.history() == tuple(expected)
    assert [turn.messages for turn in b.runner.seen] == [
        tuple(expected[: 2 * n + 1]) for n in range(10)
    ]


async def test_sessions_do_not_wait_for_each_other() -> None:
    b = bench()
    gate = b.block()
    slow = b.start("one")
    await settle()
    await b.ask("one", named="other")
    await b.ask("one", owner="bob")
    assert not slow.done()
    gate.set()
    await slow


async def test_a_request_does_not_wait_forever() -> None:
    b = bench(max_wait=0)
    gate = b.block()
    slow = b.start("one")
    await settle()
    with pytest.raises(SessionBusy):
        await b.ask("two")
    gate.set()
    await slow
    assert b.history() == (user("one"), answer("late"))


async def test_one_who_waited_for_a_first_turn_that_failed_creates_the_session() -> None:
    b = bench()
    gate = b.block(failing())
    first, second = b.start("one"), b.start("two")
    await settle()
    gate.set()
    assert (await first).error is BROKE
    assert (await second).outcome is Outcome.CREATED
    assert b.history() == (user("two"), answer("a2"))


async def test_one_who_goes_as_its_place_comes_leaves_no_session_behind() -> None:
    b = bench()
    async with b.manager.enter(asked("one")):
        second = b.start("two")
        await settle()
    second.cancel()
    await asyncio.wait([second])
    assert b.ids() == []
    assert b.manager.stats("ann")["active_sessions"] == 0


async def test_one_who_waited_too_long_for_a_first_turn_that_failed_leaves_no_session() -> None:
    b = bench(max_wait=0)
    gate = b.block(failing())
    first = b.start("one")
    await settle()
    second = b.start("two")
    gate.set()
    await asyncio.wait([first, second])
    assert b.ids() == ([] if second.exception() else ["s"])


# -- states --------------------------------------------------------------------------------------


async def test_the_states_of_a_session() -> None:
    b = await begun()
    assert b.manager.get(key()).state is State.PARKED
    b.runner.held.add(("ann", "s"))
    assert b.manager.get(key()).state is State.LIVE
    gate = b.block(finishing(calling("c1")))
    running = b.start("two")
    await settle()
    assert b.manager.get(key()).state is State.BUSY
    gate.set()
    await running
    assert b.manager.get(key()).state is State.WAITING


async def test_a_new_session_is_seen_while_its_first_turn_runs() -> None:
    b = bench()
    gate = b.block()
    running = b.start("one")
    await settle()
    seen = b.manager.get(key())
    assert (seen.state, seen.session.messages) == (State.BUSY, ())
    gate.set()
    await running


async def test_the_most_recently_used_is_listed_first() -> None:
    b = bench()
    for id_ in ("a", "b", "c", "a"):
        await b.ask("one", named=id_)
    assert b.ids() == ["a", "c", "b"]


async def test_the_counts_are_those_of_the_owner() -> None:
    b = bench()
    await b.ask("one", named="a")
    await b.ask("one", named="b")
    await b.ask("one", owner="bob")
    b.runner.held |= {("ann", "a"), ("bob", "s")}
    gate = b.block()
    running = b.start("one", named="c")
    await settle()
    size = sum(seen.session.size for seen in b.manager.list("ann"))
    assert b.manager.stats("ann") == {
        "active_sessions": 3,
        "live_sessions": 1,
        "busy_sessions": 1,
        "waiting_sessions": 0,
        "parked_sessions": 1,
        "expired_sessions": 0,
        "total_messages": 4,
        "total_bytes": size,
    }
    assert b.manager.stats("nobody")["active_sessions"] == 0
    gate.set()
    await running


# -- time ----------------------------------------------------------------------------------------


async def test_a_session_lives_from_its_last_use() -> None:
    b = await begun(ttl=60)
    assert b.manager.get(key()).expires_at == 1060
    b.clock.now += 59
    await b.ask("two")
    b.clock.now += 59
    assert b.manager.get(key()).expires_at == 1119
    b.clock.now += 1
    with pytest.raises(SessionNotFound) as caught:
        b.manager.get(key())
    assert (caught.value.param, caught.value.code) == ("session_id", "session_not_found")


async def test_an_unfinished_turn_is_a_use_too() -> None:
    b = await begun(ttl=60)
    b.clock.now += 50
    b.play(failing())
    await b.ask("two")
    b.clock.now += 50
    assert b.history() == FIRST


async def test_reading_does_not_extend_a_life() -> None:
    b = await begun(ttl=60)
    b.clock.now += 59
    b.manager.get(key())
    b.manager.list("ann")
    b.manager.stats("ann")
    await b.manager.fork(key(), "copy")
    b.clock.now += 1
    assert b.ids() == ["copy"]


async def test_no_session_expires_during_a_turn_or_while_somebody_waits() -> None:
    b = await begun(ttl=60)
    gate = b.block()
    running = b.start("two")
    waiting = b.start("three")
    await settle()
    b.clock.now += 1000
    await b.manager.sweep()
    assert b.ids() == ["s"]
    gate.set()
    await asyncio.gather(running, waiting)
    assert len(b.history()) == 6
    assert b.manager.get(key()).expires_at == b.clock.now + 60


async def test_a_sweep_deletes_what_is_over() -> None:
    b = await begun(ttl=60)
    await b.ask("one", owner="bob")
    b.clock.now += 30
    await b.ask("one", named="young")
    b.runner.held.add(("ann", "s"))
    b.clock.now += 30
    await b.manager.sweep()
    assert stored(b.store).keys() == {("ann", "young")}
    assert ("ann", "s") in b.runner.released
    assert ("ann", "young") not in b.runner.released
    for owner in ("ann", "bob"):
        assert b.manager.stats(owner)["expired_sessions"] == 1
    await b.manager.sweep()
    assert b.manager.stats("ann")["expired_sessions"] == 1


async def test_an_expired_session_is_unseen_before_it_is_swept() -> None:
    b = await begun(ttl=60)
    b.clock.now += 60
    assert b.ids() == []
    assert b.manager.stats("ann")["total_messages"] == 0
    for look in (b.manager.delete(key()), b.manager.fork(key(), "copy")):
        with pytest.raises(SessionNotFound):
            await look
    assert await b.manager.delete_all("ann") == 0


async def test_the_id_of_an_expired_session_can_be_used_anew() -> None:
    b = await begun(ttl=60)
    await b.ask("two", "three", "four")
    b.clock.now += 60
    assert (await b.ask("new")).outcome is Outcome.CREATED
    assert b.history() == (user("new"), answer("a3"))
    assert stored(b.store) == {("ann", "s"): b.history()}
    assert b.manager.stats("ann")["expired_sessions"] == 1
    assert b.manager.get(key()).session.created_at == 1060


async def test_an_expired_session_is_not_kept_by_the_store_when_its_id_failed_anew() -> None:
    b = await begun(ttl=60)
    b.clock.now += 60
    b.play(failing())
    await b.ask("new")
    assert stored(b.store) == {}
    await b.ask("one")
    b.clock.now += 60
    with pytest.raises(InvalidRequest):
        await b.ask(answer("first"))
    assert stored(b.store) == {}


@pytest.mark.parametrize("fork", [False, True])
async def test_expired_sessions_are_not_kept_by_the_store_when_a_new_one_is_refused(
    fork: bool,
) -> None:
    b = bench(max_sessions=1, ttl=60)
    await b.ask("one", owner="bob")
    b.clock.now += 30
    await b.ask("one", named="a")
    b.clock.now += 30
    with pytest.raises(SessionLimit):
        await (b.manager.fork(key("a"), "b") if fork else b.ask("one", named="b"))
    await b.manager.sweep()
    assert stored(b.store).keys() == {("ann", "a")}
    assert b.manager.stats("bob")["expired_sessions"] == 1


async def test_expired_sessions_are_not_kept_by_the_store_when_a_fork_is_too_large() -> None:
    b = bench(max_bytes=size_of(FIRST) + 10, ttl=60)
    await b.ask("one", owner="bob")
    b.clock.now += 30
    await b.ask("one", named="a")
    b.clock.now += 30
    with pytest.raises(SessionLimit):
        await b.manager.fork(key("a"), "b")
    await b.manager.sweep()
    assert stored(b.store).keys() == {("ann", "a")}
    assert b.ids() == ["a"]


async def test_a_fork_may_take_the_id_of_an_expired_session() -> None:
    b = await begun(ttl=60)
    b.clock.now += 30
    await b.ask("one", named="source")
    b.clock.now += 30
    await b.manager.fork(key("source"), "s")
    assert stored(b.store) == {("ann", id_): b.history(id_) for id_ in ("s", "source")}


# -- limits --------------------------------------------------------------------------------------


def check_limit(error: InvalidRequest, words: str) -> None:
    assert (error.status, error.code, error.param) == (400, "session_limit", "session_id")
    assert words in error.message


async def test_an_owner_has_so_many_sessions_and_not_one_more() -> None:
    b = bench(max_sessions=2)
    await b.ask("one", named="a")
    await b.ask("one", named="b")
    for refused in (b.ask("one", named="c"), b.manager.fork(key("a"), "c")):
        with pytest.raises(SessionLimit) as caught:
            await refused
        check_limit(caught.value, "MAX_SESSIONS")
    await b.ask("two", named="a")
    await b.ask("one", owner="bob")
    await b.manager.delete(key("b"))
    await b.ask("one", named="c")
    assert b.ids() == ["c", "a"]


async def test_expired_sessions_do_not_count_before_they_are_swept() -> None:
    b = bench(max_sessions=2, max_bytes=3 * size_of(FIRST), ttl=60)
    for id_ in ("a", "b"):
        await b.ask("one", named=id_)
    b.clock.now += 60
    for id_ in ("c", "d"):
        await b.ask("one", named=id_)
    assert b.ids() == ["d", "c"]
    await b.manager.sweep()
    assert stored(b.store).keys() == {("ann", "c"), ("ann", "d")}
    assert b.manager.stats("ann")["expired_sessions"] == 2


async def test_the_bytes_of_expired_sessions_do_not_count() -> None:
    b = bench(max_bytes=3 * size_of(FIRST), ttl=60)
    await b.ask("one", named="a")
    await b.ask("one", named="b")
    b.clock.now += 30
    await b.ask("two", named="b")
    b.clock.now += 30
    await b.ask("three", named="b")
    assert len(b.history("b")) == 6


async def test_a_session_has_so_many_messages_and_not_one_more() -> None:
    b = bench(max_messages=4)
    await b.ask("one")
    await b.ask("two")
    with pytest.raises(SessionLimit) as caught:
        await b.ask("three")
    check_limit(caught.value, "MAX_SESSION_MESSAGES")
    assert len(b.history()) == 4
    await b.ask("one", answer("a1"), "other")
    with pytest.raises(SessionLimit):
        await b.ask("1", "2", "3", "4", named="new")
    assert b.ids() == ["s"]


async def test_sessions_take_so_many_bytes_together_and_not_one_more() -> None:
    one = size_of(FIRST)
    b = bench(max_bytes=2 * one + size_of([user("two")]))
    for id_ in ("a", "b"):
        await b.ask("one", named=id_)
    with pytest.raises(SessionLimit) as caught:
        await b.ask("three", named="c")
    check_limit(caught.value, "MAX_SESSION_BYTES")
    await b.ask("two", named="a")
    await b.ask("huge" * 20, owner="bob")
    assert b.ids() == ["a", "b"]


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize("grown", [False, True], ids=["new", "grown"])
async def test_turns_that_run_at_once_take_so_many_bytes_together(evict: bool, grown: bool) -> None:
    large = "x" * 10_000
    b = bench(max_bytes=25_000, evict=evict)
    names = ("a", "b")
    for named in names if grown else ():
        await b.ask("one", named=named)
    gates = [b.block() for _ in names]
    running = [b.start(large, named=named) for named in names]
    await settle()
    with pytest.raises(SessionLimit) as caught:
        await b.ask(large, named="c")
    check_limit(caught.value, "MAX_SESSION_BYTES")
    assert len(b.runner.seen) == len(names) + 2 * grown
    await b.ask(large, owner="bob")
    running[0].cancel()
    await asyncio.wait(running[:1])
    assert (await b.ask(large, named="c")).error is None, "its bytes are free again"
    gates[1].set()
    await running[1]
    assert b.manager.stats("ann")["total_bytes"] <= 25_000


async def test_a_shorter_history_makes_a_full_session_smaller() -> None:
    b = bench(max_bytes=2 * size_of(FIRST))
    await b.ask("one")
    await b.ask("two")
    with pytest.raises(SessionLimit):
        await b.ask("three")
    told = await b.ask("one", answer("a1"), "or")
    assert told.outcome is Outcome.REPLACED


async def test_a_system_prompt_that_is_sent_again_counts_once() -> None:
    system = ("x" * 1000,)
    b = bench(max_bytes=2 * size_of(FIRST) + 1500)
    await b.ask("one", system=system)
    await b.ask("two", system=system)
    assert len(b.history()) == 4


async def test_the_least_recently_used_makes_room() -> None:
    b = bench(max_sessions=3, evict=True)
    for id_ in ("a", "b", "c"):
        await b.ask("one", named=id_)
    await b.ask("two", named="a")
    await b.ask("one", named="d")
    assert b.ids() == ["d", "a", "c"]
    await b.manager.fork(key("d"), "e")
    assert b.ids() == ["e", "d", "a"]
    assert stored(b.store).keys() == {("ann", id_) for id_ in ("a", "d", "e")}
    assert b.runner.released == [("ann", "b"), ("ann", "c")]


async def test_parked_sessions_go_before_living_ones_and_busy_ones_never() -> None:
    b = bench(max_sessions=3, evict=True)
    gates = [b.block()]
    running = [b.start("one", named="busy")]
    await settle()
    for id_ in ("live", "parked"):
        await b.ask("one", named=id_)
    b.runner.held.add(("ann", "live"))
    await b.ask("one", named="new")
    assert b.ids() == ["new", "live", "busy"]
    await b.ask("one", named="newer")
    assert b.ids() == ["newer", "live", "busy"]
    b.runner.held.add(("ann", "newer"))
    await b.ask("one", named="newest")
    assert b.ids() == ["newest", "newer", "busy"]
    for id_ in ("newer", "newest"):
        gates.append(b.block())
        running.append(b.start("two", named=id_))
    await settle()
    with pytest.raises(SessionLimit):
        await b.ask("one", named="one-too-many")
    for gate in gates:
        gate.set()
    await asyncio.gather(*running)


async def test_nobody_makes_room_before_the_turn_is_finished() -> None:
    b = bench(max_sessions=1, evict=True)
    await b.ask("one", named="a")
    gate = b.block()
    running = b.start("one", named="b")
    await settle()
    assert b.ids() == ["b", "a"]
    gate.set()
    await running
    assert b.ids() == ["b"]
    assert stored(b.store).keys() == {("ann", "b")}
    for script in (failing(), refusing()):
        b.play(script)
        await b.ask("one", named="c")
        assert b.ids() == ["b"]


async def test_many_new_sessions_at_once_are_as_many_as_may_be_in_the_end() -> None:
    b = bench(max_sessions=2, evict=True)
    await b.ask("one", named="first")
    gates = [b.block() for _ in range(5)]
    running = [b.start("one", named=f"s{n}") for n in range(5)]
    await settle()
    for gate in gates:
        gate.set()
        await settle()
    await asyncio.gather(*running)
    assert b.ids() == ["s4", "s3"]
    assert stored(b.store).keys() == {("ann", "s3"), ("ann", "s4")}


async def test_a_turn_is_finished_even_if_those_who_made_room_stay_in_the_store() -> None:
    store = BrokenStore(broken=False)
    b = bench(store, max_sessions=1, evict=True)
    await b.ask("one", named="a")
    store.forgets = False
    assert (await b.ask("one", named="b")).error is None
    assert b.ids() == ["b"]
    assert stored(store).keys() == {("ann", "a"), ("ann", "b")}


async def test_as_many_make_room_for_bytes_as_are_needed() -> None:
    one = size_of(FIRST)
    b = bench(max_bytes=3 * one, evict=True)
    for id_ in ("a", "b", "c"):
        await b.ask("one", named=id_)
    await b.ask("x" * one, named="c")
    assert b.ids() == ["c"]
    assert stored(b.store).keys() == {("ann", "c")}
    await b.ask("one", owner="bob")
    with pytest.raises(SessionLimit):
        await b.ask("x" * 4 * one, named="d")
    assert b.ids() == ["c"]


async def test_no_one_makes_room_for_what_will_never_fit() -> None:
    b = bench(max_bytes=2 * size_of(FIRST), evict=True)
    await b.ask("one", named="a")
    with pytest.raises(SessionLimit):
        await b.ask("x" * 10_000, named="b")
    assert b.ids() == ["a"]


@pytest.mark.parametrize("request_", [(answer("first"),), ("x" * 10_000,)], ids=["odd", "huge"])
async def test_nobody_makes_room_for_a_bad_request(
    request_: tuple[Message | str, ...],
) -> None:
    b = bench(max_sessions=1, max_bytes=2000, evict=True)
    await b.ask("one", named="a")
    with pytest.raises(InvalidRequest):
        await b.ask(*request_, named="b")
    assert b.ids() == ["a"]
    assert stored(b.store).keys() == {("ann", "a")}


# -- whose it is ---------------------------------------------------------------------------------


async def test_one_name_of_two_owners_is_two_sessions() -> None:
    b = bench()
    await b.ask("one", owner="ann")
    told = await b.ask("two", owner="bob")
    assert told.outcome is Outcome.CREATED
    assert b.history(owner="ann") == FIRST
    assert b.history(owner="bob") == (user("two"), answer("a2"))
    await b.manager.delete(key(owner="ann"))
    assert b.ids("ann") == []
    assert b.ids("bob") == ["s"]


async def test_another_owner_sees_nothing() -> None:
    b = await begun()
    assert b.ids("bob") == []
    with pytest.raises(SessionNotFound):
        b.manager.get(key(owner="bob"))
    for touch in (
        b.manager.delete(key(owner="bob")),
        b.manager.fork(key(owner="bob"), "copy"),
    ):
        with pytest.raises(SessionNotFound):
            await touch
    assert await b.manager.delete_all("bob") == 0
    assert b.history() == FIRST


async def test_all_of_ones_own_are_deleted() -> None:
    b = bench()
    for id_ in ("a", "b", "c"):
        await b.ask("one", named=id_)
    await b.ask("one", owner="bob")
    assert await b.manager.delete_all("ann") == 3
    assert b.ids("ann") == []
    assert stored(b.store).keys() == {("bob", "s")}
    assert b.runner.released == [("ann", "a"), ("ann", "b"), ("ann", "c")]


# -- deleting ------------------------------------------------------------------------------------


async def test_a_deleted_session_is_gone() -> None:
    b = await begun()
    await b.manager.delete(key())
    with pytest.raises(SessionNotFound):
        await b.manager.delete(key())
    assert stored(b.store) == {}
    assert b.runner.released == [("ann", "s")]
    assert b.manager.stats("ann")["expired_sessions"] == 0


async def test_deleting_ends_the_running_turn_and_sends_the_waiting_away() -> None:
    b = await begun()
    b.block()
    running, waiting = b.start("two"), [b.start("three"), b.start("four")]
    await settle()
    await b.manager.delete(key())
    told = await running
    assert isinstance(told.error, SessionDeleted)
    assert running.cancelling() == 0
    assert (told.error.status, told.error.code) == (404, "session_deleted")
    for task in waiting:
        with pytest.raises(SessionDeleted):
            await task
    assert b.runner.running == 0
    assert len(b.runner.seen) == 2
    assert stored(b.store) == {}


async def test_a_request_after_the_deletion_starts_anew_at_once() -> None:
    b = await begun()
    b.block((*finishing(answer("never")),))
    running = b.start("two")
    await settle()
    deleting = asyncio.create_task(b.manager.delete(key()))
    anew = b.start("new")
    await asyncio.wait([running, deleting, anew])
    assert anew.result().outcome is Outcome.CREATED
    assert b.runner.seen[-1].messages == (user("new"),)
    assert b.history() == (user("new"), answer("a3"))
    assert stored(b.store) == {("ann", "s"): b.history()}


@pytest.mark.parametrize("read", range(3))
async def test_deleting_while_the_handler_is_elsewhere_ends_the_turn_when_it_comes_back(
    read: int,
) -> None:
    b = await begun()
    async with b.manager.enter(asked("two")) as exchange:
        events = exchange.events()
        for _ in range(read):
            await anext(events)
        await b.manager.delete(key())
        told = [event async for event in events]
    assert isinstance(told[0], TurnFailed)
    assert isinstance(told[0].error, SessionDeleted)
    assert len(told) == 1
    assert b.ids() == []
    assert stored(b.store) == {}


async def test_deleting_after_the_last_event_takes_nothing_back() -> None:
    b = await begun()
    async with b.manager.enter(asked("two")) as exchange:
        told = []
        async for event in exchange.events():
            told.append(event)
            if isinstance(event, TurnFinished):
                await b.manager.delete(key())
    assert isinstance(told[-1], TurnFinished)
    assert stored(b.store) == {}


async def test_a_client_that_leaves_a_deleted_session_is_cancelled_all_the_same() -> None:
    b = await begun()
    b.block()
    running = b.start("two")
    await settle()
    deleting = asyncio.create_task(b.manager.delete(key()))
    await settle(1)
    running.cancel()
    await asyncio.wait([running, deleting])
    assert running.cancelled()
    assert b.runner.running == 0


@pytest.mark.parametrize("deleted_first", [False, True])
async def test_a_cancellation_in_the_very_step_of_the_deletion_is_not_swallowed(
    deleted_first: bool,
) -> None:
    b = await begun()
    b.block()
    running = b.start("two")
    await settle()
    if deleted_first:
        await b.manager.delete(key())
        running.cancel()
    else:
        running.cancel()
        await b.manager.delete(key())
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_deleted_turn_does_not_disturb_what_its_handler_does_next() -> None:
    b = await begun()
    b.block()

    async def handler() -> str:
        told = await b.ask("two")
        assert isinstance(told.error, SessionDeleted)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        return "alive"

    task = asyncio.create_task(handler())
    await settle()
    await b.manager.delete(key())
    assert await task == "alive"


async def test_one_whose_place_has_just_come_is_told_of_the_deletion() -> None:
    b = await begun()
    async with b.manager.enter(asked("two")):
        waiting = b.start("three")
        await settle()
    await b.manager.delete(key())
    with pytest.raises(SessionDeleted):
        await waiting
    assert stored(b.store) == {}
    assert len(b.runner.seen) == 1


async def test_who_waits_is_sent_away_before_the_running_turn_has_ended() -> None:
    b = await begun()
    async with b.manager.enter(asked("two")):
        waiting = b.start("three")
        await settle()
        await b.manager.delete(key())
        with pytest.raises(SessionDeleted):
            await waiting


async def making_room() -> "tuple[Bench, SlowStore, asyncio.Task[Told]]":
    """The first turn of a session, while an expired one is deleted from the store."""
    store = SlowStore()
    b = bench(store, ttl=60)
    store.gate.set()
    await b.ask("one", named="old")
    store.gate.clear()
    b.clock.now += 60
    making = b.start("one", named="new")
    await settle()
    assert len(b.runner.seen) == 1
    return b, store, making


async def test_deleting_a_session_that_makes_room_for_itself_ends_it() -> None:
    b, store, making = await making_room()
    deleting = asyncio.create_task(b.manager.delete(key("new")))
    await settle()
    store.gate.set()
    with pytest.raises(SessionDeleted):
        await making
    await deleting
    assert len(b.runner.seen) == 1
    assert stored(store) == {}
    assert b.ids() == []


async def test_a_client_that_leaves_while_room_is_made_leaves_no_session_behind() -> None:
    b, store, making = await making_room()
    making.cancel()
    await asyncio.wait([making])
    assert b.ids() == []
    store.gate.set()
    await b.ask("one", named="newer")
    assert stored(store).keys() == {("ann", "newer")}


async def test_a_fork_that_is_deleted_while_it_makes_room_is_not_stored() -> None:
    store = SlowStore()
    b = bench(store, max_sessions=2, evict=True)
    store.gate.set()
    await b.ask("one", named="a")
    await b.ask("one", named="source")
    store.gate.clear()
    forking = asyncio.create_task(b.manager.fork(key("source"), "copy"))
    await settle()
    deleting = asyncio.create_task(b.manager.delete(key("copy")))
    await settle()
    store.gate.set()
    await asyncio.wait([forking, deleting])
    assert isinstance(forking.exception(), SessionDeleted)
    assert stored(store).keys() == {("ann", "source")}


async def test_a_turn_on_a_fork_that_still_makes_room_is_not_overwritten_by_the_fork() -> None:
    store = SlowStore()
    b = bench(store, max_sessions=2, evict=True)
    store.gate.set()
    await b.ask("one", named="a")
    await b.ask("one", named="source")
    store.gate.clear()
    forking = asyncio.create_task(b.manager.fork(key("source"), "copy"))
    await settle()
    turn = b.start("two", named="copy")
    await settle()
    store.gate.set()
    await asyncio.gather(forking, turn)
    assert b.history("copy") == (user("one"), answer("a2"), user("two"), answer("a3"))
    assert stored(store) == {("ann", id_): b.history(id_) for id_ in ("source", "copy")}
    await b.ask("three", named="copy")
    assert stored(store)[("ann", "copy")] == b.history("copy")


# -- the commit ----------------------------------------------------------------------------------


async def slow_commit() -> "tuple[Bench, SlowStore, asyncio.Task[Any]]":
    """A second turn of a session, in the middle of its commit."""
    store = SlowStore()
    b = bench(store)
    store.gate.set()
    await b.ask("one")
    store.gate.clear()
    running = b.start("two")
    await settle()
    assert not running.done()
    return b, store, running


async def test_a_turn_is_told_as_finished_when_it_is_saved() -> None:
    b, store, running = await slow_commit()
    assert b.history() == FIRST
    assert b.manager.get(key()).state is State.BUSY
    store.gate.set()
    assert (await running).error is None
    assert len(b.history()) == 4


async def test_a_client_that_leaves_in_mid_commit_keeps_its_turn() -> None:
    b, store, running = await slow_commit()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    next_one = b.start("three")
    await settle()
    assert len(b.runner.seen) == 2
    store.gate.set()
    await next_one
    assert b.runner.seen[2].messages == (*FIRST, user("two"), answer("a2"), user("three"))
    assert len(b.history()) == 6
    assert b.manager.get(key()).state is State.PARKED


async def test_a_delete_in_mid_commit_leaves_nothing_in_the_store() -> None:
    b, store, running = await slow_commit()
    deleting = asyncio.create_task(b.manager.delete(key()))
    await settle()
    store.gate.set()
    await asyncio.wait([running, deleting])
    assert running.result().error is None
    assert b.ids() == []
    assert stored(store) == {}


@pytest.mark.parametrize("make", [MemoryStore, SlowStore])
async def test_a_delete_just_before_the_commit_leaves_nothing_in_the_store(
    make: type[MemoryStore],
) -> None:
    store = make()
    b = bench(store)
    if isinstance(store, SlowStore):
        store.gate.set()
    await b.ask("one")
    deleting: list[asyncio.Task[None]] = []

    def delete() -> None:
        deleting.append(asyncio.create_task(b.manager.delete(key())))

    b.play((STARTED, delete, finishing(answer("a2"))[-1]))
    assert isinstance((await b.ask("two")).error, SessionDeleted)
    await deleting[0]
    assert b.ids() == []
    assert stored(store) == {}


async def test_a_turn_that_can_not_be_saved_fails_and_changes_nothing() -> None:
    store = BrokenStore(broken=False)
    b = bench(store)
    await b.ask("one")
    store.broken = True
    told = await b.ask("two")
    assert isinstance(told.error, StorageFault)
    assert (told.error.status, told.error.code) == (500, "storage_failed")
    assert b.runner.released == [("ann", "s")], "its process holds what was not saved"
    assert b.history() == FIRST
    store.broken = False
    await b.ask("three")
    assert b.history() == (*FIRST, user("three"), answer("a3"))
    assert stored(store) == {("ann", "s"): b.history()}


async def test_a_turn_that_can_not_be_saved_after_its_client_left_raises_nothing_into_the_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    b, store, running = await slow_commit()
    raised: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: raised.append(context))
    try:
        running.cancel()
        await asyncio.wait([running])
        store.fault = StoreError("the disk is full")
        store.gate.set()
        await settle()
        del running
        gc.collect()  # a task tells of an exception that nobody looked at when it goes
        await settle()
    finally:
        loop.set_exception_handler(None)
    assert raised == []
    assert "the disk is full" in caplog.text
    assert b.history() == FIRST
    assert b.manager.get(key()).state is State.PARKED
    store.fault = None
    await b.ask("three")
    assert stored(store) == {("ann", "s"): (*FIRST, user("three"), answer("a3"))}


async def test_a_first_turn_that_can_not_be_saved_makes_no_session() -> None:
    b = bench(BrokenStore())
    assert isinstance((await b.ask("one")).error, StorageFault)
    assert b.ids() == []


async def test_a_deletion_that_can_not_be_stored_says_so_and_holds_until_a_restart() -> None:
    store = BrokenStore(broken=False)
    b = bench(store)
    await b.ask("one")
    store.broken = True
    with pytest.raises(StorageFault, match="restart"):
        await b.manager.delete(key())
    assert b.ids() == []
    store.broken = False
    await b.ask("new")
    assert stored(store) == {("ann", "s"): (user("new"), answer("a2"))}


async def test_a_fork_that_could_not_be_stored_is_stored_whole_with_its_next_turn() -> None:
    store = BrokenStore(broken=False)
    b = bench(store)
    await b.ask("one")
    store.broken = True
    with pytest.raises(StorageFault):
        await b.manager.fork(key(), "copy")
    store.broken = False
    await b.ask("two", named="copy")
    assert b.history("copy") in ((*FIRST, user("two"), answer("a2")), (user("two"), answer("a2")))
    assert stored(store)[("ann", "copy")] == b.history("copy")


async def test_a_turn_writes_what_is_new_and_no_more() -> None:
    store = BrokenStore(broken=False)
    b = bench(store)
    for words in ("one", "two"):
        await b.ask(words)
    await b.ask("one", answer("a1"), "other")
    await b.manager.fork(key(), "copy")
    await b.ask("three", named="copy")
    again = bench(store)
    await again.manager.start()
    await again.ask("four", named="copy")
    assert store.kept == [0, 2, 2, 0, 4, 6]


# -- starting ------------------------------------------------------------------------------------


async def test_a_manager_takes_over_what_the_store_remembers() -> None:
    b = await begun()
    b.clock.now += 10
    await b.ask("two", named="t", model="opus", system=("be brief",))
    again = bench(b.store)
    again.clock.now = b.clock.now
    await again.manager.start()
    assert again.manager.list("ann") == b.manager.list("ann")
    told = await again.ask("three", named="t")
    assert told.outcome is Outcome.CONTINUED
    assert again.runner.seen[0] == evolve(
        asked("two", answer("a2"), "three", named="t"), model="opus", system=("be brief",)
    )


async def test_a_session_that_expired_while_the_server_was_off_is_deleted() -> None:
    b = await begun()
    again = bench(b.store)
    again.clock.now += 1000
    await again.manager.start()
    assert again.ids() == []
    assert stored(b.store) == {}


async def test_a_store_that_can_not_be_written_at_the_start_is_its_own_error() -> None:
    store = BrokenStore(broken=False)
    session = Session(key=key(), created_at=0, last_accessed=0, messages=FIRST)
    await store.save(session, kept=0)
    store.broken = True
    with pytest.raises(StoreError, match="disk is full"):
        await bench(store).manager.start()


# -- forks ---------------------------------------------------------------------------------------


async def grown() -> Bench:
    b = bench()
    await b.ask("one", model="opus", system=("be brief",))
    await b.ask("two")
    return b


async def test_a_fork_has_the_whole_history_and_goes_its_own_way() -> None:
    b = await grown()
    before = b.history()
    seen = await b.manager.fork(key(), "copy")
    session = seen.session
    assert (session.key, seen.state, session.messages) == (key("copy"), State.PARKED, before)
    assert (session.model, session.system) == ("opus", ("be brief",))
    assert session.usage == Usage()
    assert session.size == b.manager.get(key()).session.size
    await b.ask("three", named="copy")
    assert b.history() == before
    assert b.history("copy") == (*before, user("three"), answer("a3"))
    assert b.runner.seen[-1].system == ("be brief",)
    assert stored(b.store) == {("ann", id_): b.history(id_) for id_ in ("s", "copy")}


async def test_a_fork_may_have_the_first_messages_only() -> None:
    b = await grown()
    await b.manager.fork(key(), "copy", 2)
    assert b.history("copy") == FIRST
    assert len(b.history()) == 4


@pytest.mark.parametrize("count", [-4, -1, 0, 1, 3, 5, 10**6])
async def test_a_fork_is_made_after_an_answer_or_not_at_all(count: int) -> None:
    b = await grown()
    with pytest.raises(InvalidRequest, match="4 messages") as caught:
        await b.manager.fork(key(), "copy", count)
    assert (caught.value.param, caught.value.code) == ("message_count", "invalid_value")
    assert b.ids() == ["s"]


async def test_a_whole_fork_of_a_history_without_an_answer_can_go_on() -> None:
    b = bench()
    b.play(finishing(SILENCE))
    await b.ask("one")
    await b.manager.fork(key(), "copy")
    await b.ask("two", named="copy")
    assert b.history("copy") == (user("one"), user("two"), answer("a2"))


async def test_a_fork_of_a_session_that_has_no_history_yet_is_refused() -> None:
    b = bench()
    gate = b.block()
    running = b.start("one")
    await settle()
    with pytest.raises(InvalidRequest, match="0 messages"):
        await b.manager.fork(key(), "copy")
    gate.set()
    await running


async def test_a_fork_of_a_busy_session_has_what_was_finished() -> None:
    b = await begun()
    gate = b.block()
    running = b.start("two")
    await settle()
    await b.manager.fork(key(), "copy")
    gate.set()
    await running
    assert b.history("copy") == FIRST
    assert len(b.history()) == 4


@pytest.mark.parametrize("taken", ["s", "other"])
async def test_a_fork_takes_no_id_that_is_taken(taken: str) -> None:
    b = await begun()
    await b.ask("one", named="other")
    with pytest.raises(InvalidRequest) as caught:
        await b.manager.fork(key(), taken)
    assert (caught.value.param, caught.value.code) == ("session_id", "session_exists")
    assert len(b.history(taken)) == 2


async def test_a_fork_counts_towards_the_bytes_of_its_owner() -> None:
    b = await begun(max_bytes=2 * size_of(FIRST))
    await b.manager.fork(key(), "copy")
    with pytest.raises(SessionLimit) as caught:
        await b.manager.fork(key(), "again")
    check_limit(caught.value, "MAX_SESSION_BYTES")
    assert b.ids() == ["copy", "s"]


@pytest.mark.parametrize("limit", [{"max_sessions": 2}, {"max_bytes": 2 * size_of(FIRST)}])
async def test_a_fork_does_not_make_room_by_the_loss_of_its_source(limit: dict[str, int]) -> None:
    b = bench(evict=True, **limit)
    await b.ask("one", named="source")
    await b.ask("one", named="other")
    await b.manager.fork(key("source"), "copy")
    assert b.ids() == ["copy", "source"]


@pytest.mark.parametrize("limit", [{"max_sessions": 1}, {"max_bytes": size_of(FIRST)}])
async def test_a_fork_that_fits_only_without_its_source_is_refused(limit: dict[str, int]) -> None:
    b = await begun(evict=True, **limit)
    with pytest.raises(SessionLimit):
        await b.manager.fork(key(), "copy")
    assert b.ids() == ["s"]
    assert stored(b.store).keys() == {("ann", "s")}


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id_", ["s", "x" * 256, "ein Gespräch", "a/b?c#d", "...", "STATS", "会话 1", "👍"]
)
def test_a_name_that_a_session_may_have(id_: str) -> None:
    assert check_id(id_, "session_id") == id_


@pytest.mark.parametrize(
    "id_", ["", "x" * 257, "a\0", "a\nb", "\x7f", "\x9f", "\ud800", "stats", ".", ".."]
)
def test_a_name_that_no_session_may_have(id_: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_id(id_, "session_id")
    assert (caught.value.param, caught.value.code) == ("session_id", "invalid_session_id")
