"""Which process may go on with which conversation."""

from typing import Any, cast

import pytest
from attrs import define, evolve

from bridge.claude.kept import Held, KeptProcesses
from bridge.claude.process import CliProcess
from bridge.core.conversation import Message, Role, Text, Thinking, Tool, Turn


@define(eq=False)
class Process:
    """As much of a process as matters here."""

    alive: bool = True
    waiting: frozenset[str] = frozenset()


class Kept:
    """The kept processes, with a clock and a list of what was ended."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ended: list[object] = []
        self.processes = KeptProcesses(discard=self.ended.append, clock=lambda: self.now)

    def keep(self, held: Held, *waiting: str) -> Process:
        process = Process(waiting=frozenset(waiting))
        self.processes.keep(held, cast("CliProcess", process))
        return process

    def take(self, held: Held) -> object:
        return self.processes.take(held)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def user(text: str) -> Message:
    return Message(role=Role.USER, parts=(Text(text=text),))


def assistant(text: str, *more: Any) -> Message:
    return Message(role=Role.ASSISTANT, parts=(*more, Text(text=text)))


HELD = Held(
    owner="ada",
    session=None,
    model="sonnet",
    system=("be kind",),
    messages=(user("hi"), assistant("hello")),
)


def test_what_a_turn_needs_ends_with_the_last_answer() -> None:
    turn = Turn(
        messages=(*HELD.messages, user("and"), user("now?")),
        system=HELD.system,
        owner="ada",
        model="gpt-4o",
        request="7",
    )
    assert Held.before(turn, "sonnet") == HELD, "which request it is has no part in it"
    assert turn == evolve(turn, request="8")
    first = Turn(messages=(user("hi"),), owner="ada")
    assert Held.before(first, None).messages == ()


OTHERS: dict[str, dict[str, Any]] = {
    "another owner": {"owner": "bob"},
    "a named conversation": {"session": "s"},
    "another model": {"model": "haiku"},
    "no system prompt": {"system": ()},
    "another system prompt": {"system": ("be", "kind")},
    "a shorter history": {"messages": HELD.messages[:1]},
    "a longer history": {"messages": (*HELD.messages, user("x"), assistant("y"))},
    "another word": {"messages": (user("hi"), assistant("hello!"))},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_only_the_very_same_conversation_matches(kept: Kept, kind: str) -> None:
    other = evolve(HELD, **OTHERS[kind])
    process = kept.keep(other)
    assert kept.take(HELD) is None
    assert kept.take(other) is process
    assert kept.take(other) is None, "it is taken once"


def test_reasoning_that_the_client_can_not_send_back_is_not_missed(kept: Kept) -> None:
    thought = Thinking(text="hm", signature="s")
    process = kept.keep(evolve(HELD, messages=(user("hi"), assistant("hello", thought))))
    assert kept.take(HELD) is process


def test_a_conversation_that_has_not_begun_matches_nothing(kept: Kept) -> None:
    empty = evolve(HELD, messages=())
    kept.keep(empty)
    assert kept.take(empty) is None


def test_a_dead_process_is_not_gone_on_with(kept: Kept) -> None:
    process = kept.keep(HELD)
    process.alive = False
    assert kept.take(HELD) is None
    kept.processes.end_idle(60, waiting=600)
    assert kept.ended == [process]


def test_equal_conversations_have_a_process_each(kept: Kept) -> None:
    processes = {kept.keep(HELD), kept.keep(HELD)}
    assert {kept.take(HELD), kept.take(HELD)} == processes


def test_a_named_conversation_gives_up_a_process_that_holds_something_else(kept: Kept) -> None:
    named = evolve(HELD, session="s")
    process = kept.keep(named)
    other = kept.keep(evolve(named, session="t"))
    assert kept.processes.holds("ada", "s")
    assert not kept.processes.holds("bob", "s")
    assert kept.take(evolve(named, model="haiku")) is None
    assert kept.ended == [process]
    assert not kept.processes.holds("ada", "s")
    kept.processes.release("ada", "t")
    assert kept.ended == [process, other]


def test_the_least_recently_used_is_ended_first(kept: Kept) -> None:
    first, second = kept.keep(HELD), kept.keep(evolve(HELD, owner="bob"))
    kept.processes.end_oldest()
    assert kept.ended == [first]
    assert list(kept.processes) == [second]


def test_a_process_that_waited_for_too_long_is_ended(kept: Kept) -> None:
    first = kept.keep(HELD)
    kept.now = 50
    second = kept.keep(evolve(HELD, owner="bob"))
    kept.now = 100
    kept.processes.end_idle(60, waiting=600)
    assert kept.ended == [first]
    kept.processes.end_all()
    assert kept.ended == [first, second]
    assert len(kept.processes) == 0


def test_processes_that_wait_for_results_have_a_limit_of_their_own(kept: Kept) -> None:
    idle = kept.keep(HELD)
    waits = kept.keep(evolve(HELD, owner="bob"), "call_1")
    for now, ended in ((59, []), (60, [idle]), (599, [idle]), (600, [idle, waits])):
        kept.now = now
        kept.processes.end_idle(60, waiting=600)
        assert kept.ended == ended
    shorter = kept.keep(HELD, "call_2")
    kept.now += 10
    kept.processes.end_idle(60, waiting=10)
    assert kept.ended == [idle, waits, shorter]


SERVED = [
    # the functions that a process has, those of the turn, whether it can go on
    ("", "", True),
    ("f", "", False),  # it would be offered one
    ("fg", "f", True),
    ("fg", "gf", True),
    ("", "f", False),
    ("f", "g", False),
    ("f", "fg", False),
]


@pytest.mark.parametrize(("has", "wants", "serves"), SERVED)
@pytest.mark.parametrize("session", [None, "s"])
def test_a_process_serves_a_turn_with_some_of_its_functions_and_no_others(
    kept: Kept, session: str | None, has: str, wants: str, serves: bool
) -> None:
    held = evolve(HELD, session=session)
    process = kept.keep(evolve(held, functions=frozenset(has)))
    turn = Turn(
        messages=(*HELD.messages, user("and now?")),
        system=HELD.system,
        tools=tuple(Tool(name=name, schema={"type": "object"}) for name in wants),
        owner="ada",
        session=session,
    )
    wanted = Held.before(turn, "sonnet")
    assert wanted.functions == frozenset(wants)
    assert (kept.take(wanted) is process) == serves
    assert kept.ended == ([process] if session and not serves else [])


def test_of_several_processes_the_last_one_that_has_the_functions_is_taken(kept: Kept) -> None:
    first = kept.keep(evolve(HELD, functions=frozenset("fg")))
    kept.keep(evolve(HELD, functions=frozenset("f")))
    assert kept.take(evolve(HELD, functions=frozenset("g"))) is first
    assert kept.take(evolve(HELD, functions=frozenset("g"))) is None
    assert kept.ended == []
