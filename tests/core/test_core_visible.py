"""What a client sees of a message: what is compared, and what is not."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core.conversation import (
    Document,
    Image,
    LinkedImage,
    Message,
    Part,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from bridge.core.visible import all_same, same, seen

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

A, B = Text(text="a"), Text(text="b")
HM, SECRET = Thinking(text="hm", signature="s"), RedactedThinking(data="x")
LOOK, FIND = (ToolCall(id=name, name=name, arguments={"at": 1}) for name in ("look", "find"))
DONE = ToolResult(call_id="look", content=(A,))
PICTURE = Image(media_type="image/png", data="AAAA")
LINK = LinkedImage(url="https://a/b")
FILE = Document(media_type="text/plain", data="a", title="t")


def user(*parts: Part) -> Message:
    return Message(role=Role.USER, parts=parts)


def answer(*parts: Part) -> Message:
    return Message(role=Role.ASSISTANT, parts=parts)


SAME: dict[str, tuple[Message, Message]] = {
    "itself": (user(A, PICTURE), user(A, PICTURE)),
    "words-parted-otherwise": (user(A, B), user(Text(text="ab"))),
    "words-of-an-answer-parted-otherwise": (answer(A, B), answer(Text(text="ab"))),
    "an-empty-text-more": (answer(A, Text(text="")), answer(A)),
    "thoughts": (answer(HM, A, SECRET), answer(A)),
    "thoughts-between-words": (answer(A, HM, B), answer(Text(text="ab"))),
    "other-thoughts": (answer(HM, A), answer(Thinking(text="mh", signature="t"), A)),
    "thoughts-between-calls": (answer(LOOK, HM, FIND), answer(LOOK, FIND)),
    "nothing-but-thoughts": (answer(HM), answer(SECRET)),
    "words-of-an-answer-after-its-calls": (answer(LOOK, A), answer(A, LOOK)),
    "words-between-calls": (answer(A, LOOK, B, FIND), answer(Text(text="ab"), LOOK, FIND)),
    "another-model": (Message(role=Role.ASSISTANT, parts=(A,), model="m"), answer(A)),
    "arguments-in-another-order": (
        answer(ToolCall(id="c", name="f", arguments={"a": 1, "b": 2})),
        answer(ToolCall(id="c", name="f", arguments={"b": 2, "a": 1})),
    ),
    "words-around-a-picture": (user(A, B, PICTURE, A), user(Text(text="ab"), PICTURE, A)),
}

OTHER: dict[str, tuple[Message, Message]] = {
    "other-words": (user(A), user(B)),
    "words-in-another-order": (answer(A, B), answer(B, A)),
    "another-role": (user(A), answer(A)),
    "an-instruction": (user(A), Message(role=Role.SYSTEM, parts=(A,))),
    "nothing": (user(A), user()),
    "a-picture-more": (user(A, PICTURE), user(A)),
    "another-picture": (user(PICTURE), user(Image(media_type="image/png", data="BBBB"))),
    "a-picture-of-another-type": (user(PICTURE), user(Image(media_type="image/gif", data="AAAA"))),
    "another-link": (user(LINK), user(LinkedImage(url="https://a/c"))),
    "a-file-of-another-name": (user(FILE), user(Document(media_type="text/plain", data="a"))),
    "a-file-as-words": (user(FILE), user(A)),
    "words-of-the-user-after-a-picture": (user(PICTURE, A), user(A, PICTURE)),
    "words-of-the-user-after-a-result": (user(DONE, A), user(A, DONE)),
    "a-picture-between-words": (user(A, PICTURE, B), user(Text(text="ab"), PICTURE)),
    "calls-in-another-order": (answer(LOOK, FIND), answer(FIND, LOOK)),
    "other-arguments": (answer(LOOK), answer(ToolCall(id="look", name="look", arguments={}))),
    "another-id": (answer(LOOK), answer(ToolCall(id="c", name="look", arguments={"at": 1}))),
    "a-result-that-failed": (
        user(DONE),
        user(ToolResult(call_id="look", content=(A,), is_error=True)),
    ),
    "another-result": (user(DONE), user(ToolResult(call_id="look", content=(B,)))),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_to_a_client(one: Message, other: Message) -> None:
    assert same(one, other)
    assert same(other, one)
    assert seen(one) == seen(other)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_one_to_a_client(one: Message, other: Message) -> None:
    assert not same(one, other)
    assert not same(other, one)
    assert seen(one) != seen(other)


CONVERSATIONS: dict[str, tuple[list[Message], list[Message], bool]] = {
    "nothing": ([], [], True),
    "the-same": ([user(A), answer(HM, B)], [user(A), answer(B)], True),
    "one-more": ([user(A), answer(B)], [user(A)], False),
    "one-less": ([user(A)], [user(A), answer(B)], False),
    "another-first": ([user(A), answer(B)], [user(B), answer(B)], False),
    "another-last": ([user(A), answer(B)], [user(A), answer(A)], False),
    "in-another-order": ([user(A), user(B)], [user(B), user(A)], False),
    "joined": ([user(A), user(B)], [user(A, B)], False),
}


@pytest.mark.parametrize(("some", "others", "wanted"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations(some: list[Message], others: list[Message], wanted: bool) -> None:
    assert all_same(some, others) is wanted
    assert all_same(tuple(others), tuple(some)) is wanted


words = st.text("ab", min_size=1, max_size=3).map(lambda text: Text(text=text))
thoughts = st.sampled_from([HM, SECRET, Thinking(text="")])
things = st.sampled_from([LOOK, FIND, DONE, PICTURE, LINK, FILE])
parts = st.lists(words | things, max_size=5)


@steady
@given(st.sampled_from(Role), parts, st.data())
def test_thoughts_anywhere_and_words_cut_anywhere_are_not_seen(
    role: Role, plain: list[Any], data: st.DataObject
) -> None:
    told: list[Part] = []
    for part in plain:
        told += data.draw(st.lists(thoughts, max_size=1))
        if isinstance(part, Text):
            cut = data.draw(st.integers(1, len(part.text)))
            told += [Text(text=part.text[:cut]), Text(text=part.text[cut:])]
        else:
            told.append(part)
    told += data.draw(st.lists(thoughts, max_size=1))
    assert same(Message(role=role, parts=tuple(plain)), Message(role=role, parts=tuple(told)))


@steady
@given(parts, parts)
def test_of_a_user_all_is_seen_but_how_words_are_cut(some: list[Any], others: list[Any]) -> None:
    def uncut(told: list[Any]) -> list[Any]:
        letters: list[Any] = []
        for part in told:
            letters += part.text if isinstance(part, Text) else [part]
        return letters

    assert same(user(*some), user(*others)) == (uncut(some) == uncut(others))


@steady
@given(parts, st.randoms())
def test_of_an_answer_where_its_words_stand_among_its_calls_is_not_seen(
    plain: list[Any], random: Any
) -> None:
    texts = [part for part in plain if isinstance(part, Text)]
    rest = [part for part in plain if not isinstance(part, Text)]
    order = [True] * len(texts) + [False] * len(rest)
    random.shuffle(order)
    places = {True: iter(texts), False: iter(rest)}
    mixed = [next(places[is_text]) for is_text in order]
    assert same(answer(*plain), answer(*mixed))
