"""Structured output in each of the library's modes for OpenAI."""

import enum
import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import instructor
import openai
import pytest
from instructor import Mode
from instructor.core.exceptions import InstructorRetryException
from pydantic import BaseModel, Field, field_validator

SONNET = "claude-sonnet-4-5"
MODES = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.MD_JSON, Mode.JSON_SCHEMA)
BY_TOOLS = {Mode.TOOLS, Mode.TOOLS_STRICT, Mode.PARALLEL_TOOLS}


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Address(BaseModel):
    street: str
    city: str


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Person(BaseModel):
    """Nested, with an enum, a union and what may be null."""

    name: str
    age: int = Field(description="In years")
    home: Address | None
    colours: list[Colour]
    shapes: list[Circle | Square]


class Node(BaseModel):
    """Refers to itself."""

    value: int
    children: list["Node"]


VALUES = (
    Person(
        name="Ada “the first”",
        age=36,
        home=Address(street="St James's Square", city="London"),
        colours=[Colour.GREEN],
        shapes=[Square(kind="square", side=2.5), Circle(kind="circle", radius=1)],
    ),
    Node(value=1, children=[Node(value=2, children=[])]),
)
of_each = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


@pytest.fixture
def plain() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=os.environ["BRIDGE_URL"], api_key="unused", max_retries=0
    ) as client:
        yield client


@pytest.fixture(params=MODES, ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


@pytest.fixture(params=[SONNET, "gpt-4o"])
def model(request: pytest.FixtureRequest) -> str:
    """One that can be told not to think, and one that always does."""
    return request.param


def said(value: BaseModel, mode: Mode, function: str | None = None) -> Any:
    """A message that makes the demo model answer this, as a mode wants it."""
    kind = f"call {function or type(value).__name__}" if mode in BY_TOOLS else "json"
    return {"role": "user", "content": f"[[{kind} {value.model_dump_json()}]]"}


@of_each
def test_an_answer(plain: openai.OpenAI, mode: Mode, model: str, value: BaseModel) -> None:
    client = instructor.from_openai(plain, mode=mode)
    answer = client.create(
        model=model, messages=[said(value, mode)], response_model=type(value), max_retries=0
    )
    assert answer.model_dump() == value.model_dump()


def test_an_answer_and_its_completion(plain: openai.OpenAI, mode: Mode) -> None:
    client = instructor.from_openai(plain, mode=mode)
    answer, completion = client.create_with_completion(
        model=SONNET, messages=[said(VALUES[1], mode)], response_model=Node, max_retries=0
    )
    assert answer.model_dump() == VALUES[1].model_dump()
    assert completion.usage.completion_tokens > 0
    assert completion.model == SONNET


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON_SCHEMA], indirect=True)
def test_an_answer_that_the_model_makes_up(plain: openai.OpenAI, mode: Mode, model: str) -> None:
    client = instructor.from_openai(plain, mode=mode)
    answer = client.create(
        model=model,
        messages=[
            {"role": "user", "content": 'Tell me about "Grace Hopper", aged 36, who likes green'}
        ],
        response_model=Person,
        max_retries=0,
    )
    assert (answer.name, answer.age) == ("Grace Hopper", 36)
    assert answer.colours == [Colour.GREEN]


def test_a_stream_of_parts(plain: openai.OpenAI, mode: Mode, model: str) -> None:
    client = instructor.from_openai(plain, mode=mode)
    parts = list(
        client.create_partial(
            model=model,
            messages=[said(VALUES[0], mode, "PartialPerson")],
            response_model=Person,
            max_retries=0,
            strict=False,  # else the library takes no text for an enum
        )
    )
    assert parts[-1].model_dump() == VALUES[0].model_dump()
    assert len(parts) > 2
    assert any(part.name and part.home is None for part in parts)  # it grew


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA], indirect=True)
def test_a_stream_of_many(plain: openai.OpenAI, mode: Mode, model: str) -> None:
    tasks = '{"tasks": [{"street": "A", "city": "Rome"}, {"street": "B", "city": "Oslo"}]}'
    kind = "call IterableAddress" if mode in BY_TOOLS else "json"
    client = instructor.from_openai(plain, mode=mode)
    found = list(
        client.create_iterable(
            model=model,
            messages=[{"role": "user", "content": f"[[{kind} {tasks}]]"}],
            response_model=Address,
            max_retries=0,
        )
    )
    assert found == [Address(street="A", city="Rome"), Address(street="B", city="Oslo")]


def test_parallel_calls(plain: openai.OpenAI, model: str) -> None:
    client = instructor.from_openai(plain, mode=Mode.PARALLEL_TOOLS)
    circle, address = Circle(kind="circle", radius=2), Address(street="A", city="Rome")
    text = "".join(said(value, Mode.PARALLEL_TOOLS)["content"] for value in (circle, address))
    found = client.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        response_model=Iterable[Circle | Address],
    )
    assert list(found) == [circle, address]


class Elsewhere(BaseModel):
    """Any city but one."""

    city: str

    @field_validator("city")
    @classmethod
    def is_not_rome(cls, city: str) -> str:
        if city == "Rome":
            raise ValueError("[[call Elsewhere]]")
        return city


def test_an_answer_that_is_asked_for_again(plain: openai.OpenAI, model: str) -> None:
    """The library tells the model what was wrong, as the result of its call."""
    client = instructor.from_openai(plain, mode=Mode.TOOLS)
    answer, completion = client.create_with_completion(
        model=model,
        messages=[{"role": "user", "content": '[[call Elsewhere {"city": "Rome"}]]'}],
        response_model=Elsewhere,
        max_retries=1,
    )
    assert answer.city != "Rome"
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_the_async_client(mode: Mode) -> None:
    async with openai.AsyncOpenAI(
        base_url=os.environ["BRIDGE_URL"], api_key="unused", max_retries=0
    ) as plain:
        client = instructor.from_openai(plain, mode=mode)
        answer = await client.create(
            model=SONNET, messages=[said(VALUES[0], mode)], response_model=Person, max_retries=0
        )
    assert answer.model_dump() == VALUES[0].model_dump()


def test_without_a_model_it_is_the_plain_client(plain: openai.OpenAI) -> None:
    client = instructor.from_openai(plain)
    completion = client.create(
        model=SONNET,
        messages=[{"role": "user", "content": "[[say as ever]]"}],
        response_model=None,
    )
    assert completion.choices[0].message.content == "as ever"


def test_what_goes_wrong(plain: openai.OpenAI) -> None:
    client = instructor.from_openai(plain, mode=Mode.JSON_SCHEMA)
    ask = {"messages": [said(VALUES[1], Mode.JSON_SCHEMA)], "max_retries": 0}
    with pytest.raises(InstructorRetryException) as missing:
        client.create(model="llama-3", response_model=Node, **ask)
    assert "model_not_found" in str(missing.value)
    with pytest.raises(InstructorRetryException) as wrong:
        client.create(model=SONNET, response_model=Address, **ask)
    assert "schema_mismatch" in str(wrong.value)
