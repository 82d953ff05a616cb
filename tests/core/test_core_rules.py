"""Which conversations can be, and which choices among functions."""

from typing import Any

import pytest

from bridge.core.conversation import (
    Image,
    LinkedImage,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from bridge.core.errors import InvalidRequest
from bridge.core.rules import MAX_MEDIA, check_conversation, check_tool_choice


def call(call_id: str) -> ToolCall:
    return ToolCall(id=call_id, name="f", arguments={})


def result(call_id: str) -> ToolResult:
    return ToolResult(call_id=call_id, content=(Text(text="ok"),))


def message(role: Role, *parts: str | Part) -> Message:
    made = tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=made)


def user(*parts: str | Part) -> Message:
    return message(Role.USER, *parts)


def assistant(*parts: str | Part) -> Message:
    return message(Role.ASSISTANT, *parts)


def system(*parts: str) -> Message:
    return message(Role.SYSTEM, *parts)


HI, YO = user("hi"), assistant("yo")
ASKS = assistant("let me see", call("1"), call("2"))

FIT: dict[str, list[Message]] = {
    "a word": [HI],
    "an instruction": [system("x")],
    "a conversation": [HI, YO, HI],
    "several of one side": [HI, HI, YO, YO, HI, HI],
    "an instruction in between": [HI, YO, system("x"), HI],
    "results": [HI, ASKS, user(result("1"), result("2"))],
    "results in another order": [HI, ASKS, user(result("2"), result("1"))],
    "results in a message each": [HI, ASKS, user(result("1")), user(result("2"))],
    "words beside the results": [HI, ASKS, user("well", result("1"), result("2"), "so?")],
    "words after the results": [HI, ASKS, user(result("1"), result("2")), HI],
    "an answer, and more": [HI, ASKS, user(result("1"), result("2")), YO, HI],
    "a call after a thought": [
        HI,
        assistant(Thinking(text="hm"), call("1")),
        user(result("1")),
    ],
    "one call after another": [
        HI,
        assistant(call("1")),
        user(result("1")),
        assistant(call("2")),
        user(result("2")),
    ],
    "an id that was used before": [
        HI,
        assistant(call("1")),
        user(result("1")),
        assistant(call("1")),
        user(result("1")),
    ],
}

UNFIT: dict[str, tuple[list[Message], str, str]] = {
    # the messages, words of the problem, its code
    "nothing": ([], "must begin with a message of the user", "invalid_value"),
    "an answer first": ([YO, HI], "must begin with a message of the user", "invalid_value"),
    "an answer last": ([HI, YO], "the last message is the assistant's", "invalid_value"),
    "a call last": ([HI, ASKS], "the last message is the assistant's", "invalid_value"),
    "words for results": ([HI, ASKS, HI], "have no result: 1, 2.", "missing_tool_result"),
    "one result is missing": (
        [HI, ASKS, user(result("2"))],
        "have no result: 1.",
        "missing_tool_result",
    ),
    "one result is missing before words": (
        [HI, ASKS, user(result("1")), HI],
        "have no result: 2.",
        "missing_tool_result",
    ),
    "one result comes after words": (
        [HI, ASKS, user(result("1")), HI, user(result("2"))],
        "have no result: 2.",
        "missing_tool_result",
    ),
    "an answer before the results": (
        [HI, ASKS, YO, user(result("1"), result("2"))],
        "have no result: 1, 2.",
        "missing_tool_result",
    ),
    "an instruction before the results": (
        [HI, ASKS, system("x"), user(result("1"), result("2"))],
        "have no result: 1, 2.",
        "missing_tool_result",
    ),
    "a result of no call": (
        [user(result("1"))],
        "no call waits for the result '1'",
        "invalid_value",
    ),
    "a result of another call": (
        [HI, ASKS, user(result("1"), result("3"))],
        "no call waits for the result '3'",
        "invalid_value",
    ),
    "a result twice": (
        [HI, ASKS, user(result("1"), result("2"), result("1"))],
        "no call waits for the result '1'",
        "invalid_value",
    ),
    "a result that came before": (
        [HI, ASKS, user(result("1"), result("2")), YO, user(result("1"))],
        "no call waits for the result '1'",
        "invalid_value",
    ),
}


@pytest.mark.parametrize("kind", FIT)
def test_a_conversation_that_can_be(kind: str) -> None:
    check_conversation(FIT[kind])


@pytest.mark.parametrize("kind", UNFIT)
def test_a_conversation_that_can_not(kind: str) -> None:
    messages, problem, code = UNFIT[kind]
    with pytest.raises(InvalidRequest) as caught:
        check_conversation(messages)
    assert problem in caught.value.message
    assert caught.value.message.startswith("'messages': ")
    assert (caught.value.param, caught.value.code) == ("messages", code)


def test_a_long_id_is_not_told_whole() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_conversation([user(result("x" * 100_000))])
    assert len(caught.value.message) < 300


CHOICES: list[tuple[str, dict[str, Any], str | None]] = [
    # the functions, the choice, the problem
    ("", {}, None),
    ("", {"names": ()}, None),
    ("", {"parallel": False}, None),
    ("", {"required": True}, "no function that may be called"),
    ("", {"names": (), "required": True}, "no function that may be called"),
    ("", {"names": ("f",)}, "no function 'f' in 'tools'"),
    ("f g", {}, None),
    ("f g", {"required": True}, None),
    ("f g", {"names": ()}, None),
    ("f g", {"names": (), "required": True}, "no function that may be called"),
    ("f g", {"names": ("g",), "required": True}, None),
    ("f g", {"names": ("g", "f", "g")}, None),
    ("f g", {"names": ("f", "h")}, "no function 'h' in 'tools'"),
    ("f g", {"names": ("h",), "required": True}, "no function 'h' in 'tools'"),
    ("f g", {"names": ("F",)}, "no function 'F' in 'tools'"),
    ("f g", {"names": ("x" * 10_000,)}, f"no function '{'x' * 100}' in 'tools'"),
]


@pytest.mark.parametrize(("names", "choice", "problem"), CHOICES)
def test_a_choice_among_functions(names: str, choice: dict[str, Any], problem: str | None) -> None:
    tools = [Tool(name=name, schema={"type": "object"}) for name in names.split()]
    if problem is None:
        check_tool_choice(tools, ToolChoice(**choice))
        return
    with pytest.raises(InvalidRequest) as caught:
        check_tool_choice(tools, ToolChoice(**choice))
    assert problem in caught.value.message
    assert (caught.value.param, caught.value.code) == ("tool_choice", "invalid_value")


LINK = LinkedImage(url="https://example.com/a.png")
PICTURE = Image(media_type="image/png", data="aaaa")


def test_there_are_only_so_many_pictures_in_a_conversation() -> None:
    """Of more Claude Code would drop the oldest, and say nothing."""
    shown = ToolResult(call_id="1", content=(Text(text="see"), PICTURE))
    before = [user(*[LINK] * (MAX_MEDIA - 2)), YO, user(PICTURE), assistant(call("1"))]
    check_conversation([*before, user(shown)])
    with pytest.raises(InvalidRequest, match="pictures and files"):
        check_conversation([*before, user(shown, PICTURE)])
