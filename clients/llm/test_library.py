"""The same from Python."""

import json
from typing import Any

import llm
import openai
import pytest
from media import PDF, PDF_SEEN, PNG, PNG_SEEN
from pydantic import BaseModel


def asked(*cities: str) -> str:
    """Words that make the demo model call a function."""
    return "".join(f"[[call get_weather {json.dumps({'city': city})}]]" for city in cities)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_answer(model: str, stream: bool) -> None:
    response = llm.get_model(model).prompt("[[say four words for you]]", stream=stream)
    pieces = [piece for piece in response if piece]
    assert "".join(pieces) == response.text() == "four words for you"
    assert len(pieces) == (4 if stream else 1)
    assert response.usage().output >= 4
    answered: Any = response.response_json
    assert answered["model"].startswith("claude-sonnet-")


async def test_without_waiting(model: str) -> None:
    response = llm.get_async_model(model).prompt("[[words 8]]")
    pieces = [piece async for piece in response if piece]
    assert len(pieces) == 8
    assert (await response.text()).split() == [f"word{number}" for number in range(1, 9)]


def test_a_conversation(model: str) -> None:
    conversation = llm.get_model(model).conversation()
    conversation.prompt("My name is Ada.", system="Be brief.").text()
    assert conversation.prompt("What is my name?").text() == "Your name is Ada."
    assert json.loads(conversation.prompt("[[echo]]").text())["system"] == ["Be brief."]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_functions_in_several_rounds(model: str, stream: bool) -> None:
    seen = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        seen.append(city)
        return asked("Rome", "Bern") if city == "Oslo" else f"rain in {city}"

    chain = llm.get_model(model).chain(asked("Oslo"), tools=[get_weather], stream=stream)
    told = "get_weather returned: rain in Rome\nget_weather returned: rain in Bern"
    assert chain.text() == told
    assert seen == ["Oslo", "Rome", "Bern"]


async def test_functions_without_waiting(model: str) -> None:
    async def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"rain in {city}"

    chain = llm.get_async_model(model).chain(asked("Rome"), tools=[get_weather])
    assert await chain.text() == "get_weather returned: rain in Rome"


def test_a_function_that_fails() -> None:
    def get_weather(city: str) -> str:
        """The weather in a city."""
        raise ValueError(f"{city} is nowhere")

    chain = llm.get_model("bridge-sonnet").chain(asked("Atlantis"), tools=[get_weather])
    assert "Atlantis is nowhere" in chain.text()


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    """Nested, with a list and what may be null."""

    name: str
    home: Address | None
    known_as: list[str]


ADA = Person(
    name="Ada", home=Address(street="St James's Square", city="London"), known_as=["Countess"]
)


def test_a_schema(model: str) -> None:
    response = llm.get_model(model).prompt(f"[[json {ADA.model_dump_json()}]]", schema=Person)
    pieces = list(response)
    assert len(pieces) > 2  # it is streamed, and not collected first
    assert Person.model_validate_json(response.text()) == ADA


@pytest.mark.parametrize(
    ("data", "seen"), [(PNG, PNG_SEEN), (PDF, PDF_SEEN)], ids=["picture", "document"]
)
def test_an_attachment(model: str, data: bytes, seen: str) -> None:
    attachment = llm.Attachment(content=data)
    response = llm.get_model(model).prompt("What is it?", attachments=[attachment])
    assert seen in response.text()


def test_what_goes_wrong() -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        llm.get_model("bridge-absent").prompt("hi").text()
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        llm.get_model("bridge-sonnet").prompt("hi", top_p=1, logit_bias={"1": 1}).text()
    assert refused.value.param == "logit_bias"
    with pytest.raises(openai.APIError, match="overloaded"):
        llm.get_model("bridge-sonnet").prompt("[[stream-error 3]] [[words 9]]").text()
