"""``response_format`` from a pydantic model, a schema, or none."""

import json
from typing import Any

import litellm
import pytest
from asking import SONNET, ask, each_model, said
from pydantic import BaseModel


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    """Nested, with a list and what may be null."""

    name: str
    age: int
    home: Address | None
    known_as: list[str]


ADA = Person(
    name="Ada “the first”",
    age=36,
    home=Address(street="St James's Square", city="London"),
    known_as=["Countess"],
)
LAID_DOWN = f"[[json {ADA.model_dump_json()}]]"
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {"name": "person", "schema": Person.model_json_schema()},
}


@each_model
@pytest.mark.parametrize("shape", [Person, SCHEMA, {"type": "json_object"}], ids=str)
def test_an_answer(model: str, shape: Any) -> None:
    answer = ask(model, LAID_DOWN, response_format=shape)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.tool_calls is None
    assert Person.model_validate_json(said(answer) or "") == ADA


@each_model
def test_a_stream(model: str) -> None:
    chunks = ask(model, LAID_DOWN, response_format=Person, stream=True)
    pieces = [piece for chunk in chunks if (piece := chunk.choices[0].delta.content)]
    assert len(pieces) > 2  # it is streamed, and not collected first
    assert Person.model_validate_json("".join(pieces)) == ADA


def test_an_answer_that_the_model_makes_up() -> None:
    answer = ask(SONNET, 'Tell me about "Grace Hopper", aged 36', response_format=Person)
    person = Person.model_validate_json(said(answer) or "")
    assert (person.name, person.age) == ("Grace Hopper", 36)


def test_an_answer_that_does_not_fit() -> None:
    with pytest.raises(litellm.BadGatewayError, match="schema"):
        ask(SONNET, '[[json {"name": 1}]]', response_format=Person)


def test_the_library_checks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "enable_json_schema_validation", True)
    answer = ask(SONNET, LAID_DOWN, response_format=Person)
    assert json.loads(said(answer) or "") == ADA.model_dump()
