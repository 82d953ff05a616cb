"""What the standard tests leave out: contents, errors, streamed calls, and rounds of them."""

import json
import os
import uuid
from typing import Any, Literal

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

SONNET = "claude-sonnet-4-5"


def chat(model: str = SONNET, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=model, base_url=os.environ["BRIDGE_URL"], api_key="unused", max_retries=0, **more
    )


@pytest.fixture(params=[SONNET, "gpt-4o"])
def model(request: pytest.FixtureRequest) -> ChatOpenAI:
    """One that can be told not to think, and one that always does."""
    return chat(request.param)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    if city == "Oslo":
        return asked("get_weather", city="Rome") + asked("get_weather", city="Bern")
    return f"rain in {city}"


@tool
def now() -> str:
    """The time of day."""
    raise ValueError("the clock stands still")


TOOLS = {"get_weather": get_weather, "now": now}


def asked(name: str, **arguments: object) -> str:
    """Words that make the demo model call a function."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def made(answer: AIMessage) -> list[tuple[str, Any]]:
    """Each call's name and arguments."""
    return [(call["name"], call["args"]) for call in answer.tool_calls]


def test_an_answer(model: ChatOpenAI) -> None:
    answer = model.invoke("[[say four words for you]]")
    assert answer.content == "four words for you"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata["output_tokens"] >= 4


def test_a_stream(model: ChatOpenAI) -> None:
    pieces = [chunk.content for chunk in model.stream("[[words 12]]") if chunk.content]
    assert len(pieces) == 12
    assert "".join(pieces).split() == [f"word{number}" for number in range(1, 13)]


async def test_many_at_once_get_their_own_answers() -> None:
    answers = await chat().abatch([f"[[say answer {number}]]" for number in range(4)])
    assert [answer.content for answer in answers] == [f"answer {number}" for number in range(4)]


def test_what_reaches_the_model() -> None:
    answer = chat().invoke([SystemMessage("Be brief."), HumanMessage("Now, [[echo]]")])
    heard = json.loads(answer.content)
    assert heard["system"] == ["Be brief."]
    assert heard["messages"][0]["content"][0]["text"] == "Now, [[echo]]"


def test_a_session() -> None:
    named = chat(extra_body={"session_id": f"clients-{uuid.uuid4()}"})
    named.invoke("My name is Ada.")
    assert named.invoke("What is my name?").content == "Your name is Ada."


@pytest.mark.parametrize("streamed", [False, True])
def test_several_rounds(model: ChatOpenAI, streamed: bool) -> None:
    bound = model.bind_tools(list(TOOLS.values()))
    messages: list[Any] = [HumanMessage(asked("get_weather", city="Oslo"))]
    for _ in range(5):
        if streamed:
            chunks = list(bound.stream(messages))
            answer = chunks[0]
            for chunk in chunks[1:]:
                answer += chunk
        else:
            answer = bound.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            break
        messages += [TOOLS[call["name"]].invoke(call) for call in answer.tool_calls]
    results = [message.content for message in messages if isinstance(message, ToolMessage)]
    assert results[1:] == ["rain in Rome", "rain in Bern"]
    assert "rain in Rome" in answer.content
    assert "rain in Bern" in answer.content


def test_a_tool_that_fails(model: ChatOpenAI) -> None:
    bound = model.bind_tools([now])
    first = bound.invoke(asked("now"))
    assert made(first) == [("now", {})]
    failed = ToolMessage(
        "the clock stands still", tool_call_id=first.tool_calls[0]["id"], status="error"
    )
    assert "the clock stands still" in bound.invoke([asked("now"), first, failed]).content


@pytest.mark.parametrize(
    ("choice", "names"),
    [("any", ["get_weather"]), ("now", ["now"]), ("none", []), ("auto", [])],
)
def test_the_choice(model: ChatOpenAI, choice: str, names: list[str]) -> None:
    bound = model.bind_tools(list(TOOLS.values()), tool_choice=choice)
    assert [name for name, _ in made(bound.invoke("Hello!"))] == names


def test_calls_one_at_a_time(model: ChatOpenAI) -> None:
    both = asked("get_weather", city="Rome") + asked("get_weather", city="Bern")
    bound = model.bind_tools([get_weather], strict=True, parallel_tool_calls=False)
    assert made(bound.invoke(both)) == [("get_weather", {"city": "Rome"})]
    assert len(model.bind_tools([get_weather]).invoke(both).tool_calls) == 2


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Drawing(BaseModel):
    """With a union, a list and what may be null."""

    title: str
    shapes: list[Circle | Square]
    note: str | None


class Node(BaseModel):
    """Refers to itself."""

    value: int
    children: list["Node"]


VALUES = (
    Drawing(
        title="“Two”, by Ada",
        shapes=[Square(kind="square", side=2.5), Circle(kind="circle", radius=1)],
        note=None,
    ),
    Node(value=1, children=[Node(value=2, children=[])]),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(model: ChatOpenAI, method: Any, value: BaseModel) -> None:
    kind = f"call {type(value).__name__}" if method == "function_calling" else "json"
    said = f"[[{kind} {value.model_dump_json()}]]"
    structured = model.with_structured_output(type(value), method=method, include_raw=True)
    answer = structured.invoke(said)
    assert answer["parsing_error"] is None
    assert answer["parsed"] == value
    *_, last = model.with_structured_output(type(value), method=method).stream(said)
    assert last == value


def test_what_goes_wrong() -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        chat("llama-3").invoke("hi")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        chat(temperature=3).invoke("hi")
    assert refused.value.param == "temperature"
    with pytest.raises(openai.InternalServerError) as wrong:
        chat().with_structured_output(Node).invoke('[[json {"value": "x"}]]')
    assert wrong.value.code == "schema_mismatch"
    with pytest.raises(openai.APIError, match="overloaded"):
        list(chat().stream("[[stream-error 20]] [[words 60]]"))
