"""Which functions the model calls, and with what: of itself, and when directives ask for it."""

from typing import Any

import pytest
from demo_bodies import (
    ANY,
    CLOCK,
    CLOCK_ONLY,
    LONGER,
    NONE,
    ONE,
    OWN,
    WEATHER,
    ask,
    assistant,
    call,
    calls,
    result,
    said,
    text,
    told,
    user,
)
from hypothesis import given
from hypothesis import strategies as st

from bridge.demo import tokens
from bridge.demo.directives import parse
from bridge.demo.reply import cut, deltas, raw, whole


def test_a_function_that_fits_is_called() -> None:
    reply = ask("What is the weather in Paris?", tools=[CLOCK, WEATHER])
    assert calls(reply) == [("get_weather", {"city": "Paris"})]
    assert reply.stop_reason == "tool_use"
    again = ask("What is the weather in Paris?", tools=[CLOCK, WEATHER])
    assert again.blocks[0]["id"] == reply.blocks[0]["id"]
    assert again.blocks[0]["id"].startswith("toolu_")


@pytest.mark.parametrize(
    ("message", "more", "names"),
    [
        ("hello", {}, []),
        ("hello", ANY, ["get_weather"]),
        ("hello", CLOCK_ONLY, ["get_time"]),
        ("weather?", NONE, []),
        ("use get_time", {}, ["get_time"]),
        ("weather and time, both", {}, ["get_weather", "get_time"]),
        ("use two tools", {}, ["get_weather", "get_time"]),
        ("both weather and time", ONE, ["get_weather"]),
        ("hello", {"tools": [WEATHER, OWN]}, ["StructuredOutput"]),
        ("weather", {"tools": [WEATHER, OWN]}, ["get_weather"]),
        ("hello", {"tools": [WEATHER, OWN], **ANY}, ["StructuredOutput"]),
        ("weather", {"tools": [OWN, WEATHER], **ANY}, ["get_weather"]),
        ("hello", {"tools": [CLOCK, told(WEATHER)]}, ["get_weather"]),
        ("time?", {"tools": [CLOCK, told(WEATHER)]}, ["get_weather"]),
        ("time?", {"tools": [told(WEATHER), told(CLOCK)]}, ["get_time"]),
        ("hello", {"tools": [told(WEATHER), told(OWN)]}, ["StructuredOutput"]),
        ("answer in words", {"tools": [told(WEATHER), told(OWN)]}, ["StructuredOutput"]),
        ("weather", {"tools": [told(OWN), told(WEATHER)]}, ["get_weather"]),
        ("hello", {"tools": [told(WEATHER)], **NONE}, []),
        ("hello", {"tools": [{**WEATHER, "name": "StructuredOutput"}, LONGER]}, [LONGER["name"]]),
        ("[[say no]]", {"tools": [told(WEATHER), told(OWN)]}, []),
        ("[[words 2]]", {"tools": [WEATHER, OWN], **ANY}, []),
    ],
)
def test_which_functions_are_called(message: str, more: dict[str, Any], names: list[str]) -> None:
    reply = ask(message, **{"tools": [WEATHER, CLOCK], **more})
    assert [name for name, _ in calls(reply)] == names
    ids = [block.get("id") for block in reply.blocks]
    assert len(set(ids)) == len(ids)


def test_after_the_results_only_the_structured_answer_is_owed() -> None:
    asked = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
    turns = ["weather in Oslo, 7", assistant([asked]), user([result()])]
    assert "get_weather returned: ok" in said(ask(*turns, tools=[WEATHER]))
    reply = ask(*turns, tools=[WEATHER, OWN])
    assert [name for name, _ in calls(reply)] == ["StructuredOutput"]
    done = [*turns, assistant(list(reply.blocks)), user([result(reply.blocks[0]["id"])])]
    assert not calls(ask(*done, tools=[WEATHER, OWN]))
    assert not calls(ask(*done, tools=[told(WEATHER), told(OWN)]))


@pytest.mark.parametrize("more", [ANY, {}], ids=["any", "told"])
def test_after_the_results_of_forced_calls(more: dict[str, Any]) -> None:
    turns = ["weather", assistant([call()]), user([result()])]
    tools = [WEATHER, OWN] if more else [told(WEATHER), told(OWN)]
    assert [name for name, _ in calls(ask(*turns, tools=tools, **more))] == ["StructuredOutput"]
    assert [name for name, _ in calls(ask(*turns, tools=tools[:1], **more))] == ["get_weather"]


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "object"}, {"answer": "f returned: ok"}),
        ({"type": "object", "additionalProperties": True}, {"answer": "f returned: ok"}),
        ({"type": "object", "additionalProperties": False}, {}),
        ({"type": "object", "required": ["n"]}, {"n": "example n"}),
    ],
)
def test_json_of_any_shape_holds_the_answer_in_words(schema: Any, found: Any) -> None:
    turns = ["hi", assistant([call()]), user([result()])]
    own = {"name": "StructuredOutput", "input_schema": schema}
    assert calls(ask(*turns, tools=[own])) == [("StructuredOutput", found)]


CALLED: list[tuple[str, dict[str, Any], str, list[tuple[str, Any]]]] = [
    ('[[call f {"a": [[1], {"b": "]] [["}]}]]', {}, "", [("f", {"a": [[1], {"b": "]] [["}]})]),
    ("[[ call\nf\n{}\n]]", {}, "", [("f", {})]),
    ('[[call f{"a":{}}]]', {}, "", [("f", {"a": {}})]),
    ("[[call mcp__x-y.z:1]]", {}, "", [("mcp__x-y.z:1", {})]),
    ("in Rome [[call get_weather]]", {}, "", [("get_weather", {"city": "Rome"})]),
    ("[[call b {}]] and [[call a {}]]", {}, "", [("b", {}), ("a", {})]),
    ("[[call b {}]][[call a {}]]", ONE, "", [("b", {})]),
    ("[[call f {}]] [[say first]] [[say second]]", {}, "first", [("f", {})]),
    ("[[words 2]] [[call f {}]]", {}, "word1 word2", [("f", {})]),
    ("weather [[call f {}]]", NONE, 'You said: "weather"', []),
    ("[[say a]] [[call f {}]]", NONE, "a", []),
    ("[[call f {}]] [[call get_time {}]]", CLOCK_ONLY, "", [("get_time", {})]),
    ("[[call f {}]]", CLOCK_ONLY, "", [("get_time", {"place": "example place"})]),
    ("[[call f {}]]", ANY, "", [("f", {})]),
    ("[[call f {}]]", {"tools": []}, "", [("f", {})]),
    # arguments as they are
    ("[[call-raw f { no JSON ]]", {}, "", [("f", "{ no JSON")]),
    ("[[call-raw f]]", {}, "", [("f", "")]),
    ('[[call-raw f {"a" : [[1]]}]]', {}, "", [("f", '{"a" : [[1]]}')]),
    ("[[call-raw f [1, [2]]]]", {}, "", [("f", "[1, [2]]")]),
    ("[[call-raw f a]] [[call g {}]]", ONE, "", [("f", "a")]),
    ("[[call-raw f a]]", NONE, "demo model", []),
    # the answer that is JSON
    ('[[json {"n": "x"}]]', {"tools": [OWN]}, "", [("StructuredOutput", '{"n": "x"}')]),
    ("[[json {]]", {"tools": [WEATHER, LONGER], **ANY}, "", [("StructuredOutput_", "{")]),
    ("[[json {]] [[call f {}]]", {"tools": [OWN]}, "", [("f", {}), ("StructuredOutput", "{")]),
    ("[[say a]] [[json {]]", {"tools": [OWN]}, "a", []),
    ("[[json {]]", {}, "{", []),
    ("[[json {]]", {"tools": [OWN], **NONE}, "{", []),
    ("[[json {]] [[call f {}]]", {}, "{", [("f", {})]),
]


@pytest.mark.parametrize(
    ("words", "more", "answer", "made"), CALLED, ids=[row[0][:40] for row in CALLED]
)
def test_calls_that_are_asked_for(
    words: str, more: dict[str, Any], answer: str, made: list[tuple[str, Any]]
) -> None:
    reply = ask(words, **{"tools": [WEATHER, CLOCK], **more})
    assert calls(reply) == made
    assert answer in said(reply)
    assert reply.stop_reason == ("tool_use" if made else "end_turn")
    kinds = [block["type"] for block in reply.blocks]
    assert kinds == ["text"] * bool(answer) + ["tool_use"] * len(made)


@pytest.mark.parametrize(
    "words",
    [
        "[[call]]",
        "[[call f [1]]]",
        "[[call f {]]",
        "[[call f {} x]]",
        '[[call f {"a": NaN}]]',
        '[[call f {"a": "\\ud800"}]]',
        "[[call a[b] {}]]",
        "[[call f {}",
        "[[call-raw]]",
        "[[json]]",
    ],
)
def test_what_is_no_call_stays_a_text(words: str) -> None:
    found = parse(words)
    assert (found.text, found.shapes) == (words, False)


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 100_000 + "]" * 100_000], ids=["9", "["])
def test_arguments_beyond_reading_are_none(value: str) -> None:
    assert parse(f'[[call f {{"a": {value}}}]]').calls == ()


PARTS = '[[ ]] [ ] { } [[call [[call-raw [[json [[say [[think [[redacted]] f {} {"a": 1 \\ud800 " , : NaN'
SCRAPS = st.lists(st.sampled_from([*PARTS.split(" "), " ", "\n", "]]]"]), max_size=12)


@given(SCRAPS.map("".join).filter(str.strip), st.sampled_from([{}, ANY, NONE, CLOCK_ONLY, ONE]))
def test_any_scraps_of_directives_are_answered(words: str, more: dict[str, Any]) -> None:
    reply = ask(words, **{"tools": [CLOCK, OWN], **more})
    for block in reply.blocks:
        assert "".join(deltas(block)) == raw(block)
        tokens.compact(whole(block)).encode()
        assert not isinstance(whole(block).get("input"), str)


def after(*contents: Any) -> list[dict[str, Any]]:
    """A round of calls that a directive asked for, and their results."""
    made = [call(f"t{number}") for number, _ in enumerate(contents)]
    results = [
        {**result(one["id"]), "content": content}
        for one, content in zip(made, contents, strict=True)
    ]
    return [user("[[call f {}]]"), assistant(made), user(results)]


RESULTS: list[tuple[list[Any], str, list[tuple[str, Any]]]] = [
    (after("sunny"), "f returned: sunny", []),
    (after('[[call g {"a": [[2]]}]]'), "", [("g", {"a": [[2]]})]),
    (after([text("x"), text("[[call g {}]]")]), "", [("g", {})]),
    (after("[[call g {}]] [[say so]]", "[[call-raw h {]]"), "so", [("g", {}), ("h", "{")]),
    (after("[[say done]]"), "done", []),
    (after("[[fail 529]] [[words 2]] [[echo]] [[json x]]"), "f returned: [[fail 529]]", []),
    ([*after("[[call g {}]]"), user("[[say mine]]")], "mine", []),
    ([*after("[[call g {}]]"), user("[[call h {}]]")], "", [("h", {})]),
    ([*after("[[call g {}]]"), user("[[slow .1]] go on")], "", [("g", {})]),
    ([*after("[[call g {}]]"), assistant("ok"), user("and now?")], "and now?", []),
]


@pytest.mark.parametrize(("messages", "answer", "made"), RESULTS)
def test_results_may_ask_for_calls(
    messages: list[Any], answer: str, made: list[tuple[str, Any]]
) -> None:
    reply = ask(*messages, tools=[WEATHER])
    assert calls(reply) == made
    assert answer in said(reply)
    assert bool(said(reply)) == bool(answer)


def test_limits_in_the_middle_of_a_call() -> None:
    words = '[[say Look.]] [[call f {"city":"New York"}]] [[call g {}]]'
    assert tokens.pieces('{"city":"New York"}') == ['{"city"', ':"New', ' York"}']
    for reply in (cut(ask(words), 2), ask(words, max_tokens=6)):
        assert said(reply) == "Look."
        assert calls(reply) == [("f", '{"city"')]
        assert reply.stop_reason == "max_tokens"
    assert not calls(cut(ask(words), 1))
    assert calls(cut(ask(words), 5)) == [("f", {"city": "New York"}), ("g", {})]
