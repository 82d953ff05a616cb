"""Reasoning put back into the history of a client that can't send it."""

from typing import Any

import pytest
from attrs import evolve
from claude_turns import asking, assistant, call, result, user
from clock import Clock

from bridge.claude import recall
from bridge.claude.recall import KEPT_SECONDS, Recall
from bridge.core.conversation import (
    Image,
    Message,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ToolCall,
    Turn,
)

THOUGHT = Thinking(text="hm", signature="s")
SECRET = RedactedThinking(data="x")


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
def kept(clock: Clock) -> Recall:
    return Recall(clock=clock)


def remember(kept: Recall, turn: Turn, answer: Message) -> None:
    kept.remember(kept.restored(turn), answer)


def restored(kept: Recall, turn: Turn) -> Turn:
    return kept.restored(turn).turn


def without(message: Message) -> Message:
    """What a client sends back of a message: all of its words as one, and the calls."""
    words = "".join(part.text for part in message.parts if isinstance(part, Text))
    calls = tuple(part for part in message.parts if isinstance(part, ToolCall))
    return evolve(message, parts=(*((Text(text=words),) if words else ()), *calls), model=None)


ANSWERS: dict[str, Message] = {
    "words": evolve(assistant(THOUGHT, "hello"), model="claude-opus-9"),
    "redacted": assistant(SECRET, "hello"),
    "a call": assistant(THOUGHT, call("1", a=1, b={"c": [1, None]})),
    "words in pieces": assistant(THOUGHT, "one ", SECRET, "two", call("1")),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_put_back_as_it_was(kept: Recall, kind: str) -> None:
    answer, first = ANSWERS[kind], asking("hi", owner="ada", system=("be kind",))
    remember(kept, first, answer)
    after = user(result("1")) if any(isinstance(p, ToolCall) for p in answer.parts) else user("on")
    sent = evolve(first, messages=(*first.messages, without(answer), after))
    whole = restored(kept, sent)
    assert whole.messages == (*first.messages, answer, after)
    assert whole.messages[1].model == answer.model
    assert evolve(whole, messages=()) == evolve(sent, messages=())


def test_arguments_may_be_written_otherwise(kept: Recall) -> None:
    first = asking("hi")
    answer = assistant(THOUGHT, call("1", a=1.0, b=[{"c": 2.0, "d": True}]))
    remember(kept, first, answer)
    again = call("1", b=[{"d": True, "c": 2}], a=1)  # as JavaScript would
    sent = (*first.messages, assistant(again), user(result("1")))
    assert restored(kept, asking(*sent)).messages[1] == answer


def test_a_whole_conversation_comes_back(kept: Recall) -> None:
    history: tuple[Message, ...] = ()
    for number in range(5):
        turn = asking(*history, f"question {number}")
        parts: list[Any] = [f"answer {number}"]
        answer = assistant(*([THOUGHT] if number % 2 else []), *parts)
        remember(kept, turn, answer)
        history = (*turn.messages, answer)
    assert len(kept) == 2
    sent = tuple(without(m) if m.role is Role.ASSISTANT else m for m in history)
    assert restored(kept, asking(*sent, "next")).messages[:-1] == history


PICTURE = Image(media_type="image/png", data="aaaa")
FIRST = asking(user("hi", PICTURE), owner="ada", system=("be kind",))
OTHERS: dict[str, dict[str, Any]] = {
    "another owner": {"owner": "bob"},
    "another system prompt": {"system": ("be", "kind")},
    "another word": {"messages": (user("hi!", PICTURE), assistant("hello"))},
    "another picture": {"messages": (user("hi", evolve(PICTURE, data="aaab")), assistant("hello"))},
    "an order of its own": {"messages": (user(PICTURE, "hi"), assistant("hello"))},
    "a changed answer": {"messages": (*FIRST.messages, assistant("hello."))},
    "something before it": {"messages": (user("x"), assistant("y"), *FIRST.messages)},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_conversation_gets_nothing(kept: Recall, kind: str) -> None:
    remember(kept, FIRST, assistant(THOUGHT, "hello"))
    same = evolve(FIRST, messages=(*FIRST.messages, assistant("hello"), user("next")))
    assert restored(kept, same) != same
    changes = OTHERS[kind]
    if "messages" in changes:
        changes = {**changes, "messages": (*changes["messages"], user("next"))}
    other = evolve(same, **changes)
    assert restored(kept, other) == other


def test_reasoning_that_the_client_sends_itself_is_left_alone(kept: Recall) -> None:
    remember(kept, FIRST, assistant(THOUGHT, "hello"))
    own = assistant(Thinking(text="mine", signature="t"), "hello")
    sent = evolve(FIRST, messages=(*FIRST.messages, own, user("next")))
    assert restored(kept, sent) == sent


def test_an_answer_without_reasoning_is_not_kept(kept: Recall) -> None:
    remember(kept, FIRST, assistant("hello"))
    remember(kept, FIRST, assistant(call("1")))
    assert len(kept) == 0


def answered(kept: Recall, number: int, size: int = 10) -> Turn:
    turn = asking(f"question {number}")
    remember(kept, turn, assistant(Thinking(text="x" * size, signature="s"), "yes"))
    return asking(f"question {number}", assistant("yes"), "and?")


def test_what_is_old_is_forgotten(kept: Recall, clock: Clock) -> None:
    old = answered(kept, 1)
    clock.now = KEPT_SECONDS - 1
    new = answered(kept, 2)
    kept.sweep()
    assert len(kept) == 2
    clock.now = KEPT_SECONDS
    kept.sweep()
    assert restored(kept, old) == old
    assert restored(kept, new) != new


def test_there_is_a_bound(kept: Recall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MAX_BYTES", 50_000)
    turns = [answered(kept, number, 10_000) for number in range(10)]
    held = [restored(kept, turn) != turn for turn in turns]
    assert held == sorted(held), "the oldest go first"
    assert 2 <= sum(held) <= 5
    again = [answered(kept, 9, 10_000) for _ in range(10)]
    assert [restored(kept, turn) != turn for turn in turns] == held, "the same takes no more room"
    assert restored(kept, again[0]) != again[0]


def test_what_is_used_is_kept_for_longer(kept: Recall, clock: Clock) -> None:
    turn = answered(kept, 1)
    clock.now = KEPT_SECONDS - 1
    kept.remember(kept.restored(turn), assistant("yes"))
    clock.now = KEPT_SECONDS + 1
    kept.sweep()
    assert restored(kept, turn) != turn


def test_a_conversation_of_very_many_parts_takes_no_time_to_speak_of(kept: Recall) -> None:
    """Each part was once joined to all before it: minutes, for what a body may hold."""
    texts = [Text(text="x" * 300)] * 60_000
    turn = asking(user(*texts), assistant(*texts), "and?")
    kept.remember(kept.restored(turn), assistant(THOUGHT, "yes"))
    assert len(kept) == 1
