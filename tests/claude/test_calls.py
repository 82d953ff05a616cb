"""The calls that wait for results: which results are handed on, and how the CLI gets them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import pytest
from claude_turns import assistant, call, result, user
from mcp import Client
from mcp.types import TextContent

from bridge.claude.answer import Answer
from bridge.claude.calls import MAX_CARRIED, MAX_ERROR, OpenCalls, results_for
from bridge.core.conversation import (
    Image,
    LinkedImage,
    Message,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

# -- which results are handed on -------------------------------------------------------------------

IMAGE = Image(media_type="image/png", data="aGk=")
LINK = LinkedImage(url="https://example.com/a.png")
ASTRAL = "\U0001f642"
"""A character that is two in UTF-16, by which the CLI counts."""


def of(*content: str | Image | LinkedImage, is_error: bool = False) -> ToolResult:
    parts = tuple(Text(text=part) if isinstance(part, str) else part for part in content)
    return ToolResult(call_id="1", content=parts, is_error=is_error)


CARRIED: dict[str, ToolResult] = {
    "words": of("ok"),
    "words with white space around them": of(" ok\n"),
    "several texts": of("a", "b", "a"),
    "an error": of("no", is_error=True),
    "an error as long as may be": of("x" * MAX_ERROR, is_error=True),
    "half as many characters that count twice": of(ASTRAL * (MAX_CARRIED // 2)),
    "half as many of them in an error": of(ASTRAL * (MAX_ERROR // 2), is_error=True),
    "as long as may be": of("x" * MAX_CARRIED),
    "as long as may be, in several texts": of("x" * (MAX_CARRIED - 5), "y" * 5),
    "characters that a machine finds odd": of("\0\u2028\ufeff\u202e</function> {} ```"),
}

NOT_CARRIED: dict[str, ToolResult] = {
    "nothing": of(),
    "an empty text": of(""),
    "a blank text": of(" \n\t"),
    "empty texts": of("", " "),
    "an error without words": of(is_error=True),
    "an error with an empty text": of("", is_error=True),
    "an error in several texts": of("a", "b", is_error=True),
    "an error with white space around it": of("no\n", is_error=True),
    "an error that is too long": of("x" * (MAX_ERROR + 1), is_error=True),
    "an error that is too long as the CLI counts it": of(ASTRAL * MAX_ERROR, is_error=True),
    "what the CLI takes for blank": of("\ufeff"),
    "what the CLI takes for white space around an error": of("\ufeffno", is_error=True),
    "a picture": of(IMAGE),
    "a picture that is elsewhere": of(LINK),
    "words and a picture": of("look", IMAGE),
    "too long": of("x" * (MAX_CARRIED + 1)),
    "too long, in several texts": of("x" * MAX_CARRIED, "y"),
    "too long as the CLI counts it": of(ASTRAL * MAX_CARRIED),
}


@pytest.mark.parametrize("kind", CARRIED)
def test_a_result_that_the_cli_hands_on_as_it_is(kind: str) -> None:
    given = CARRIED[kind]
    assert results_for(("1",), [user(given)]) == (given,)


@pytest.mark.parametrize("kind", NOT_CARRIED)
def test_a_result_that_the_cli_would_change(kind: str) -> None:
    given = NOT_CARRIED[kind]
    assert results_for(("1",), [user(given)]) is None
    assert results_for(("1", "2"), [user(given, result("2"))]) is None


A, B, C = result("1", "a"), result("2", "b"), result("3", "c")

GIVEN: dict[str, tuple[list[Message], tuple[ToolResult, ...] | None]] = {
    # after a call "1" and a call "2": what the messages hold, and what is handed on
    "both": ([user(A, B)], (A, B)),
    "both, in a message each": ([user(A), user(B)], (A, B)),
    "the other way round": ([user(B, A)], (A, B)),
    "the other way round, in a message each": ([user(B), user(A)], (A, B)),
    "a message that says nothing": ([user(), user(A, B)], (A, B)),
    "one is missing": ([user(A)], None),
    "none": ([], None),
    "nothing": ([user()], None),
    "one is of another call": ([user(A, C)], None),
    "one too many": ([user(A, B, C)], None),
    "one twice": ([user(A, B, A)], None),
    "one twice, and another one missing": ([user(A, A)], None),
    "one twice, saying something else": ([user(A, B, result("2", "other"))], None),
    "words after them": ([user(A, B, "and now?")], None),
    "words before them": ([user("well", A, B)], None),
    "words in a message of their own": ([user(A, B), user("and now?")], None),
    "words and no results": ([user("never mind")], None),
    "an instruction": ([user(A, B), Message(role=Role.SYSTEM, parts=(Text(text="x"),))], None),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_the_results_of_all_calls_and_nothing_else_are_handed_on(kind: str) -> None:
    messages, expected = GIVEN[kind]
    assert results_for(("1", "2"), messages) == expected


# -- how the CLI gets them -------------------------------------------------------------------------


class Cli:
    """Calls functions as the CLI does, through MCP."""

    def __init__(self, calls: OpenCalls, client: Client) -> None:
        self.calls, self.client = calls, client
        self.got: dict[str, tuple[list[str], bool]] = {}
        self.order: list[str] = []

    async def call(self, call_id: str, name: str = "f") -> None:
        meta = {"claudecode/toolUseId": call_id}
        answer = await self.client.call_tool(name, {"x": 1}, meta=meta)
        texts = [part.text for part in answer.content if isinstance(part, TextContent)]
        self.got[call_id] = texts, bool(answer.is_error)
        self.order.append(call_id)
        self.calls.taken(call_id)


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[Cli]:
    calls = OpenCalls(frozenset({"g", "f"}))
    server = calls.server()
    assert (server["type"], server["name"]) == ("sdk", "client")
    async with asyncio.timeout(60), Client(server["instance"]) as client:
        yield Cli(calls, client)


async def test_the_cli_is_told_the_names_alone() -> None:
    async with connected() as cli:
        listed = (await cli.client.list_tools()).tools
    assert [tool.name for tool in listed] == ["f", "g"]
    assert all(tool.description is None for tool in listed)
    assert all(tool.input_schema == {"type": "object"} for tool in listed)


async def test_a_call_stays_open_until_its_result_comes() -> None:
    async with connected() as cli:
        asked = [asyncio.create_task(cli.call(call_id)) for call_id in ("1", "2")]
        await cli.calls.asked(["1", "2"])
        assert cli.got == {}
        await cli.calls.give([result("2", "b", "c"), result("1", "no", is_error=True)])
        await asyncio.gather(*asked)
    assert cli.got == {"2": (["b", "c"], False), "1": (["no"], True)}


@pytest.mark.parametrize("order", ["123", "321", "213"])
@pytest.mark.parametrize("asked_in", ["123", "312"])
async def test_the_cli_gets_results_in_the_order_in_which_they_are_given(
    order: str, asked_in: str
) -> None:
    async with connected() as cli:
        asked = [asyncio.create_task(cli.call(call_id)) for call_id in asked_in]
        await cli.calls.asked("123")
        await cli.calls.give(result(call_id) for call_id in order)
        await asyncio.gather(*asked)
    assert cli.order == list(order)


async def test_it_is_known_when_the_cli_has_asked_for_all() -> None:
    async with connected() as cli:
        waiting = asyncio.create_task(cli.calls.asked(["1", "2"]))
        first = asyncio.create_task(cli.call("1"))
        await cli.calls.asked(["1"])
        assert not waiting.done()
        second = asyncio.create_task(cli.call("2", "a function that was never listed"))
        await waiting
        await cli.calls.asked([])
        await cli.calls.asked(["1", "2"])  # and stays known
        await cli.calls.give([result("1"), result("2")])
        await asyncio.gather(first, second)


async def test_a_result_may_come_before_the_question() -> None:
    async with connected() as cli:
        giving = asyncio.create_task(cli.calls.give([result("1", "early"), result("2", "later")]))
        await asyncio.gather(cli.call("2"), cli.call("1"), giving)
    assert cli.got == {"1": (["early"], False), "2": (["later"], False)}
    assert cli.order == ["1", "2"]


async def test_a_call_that_had_its_result_is_known() -> None:
    async with connected() as cli:
        assert not cli.calls.knows("1")
        asked = asyncio.create_task(cli.call("1"))
        await cli.calls.asked(["1"])
        assert not cli.calls.knows("1")
        await cli.calls.give([result("1")])
        await asked
        assert cli.calls.knows("1")
        cli.calls.taken("a call of nobody")
        assert not cli.calls.knows("a call of nobody")


async def test_an_odd_call_is_nobodys() -> None:
    async with connected() as cli:
        odd = asyncio.create_task(cli.client.call_tool("f", {}))  # without an id
        right = asyncio.create_task(cli.call("1"))
        await cli.calls.asked(["1"])
        await cli.calls.give([result("1", "mine")])
        await right
        assert not odd.done()
        odd.cancel()
        await asyncio.wait([odd])
    assert cli.got == {"1": (["mine"], False)}


# -- the answer that a call is part of -------------------------------------------------------------


def fed(*blocks: tuple[str, str]) -> Answer:
    """The model's stream, with the words or arguments of each block in two pieces."""
    answer = Answer()
    kinds = {
        "text": ("text_delta", "text"),
        "thinking": ("thinking_delta", "thinking"),
        "tool_use": ("input_json_delta", "partial_json"),
    }
    for index, (kind, whole) in enumerate(blocks):
        block = {"type": kind, "id": f"toolu_{index}", "name": "f", "data": whole}
        answer.feed({"type": "content_block_start", "index": index, "content_block": block})
        if kind not in kinds:
            continue
        delta, key = kinds[kind]
        middle = len(whole) // 2
        for piece in (whole[:middle], whole[middle:]):
            content = {"type": delta, key: piece}
            answer.feed({"type": "content_block_delta", "index": index, "delta": content})
        if kind == "thinking":
            for piece in ("si", "g"):
                signed = {"type": "signature_delta", "signature": piece}
                answer.feed({"type": "content_block_delta", "index": index, "delta": signed})
    return answer


HM = Thinking(text="hm", signature="sig")
TEXT, THINK, CALL = ("text", "so"), ("thinking", "hm"), ("tool_use", '{"a": 1}')
HALF = ("tool_use", '{"a": ')

ANSWERS: dict[str, tuple[Iterable[tuple[str, str]], bool, Message]] = {
    # blocks, whether it was cut, what was said
    "words": ([TEXT], False, assistant("so")),
    "words, cut": ([TEXT], True, assistant("so")),
    "a call": ([THINK, TEXT, CALL], False, assistant(HM, "so", call("toolu_2", a=1))),
    "a call without arguments": ([("tool_use", "")], False, assistant(call("toolu_0"))),
    "a call that is cut": ([THINK, TEXT, HALF], True, assistant(HM, "so")),
    "a call that happens to be whole when it is cut": ([TEXT, CALL], True, assistant("so")),
    "calls of which the last one is cut": ([TEXT, CALL, HALF], True, assistant("so")),
    "a call that is cut, alone": ([HALF], True, assistant()),
    "a call that is cut after a thought": ([THINK, HALF], True, assistant()),
    "words that are cut after a call": ([CALL, TEXT], True, assistant("so")),
    "a thought that is cut after a call": ([CALL, THINK], True, assistant()),
    "a thought alone": ([THINK], False, assistant()),
    "reasoning that can't be read": (
        [("redacted_thinking", "x"), TEXT],
        False,
        assistant(RedactedThinking(data="x"), "so"),
    ),
    "blank words": ([("text", " \n"), TEXT], False, assistant("so")),
    "blank words alone": ([("text", " \n")], False, assistant()),
    "a block of another kind": ([("server_tool_use", ""), TEXT], False, assistant("so")),
    "nothing": ([], True, assistant()),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_was_said(kind: str) -> None:
    blocks, cut, said = ANSWERS[kind]
    assert fed(*blocks).message(cut=cut) == said


@pytest.mark.parametrize(
    "arguments",
    [
        *("{", '{"a": ', "[]", "null", "1", '"a"', "{}{}", "{a: 1}"),
        *('{"a": NaN}', '{"a": [Infinity]}', '{"a": -Infinity}'),
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
    ids=lambda text: text[:20],
)
def test_arguments_that_are_not_an_object_are_no_call(arguments: str) -> None:
    broken = ("tool_use", arguments)
    for blocks in ([broken], [TEXT, broken], [broken, CALL]):
        with pytest.raises(ValueError):
            fed(*blocks).message()


def test_arguments_are_taken_as_they_are() -> None:
    (part,) = (
        fed(("tool_use", '{"z": {"b": 1.0, "a": "\\u00e9\\ud83d\\ude00"}, "a": null}'))
        .message()
        .parts
    )
    assert isinstance(part, ToolCall)
    assert part.arguments == {"z": {"b": 1.0, "a": "\u00e9\U0001f600"}, "a": None}
    assert list(part.arguments) == ["z", "a"]
