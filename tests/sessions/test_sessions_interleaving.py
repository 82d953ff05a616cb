"""Any order of events: what the model is told is what a plain list of messages would hold."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from attrs import define, field
from clock import Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from session_bench import (
    BROKE,
    STARTED,
    FakeRunner,
    SlowStore,
    answer,
    asked,
    bench,
    calling,
    finishing,
    joined,
    key,
    result,
    settle,
    stored,
    user,
)

from bridge.core.conversation import Message, ToolCall, ToolResult, Turn
from bridge.core.errors import InvalidRequest, SessionDeleted, SessionLimit, SessionNotFound
from bridge.core.events import Event, FinishReason, TurnFailed
from bridge.sessions.manager import SessionManager, State
from bridge.sessions.sqlite import open_sqlite
from bridge.sessions.store import SessionStore

TTL = 60.0
Name = tuple[str, str]

steady = settings(deadline=None, derandomize=True, database=None)


@define(eq=False)
class Asking:
    """One request: what the runner saw of it, and what became of it."""

    name: Name
    words: str
    message: Message
    end: "asyncio.Future[str]"
    task: "asyncio.Task[None] | None" = None
    expected: tuple[Message, ...] | None = None
    seen: tuple[Message, ...] | None = None
    fate: str = "waits"


@define
class PuppetRunner(FakeRunner):
    """Runs each turn to the end that its request is given by the test."""

    askings: dict[str, Asking] = field(factory=dict)

    async def run(self, turn: Turn) -> AsyncGenerator[Event]:
        words = turn.messages[-1].parts[-1].text
        asking = self.askings[words]
        asking.seen = turn.messages
        yield STARTED
        match await asking.end:
            case "fail":
                yield TurnFailed(error=BROKE)
            case "refuse":
                for event in finishing(answer("no"), FinishReason.REFUSAL)[1:]:
                    yield event
            case how:
                for event in finishing(ENDS[how](words))[1:]:
                    yield event


ENDS = {
    "finish": lambda words: answer(f"re: {words}"),
    "call": lambda words: calling(f"first-{words}", f"second-{words}"),
}


def waiting(messages: tuple[Message, ...]) -> list[str]:
    """The ids of the calls that a conversation ends with."""
    parts = messages[-1].parts if messages else ()
    return [part.id for part in parts if isinstance(part, ToolCall)]


@define
class World:
    """The manager, and whoever asks it."""

    manager: SessionManager
    runner: PuppetRunner
    clock: Clock

    def ask(self, name: Name, *results: str) -> Asking:
        words = f"u{len(self.runner.askings)}"
        message = joined(result(*results), user(words))
        end = asyncio.get_running_loop().create_future()
        asking = self.runner.askings[words] = Asking(name, words, message, end)
        asking.task = asyncio.create_task(self._ask(asking))
        return asking

    async def _ask(self, asking: Asking) -> None:
        owner, id_ = asking.name
        asking.fate = "cancelled"
        try:
            async with (
                self.manager.enter(asked(asking.message, named=id_, owner=owner)) as exchange,
                contextlib.aclosing(exchange.events()) as events,
            ):
                last = [event async for event in events][-1]
        except SessionDeleted:
            asking.fate = "deleted"
            return
        except SessionLimit:
            raise
        except InvalidRequest:
            asking.fate = "bad"
            return
        asking.fate = "finished"
        if isinstance(last, TurnFailed):
            asking.fate = "deleted" if isinstance(last.error, SessionDeleted) else "failed"


def world(store: SessionStore | None = None, **limits: Any) -> World:
    runner = PuppetRunner()
    b = bench(store, runner, ttl=TTL, **limits)
    return World(b.manager, runner, b.clock)


names = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["s", "t"]))
steps = st.one_of(
    st.tuples(st.just("ask"), names),
    st.tuples(st.just("results"), names, st.sampled_from([1, 2, 2, 2])),
    st.tuples(
        st.sampled_from(["finish", "finish", "call", "call", "fail", "refuse", "leave"]),
        st.integers(0, 3),
    ),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("delete_all"), st.sampled_from(["ann", "bob"])),
    st.tuples(st.just("pass"), st.sampled_from([1.0, TTL / 2, TTL])),
    st.tuples(st.just("sweep"), st.none()),
)


@define
class Plain:
    """What a session is: a list of messages, and a line before it."""

    messages: tuple[Message, ...] = ()
    used: float = 0.0
    line: list[Asking] = field(factory=list)


@define
class Model:
    """The sessions as the plain lists that they should be."""

    clock: Clock
    sessions: dict[Name, Plain] = field(factory=dict)
    fates: dict[str, str] = field(factory=dict)

    def ask(self, asking: Asking) -> None:
        self.expire()
        plain = self.sessions.setdefault(asking.name, Plain())
        plain.line.append(asking)
        if len(plain.line) == 1:
            self.begin(asking.name)

    def begin(self, name: Name) -> None:
        """The first in the line runs, if it has the results of all calls and no others."""
        plain = self.sessions[name]
        while plain.line:
            asking = plain.line[0]
            results = [p.call_id for p in asking.message.parts if isinstance(p, ToolResult)]
            if results == waiting(plain.messages):
                asking.expected = (*plain.messages, asking.message)
                return
            self.fates[asking.words] = "bad"
            plain.line.remove(asking)
            plain.used = self.clock.now
        if not plain.messages:
            del self.sessions[name]

    def end(self, asking: Asking, how: str) -> None:
        plain = self.sessions[asking.name]
        first = plain.line[0] is asking
        plain.line.remove(asking)
        self.fates[asking.words] = "finished" if how in ENDS else how
        if not first:
            return
        if how in ENDS:
            assert asking.expected is not None
            plain.messages = (*asking.expected, ENDS[how](asking.words))
        plain.used = self.clock.now
        self.begin(asking.name)

    def delete(self, name: Name) -> bool:
        self.expire()
        plain = self.sessions.pop(name, None)
        for asking in plain.line if plain else ():
            self.fates[asking.words] = "deleted"
        return plain is not None

    def expire(self) -> None:
        for name, plain in list(self.sessions.items()):
            if not plain.line and plain.used + TTL <= self.clock.now:
                del self.sessions[name]

    def at(self, index: int) -> Asking | None:
        """One of those who ask, however many there are; the later ones often only wait."""
        asking = [one for plain in self.sessions.values() for one in plain.line]
        return asking[index % len(asking)] if asking else None


async def play(step: tuple[Any, ...], world: World, model: Model) -> None:
    match step:
        case "ask", name:
            model.ask(world.ask(name))
        case "results", name, count:
            there = model.sessions.get(name, Plain())
            model.ask(world.ask(name, *waiting(there.messages)[:count]))
        case "delete", (owner, id_):
            there = model.delete((owner, id_))
            with contextlib.nullcontext() if there else pytest.raises(SessionNotFound):
                await world.manager.delete(key(id_, owner))
        case "delete_all", owner:
            count = sum([model.delete(name) for name in list(model.sessions) if name[0] == owner])
            assert await world.manager.delete_all(owner) == count
        case "pass", seconds:
            world.clock.now += seconds
        case "sweep", _:
            await world.manager.sweep()
        case how, index if (asking := model.at(index)) is not None:
            assert asking.task is not None
            if how == "leave":
                asking.task.cancel()
                model.end(asking, "cancelled")
            elif asking.expected is not None:
                asking.end.set_result(how)
                model.end(asking, {"refuse": "refused", "fail": "failed"}.get(how, how))


def check(world: World, model: Model) -> None:
    model.expire()
    for owner in ("ann", "bob"):
        seen = {seen.session.key.id: seen for seen in world.manager.list(owner)}
        own = {id_: plain for (o, id_), plain in model.sessions.items() if o == owner}
        assert {id_: one.session.messages for id_, one in seen.items()} == {
            id_: plain.messages for id_, plain in own.items()
        }
        for id_, plain in own.items():
            idle = State.WAITING if waiting(plain.messages) else State.PARKED
            assert seen[id_].state is (State.BUSY if plain.line else idle)
    for asking in world.runner.askings.values():
        assert asking.seen == asking.expected
        fate = model.fates.get(asking.words)
        if fate is not None:
            assert asking.fate == ("finished" if fate == "refused" else fate)


@settings(steady, max_examples=100)
@given(st.lists(steps, min_size=8, max_size=30))
async def test_any_sequence_of_steps_is_that_of_plain_lists(
    sequence: list[tuple[Any, ...]],
) -> None:
    w = world()
    model = Model(w.clock)
    for step in sequence:
        await play(step, w, model)
        await settle()
        check(w, model)
    while (asking := model.at(0)) is not None:
        await play(("finish", 0), w, model)
        await settle()
        check(w, model)
        assert asking.words in model.fates
    kept = {name: plain.messages for name, plain in model.sessions.items()}
    await w.manager.sweep()
    assert stored(w.manager.store) == kept


# -- races ---------------------------------------------------------------------------------------


async def race(w: World, sequence: list[tuple[str, Any, int]]) -> None:
    """Play steps without waiting for what they do, but for so many steps of the loop."""
    writing: list[asyncio.Task[Any]] = []
    askings: list[Asking] = []
    for what, argument, pause in sequence:
        match what:
            case "ask":
                askings.append(w.ask(argument))
            case "delete":
                owner, id_ = argument
                writing.append(asyncio.create_task(w.manager.delete(key(id_, owner))))
            case "delete_all":
                writing.append(asyncio.create_task(w.manager.delete_all(argument)))
            case "pass":
                w.clock.now += argument
            case "sweep":
                writing.append(asyncio.create_task(w.manager.sweep()))
            case how if open_ := [a for a in askings if a.task and not a.task.done()]:
                asking = open_[argument % len(open_)]
                if how == "leave":
                    asking.task.cancel()
                elif not asking.end.done():
                    asking.end.set_result(how)
        await settle(pause)
    for asking in askings:
        if not asking.end.done():
            asking.end.set_result("finish")
    ends = await asyncio.gather(
        *[a.task for a in askings if a.task], *writing, return_exceptions=True
    )
    faults = (asyncio.CancelledError, SessionNotFound, SessionLimit)
    assert [
        end for end in ends if isinstance(end, BaseException) and not isinstance(end, faults)
    ] == []


def check_conversations(w: World) -> None:
    """Each is a finished one and one message more, never a mixture."""
    finished: set[tuple[str, tuple[Message, ...]]] = {(repr(name), ()) for name in NAMES}
    for asking in w.runner.askings.values():
        if asking.seen is not None:
            finished.add((repr(asking.name), (*asking.seen, answer(f"re: {asking.words}"))))
    for asking in w.runner.askings.values():
        if asking.seen is not None:
            assert (repr(asking.name), asking.seen[:-1]) in finished
            assert asking.seen[-1] == user(asking.words)


NAMES = [(owner, id_) for owner in ("ann", "bob") for id_ in ("s", "t")]
few = st.sampled_from([("ann", "s"), ("ann", "t")])
races = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), few, st.integers(0, 4)),
        st.tuples(st.sampled_from(["finish", "finish", "fail", "leave"]), st.integers(0, 2), st.integers(0, 4)),
        st.tuples(st.just("delete"), few, st.integers(0, 4)),
        st.tuples(st.just("delete_all"), st.just("ann"), st.integers(0, 4)),
        st.tuples(st.just("pass"), st.just(TTL), st.just(0)),
        st.tuples(st.just("sweep"), st.none(), st.integers(0, 4)),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


@settings(steady, max_examples=200)
@given(races, st.sampled_from([{}, {"max_sessions": 1, "evict": True}]))
async def test_whatever_races_the_store_has_what_the_manager_has(
    sequence: list[tuple[str, Any, int]], limits: dict[str, Any]
) -> None:
    store = SlowStore()
    store.gate.set()
    w = world(store, **limits)
    await race(w, sequence)
    await settle()
    await w.manager.sweep()
    there = {("ann", seen.session.key.id): seen.session for seen in w.manager.list("ann")}
    assert stored(store) == {name: session.messages for name, session in there.items()}
    assert all(session.messages for session in there.values())
    check_conversations(w)


async def test_whatever_races_the_file_has_what_the_manager_has(tmp_path: Any) -> None:
    sequences: list[list[tuple[str, Any, int]]] = []

    @settings(steady, max_examples=25)
    @given(races)
    def collect(sequence: list[tuple[str, Any, int]]) -> None:
        sequences.append(sequence)

    collect()
    store = await open_sqlite(tmp_path / "s.db")
    try:
        for sequence in sequences:
            w = world(store)
            await race(w, sequence)
            await w.manager.sweep()
            there = {seen.session.key: seen.session.messages for seen in w.manager.list("ann")}
            assert {s.key: s.messages for s in await store.load()} == there
            check_conversations(w)
            await w.manager.delete_all("ann")
    finally:
        await store.aclose()
