"""Structured output: `parse()`, `stream()` and `output_config` itself."""

import json
from typing import Any, Literal

import anthropic
import pytest
from asking import CLOCK, MODEL, NEWEST, asked, assistant, calls, result, said, user
from pydantic import BaseModel


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Person(BaseModel):
    """With a union, a list, a choice and what may be null."""

    name: str
    age: int
    shapes: list[Circle | Square]
    colour: Literal["red", "green"]
    note: str | None


class Node(BaseModel):
    """Refers to itself."""

    value: int
    children: list["Node"]


class Place(BaseModel):
    """Has no literal: 1.x takes that out of the schema, and the demo's answer would not be one."""

    city: str
    people: int


PERSON = Person(
    name="Ada “the first” Lovelace",
    age=36,
    shapes=[Square(kind="square", side=2.5), Circle(kind="circle", radius=1)],
    colour="green",
    note=None,
)
TREE = Node(value=1, children=[Node(value=2, children=[])])
SCHEMA: Any = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["city", "people"],
        "additionalProperties": False,
    },
}


def shaped(value: BaseModel) -> Any:
    return user(f"[[json {value.model_dump_json()}]]")


@pytest.mark.parametrize("value", [PERSON, TREE], ids=lambda value: type(value).__name__)
def test_parse(client: anthropic.Anthropic, model: str, value: BaseModel) -> None:
    message = client.messages.parse(
        model=model, max_tokens=999, messages=[shaped(value)], output_format=type(value)
    )
    assert message.parsed_output == value
    assert message.stop_reason == "end_turn"
    assert [block.type for block in message.content] == ["text"]


@pytest.mark.parametrize("value", [PERSON, TREE], ids=lambda value: type(value).__name__)
def test_a_stream_that_is_parsed(client: anthropic.Anthropic, model: str, value: BaseModel) -> None:
    with client.messages.stream(
        model=model, max_tokens=999, messages=[shaped(value)], output_format=type(value)
    ) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1
    assert json.loads("".join(pieces)) == value.model_dump()
    assert final.parsed_output == value
    assert final.stop_reason == "end_turn"


async def test_the_async_client_parses(async_client: anthropic.AsyncAnthropic) -> None:
    message = await async_client.messages.parse(
        model=MODEL, max_tokens=999, messages=[shaped(PERSON)], output_format=Person
    )
    assert message.parsed_output == PERSON


def test_what_the_model_makes_up(client: anthropic.Anthropic, model: str) -> None:
    message = client.messages.create(
        model=model,
        max_tokens=999,
        messages=[user("How many people live in Rome?")],
        output_config={"format": SCHEMA},
    )
    made = json.loads(said(message))
    assert isinstance(made["city"], str)
    assert isinstance(made["people"], int)
    assert set(made) == {"city", "people"}


def test_a_thought_before_it(client: anthropic.Anthropic) -> None:
    message = client.messages.parse(
        model=NEWEST,
        max_tokens=4000,
        thinking={"type": "adaptive", "display": "summarized"},
        output_config={"effort": "high"},
        messages=[user(f"[[think hard]] [[json {PERSON.model_dump_json()}]]")],
        output_format=Person,
    )
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.parsed_output == PERSON


def test_tools_before_it(client: anthropic.Anthropic, model: str) -> None:
    sent: Any = {"model": model, "max_tokens": 999, "tools": [CLOCK], "output_format": Place}
    messages = [user(asked("now"))]
    first = client.messages.parse(messages=messages, **sent)
    assert first.stop_reason == "tool_use"
    (call,) = calls(first)
    assert call.name == "now"
    assert first.parsed_output is None
    messages += [assistant([call.to_dict()]), user([result(call, "noon")])]
    second = client.messages.parse(messages=messages, **sent)
    assert second.stop_reason == "end_turn"
    assert isinstance(second.parsed_output, Place)


def test_an_answer_that_is_cut(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL, max_tokens=5, messages=[shaped(PERSON)], output_config={"format": SCHEMA}
    )
    assert message.stop_reason == "max_tokens"


def test_an_answer_that_is_refused(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=99,
        messages=[user("[[refuse]]")],
        output_config={"format": SCHEMA},
    )
    assert message.stop_reason == "refusal"


def test_a_conversation_goes_on(client: anthropic.Anthropic, model: str) -> None:
    messages = [shaped(PERSON)]
    first = client.messages.parse(
        model=model, max_tokens=999, messages=messages, output_format=Person
    )
    messages += [assistant(said(first)), shaped(TREE)]
    second = client.messages.parse(
        model=model, max_tokens=999, messages=messages, output_format=Node
    )
    assert second.parsed_output == TREE
    messages += [assistant(said(second)), user("[[say plain words again]]")]
    third = client.messages.create(model=model, max_tokens=999, messages=messages)
    assert said(third) == "plain words again"


def test_the_beta_client_parses(client: anthropic.Anthropic) -> None:
    message = client.beta.messages.parse(
        model=MODEL, max_tokens=999, messages=[shaped(PERSON)], output_format=Person
    )
    assert message.parsed_output == PERSON


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_schema"},
        {"type": "xml", "schema": {}},
        {"type": "json_schema", "schema": "none"},
    ],
)
def test_a_format_that_is_none(client: anthropic.Anthropic, form: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="format"):
        client.messages.create(
            model=MODEL, max_tokens=99, messages=[user("hi")], output_config={"format": form}
        )
