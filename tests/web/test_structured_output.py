"""Answers that must be JSON: streamed as they are written, checked, never prose with a 200."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from serving import Answer, Running, new_id
from test_function_calling import TOOLS, WEATHER, calls, message, result, user

MODELS = ("claude-sonnet-4-5", "gpt-4o")  # one that can be forced, one that always thinks

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 18},
        "pets": {"type": "array", "items": {"$ref": "#/$defs/pet"}},
    },
    "required": ["name", "age", "pets"],
    "additionalProperties": False,
    "$defs": {
        "pet": {
            "type": "object",
            "properties": {"kind": {"enum": ["cat", "dog"]}, "parent": {"$ref": "#/$defs/pet"}},
            "required": ["kind"],
        }
    },
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
ANY = {"type": "json_object"}


def content(answer: Answer) -> Any:
    """The value that an answer is."""
    assert answer.whole, answer.data
    return json.loads(answer.text)


@pytest.fixture
async def fresh(server: Running) -> AsyncIterator[Running]:
    """The shared server without any kept process."""
    server.engine.fleet.kept.end_all()
    yield server


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("model", MODELS)
async def test_an_answer_meets_the_schema(fresh: Running, model: str, stream: bool) -> None:
    asked = "Here is 'Ada', she is 36 and has a dog"
    answer = await fresh.ask(asked, model=model, response_format=FORMAT, stream=stream)
    assert content(answer) == {"name": "Ada", "age": 36, "pets": [{"kind": "dog"}]}
    assert len(fresh.upstream.requests) == 1


async def test_it_is_streamed_while_it_is_written(fresh: Running) -> None:
    text = json.dumps({"name": "x" * 300, "age": 20, "pets": []})
    answer = await fresh.ask(f"[[json {text}]]", response_format=FORMAT, stream=True)
    choices = [json.loads(chunk)["choices"][0] for chunk in answer.data[:-1]]
    pieces = [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]
    assert "".join(pieces) == text
    assert len(pieces) > 5
    assert all("tool_calls" not in choice["delta"] for choice in choices)
    assert choices[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("model", MODELS)
async def test_any_object(fresh: Running, model: str) -> None:
    answer = await fresh.ask("say it as JSON", model=model, response_format=ANY)
    assert isinstance(content(answer), dict)


WRONG: dict[str, tuple[str, str]] = {
    # what the model answers → words of the error
    "a member of the wrong kind": (
        '[[json {"name": "Ada", "age": "old", "pets": []}]]',
        "'$.age': 'old' is not of type 'integer'",
    ),
    "out of range": ('[[json {"name": "Ada", "age": 3, "pets": []}]]', "'$.age': 3 is less than"),
    "deep inside": (
        '[[json {"name": "Ada", "age": 36, "pets": [{"kind": "cat", "parent": {"kind": "cow"}}]}]]',
        "'$.pets[0].parent.kind': 'cow' is not one of",
    ),
    "a member is missing": ('[[json {"name": "Ada"}]]', "'$': 'age' is a required property"),
    "prose": ("[[say Ada is a person.]]", "is not the JSON object"),
    "JSON that is not an object": ("[[say [1, 2] ]]", "is not the JSON object"),
    "JSON of another shape": ('[[say {"name": 5}]]', "does not meet the schema"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_answer_that_is_not_what_was_asked_for_is_an_error(
    fresh: Running, case: str
) -> None:
    says, words = WRONG[case]
    answer = await fresh.ask(says, response_format=FORMAT, session_id=(session := new_id()))
    assert (answer.status, answer.error["code"]) == (502, "schema_mismatch")
    assert words in answer.error["message"]
    assert (await fresh.rest("GET", f"/{session}")).status == 404  # nothing was said
    stream = await fresh.ask(says, response_format=FORMAT, stream=True)
    assert stream.error["code"] == "schema_mismatch"
    assert not stream.whole
    assert len(fresh.upstream.requests) == 2


async def test_words_that_are_the_json_are_taken(fresh: Running) -> None:
    answer = await fresh.ask(
        '[[say {"name": "Ada", "age": 36, "pets": []}]]', response_format=FORMAT
    )
    assert content(answer) == {"name": "Ada", "age": 36, "pets": []}


async def test_an_answer_that_was_cut_says_so(fresh: Running) -> None:
    text = json.dumps({"name": "x" * 400})
    asked = f"[[cut 3]] [[json {text}]]"
    answer = await fresh.ask(asked, response_format=FORMAT)
    assert answer.data["choices"][0]["finish_reason"] == "length"
    assert text.startswith(answer.text)
    assert 0 < len(answer.text) < len(text)


async def test_a_refusal_is_one(fresh: Running) -> None:
    answer = await fresh.ask("[[refuse]]", response_format=FORMAT)
    assert answer.status == 200
    assert answer.data["choices"][0]["finish_reason"] == "content_filter"


REFUSED: dict[str, tuple[Any, str]] = {
    # schema → the param of the error
    "a type that there is not": (
        {"type": "object", "properties": {"a": {"type": "strin"}}},
        ".properties.a.type",
    ),
    "not of an object": ({"type": "array", "items": {}}, ".type"),
    "a reference to elsewhere": ({"type": "object", "$ref": "http://127.0.0.1:9/x"}, ""),
    "a reference to nothing": (
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
        "",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_schema_that_is_none_is_refused(fresh: Running, case: str) -> None:
    schema, where = REFUSED[case]
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = await fresh.ask("hello", response_format=asked)
    assert answer.status == 400
    assert answer.error["param"].startswith(f"response_format.json_schema.schema{where}")
    assert not fresh.upstream.requests


@pytest.mark.parametrize("model", MODELS)
async def test_beside_functions(fresh: Running, model: str) -> None:
    fields = {"model": model, "tools": TOOLS, "response_format": FORMAT}
    asked = user("what is the weather in 'Paris'?")
    answer = await fresh.ask([asked], **fields)
    assert message(answer)["content"] is None
    history = [asked, message(answer), result(calls(answer)["get_weather"], "Ada is 36")]
    last = await fresh.ask(history, **fields)
    assert set(content(last)) == {"name", "age", "pets"}
    assert last.data["choices"][0]["finish_reason"] == "stop"
    assert last.outcome == "matched"
    assert len(fresh.upstream.requests) == 2


async def test_a_required_call_comes_before_the_answer(fresh: Running) -> None:
    fields = {"tools": [WEATHER], "response_format": FORMAT}
    answer = await fresh.ask("hello", tool_choice="required", **fields)
    assert calls(answer)
    assert [tool["name"] for tool in fresh.seen()[0]["tools"]] == ["get_weather"]


async def test_what_a_session_remembers_of_it_is_the_text(fresh: Running) -> None:
    session = new_id()
    answer = await fresh.ask("Ada is 36", response_format=FORMAT, session_id=session)
    last = await fresh.ask("thank you", session_id=session)
    assert last.outcome == "continued"
    told = fresh.seen()[-1]
    assert told["messages"][1]["content"] == [{"type": "text", "text": answer.text}]
    assert told["tools"] == []


async def test_words_that_were_held_back_are_not_in_the_turn_that_goes_on(fresh: Running) -> None:
    fields = {"tools": TOOLS, "response_format": ANY}
    asked = user("[[say One moment.]] [[call get_time {}]]")
    answer = await fresh.ask([asked], **fields)
    assert message(answer)["content"] is None
    results = [result(i) for i in calls(answer).values()]
    last = await fresh.ask([asked, message(answer), *results], **fields)
    assert (last.status, last.outcome) == (200, None)
    assert [b["type"] for b in fresh.seen()[-1]["messages"][1]["content"]] == ["tool_use"]


async def test_an_answer_that_is_broken_json_is_told_as_such(fresh: Running) -> None:
    for text in ('{"name": ', "[1]", '{"name": NaN}'):
        answer = await fresh.ask(f"[[json {text}]]", response_format=FORMAT)
        assert (answer.status, answer.error["code"]) == (502, "schema_mismatch"), text


async def test_a_schema_that_takes_long_to_compile_or_to_check_holds_nobody_up(
    fresh: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.core.schema.CHECK_SECONDS", 0.2)
    slow = {
        f"p{n}": {"type": "string", "pattern": f"(?=\\w{{200}}{n})\\w{{200}}"} for n in range(50)
    }
    items = {"type": "array", "items": {"enum": [{"n": n} for n in range(3000)]}}
    schema = {"type": "object", "properties": {**slow, "all": items}}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    values = json.dumps({"all": [{"n": 2999}] * 2000})
    answer = await fresh.ask(f"[[json {values}]]", response_format=asked)
    assert "too long to check" in answer.error["message"]
