"""What a client sends and what is stored become one conversation."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_bench import (
    answer,
    any_message,
    calling,
    joined,
    named_result,
    result,
    thinking,
    user,
)

from bridge.core.conversation import Document, Image, Message, Role, Text, ToolCall, ToolResult
from bridge.core.errors import InvalidRequest
from bridge.core.rules import check_conversation
from bridge.core.visible import seen
from bridge.sessions.merging import Merged, Outcome, merge

CREATED, CONTINUED, REPLACED = Outcome.CREATED, Outcome.CONTINUED, Outcome.REPLACED

U1, A1, U2, A2, U3 = user("u1"), answer("a1"), user("u2"), answer("a2"), user("u3")
T1 = thinking("a", "1")  # a client sees of it what it sees of A1
CALL, FOUND = calling("c1", "c2"), result("c1", "c2")
ORDERED = [
    Message(role=Role.ASSISTANT, parts=(ToolCall(id="c1", name="f", arguments=arguments),))
    for arguments in (
        {"a": {"x": 1, "y": [2.0]}, "b": None},
        {"b": None, "a": {"y": [2], "x": 1.0}},
    )
]
SEEN = Message(role=Role.USER, parts=(Text(text="see"), Image(media_type="image/png", data="AAAA")))
READ = Message(role=Role.USER, parts=(Document(media_type="text/plain", data="a", title="t"),))
READ_AGAIN = Message(
    role=Role.USER, parts=(Document(media_type="text/plain", data="a", title="u"),)
)
SAID_LATE = Message(role=Role.ASSISTANT, parts=(*calling("c1").parts, Text(text="so")))
SAID_EARLY = Message(role=Role.ASSISTANT, parts=(Text(text="so"), *calling("c1").parts))
LATER = Message(role=Role.SYSTEM, parts=(Text(text="be brief"),))

# stored, sent → the conversation, how much of it is stored, the outcome
MERGES: dict[str, tuple[list[Message], list[Message], list[Message], int, Outcome]] = {
    "first-request": ([], [U1], [U1], 0, CREATED),
    "first-request-with-a-history": ([], [U1, A1, U2], [U1, A1, U2], 0, CREATED),
    "whole-history-and-more": ([U1, A1], [U1, A1, U2], [U1, A1, U2], 2, CONTINUED),
    "whole-history-and-much-more": ([U1, A1], [U1, A1, U2, A2, U3], [U1, A1, U2, A2, U3], 2, CONTINUED),
    "whole-history-alone": ([U1, A1, U2], [U1, A1, U2], [U1, A1, U2], 3, CONTINUED),
    "thoughts-left-out": ([U1, T1], [U1, A1, U2], [U1, T1, U2], 2, CONTINUED),
    "texts-joined": ([U1, answer("a", "1")], [U1, A1, U2], [U1, answer("a", "1"), U2], 2, CONTINUED),
    "texts-split": ([U1, A1], [U1, answer("a", "", "1"), U2], [U1, A1, U2], 2, CONTINUED),
    "thoughts-of-the-client": ([U1, A1], [U1, T1, U2], [U1, A1, U2], 2, CONTINUED),
    "another-model": ([U1, A1], [U1, Message(role=Role.ASSISTANT, parts=A1.parts, model="m"), U2], [U1, A1, U2], 2, CONTINUED),
    "other-answer": ([U1, A1], [U1, A2, U2], [U1, A2, U2], 1, REPLACED),
    "other-question": ([U1, A1], [U2, A1, U3], [U2, A1, U3], 0, REPLACED),
    "other-second-question": ([U1, T1, U2, A2], [U1, A1, U3], [U1, T1, U3], 2, REPLACED),
    "same-words-of-another-role": ([U1, A1], [U1, user("a1"), A2, U2], [U1, user("a1"), A2, U2], 1, REPLACED),
    "one-text-more": ([U1, A1], [U1, answer("a1", "!"), U2], [U1, answer("a1", "!"), U2], 1, REPLACED),
    "regenerate": ([U1, T1, U2, A2], [U1, A1, U2], [U1, T1, U2], 3, REPLACED),
    "regenerate-the-first": ([U1, A1], [U1], [U1, A1, U1], 2, CONTINUED),
    "only-new": ([U1, A1], [U2], [U1, A1, U2], 2, CONTINUED),
    "several-new": ([U1, A1], [U2, U3], [U1, A1, U2, U3], 2, CONTINUED),
    "an-instruction-and-a-message": ([U1, A1], [LATER, U2], [U1, A1, LATER, U2], 2, CONTINUED),
    "first-again-and-new": ([U1, A1], [U1, U2], [U1, A1, U1, U2], 2, CONTINUED),
    "after-a-silent-answer": ([U1], [U2], [U1, U2], 1, CONTINUED),
    "the-same-again-after-a-silent-answer": ([U1], [U1], [U1], 1, CONTINUED),
    "results": ([U1, CALL], [FOUND], [U1, CALL, FOUND], 2, CONTINUED),
    "results-and-words": ([U1, CALL], [FOUND, U2], [U1, CALL, FOUND, U2], 2, CONTINUED),
    "results-one-by-one": ([U1, CALL], [result("c2"), result("c1")], [U1, CALL, result("c2"), result("c1")], 2, CONTINUED),
    "results-with-the-history": ([U1, CALL], [U1, CALL, FOUND], [U1, CALL, FOUND], 2, CONTINUED),
    "some-of-the-results": ([U1, CALL], [result("c2")], [U1, CALL, result("c2")], 2, CONTINUED),
    "words-instead-of-results": ([U1, CALL], [U2], [U1, CALL, U2], 2, CONTINUED),
    "a-result-that-nobody-waits-for": ([U1, CALL], [result("c3")], [U1, CALL, result("c3")], 2, CONTINUED),
    "a-result-without-a-call": ([U1, A1], [U1, result("c1")], [U1, A1, U1, result("c1")], 2, CONTINUED),
    "a-result-that-was-given": ([U1, CALL, FOUND, A2], [FOUND], [U1, CALL, FOUND, A2, FOUND], 4, CONTINUED),
    "calls-of-the-client": ([U1, A1], [CALL, FOUND], [CALL, FOUND], 0, REPLACED),
    "other-results": ([U1, CALL, FOUND, A1], [U1, CALL, result("c1"), result("c2"), U2], [U1, CALL, result("c1"), result("c2"), U2], 2, REPLACED),
    "arguments-in-another-order": ([U1, ORDERED[0]], [U1, ORDERED[1], result("c1")], [U1, ORDERED[0], result("c1")], 2, CONTINUED),
    "a-picture": ([SEEN, A1], [SEEN, A1, U2], [SEEN, A1, U2], 2, CONTINUED),
    "another-picture": ([SEEN, A1], [READ, A1, U2], [READ, A1, U2], 0, REPLACED),
    "a-file-of-another-name": ([READ, A1], [READ_AGAIN, A1, U2], [READ_AGAIN, A1, U2], 0, REPLACED),
    "words-after-a-call": ([U1, SAID_LATE], [U1, SAID_EARLY, result("c1")], [U1, SAID_LATE, result("c1")], 2, CONTINUED),
    "other-arguments": ([U1, CALL], [U1, calling("c1"), result("c1")], [U1, calling("c1"), result("c1")], 1, REPLACED),
}  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "sent", "whole", "kept", "outcome"), MERGES.values(), ids=MERGES
)
def test_a_request_means_a_conversation(
    stored: list[Message], sent: list[Message], whole: list[Message], kept: int, outcome: Outcome
) -> None:
    merged = merge(tuple(stored), tuple(sent))
    assert merged == Merged(messages=tuple(whole), kept=kept, outcome=outcome)
    assert all(a is b for a, b in zip(merged.messages[:kept], stored, strict=False))


# -- results that name their function -------------------------------------------------------------

LOOK_LOOK_FIND = joined(calling("c1", "c2"), calling("c3", name="find"))

# what is sent → the ids of its results
NAMED: dict[str, tuple[list[Message], list[str]]] = {
    "one": ([named_result("look")], ["c1"]),
    "two-of-one-function": ([named_result("look", "look")], ["c1", "c2"]),
    "in-another-order": ([named_result("find"), named_result("look", "look")], ["c3", "c1", "c2"]),
    "in-messages-of-their-own": ([named_result("look"), named_result("look")], ["c1", "c2"]),
    "after-one-with-an-id": ([result("c1"), named_result("look")], ["c1", "c2"]),
    "before-one-with-an-id": ([named_result("look"), result("c2")], ["c1", "c2"]),
    "after-one-of-another-call": ([result("c9"), named_result("look")], ["c9", "c1"]),
    "after-words": ([U2, named_result("look")], ["c1"]),
}


@pytest.mark.parametrize(("sent", "ids"), NAMED.values(), ids=NAMED)
def test_a_result_that_names_its_function_is_that_of_its_first_free_call(
    sent: list[Message], ids: list[str]
) -> None:
    merged = merge((U1, LOOK_LOOK_FIND), tuple(sent))
    added = merged.messages[2:]
    results = [part for m in added for part in m.parts if isinstance(part, ToolResult)]
    assert [part.call_id for part in results] == ids
    assert [part.name for part in results] == [None] * len(ids), "the id says it all"
    assert [part.content for part in results] == [(Text(text="found"),)] * len(ids)
    assert [m.role for m in added] == [m.role for m in sent]


NOBODY_WAITS: dict[str, tuple[list[Message], list[Message], str]] = {
    "another-function": ([U1, LOOK_LOOK_FIND], [named_result("lock")], "lock"),
    "a-name-in-other-letters": ([U1, LOOK_LOOK_FIND], [named_result("Look")], "Look"),
    "one-too-many": ([U1, LOOK_LOOK_FIND], [named_result("look", "look", "look")], "look"),
    "one-that-has-its-result": ([U1, LOOK_LOOK_FIND], [result("c3"), named_result("find")], "find"),
    "nothing-is-stored": ([], [U1, named_result("look")], "look"),
    "no-calls": ([U1, A1], [named_result("look")], "look"),
    "an-earlier-call": ([U1, CALL, FOUND, A1], [named_result("look")], "look"),
    "a-silent-answer": ([U1, CALL, FOUND], [named_result("look")], "look"),
    "a-client's-own-version": ([U1, A1], [U1, calling("c1"), named_result("look")], "look"),
    "a-nameless-function": ([U1, LOOK_LOOK_FIND], [named_result("")], "''"),
    "an-endless-name": ([U1, CALL], [named_result("x" * 100_000)], "x" * 100),
}


@pytest.mark.parametrize(("stored", "sent", "name"), NOBODY_WAITS.values(), ids=NOBODY_WAITS)
def test_a_result_of_a_function_that_nobody_called(
    stored: list[Message], sent: list[Message], name: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        merge(tuple(stored), tuple(sent))
    assert (caught.value.code, caught.value.param) == ("invalid_value", "messages")
    assert name in caught.value.message
    assert len(caught.value.message) < 300


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from(["look", "find", "ask"]), min_size=1, max_size=6), st.randoms())
def test_as_many_results_as_calls_in_any_order_are_those_of_the_calls(
    names: list[str], random: Any
) -> None:
    calls = joined(*[calling(f"c{n}", name=name) for n, name in enumerate(names)])
    shuffled = random.sample(names, len(names))
    merged = merge((U1, calls), (named_result(*shuffled),))
    check_conversation(merged.messages)
    called = {part.id: part.name for part in calls.parts if isinstance(part, ToolCall)}
    answered = [p.call_id for p in merged.messages[-1].parts if isinstance(p, ToolResult)]
    assert [called[id_] for id_ in answered] == shuffled


# -- any messages ---------------------------------------------------------------------------------

conversations = st.lists(any_message | st.sampled_from([U1, A1, T1, CALL, FOUND]), max_size=5)


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(conversations.map(tuple), conversations.filter(bool).map(tuple), st.integers(0, 5))
def test_whatever_is_sent_comes_last_and_what_is_kept_is_stored(
    stored: tuple[Message, ...], fresh: tuple[Message, ...], same: int
) -> None:
    for sent in (fresh, stored[:same] + fresh, stored[:same] or fresh):
        merged = merge(stored, sent)
        assert seen(merged.messages[-1]) == seen(sent[-1])
        assert merged.messages[: merged.kept] == stored[: merged.kept]
        assert (merged.outcome is CREATED) == (not stored)
        assert (merged.kept == len(stored)) == (merged.outcome is not REPLACED)


# -- which conversations can be -------------------------------------------------------------------

BOTH = Message(role=Role.USER, parts=(*FOUND.parts, Text(text="and now?")))
SAID_AND_CALLED = Message(role=Role.ASSISTANT, parts=(*A1.parts, *calling("c1").parts))

GOOD = {
    "a-question": [U1],
    "an-instruction-first": [LATER, U1],
    "turns": [U1, A1, U2, A2, U3],
    "users-in-a-row": [U1, U2],
    "answers-in-a-row": [U1, A1, A2, U2],
    "results": [U1, CALL, FOUND],
    "results-one-by-one": [U1, CALL, result("c2"), result("c1")],
    "results-with-words": [U1, CALL, BOTH],
    "calls-again": [U1, CALL, FOUND, calling("c3"), result("c3"), A1, U2],
    "the-same-id-again": [U1, CALL, FOUND, CALL, FOUND],
    "words-and-a-call": [U1, SAID_AND_CALLED, result("c1")],
    "an-instruction-last": [U1, A1, LATER],
}

BAD = {
    "nothing": ([], "invalid_value", "begin with"),
    "an-answer-first": ([A1, U1], "invalid_value", "begin with"),
    "an-answer-last": ([U1, A1], "invalid_value", "the assistant's"),
    "a-call-last": ([U1, CALL], "invalid_value", "the assistant's"),
    "a-stray-result": ([U1, A1, result("c1")], "invalid_value", "'c1'"),
    "a-result-first": ([result("c1")], "invalid_value", "'c1'"),
    "a-result-twice": ([U1, calling("c1"), result("c1"), result("c1")], "invalid_value", "'c1'"),
    "a-result-before-its-call": ([U1, result("c1"), calling("c1"), U2], "invalid_value", "'c1'"),
    "no-result": ([U1, CALL, U2], "missing_tool_result", "c1, c2"),
    "one-result-of-two": ([U1, CALL, result("c2")], "missing_tool_result", "c1"),
    "words-between": ([U1, CALL, result("c2"), U2, result("c1")], "missing_tool_result", "c1"),
    "an-answer-between": ([U1, CALL, A1, FOUND], "missing_tool_result", "c1, c2"),
}


@pytest.mark.parametrize("messages", GOOD.values(), ids=GOOD)
def test_a_conversation_that_a_model_can_go_on_with(messages: list[Message]) -> None:
    check_conversation(messages)


@pytest.mark.parametrize(("messages", "code", "words"), BAD.values(), ids=BAD)
def test_a_conversation_that_can_not_be(messages: list[Message], code: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        check_conversation(messages)
    assert (caught.value.code, caught.value.param) == (code, "messages")


def test_an_endless_id_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_conversation([user("u"), result("x" * 100_000)])
    assert len(caught.value.message) < 500


def test_the_order_of_parts_within_a_message_is_no_matter_of_the_rules() -> None:
    mixed = Message(
        role=Role.USER,
        parts=(Text(text="well"), ToolResult(call_id="c1", content=())),
    )
    call = ToolCall(id="c1", name="look", arguments={})
    check_conversation([U1, Message(role=Role.ASSISTANT, parts=(call,)), mixed])
