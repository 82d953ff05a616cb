"""Structured output: what the client parses into the caller's own types."""

import enum
import json
from typing import Any, Literal, Union

import openai
import pytest
from asking import MODEL, STRICT_CLOCK, answered, asked, user
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    """Nested, with an enum, a list, numbers and what may be null."""

    name: str
    age: int = Field(description="In years")
    height: float
    home: Address
    work: Address | None
    colours: list[Colour]
    title: Literal["Dr", "Prof"]
    known: bool


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Drawing(BaseModel):
    """A union, by ``anyOf`` and ``$defs``."""

    shapes: list[Circle | Square]
    first: Union[Circle, Square]  # noqa: UP007 - the older form leads to the same
    note: str | int


class Node(BaseModel):
    """Refers to itself."""

    value: int
    children: list["Node"]


class Step(BaseModel):
    explanation: str
    output: str


class Solution(BaseModel):
    """The example of OpenAI's guide."""

    model_config = ConfigDict(extra="forbid")
    steps: list[Step]
    final_answer: str


PERSON = Person.model_validate(
    {
        "name": "Ada “the first” Lovelace",
        "age": 36,
        "height": 1.65,
        "home": {"street": "12 St James's Square", "city": "London"},
        "work": None,
        "colours": ["green", "red"],
        "title": "Prof",
        "known": True,
    }
)
DRAWING = Drawing(
    shapes=[Square(kind="square", side=2.5), Circle(kind="circle", radius=1)],
    first=Circle(kind="circle", radius=3),
    note=7,
)
TREE = Node(value=1, children=[Node(value=2, children=[Node(value=3, children=[])])])
SOLUTION = Solution(
    steps=[Step(explanation="Take 7 away.", output="8x = -30")], final_answer="x = -3.75"
)


def shaped(value: BaseModel) -> Any:
    """A message that makes the demo model answer this."""
    return user(f"[[json {value.model_dump_json()}]]")


@pytest.mark.parametrize("value", [PERSON, DRAWING, TREE, SOLUTION], ids=lambda v: type(v).__name__)
def test_an_answer_that_is_parsed(client: openai.OpenAI, model: str, value: BaseModel) -> None:
    completion = client.chat.completions.parse(
        model=model, messages=[shaped(value)], response_format=type(value)
    )
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    assert choice.message.parsed == value
    assert choice.message.refusal is None
    assert choice.message.tool_calls is None
    assert json.loads(choice.message.content or "") == value.model_dump(mode="json")


@pytest.mark.parametrize("value", [PERSON, DRAWING, TREE, SOLUTION], ids=lambda v: type(v).__name__)
def test_a_stream_that_is_parsed(client: openai.OpenAI, model: str, value: BaseModel) -> None:
    with client.chat.completions.stream(
        model=model, messages=[shaped(value)], response_format=type(value)
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == value
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.parsed == value
    deltas = [event for event in events if event.type == "content.delta"]
    assert len(deltas) > 2  # it is streamed, and not collected first
    assert json.loads("".join(event.delta for event in deltas)) == value.model_dump(mode="json")


@pytest.mark.parametrize("kind", [Person, Drawing, Node, Solution])
def test_an_answer_that_the_model_makes_up(
    client: openai.OpenAI, model: str, kind: type[BaseModel]
) -> None:
    completion = client.chat.completions.parse(
        model=model,
        messages=[user("Tell me about 'Grace Hopper', aged 36, who likes green")],
        response_format=kind,
    )
    parsed = completion.choices[0].message.parsed
    assert isinstance(parsed, kind)
    if isinstance(parsed, Person):
        assert (parsed.name, parsed.age) == ("Grace Hopper", 36)
        assert parsed.colours == [Colour.GREEN]


async def test_the_async_client(async_client: openai.AsyncOpenAI) -> None:
    completion = await async_client.chat.completions.parse(
        model=MODEL, messages=[shaped(PERSON)], response_format=Person
    )
    assert completion.choices[0].message.parsed == PERSON
    async with async_client.chat.completions.stream(
        model=MODEL, messages=[shaped(TREE)], response_format=Node
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == TREE


def test_the_usage_of_a_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL,
        messages=[shaped(SOLUTION)],
        response_format=Solution,
        stream_options={"include_usage": True},
    ) as stream:
        final = stream.get_final_completion()
    assert final.usage is not None
    assert final.usage.completion_tokens > 0


def test_json_without_a_schema(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "system", "content": "Answer in JSON."},
            user('[[json {"a": [1, {"b": "ü"}]}]]'),
        ],
        response_format={"type": "json_object"},
    )
    assert json.loads(completion.choices[0].message.content or "") == {"a": [1, {"b": "ü"}]}


def test_a_stream_of_json_without_a_schema(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[user("Some JSON, please.")],
        response_format={"type": "json_object"},
        stream=True,
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert isinstance(json.loads(said), dict)


def test_a_schema_as_it_is_written(client: openai.OpenAI, model: str) -> None:
    """Not strict, with keywords that OpenAI's own strict mode has not."""
    schema = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "price": {"type": "number", "minimum": 0, "exclusiveMaximum": 100},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        },
        "required": ["code", "price"],
    }
    completion = client.chat.completions.create(
        model=model,
        messages=[user('[[json {"code": "ABC", "price": 99.5, "tags": ["a"]}]]')],
        response_format={"type": "json_schema", "json_schema": {"name": "item", "schema": schema}},
    )
    answer = TypeAdapter(dict[str, Any]).validate_json(completion.choices[0].message.content or "")
    assert answer == {"code": "ABC", "price": 99.5, "tags": ["a"]}


def test_a_schema_that_is_a_reference(client: openai.OpenAI, model: str) -> None:
    """As pydantic writes it for a type that refers to itself."""
    schema = Node.model_json_schema()
    assert "$ref" in schema
    completion = client.chat.completions.create(
        model=model,
        messages=[shaped(TREE)],
        response_format={"type": "json_schema", "json_schema": {"name": "node", "schema": schema}},
    )
    assert Node.model_validate_json(completion.choices[0].message.content or "") == TREE


def test_an_answer_that_does_not_fit(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.parse(
            model=model, messages=[user('[[json {"value": "x"}]]')], response_format=Node
        )
    assert caught.value.code == "schema_mismatch"


def test_a_stream_that_does_not_fit(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[user('[[json {"value": "x"}]]')],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "node", "schema": Node.model_json_schema()},
        },
        stream=True,
    )
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "schema_mismatch"


def test_an_answer_that_is_cut(client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError) as caught:
        client.chat.completions.parse(
            model=MODEL,
            messages=[shaped(PERSON)],
            response_format=Person,
            max_completion_tokens=5,
        )
    assert caught.value.completion.usage is not None


def test_an_answer_that_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(
            model=MODEL, messages=[user("[[refuse]]")], response_format=Person
        )


def test_functions_come_before_the_answer(client: openai.OpenAI, model: str) -> None:
    messages = [user(asked("now"))]
    first = client.chat.completions.parse(
        model=model, messages=messages, tools=[STRICT_CLOCK], response_format=Step
    )
    (choice,) = first.choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls or ()
    assert call.function.name == "now"
    assert choice.message.parsed is None
    messages += [
        choice.message,
        answered(call, "noon"),
    ]
    second = client.chat.completions.parse(
        model=model, messages=messages, tools=[STRICT_CLOCK], response_format=Step
    )
    assert second.choices[0].finish_reason == "stop"
    assert isinstance(second.choices[0].message.parsed, Step)


def test_a_conversation_goes_on(client: openai.OpenAI, model: str) -> None:
    messages = [shaped(SOLUTION)]
    first = client.chat.completions.parse(model=model, messages=messages, response_format=Solution)
    messages += [
        {"role": "assistant", "content": first.choices[0].message.content},
        shaped(TREE),
    ]
    second = client.chat.completions.parse(model=model, messages=messages, response_format=Node)
    assert second.choices[0].message.parsed == TREE
    messages += [
        {"role": "assistant", "content": second.choices[0].message.content},
        user("[[say plain words again]]"),
    ]
    third = client.chat.completions.create(model=model, messages=messages)
    assert third.choices[0].message.content == "plain words again"
