"""What the standard tests leave out: contents, thoughts, errors, and rounds of calls."""

import json
import os
import uuid
from typing import Any, Literal

import anthropic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

SONNET = "claude-sonnet-4-5"
OPUS = "claude-opus-5-5"


def chat(model: str = SONNET, **more: Any) -> ChatAnthropic:
    return ChatAnthropic(
        model=model,
        base_url=os.environ["BRIDGE_URL"].removesuffix("/v1"),
        api_key="unused",
        max_retries=0,
        max_tokens=4000,
        **more,
    )


@pytest.fixture(params=[SONNET, OPUS])
def model(request: pytest.FixtureRequest) -> ChatAnthropic:
    """One that thinks when it is told to, and one that always does as it sees fit."""
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
    """Words that make the demo model call a tool."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def made(answer: AIMessage) -> list[tuple[str, Any]]:
    """Each call's name and arguments."""
    return [(call["name"], call["args"]) for call in answer.tool_calls]


def test_an_answer(model: ChatAnthropic) -> None:
    answer = model.invoke("[[say four words for you]]")
    assert answer.text == "four words for you"
    assert answer.response_metadata["stop_reason"] == "end_turn"
    assert answer.response_metadata["model_name"] == model.model
    assert answer.usage_metadata["output_tokens"] == 4


def test_a_stream(model: ChatAnthropic) -> None:
    pieces = [chunk.text for chunk in model.stream("[[words 12]]") if chunk.text]
    assert len(pieces) == 12
    assert "".join(pieces).split() == [f"word{number}" for number in range(1, 13)]


async def test_many_at_once_get_their_own_answers() -> None:
    answers = await chat().abatch([f"[[say answer {number}]]" for number in range(4)])
    assert [answer.text for answer in answers] == [f"answer {number}" for number in range(4)]


def test_what_reaches_the_model() -> None:
    answer = chat().invoke([SystemMessage("Be brief."), HumanMessage("Now, [[echo]]")])
    heard = json.loads(answer.text)
    assert heard["system"] == ["Be brief."]
    assert heard["messages"][0]["content"][0]["text"] == "Now, [[echo]]"


def test_a_session() -> None:
    named = chat(default_headers={"X-Session-Id": f"clients-{uuid.uuid4()}"})
    named.invoke("My name is Ada.")
    assert named.invoke("What is my name?").text == "Your name is Ada."


def test_the_tokens_of_a_prompt() -> None:
    assert chat().get_num_tokens_from_messages([HumanMessage("Hello there")]) > 0


@pytest.mark.parametrize(
    ("name", "thinking"),
    [
        (SONNET, {"type": "enabled", "budget_tokens": 2000}),
        (OPUS, {"type": "adaptive", "display": "summarized"}),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_thought_is_kept(name: str, thinking: dict[str, Any], streamed: bool) -> None:
    thinker = chat(name, thinking=thinking).bind_tools([get_weather])
    said = f"[[think of Rome]] {asked('get_weather', city='Rome')}"
    if streamed:
        chunks = list(thinker.stream(said))
        first = chunks[0]
        for chunk in chunks[1:]:
            first += chunk
    else:
        first = thinker.invoke(said)
    thought = next(block for block in first.content if block["type"] == "thinking")
    assert thought["thinking"] == "of Rome"
    assert thought["signature"]
    (call,) = first.tool_calls
    last = thinker.invoke([HumanMessage(said), first, get_weather.invoke(call)])
    assert "rain in Rome" in last.text


@pytest.mark.parametrize("streamed", [False, True])
def test_several_rounds(model: ChatAnthropic, streamed: bool) -> None:
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
    assert "rain in Rome" in answer.text
    assert "rain in Bern" in answer.text


def test_a_tool_that_fails(model: ChatAnthropic) -> None:
    bound = model.bind_tools([now])
    first = bound.invoke(asked("now"))
    assert made(first) == [("now", {})]
    failed = ToolMessage(
        "the clock stands still", tool_call_id=first.tool_calls[0]["id"], status="error"
    )
    answer = bound.invoke([HumanMessage(asked("now")), first, failed])
    assert "failed: the clock stands still" in answer.text


@pytest.mark.parametrize(
    ("choice", "names"),
    [("any", ["get_weather"]), ("now", ["now"]), ("auto", [])],
)
def test_the_choice(choice: str, names: list[str]) -> None:
    bound = chat().bind_tools(list(TOOLS.values()), tool_choice=choice)
    assert [name for name, _ in made(bound.invoke("Hello!"))] == names


def test_calls_one_at_a_time(model: ChatAnthropic) -> None:
    both = asked("get_weather", city="Rome") + asked("get_weather", city="Bern")
    bound = model.bind_tools([get_weather], parallel_tool_calls=False)
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
@pytest.mark.parametrize(
    ("name", "method"),
    [(SONNET, "function_calling"), (SONNET, "json_schema"), (OPUS, "json_schema")],
)
def test_structured_output(name: str, method: Any, value: BaseModel) -> None:
    kind = f"call {type(value).__name__}" if method == "function_calling" else "json"
    said = f"[[{kind} {value.model_dump_json()}]]"
    structured = chat(name).with_structured_output(type(value), method=method, include_raw=True)
    answer = structured.invoke(said)
    assert answer["parsing_error"] is None
    assert answer["parsed"] == value
    *_, last = chat(name).with_structured_output(type(value), method=method).stream(said)
    assert last == value


def test_what_goes_wrong() -> None:
    with pytest.raises(anthropic.NotFoundError, match="llama-3"):
        chat("llama-3").invoke("hi")
    with pytest.raises(anthropic.RateLimitError):
        chat().invoke("[[fail 429]]")
    with pytest.raises(anthropic.APIStatusError, match="verloaded"):
        list(chat().stream("[[stream-error 20]] [[words 60]]"))
