"""What is thought before an answer, and what of it is seen: in the stream as in the document."""

import itertools
import json
from typing import Any

import aiohttp
import anthropic
import pytest
from demo_bodies import (
    CLOCK,
    NONE,
    OWN,
    WEATHER,
    ask,
    assistant,
    call,
    calls,
    result,
    said,
    text,
    user,
)

from bridge.demo import tokens
from bridge.demo.directives import Thought, parse
from bridge.demo.reply import Reply, redacted, thinking

ON: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "thinking": {"type": "enabled", "budget_tokens": 1024},
}
MAY: dict[str, Any] = {"thinking": {"type": "adaptive"}}
UPDATES = "thinking-display-updates-2026-08-18"


def kinds(reply: Reply) -> list[str]:
    return [block["type"] for block in reply.blocks]


def thought(reply: Reply) -> list[str]:
    found = [block for block in reply.blocks if "thinking" in block["type"]]
    return [block.get("thinking", "REDACTED") for block in found]


OF_ITSELF: list[tuple[str, dict[str, Any], bool]] = [
    ("hello", ON, True),
    ("hello", MAY, False),
    ("please think", MAY, True),
    ("please think", {}, True),
    ("please think", {"model": "claude-haiku-5-5"}, True),
    ("please think", {"model": "claude-sonnet-5"}, True),
    ("please think", {"model": "claude-haiku-5-5", "thinking": {"type": "disabled"}}, False),
    ("please think", {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}}, False),
    ("please think", {"model": "claude-opus-4-8"}, False),
    ("please think", {"model": "claude-opus-4-8", **MAY}, True),
    ("please think", {"model": "claude-opus-4-6"}, False),
    ("please think", {"model": "claude-sonnet-4-5"}, False),
    ("please think", {"model": "claude-3-5-haiku-latest"}, False),
    ("I think", {**MAY, "tools": [CLOCK], "tool_choice": {"type": "auto"}}, True),
    (
        "I think",
        {
            **MAY,
            "model": "claude-haiku-5-5",
            "tools": [CLOCK],
            "tool_choice": {"type": "any"},
        },
        False,
    ),
]


@pytest.mark.parametrize(("message", "more", "thinks"), OF_ITSELF)
def test_when_it_thinks(message: str, more: dict[str, Any], thinks: bool) -> None:
    assert ("thinking" in kinds(ask(message, **more))) == thinks
    laid_down = ask(f"{message} [[think a]] [[redacted]]", **more)
    may = thinks or (message == "hello" and more is MAY)
    assert kinds(laid_down)[:-1] == (["thinking", "redacted_thinking"] if may else [])


TOOLS = {"tools": [WEATHER, CLOCK]}
LAID_DOWN: list[tuple[str, dict[str, Any], list[str], str, list[tuple[str, Any]]]] = [
    ("[[think a  b\nc]]", {}, ["a  b\nc"], "quiet", []),
    ("[[think deep]] hello", {}, ["deep"], "demo model", []),
    ("[[say x]] [[think deep]]", {}, ["deep"], "x", []),
    ("[[think deep]] [[words 2]]", {}, ["deep"], "word1 word2", []),
    ("[[think deep]] [[echo]]", {}, ["deep"], '"messages"', []),
    ("[[think deep]] [[json {]]", {}, ["deep"], "{", []),
    ("[[think deep]] [[json {}]]", {"tools": [OWN]}, ["deep"], "", [("StructuredOutput", "{}")]),
    ("[[call f {}]] [[think deep]]", {}, ["deep"], "", [("f", {})]),
    ("[[call-raw f x]] [[say y]] [[think deep]]", {}, ["deep"], "y", [("f", "x")]),
    ("weather [[think deep]]", TOOLS, ["deep"], "", [("get_weather", {"city": "example city"})]),
    ("weather [[think deep]]", {**TOOLS, **NONE}, ["deep"], "weather", []),
    ("[[redacted]] [[say x]]", {}, ["REDACTED"], "x", []),
    ("[[think a]] [[redacted]] [[think b]] [[say x]]", {}, ["a", "REDACTED", "b"], "x", []),
    ("[[think deep]] think", {}, ["deep"], "think", []),
    ("[[redacted]] [[say x]]", ON, ["REDACTED"], "x", []),
]


@pytest.mark.parametrize(("words", "more", "before", "answer", "made"), LAID_DOWN)
def test_thoughts_that_are_asked_for(
    words: str, more: dict[str, Any], before: list[str], answer: str, made: list[Any]
) -> None:
    reply = ask(words, system='Answer only with "quiet"' if answer == "quiet" else "", **more)
    assert thought(reply) == before
    assert answer in said(reply)
    assert bool(said(reply)) == bool(answer)
    assert calls(reply) == made
    assert kinds(reply)[: len(before)] == [
        "redacted_thinking" if told == "REDACTED" else "thinking" for told in before
    ]


@pytest.mark.parametrize("words", ["[[think]]", "[[think ]]", "[[redacted x]]", "[[thinks a]]"])
def test_what_is_no_thought_stays_a_text(words: str) -> None:
    assert parse(words).text == words
    assert parse(words).thoughts == ()


def test_thoughts_lay_no_answer_down() -> None:
    found = parse("[[think a]] [[redacted]] b")
    assert found.thoughts == (Thought("a"), Thought())
    assert (found.text, found.shapes) == ("b", False)


def after(content: str, more: str = "") -> list[Any]:
    results = [{**result(), "content": content}, *([text(more)] if more else [])]
    return [user("[[think before]] [[call f {}]]"), assistant([call()]), user(results)]


RESULTS: list[tuple[list[Any], list[str], str, list[Any]]] = [
    (after("[[think deep]] [[say so]]"), ["deep"], "so", []),
    (after("[[think deep]] [[call g {}]]"), ["deep"], "", [("g", {})]),
    (after("[[redacted]]"), ["REDACTED"], "f returned: [[redacted]]", []),
    (after("[[think deep]] [[say so]]", "[[think mine]]"), ["mine"], "so", []),
    (after("[[think deep]] [[say so]]", "[[say mine]]"), [], "mine", []),
    (after("sunny"), [], "f returned: sunny", []),
]


@pytest.mark.parametrize(("messages", "before", "answer", "made"), RESULTS)
def test_results_may_ask_for_thoughts(
    messages: list[Any], before: list[str], answer: str, made: list[Any]
) -> None:
    reply = ask(*messages, **MAY)
    assert (thought(reply), calls(reply)) == (before, made)
    assert answer in said(reply)


SIGNED = thinking("before")
LOOPS: list[tuple[list[Any], bool]] = [
    ([user("a"), assistant([SIGNED, call()]), user([result()])], True),
    ([user("a"), assistant([redacted(), call()]), user([result()])], True),
    ([user("a"), assistant([call()]), user([result()])], False),
    ([user("a"), assistant([call()]), user([result(), text("and now?")])], False),
    ([user("a"), assistant([call()]), user([result()]), user("and now?")], False),
    ([user("a"), assistant([call()]), user([result()]), assistant("b"), user("c")], True),
    (
        [
            *(user("a"), assistant([SIGNED, call()]), user([result()])),
            *(assistant([call("t2")]), user([result("t2")])),
        ],
        True,
    ),
    (
        [
            *(user("a"), assistant([SIGNED]), user("b"), assistant([call()]), user([result()])),
            *(assistant([SIGNED, call("t2")]), user([result("t2")])),
        ],
        False,
    ),
]


@pytest.mark.parametrize(("messages", "thinks"), LOOPS, ids=range(len(LOOPS)))
def test_a_turn_that_began_without_a_thought_goes_on_without(
    messages: list[Any], thinks: bool
) -> None:
    assert ("thinking" in kinds(ask(*messages, **ON))) == thinks
    asked_for = [*messages[:-1], user([*_list(messages[-1]["content"]), text("[[think x]]")])]
    assert thought(ask(*asked_for, **ON)) == ["x"] * thinks
    assert thought(ask(*asked_for, **MAY)) == ["x"]


def _list(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [text(content)]


def test_thinking_counts_within_the_limits() -> None:
    words = "[[think one two three four]] [[say five six]]"
    for display in ("summarized", "omitted"):
        shown = {"thinking": {"type": "adaptive", "display": display}}
        whole = ask(words, **shown, max_tokens=6)
        assert (whole.stop_reason, whole.output_tokens, whole.thinking_tokens) == ("end_turn", 6, 4)
        short = ask(words, **shown, max_tokens=5)
        assert (short.stop_reason, said(short), short.output_tokens) == ("max_tokens", "five", 5)
        none = ask(words, **shown, max_tokens=3)
        assert (none.stop_reason, thought(none)) == ("max_tokens", ["one two three"])
        assert (none.thinking_tokens, kinds(none)) == (3, ["thinking"])
    assert kinds(ask("[[redacted]] [[say x]]", max_tokens=2)) == []
    long = "[[think " + "a " * 1500 + "]] [[say x]]"
    assert ask(long, **ON).thinking_tokens == 1024
    assert ask("[[say x]] hello", **MAY).thinking_tokens == 0


async def both(
    http: aiohttp.ClientSession, words: str, **more: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The document and the events, which have to tell the same; `betas` go into the header."""
    headers = {"anthropic-beta": more.pop("betas", "")}
    body = {"model": "claude-opus-5-5", "max_tokens": 4000, "messages": [user(words)], **more}
    async with http.post("/v1/messages", json=body, headers=headers) as response:
        document = await response.json()
        assert response.status == 200, document
    async with http.post(
        "/v1/messages", json={**body, "stream": True}, headers=headers
    ) as response:
        raw = (await response.read()).decode()
    events = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: ")]
    assert folded(events) == {key: document[key] for key in ("content", "stop_reason", "usage")}
    return document, events


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client makes of the events."""
    blocks: list[dict[str, Any]] = []
    keys = {"thinking_delta": "thinking", "signature_delta": "signature", "text_delta": "text"}
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            key = keys.get(delta["type"], "json")
            blocks[event["index"]][key] += delta[keys.get(delta["type"], "partial_json")]
    for block in blocks:
        partial = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(partial)
    ending = events[-2]
    return {
        "content": blocks,
        "stop_reason": ending["delta"]["stop_reason"],
        "usage": ending["usage"],
    }


DISPLAYS: list[tuple[dict[str, Any], bool]] = [
    ({}, False),
    (MAY, False),
    *[
        ({"model": model, **MAY}, False)
        for model in (
            *("claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5"),
            *("claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2", "claude-next"),
        )
    ],
    ({"model": "claude-opus-4-6", **MAY}, True),
    (ON, True),
    ({"model": "claude-3-7-sonnet-latest", "thinking": ON["thinking"]}, True),
    ({"thinking": {"type": "adaptive", "display": "summarized"}}, True),
    ({"thinking": {"type": "adaptive", "display": "omitted"}}, False),
    ({"thinking": {"type": "adaptive", "display": "updates"}, "betas": f"x, {UPDATES}"}, False),
    ({"thinking": {"type": "adaptive", "display": None}}, False),
    ({**ON, "thinking": {**ON["thinking"], "display": "omitted"}}, False),
    ({**ON, "thinking": {**ON["thinking"], "display": "summarized"}}, True),
]


@pytest.mark.parametrize(("more", "shown"), DISPLAYS)
async def test_display(http: aiohttp.ClientSession, more: dict[str, Any], shown: bool) -> None:
    words = "one two, three"
    document, events = await both(http, f"[[think {words}]] [[say four five]]", **more)
    block, answer = document["content"]
    assert block == {**thinking(words), "thinking": words if shown else ""}
    assert answer == text("four five")
    assert document["usage"]["output_tokens"] == tokens.count(words) + 2
    assert document["usage"]["output_tokens_details"] == {"thinking_tokens": tokens.count(words)}
    pieces = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    of_thinking = [delta["thinking"] for delta in pieces if delta["type"] == "thinking_delta"]
    assert of_thinking == (tokens.pieces(words) if shown else [""])
    assert "output_tokens_details" not in events[0]["message"]["usage"]


SEEN = {"thinking": {"type": "adaptive", "display": "summarized"}}
ANSWERS: list[tuple[str, dict[str, Any], list[str], str]] = [
    ("[[redacted]] [[say x]]", {}, ["redacted_thinking", "text"], "end_turn"),
    (
        "[[think a]] [[redacted]] [[say x]]",
        SEEN,
        ["thinking", "redacted_thinking", "text"],
        "end_t",
    ),
    ("[[think a]] [[call f {}]]", SEEN, ["thinking", "tool_use"], "tool_use"),
    ("[[think a]] [[refuse]]", SEEN, ["thinking", "text"], "refusal"),
    ("[[think a]] [[empty]]", SEEN, ["thinking"], "end_turn"),
    ("[[empty]] think", SEEN, [], "end_turn"),
    ("[[refuse]] think", SEEN, ["text"], "refusal"),
    ("[[refuse]]", ON, ["text"], "refusal"),
    ("[[think a b c]] [[say x]] [[cut 2]]", SEEN, ["thinking"], "max_tokens"),
    ("[[think a b c]] [[words 9]] [[cut 2]]", MAY, ["thinking", "text"], "max_tokens"),
    ("[[redacted]] [[words 9]] [[cut 2]]", MAY, ["redacted_thinking", "text"], "max_tokens"),
    ("[[think a]] [[say x]]", {"model": "claude-opus-4-7"}, ["text"], "end_turn"),
    (
        "[[think a]] [[say x]]",
        {"thinking": {"type": "disabled"}, "model": "claude-haiku-5-5"},
        ["text"],
        "end_turn",
    ),
    ("hello", MAY, ["text"], "end_turn"),
    ("hello", ON, ["thinking", "text"], "end_turn"),
]


@pytest.mark.parametrize(("words", "more", "expected", "stop"), ANSWERS)
async def test_streams_tell_what_documents_do(
    http: aiohttp.ClientSession, words: str, more: dict[str, Any], expected: list[str], stop: str
) -> None:
    document, _ = await both(http, words, **more)
    assert [block["type"] for block in document["content"]] == expected
    assert document["stop_reason"].startswith(stop)
    thinks = any("thinking" in kind for kind in expected)
    assert ("output_tokens_details" in document["usage"]) == thinks


async def test_a_redacted_block_is_whole_in_its_start(http: aiohttp.ClientSession) -> None:
    document, events = await both(http, "[[redacted]] [[say x]]")
    assert document["content"][0] == redacted()
    assert [event["type"] for event in events[2:4]] == ["content_block_start", "content_block_stop"]
    assert events[2]["content_block"] == redacted()


async def test_updates_need_their_beta(http: aiohttp.ClientSession) -> None:
    asked = {"thinking": {"type": "adaptive", "display": "updates"}}
    body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [user("hi")], **asked}
    for path, betas in itertools.product(
        ("/v1/messages", "/v1/messages/count_tokens"), ("", "a", f"a,{UPDATES}")
    ):
        headers = {"anthropic-beta": betas} if betas else {}
        async with http.post(path, json=body, headers=headers) as response:
            assert response.status == (200 if UPDATES in betas else 400)


async def test_the_sdk_sends_every_kind_of_thought_back(sdk: anthropic.AsyncAnthropic) -> None:
    async def turn(messages: list[Any]) -> Any:
        asked: Any = {"type": "adaptive", "display": "summarized"}
        async with sdk.messages.stream(
            model="claude-haiku-5-5", max_tokens=900, messages=messages, thinking=asked
        ) as stream:
            return await stream.get_final_message()

    first = await turn([user("[[think a]] [[redacted]] [[call f {}]]")])
    assert [block.type for block in first.content] == ["thinking", "redacted_thinking", "tool_use"]
    assert first.usage.output_tokens_details.thinking_tokens > 1
    back = [block.to_dict() for block in first.content]
    results = [{**result(first.content[-1].id), "content": "[[think b]] [[say done]]"}]
    second = await turn([user("hi"), assistant(back), user(results)])
    assert [(b.type, getattr(b, b.type)) for b in second.content] == [
        ("thinking", "b"),
        ("text", "done"),
    ]
