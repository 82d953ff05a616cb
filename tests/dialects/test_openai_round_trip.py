"""What is rendered as messages is read as the conversation that it was."""

import json
from typing import Any

import pytest
from any_conversation import conversations, message, words
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_bodies import HI, calling, image, result, text, user
from openai_media import PDF, PNG, data_url, encoded, file

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Message,
    Passages,
    Role,
    SearchResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from bridge.dialects.frames import dumps
from bridge.dialects.openai_chat import decode, render_messages

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)


@steady
@given(st.lists(words, max_size=2), conversations)
def test_a_conversation_comes_back(system: list[str], messages: list[Message]) -> None:
    sent = dumps({"messages": render_messages(system, messages)})
    turn = decode(sent).turn
    assert list(turn.system) == system
    assert list(turn.messages) == messages


def test_reasoning_is_left_out() -> None:
    call = ToolCall(id="c1", name="look", arguments={})
    thought = Thinking(text="hm", signature="s")
    assert render_messages((), [message(Role.ASSISTANT, thought, call)]) == [
        calling("c1", arguments="{}")
    ]


RESULTS = {
    "words": (result("c1", "done"), (Text(text="done"),), False),
    "nothing": (result("c1", ""), (), False),
    "several-words": (
        result("c1", [text("a"), text("b")]),
        (Text(text="a"), Text(text="b")),
        False,
    ),
    "a-failure": ({**result("c1", "no"), "is_error": True}, (Text(text="no"),), True),
    "pictures": (
        result("c1", [text("a"), image(f"data:image/png;base64,{PNG}"), image("https://a/b")]),
        (Text(text="a"), Image(media_type="image/png", data=PNG), LinkedImage(url="https://a/b")),
        False,
    ),
    "a-linked-file": (
        result("c1", [file("https://a/b.pdf", filename="b.pdf", context="From a friend.")]),
        (LinkedDocument(url="https://a/b.pdf", title="b.pdf", context="From a friend."),),
        False,
    ),
    "files": (
        result(
            "c1",
            [
                file(data_url("text/plain", "é".encode()), filename="a.txt"),
                file(data_url("application/pdf", PDF)),
            ],
        ),
        (
            Document(media_type="text/plain", data="é", title="a.txt"),
            Document(media_type="application/pdf", data=encoded(PDF)),
        ),
        False,
    ),
    "what-only-anthropic-has-words-for": (
        result(
            "c1",
            [
                file("https://a/b.pdf", filename="b", context="c"),
                {
                    "type": "document",
                    "source": {"type": "content", "content": [text("a")]},
                    "title": "t",
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "é"},
                    "citations": {"enabled": True},
                },
                {
                    "type": "search_result",
                    "source": "s",
                    "title": "t",
                    "content": [text("b")],
                    "citations": {"enabled": True},
                },
            ],
        ),
        (
            LinkedDocument(url="https://a/b.pdf", title="b", context="c"),
            Passages(content=(Text(text="a"),), title="t"),
            Document(media_type="text/plain", data="é", cited=True),
            SearchResult(source="s", title="t", texts=("b",), cited=True),
        ),
        False,
    ),
    "a-failure-in-two-texts": (
        {**result("c1", [text("no"), text("such file")]), "is_error": True},
        (Text(text="no"), Text(text="such file")),
        True,
    ),
}


@pytest.mark.parametrize(("wire", "content", "is_error"), RESULTS.values(), ids=RESULTS)
def test_a_result(wire: dict[str, Any], content: Any, is_error: bool) -> None:
    answered = ToolResult(call_id="c1", content=content, is_error=is_error)
    assert render_messages((), [message(Role.USER, answered)]) == [wire]
    turn = decode(json.dumps({"messages": [HI, calling("c1"), wire]}).encode()).turn
    assert turn.messages[-1] == message(Role.USER, answered)


def test_a_system_prompt_and_several_texts() -> None:
    spoken = message(Role.USER, Text(text="a"), Text(text="b"))
    assert render_messages(["be brief"], [spoken]) == [
        {"role": "system", "content": "be brief"},
        user([text("a"), text("b")]),
    ]


# what the user shows → the content that is rendered
SHOWN: dict[str, tuple[tuple[Any, ...], list[Any]]] = {
    "a-picture-alone": ((Image(media_type="image/png", data=PNG),), [image(f"data:image/png;base64,{PNG}")]),
    "a-link": ((LinkedImage(url="https://a/b"),), [image("https://a/b")]),
    "words-around-a-picture": (
        (Text(text="a"), LinkedImage(url="https://a/b"), Text(text="b")),
        [text("a"), image("https://a/b"), text("b")],
    ),
    "a-file-without-a-name": (
        (Document(media_type="application/pdf", data=encoded(PDF)),),
        [file(data_url("application/pdf", PDF))],
    ),
    "a-linked-file": (
        (LinkedDocument(url="https://a/b.pdf"),),
        [file("https://a/b.pdf")],
    ),
    "a-linked-file-with-all-that-is-known-of-it": (
        (LinkedDocument(url="https://a/b.pdf", title="b.pdf", context="é"),),
        [file("https://a/b.pdf", filename="b.pdf", context="é")],
    ),
    "a-file-with-its-context": (
        (Document(media_type="text/plain", data="x", context="é"),),
        [file(data_url("text/plain", b"x"), context="é")],
    ),
    "a-named-file": (
        (Document(media_type="text/plain", data="é\n", title="a.csv"),),
        [file(data_url("text/plain", "é\n".encode()), filename="a.csv")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "content"), SHOWN.values(), ids=SHOWN)
def test_what_the_user_shows(parts: tuple[Any, ...], content: list[Any]) -> None:
    spoken = message(Role.USER, *parts)
    assert render_messages((), [spoken]) == [user(content)]
    assert decode(dumps({"messages": [user(content)]})).turn.messages == (spoken,)


def test_what_is_shown_beside_results_comes_after_them() -> None:
    """As several messages of one side, which the model is told as one."""
    given = ToolResult(call_id="c1", content=(Text(text="done"),))
    spoken = message(Role.USER, given, Text(text="see"), LinkedImage(url="https://a/b"))
    rendered = render_messages((), [spoken])
    assert rendered == [result("c1"), user([text("see"), image("https://a/b")])]
    turn = decode(dumps({"messages": [HI, calling("c1"), *rendered]})).turn
    assert [part for told in turn.messages[2:] for part in told.parts] == list(spoken.parts)
