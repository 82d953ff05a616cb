"""Structured output in each of the library's modes."""

import enum
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, ModelRetry, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel

Named = Callable[[str], OpenAIChatModel]
SONNET = "claude-sonnet-4-5"


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    """A person: nested, with an enum and what may be missing."""

    name: str
    age: int = Field(ge=0)
    home: Address | None = None
    colours: list[Colour]


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Drawing(BaseModel):
    """With a union."""

    shapes: list[Circle | Square]


class Node(BaseModel):
    """Refers to itself."""

    value: int
    children: list["Node"] = []


VALUES = (
    Person(
        name="Ada “the first”",
        age=36,
        home=Address(street="St James's Square", city="London"),
        colours=[Colour.GREEN],
    ),
    Drawing(shapes=[Square(kind="square", side=2.5), Circle(kind="circle", radius=1)]),
    Node(value=1, children=[Node(value=2, children=[Node(value=3)])]),
)
of_each = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


def shaped(value: BaseModel) -> str:
    """Words that make the demo model answer this as JSON."""
    return f"[[json {value.model_dump_json()}]]"


def called(value: BaseModel, name: str = "final_result") -> str:
    """Words that make it call the function that takes the answer."""
    return f"[[call {name} {value.model_dump_json()}]]"


@of_each
async def test_by_a_tool(model: OpenAIChatModel, value: BaseModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=type(value))
    assert (await agent.run(called(value))).output == value


@of_each
async def test_by_the_response_format(model: OpenAIChatModel, value: BaseModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=NativeOutput(type(value)))
    assert (await agent.run(shaped(value))).output == value


@of_each
async def test_by_a_prompt(model: OpenAIChatModel, value: BaseModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=PromptedOutput(type(value)))
    assert (await agent.run(shaped(value))).output == value


@pytest.mark.parametrize("mode", [ToolOutput, NativeOutput])
async def test_an_answer_that_the_model_makes_up(model: OpenAIChatModel, mode: Any) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=mode(Person))
    result = await agent.run("Tell me about 'Grace Hopper', aged 36, who likes green")
    assert isinstance(result.output, Person)
    assert (result.output.name, result.output.age) == ("Grace Hopper", 36)
    assert result.output.colours == [Colour.GREEN]


@pytest.mark.parametrize(
    ("mode", "said"), [(ToolOutput, called), (NativeOutput, shaped), (PromptedOutput, shaped)]
)
async def test_a_stream(model: OpenAIChatModel, mode: Any, said: Any) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=mode(Person))
    async with agent.run_stream(said(VALUES[0])) as stream:
        parts = [part async for part in stream.stream_output(debounce_by=None)]
    assert parts[-1] == VALUES[0]
    assert len(parts) > 2  # it grew


async def test_one_of_several_types(model: OpenAIChatModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=[Circle, Square])
    square = Square(kind="square", side=2)
    assert (await agent.run(called(square, "final_result_Square"))).output == square


async def test_one_of_several_types_by_the_response_format(model: OpenAIChatModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=NativeOutput([Circle, Square]))
    answer = {"result": {"kind": "Square", "data": {"kind": "square", "side": 2}}}
    result = await agent.run(f"[[json {json.dumps(answer)}]]")
    assert result.output == Square(kind="square", side=2)


async def test_what_is_no_object(chat_model: Named) -> None:
    agent = Agent(chat_model(SONNET), output_type=NativeOutput(list[int]))
    assert (await agent.run('[[json {"response": [1, 2, 3]}]]')).output == [1, 2, 3]


async def test_tools_before_the_answer(model: OpenAIChatModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=NativeOutput(Address))

    @agent.tool_plain
    def find_city() -> str:
        """Where it is."""
        return "It is in 'Oslo'"

    result = await agent.run("[[call find_city {}]]")
    assert isinstance(result.output, Address)
    assert result.usage.requests == 2


async def test_an_answer_that_is_refused_by_a_validator(model: OpenAIChatModel) -> None:
    agent: Agent[None, Any] = Agent(model, output_type=Address, retries=2)

    @agent.output_validator
    def not_in_rome(output: Address) -> Address:
        if output.city == "Rome":
            raise ModelRetry("It is elsewhere: [[call final_result]]")
        return output

    result = await agent.run(called(Address(street="Karl Johans gate", city="Rome")))
    assert result.output.city != "Rome"
    assert result.usage.requests == 2


async def test_an_answer_that_does_not_fit(chat_model: Named) -> None:
    agent = Agent(chat_model(SONNET), output_type=NativeOutput(Address, strict=True))
    with pytest.raises(ModelHTTPError) as caught:
        await agent.run('[[json {"street": 7}]]')
    assert caught.value.status_code == 502
    assert caught.value.body["code"] == "schema_mismatch"
