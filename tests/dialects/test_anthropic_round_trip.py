"""What is rendered as blocks of the Messages API is read as the conversation that it was."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from anthropic_bodies import whole
from any_conversation import arguments, conversations, message, words
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_media import PDF, encoded

from bridge.claude.history import alternating
from bridge.core.conversation import (
    Document,
    LinkedDocument,
    Message,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from bridge.dialects.anthropic_messages import decode
from bridge.dialects.frames import dumps

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

thoughts = st.builds(Thinking, text=words | st.just(""), signature=words) | st.builds(
    RedactedThinking, data=words
)


@st.composite
def reasoned(draw: st.DrawFn) -> list[Message]:
    """A conversation with reasoning in its answers."""
    return [
        evolve(one, parts=(*draw(st.lists(thoughts, max_size=2)), *one.parts))
        if one.role is Role.ASSISTANT
        else one
        for one in draw(conversations)
        if one.role is not Role.SYSTEM  # a process is told of it in the user's words
    ]


def plain_ids(messages: list[Message]) -> list[Message]:
    """The same with the ids and names that the API takes, each once."""
    numbers = itertools.count()
    ids: dict[str, str] = {}

    def fit(part: Any) -> Any:
        match part:
            case ToolCall():
                ids[part.id] = f"c{next(numbers)}"
                return evolve(part, id=ids[part.id], name="look")
            case ToolResult():
                return evolve(part, call_id=ids[part.call_id])
            case _:
                return part

    return [evolve(one, parts=tuple(map(fit, one.parts))) for one in messages]


def rendered(messages: Iterable[Message]) -> list[dict[str, Any]]:
    return [{"role": side.role.value, "content": side.blocks} for side in alternating(messages)]


def sides(messages: list[Message]) -> list[tuple[Role, list[Any]]]:
    """What each side says before the other one does, results first and in the order of calls."""
    found: list[tuple[Role, list[Any]]] = []
    for one in messages:
        if found and found[-1][0] is one.role:
            found[-1][1].extend(one.parts)
        else:
            found.append((one.role, list(one.parts)))
    for (_, before), (role, parts) in itertools.pairwise(found):
        if role is Role.USER:
            calls = [part.id for part in before if isinstance(part, ToolCall)]
            parts.sort(
                key=lambda part: (
                    calls.index(part.call_id) if isinstance(part, ToolResult) else len(calls)
                )
            )
    return found


@steady
@given(reasoned())
def test_a_conversation_comes_back(conversation: list[Message]) -> None:
    messages = plain_ids(conversation)
    wire = rendered(messages)
    turn = decode(dumps(whole(*wire))).turn
    assert [(one.role, list(one.parts)) for one in turn.messages] == sides(messages)
    assert rendered(turn.messages) == wire


@steady
@given(arguments)
def test_arguments_come_back(given_: dict[str, Any]) -> None:
    call = ToolCall(id="c1", name="look", arguments=given_)
    messages = [
        message(Role.USER, Text(text="hi")),
        message(Role.ASSISTANT, call),
        message(Role.USER, ToolResult(call_id="c1", content=())),
    ]
    turn = decode(dumps(whole(*rendered(messages)))).turn
    assert list(turn.messages) == messages
    assert repr(turn.messages[1]) == repr(messages[1]), "1 is not True, nor 1.0"


@pytest.mark.parametrize("title", [None, "a.pdf"])
@pytest.mark.parametrize("context", [None, "From a friend."])
def test_a_document_comes_back(title: str | None, context: str | None) -> None:
    about = {"title": title, "context": context}
    read = (
        LinkedDocument(url="https://a/b", **about),
        Document(media_type="application/pdf", data=encoded(PDF), **about),
        Document(media_type="text/plain", data="é", **about),
    )
    messages = [message(Role.USER, *read)]
    turn = decode(dumps(whole(*rendered(messages)))).turn
    assert list(turn.messages) == messages
