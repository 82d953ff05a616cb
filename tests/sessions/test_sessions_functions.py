"""Function calling in sessions: what is offered, which calls wait, and what answers them."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from session_bench import (
    Bench,
    answer,
    asked,
    bench,
    calling,
    failing,
    finishing,
    joined,
    key,
    named_result,
    refusing,
    result,
    settle,
    stored,
    tool,
    user,
)

from bridge.core.conversation import (
    Image,
    JsonOutput,
    LinkedImage,
    Message,
    Role,
    Sampling,
    Tool,
    ToolChoice,
    ToolResult,
)
from bridge.core.errors import InvalidRequest, SessionLimit
from bridge.core.events import FinishReason
from bridge.sessions.manager import State
from bridge.sessions.merging import Outcome
from bridge.sessions.session import Session, size_of
from bridge.sessions.sqlite import open_sqlite

LOOK, FIND = tool("look"), tool("find", description="finds", strict=True)
SILENCE = Message(role=Role.ASSISTANT, parts=())


def calls(*ids: str, **more: Any) -> Any:
    return finishing(calling(*ids, **more), FinishReason.TOOL_CALLS)


async def waiting(*ids: str, **limits: Any) -> Bench:
    """A bench with a session whose model has called a function."""
    b = bench(**limits)
    b.play(calls(*ids))
    await b.ask("one", tools=(LOOK,))
    return b


# -- what is offered ------------------------------------------------------------------------------


async def test_functions_stay_until_others_are_sent() -> None:
    b = bench()
    await b.ask("one", tools=(LOOK, FIND))
    await b.ask("two")
    await b.ask("three", tools=(FIND,))
    await b.ask("four")
    assert [turn.tools for turn in b.runner.seen] == [(LOOK, FIND), (LOOK, FIND), (FIND,), (FIND,)]
    session = b.manager.get(key()).session
    assert session.tools == (FIND,)
    assert session.size == size_of(session.messages, session.system, session.tools)


async def test_functions_stay_when_the_history_is_replaced() -> None:
    b = bench()
    await b.ask("one", tools=(LOOK,))
    told = await b.ask("other", answer("b1"), "two")
    assert told.outcome is Outcome.REPLACED
    assert b.runner.seen[-1].tools == (LOOK,)


async def test_the_choice_and_the_form_of_the_answer_are_those_of_one_request() -> None:
    b = bench()
    own: dict[str, Any] = {
        "tool_choice": ToolChoice(names=("look",), required=True, parallel=False),
        "output": JsonOutput(schema={"type": "object"}),
        "sampling": Sampling(max_tokens=5),
    }
    await b.ask("one", tools=(LOOK,), **own)
    await b.ask("two")
    first, second = b.runner.seen
    assert first == asked("one", tools=(LOOK,), **own)
    assert second == asked("one", answer("a1"), "two", tools=(LOOK,))


@pytest.mark.parametrize("script", [failing(), refusing()], ids=["failed", "refused"])
async def test_an_unfinished_turn_leaves_the_functions_as_they_were(script: Any) -> None:
    b = bench()
    await b.ask("one", tools=(LOOK,))
    b.play(script)
    await b.ask("two", tools=(FIND,))
    await b.ask("three")
    assert [turn.tools for turn in b.runner.seen] == [(LOOK,), (FIND,), (LOOK,)]


CHOICES: dict[str, tuple[tuple[Tool, ...], ToolChoice, bool]] = {
    "a-stored-one": ((), ToolChoice(names=("look",), required=True), True),
    "any-stored-one": ((), ToolChoice(required=True), True),
    "none": ((), ToolChoice(names=()), True),
    "one-that-is-sent": ((FIND,), ToolChoice(names=("find",), required=True), True),
    "an-unknown-one": ((), ToolChoice(names=("find",), required=True), False),
    "one-that-was-replaced": ((FIND,), ToolChoice(names=("look",), required=True), False),
}


@pytest.mark.parametrize(("tools", "choice", "possible"), CHOICES.values(), ids=CHOICES)
async def test_a_choice_is_one_among_the_functions_of_the_session(
    tools: tuple[Tool, ...], choice: ToolChoice, possible: bool
) -> None:
    b = bench()
    await b.ask("one", tools=(LOOK,))
    before = b.manager.get(key()).session
    if possible:
        await b.ask("two", tools=tools, tool_choice=choice)
        assert b.runner.seen[-1].tool_choice == choice
        return
    with pytest.raises(InvalidRequest) as caught:
        await b.ask("two", tools=tools, tool_choice=choice)
    assert (caught.value.param, caught.value.code) == ("tool_choice", "invalid_value")
    assert b.manager.get(key()).session == before
    assert len(b.runner.seen) == 1


async def test_a_choice_without_functions_makes_no_session() -> None:
    b = bench()
    with pytest.raises(InvalidRequest) as caught:
        await b.ask("one", tool_choice=ToolChoice(required=True))
    assert caught.value.param == "tool_choice"
    assert b.ids() == []
    assert b.runner.seen == []


async def test_a_fork_has_the_functions_of_its_source() -> None:
    b = bench()
    await b.ask("one", tools=(LOOK, FIND))
    seen = await b.manager.fork(key(), "copy")
    assert seen.session.tools == (LOOK, FIND)
    assert seen.session.size == b.manager.get(key()).session.size
    await b.ask("two", named="copy", tools=(FIND,))
    await b.ask("two")
    assert b.runner.seen[-1].tools == (LOOK, FIND)


# -- what it takes --------------------------------------------------------------------------------

LARGE = "x" * 10_000
HEAVY: dict[str, Callable[[], Any]] = {
    "schema": lambda: Tool(name="f", schema={"properties": {"a": {"enum": [LARGE]}}}),
    "description": lambda: tool(description=LARGE),
}


@pytest.mark.parametrize("make", HEAVY.values(), ids=HEAVY)
async def test_functions_count_as_bytes(make: Callable[[], Tool]) -> None:
    assert 10_000 < size_of([], (), [make()]) < 11_000
    b = bench(max_bytes=5000)
    with pytest.raises(SessionLimit):
        await b.ask("one", tools=(make(),))
    await b.ask("one", tools=(LOOK,))
    with pytest.raises(SessionLimit):
        await b.ask("two", tools=(make(),))
    b = bench(max_bytes=25_000)
    for words in ("one", "two", "three"):
        await b.ask(words, tools=(make(),))
    await b.manager.fork(key(), "copy")
    with pytest.raises(SessionLimit):
        await b.manager.fork(key(), "again")
    with pytest.raises(SessionLimit):
        await b.ask("one", named="new", tools=(make(),))


def test_pictures_in_results_count_as_bytes() -> None:
    for part in (Image(media_type="image/png", data=LARGE), LinkedImage(url=LARGE)):
        found = Message(role=Role.USER, parts=(ToolResult(call_id="c1", content=(part,)),))
        assert 10_000 < size_of([found]) < 11_000


# -- results --------------------------------------------------------------------------------------

C1, C2 = result("c1"), result("c2")
ANSWERS: dict[str, tuple[Message | str, ...]] = {
    "in-one-message": (result("c1", "c2"),),
    "in-another-order": (result("c2", "c1"),),
    "in-messages-of-their-own": (C2, C1),
    "with-a-message-after-them": (C1, C2, "and now?"),
    "with-words-beside-them": (joined(C1, C2, user("and now?")),),
    "by-name": (named_result("look", "look"),),
    "by-name-and-by-id": (C1, named_result("look")),
    "with-the-whole-history": ("one", calling("c1", "c2"), C1, C2),
}


@pytest.mark.parametrize("sent", ANSWERS.values(), ids=ANSWERS)
async def test_results_of_all_calls_go_on(sent: tuple[Message | str, ...]) -> None:
    b = await waiting("c1", "c2")
    told = await b.ask(*sent)
    assert told.outcome is Outcome.CONTINUED
    turn = b.runner.seen[-1]
    assert turn.tools == (LOOK,)
    assert turn.messages[:2] == (user("one"), calling("c1", "c2"))
    results = [p for m in turn.messages for p in m.parts if isinstance(p, ToolResult)]
    assert sorted(part.call_id for part in results) == ["c1", "c2"]
    assert b.history() == (*turn.messages, answer("a2"))
    assert b.manager.get(key()).state is State.PARKED


REFUSED: dict[str, tuple[tuple[Message | str, ...], str, str]] = {
    "one-of-two": ((C1,), "missing_tool_result", "no result: c2."),
    "the-other-of-two": ((C2, "and now?"), "missing_tool_result", "no result: c1."),
    "one-of-two-by-name": ((named_result("look"),), "missing_tool_result", "no result: c2."),
    "a-message-instead": (("two",), "missing_tool_result", "no result: c1, c2."),
    "a-message-before-them": (("two", C1, C2), "missing_tool_result", "no result: c1, c2."),
    "a-message-between-them": ((C1, "two", C2), "missing_tool_result", "no result: c2."),
    "an-unknown-one": ((result("c9"),), "invalid_value", "'c9'"),
    "an-unknown-one-after-them": ((C1, C2, result("c9")), "invalid_value", "'c9'"),
    "an-unknown-one-before-them": ((result("c9"), C1, C2), "invalid_value", "'c9'"),
    "one-twice": ((C1, C1, C2), "invalid_value", "'c1'"),
    "one-twice-after-all": ((C1, C2, C1), "invalid_value", "'c1'"),
    "one-twice-in-a-message": ((result("c1", "c1"),), "invalid_value", "'c1'"),
    "one-twice-by-name": ((named_result("look", "look", "look"),), "invalid_value", "'look'"),
    "one-by-name-and-by-id": ((named_result("look"), C1), "invalid_value", "'c1'"),
    "another-function": ((named_result("find"),), "invalid_value", "'find'"),
    "without-an-id": ((result(""),), "invalid_value", "''"),
    "the-whole-history-without-results": (
        ("one", calling("c1", "c2"), "two"), "missing_tool_result", "no result: c1, c2."
    ),
    "the-whole-history-and-one-of-two": (
        ("one", calling("c1", "c2"), C2), "missing_tool_result", "no result: c1."
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "code", "words"), REFUSED.values(), ids=REFUSED)
async def test_results_that_are_not_those_of_the_calls_change_nothing(
    sent: tuple[Message | str, ...], code: str, words: str
) -> None:
    b = await waiting("c1", "c2")
    before = b.manager.get(key())
    with pytest.raises(InvalidRequest) as caught:
        await b.ask(*sent, tools=(FIND,))
    error = caught.value
    assert (error.status, error.param, error.code) == (400, "messages", code)
    assert words in error.message
    assert b.manager.get(key()) == before
    assert before.state is State.WAITING
    assert stored(b.store) == {("ann", "s"): b.history()}
    assert len(b.runner.seen) == 1
    await b.ask(C1, C2)
    assert b.history() == (user("one"), calling("c1", "c2"), C1, C2, answer("a2"))


@pytest.mark.parametrize("sent", [result("c1"), named_result("look")], ids=["id", "name"])
@pytest.mark.parametrize("place", [{"named": "t"}, {"named": "new"}, {"owner": "bob"}], ids=str)
async def test_a_result_for_the_call_of_another_session_changes_neither(
    sent: Message, place: dict[str, str]
) -> None:
    b = await waiting("c1")
    await b.ask("one", named="t")
    before = b.manager.list("ann")
    with pytest.raises(InvalidRequest, match="waits for"):
        await b.ask(sent, **place)
    assert b.manager.list("ann") == before
    assert b.manager.list("bob") == []
    assert len(b.runner.seen) == 2


async def test_a_result_for_another_sessions_call_where_a_call_waits_too() -> None:
    b = await waiting("c1")
    b.play(calls("c2"))
    await b.ask("one", named="t")
    with pytest.raises(InvalidRequest, match="'c1'"):
        await b.ask(result("c1"), named="t")
    assert {seen.session.key.id: seen.state for seen in b.manager.list("ann")} == {
        "s": State.WAITING,
        "t": State.WAITING,
    }
    await b.ask(result("c1"))
    await b.ask(result("c2"), named="t")


async def test_of_two_who_answer_the_same_calls_one_is_refused() -> None:
    b = await waiting("c1")
    gate = b.block(finishing(answer("found")))
    first, second = b.start(result("c1")), b.start(result("c1"))
    await settle()
    gate.set()
    await first
    with pytest.raises(InvalidRequest, match="'c1'"):
        await second
    assert b.history() == (user("one"), calling("c1"), result("c1"), answer("found"))


@pytest.mark.parametrize("script", [failing(), refusing()], ids=["failed", "refused"])
async def test_calls_wait_on_when_the_turn_with_their_results_was_unfinished(script: Any) -> None:
    b = await waiting("c1")
    before = b.manager.get(key())
    b.play(script)
    await b.ask(result("c1"))
    assert b.manager.get(key()) == before
    assert (await b.ask(result("c1"))).error is None


async def test_calls_after_calls() -> None:
    b = await waiting("c1")
    for n in range(2, 5):
        b.play(calls(f"c{n}"))
        await b.ask(result(f"c{n - 1}"))
        assert b.manager.get(key()).state is State.WAITING
    told = await b.ask(*b.history(), result("c4"))
    assert told.outcome is Outcome.CONTINUED
    assert len(b.history()) == 10


async def test_arguments_that_the_client_wrote_anew_are_the_same() -> None:
    b = bench()
    made = evolve(calling("c1").parts[0], arguments={"a": 1, "b": {"c": 2.0, "d": [None]}})
    sent = evolve(made, arguments={"b": {"d": [None], "c": 2}, "a": 1.0})
    b.play(finishing(Message(role=Role.ASSISTANT, parts=(made,))))
    await b.ask("one")
    told = await b.ask("one", Message(role=Role.ASSISTANT, parts=(sent,)), result("c1"))
    assert told.outcome is Outcome.CONTINUED
    assert repr(b.history()[1].parts) == repr((made,))


async def test_the_client_may_have_its_own_version_of_the_calls() -> None:
    b = await waiting("c1", "c2")
    told = await b.ask("one", calling("mine"), result("mine"))
    assert told.outcome is Outcome.REPLACED
    assert b.history() == (user("one"), calling("mine"), result("mine"), answer("a2"))


async def test_no_result_is_stored_without_an_id() -> None:
    b = bench()
    b.play(finishing(joined(calling("c1"), calling("c2", name="find")), FinishReason.TOOL_CALLS))
    await b.ask("one")
    await b.ask(named_result("find"), named_result("look"))
    ids = [part.call_id for message in b.history()[2:4] for part in message.parts]
    assert ids == ["c2", "c1"]
    assert [turn.messages for turn in b.runner.seen[1:]] == [b.history()[:4]]


# -- answers that were cut ------------------------------------------------------------------------


async def test_a_cut_answer_that_says_nothing_leaves_the_results() -> None:
    b = await waiting("c1")
    b.play(finishing(SILENCE, FinishReason.LENGTH))
    assert (await b.ask(result("c1"), sampling=Sampling(max_tokens=1))).error is None
    session = b.manager.get(key())
    assert session.session.messages == (user("one"), calling("c1"), result("c1"))
    assert session.session.tools == (LOOK,)
    assert session.state is State.PARKED, "all calls have their results"
    await b.ask("go on")
    assert b.history()[3:] == (user("go on"), answer("a3"))


async def test_a_cut_answer_that_says_nothing_can_be_asked_for_again() -> None:
    b = await waiting("c1")
    b.play(finishing(SILENCE, FinishReason.LENGTH))
    await b.ask(result("c1"))
    told = await b.ask("one", calling("c1"), result("c1"))
    assert told.outcome is Outcome.CONTINUED
    assert b.history() == (user("one"), calling("c1"), result("c1"), answer("a3"))


async def test_a_first_answer_that_was_cut_before_its_first_call_is_a_session() -> None:
    b = bench()
    b.play(finishing(SILENCE, FinishReason.LENGTH))
    await b.ask("one", tools=(LOOK,))
    assert b.history() == (user("one"),)
    assert b.manager.get(key()).state is State.PARKED
    await b.ask("two")
    assert b.runner.seen[-1].tools == (LOOK,)


# -- waiting --------------------------------------------------------------------------------------


async def test_a_session_waits_while_its_calls_have_no_results() -> None:
    b = await waiting("c1")
    assert b.manager.get(key()).state is State.WAITING
    b.runner.held.add(("ann", "s"))
    assert b.manager.get(key()).state is State.WAITING, "whoever holds it"
    stats = b.manager.stats("ann")
    assert (stats["active_sessions"], stats["waiting_sessions"], stats["live_sessions"]) == (
        1,
        1,
        0,
    )
    gate = b.block()
    running = b.start(result("c1"))
    await settle()
    assert b.manager.get(key()).state is State.BUSY
    gate.set()
    await running
    assert b.manager.get(key()).state is State.LIVE


async def test_a_fork_waits_for_results_of_its_own() -> None:
    b = await waiting("c1")
    for id_, count in (("copy", None), ("copy-2", 2)):
        assert (await b.manager.fork(key(), id_, count)).state is State.WAITING
    await b.ask(result("c1"), named="copy")
    assert b.manager.get(key("copy")).state is State.PARKED
    assert b.manager.get(key()).state is State.WAITING


async def test_a_fork_from_before_the_calls_does_not_wait() -> None:
    b = bench()
    await b.ask("one", tools=(LOOK,))
    b.play(calls("c1"))
    await b.ask("two")
    seen = await b.manager.fork(key(), "copy", 2)
    assert (seen.state, seen.session.tools) == (State.PARKED, (LOOK,))


async def test_a_waiting_session_is_deleted_and_expires_like_others() -> None:
    b = await waiting("c1", ttl=60)
    b.play(calls("c1"))
    await b.ask("one", named="t")
    await b.manager.delete(key("t"))
    b.clock.now += 60
    await b.manager.sweep()
    assert b.ids() == []
    assert b.runner.released == [("ann", "t"), ("ann", "s")]
    with pytest.raises(InvalidRequest, match="'c1'"):
        await b.ask(result("c1"))
    assert b.ids() == []


async def test_parked_sessions_make_room_before_waiting_ones() -> None:
    b = await waiting("c1", max_sessions=2, evict=True)
    await b.ask("one", named="parked")
    await b.ask("one", named="new")
    assert b.ids() == ["new", "s"]


async def test_calls_wait_over_a_restart(tmp_path: Path) -> None:
    seen: list[Session] = []
    for _ in range(3):
        async with contextlib.aclosing(await open_sqlite(tmp_path / "s.db")) as store:
            b = bench(store)
            await b.manager.start()
            if not seen:
                b.play(calls("c1", "c2", text="I look."))
                await b.ask("one", tools=(LOOK, FIND))
            assert b.manager.get(key()).state is State.WAITING
            with pytest.raises(InvalidRequest, match=r"c1, c2"):
                await b.ask("two")
            seen.append(b.manager.get(key()).session)
    assert seen == seen[:1] * 3
    async with contextlib.aclosing(await open_sqlite(tmp_path / "s.db")) as store:
        b = bench(store)
        await b.manager.start()
        await b.ask(result("c2"), named_result("look"))
        assert b.runner.seen[0].tools == (LOOK, FIND)
        assert b.manager.get(key()).state is State.PARKED
        assert await store.load() == [b.manager.get(key()).session]
