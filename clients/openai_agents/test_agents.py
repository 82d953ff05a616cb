"""Agents on chat completions: plain and streamed runs, tools, handoffs, guardrails and outputs."""

import json
import os
import uuid
from collections.abc import Callable
from typing import Any, Literal

import openai
import pytest
from agents import (
    Agent,
    AgentOutputSchema,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    ModelSettings,
    OpenAIChatCompletionsModel,
    RunConfig,
    RunContextWrapper,
    Runner,
    SQLiteSession,
    function_tool,
    input_guardrail,
    set_tracing_disabled,
)
from agents.items import ToolCallOutputItem
from openai.types.responses import ResponseFunctionCallArgumentsDeltaEvent, ResponseTextDeltaEvent
from pydantic import BaseModel

set_tracing_disabled(disabled=True)

Named = Callable[[str], OpenAIChatCompletionsModel]
SONNET = "claude-sonnet-4-5"


@pytest.fixture
def chat_model() -> Named:
    """A model of the bridge by its name."""
    return lambda name: OpenAIChatCompletionsModel(
        model=name,
        openai_client=openai.AsyncOpenAI(
            base_url=os.environ["BRIDGE_URL"], api_key="unused", max_retries=0
        ),
    )


@pytest.fixture(params=[SONNET, "gpt-4o"])
def model(request: pytest.FixtureRequest, chat_model: Named) -> OpenAIChatCompletionsModel:
    """One that can be told not to think, and one that always does."""
    return chat_model(request.param)


def asked(name: str, **arguments: object) -> str:
    """Words that make the demo model call a function."""
    return f"[[call {name} {json.dumps(arguments)}]]"


async def test_a_run(model: OpenAIChatCompletionsModel) -> None:
    result = await Runner.run(Agent(name="Ada", model=model), "[[say four words for you]]")
    assert result.final_output == "four words for you"
    (response,) = result.raw_responses
    assert response.usage.requests == 1
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens >= 4


async def test_a_stream(model: OpenAIChatCompletionsModel) -> None:
    result = Runner.run_streamed(Agent(name="Ada", model=model), "[[words 12]]")
    deltas = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent)
    ]
    assert "".join(deltas).split() == [f"word{number}" for number in range(1, 13)]
    assert len([delta for delta in deltas if delta]) == 12
    assert result.final_output == "".join(deltas)


async def test_instructions_and_a_conversation(chat_model: Named) -> None:
    agent = Agent(name="Ada", instructions="Be brief.", model=chat_model(SONNET))
    first = await Runner.run(agent, "My name is Ada.")
    again = [*first.to_input_list(), {"role": "user", "content": "What is my name?"}]
    assert (await Runner.run(agent, again)).final_output == "Your name is Ada."
    echo = await Runner.run(agent, "[[echo]]")
    assert json.loads(echo.final_output)["system"] == ["Be brief."]


async def test_the_sdks_own_session(chat_model: Named) -> None:
    agent = Agent(name="Ada", model=chat_model(SONNET))
    session = SQLiteSession("ada")
    await Runner.run(agent, "My name is Ada.", session=session)
    second = await Runner.run(agent, "What is my name?", session=session)
    assert second.final_output == "Your name is Ada."


async def test_a_session_of_the_server(chat_model: Named) -> None:
    settings = ModelSettings(extra_body={"session_id": f"clients-{uuid.uuid4()}"})
    agent = Agent(name="Ada", model=chat_model(SONNET), model_settings=settings)
    await Runner.run(agent, "My name is Ada.")
    assert (await Runner.run(agent, "What is my name?")).final_output == "Your name is Ada."


@function_tool
def get_weather(city: str, days: int = 1) -> str:
    """The weather in a city.

    Args:
        city: Where.
        days: How far ahead.
    """
    if city == "Oslo":
        return "".join(asked("get_weather", city=other, days=days) for other in ("Rome", "Bern"))
    return f"rain in {city}"


@function_tool
def now() -> str:
    """The time of day."""
    return "[[say noon it is]]"


def outputs(result: Any) -> list[str]:
    """What the tools returned."""
    return [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]


async def test_a_tool(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(name="Ada", model=model, tools=[get_weather, now])
    result = await Runner.run(agent, "What is the weather in Paris?")
    assert outputs(result) == ["rain in Paris"]
    assert "rain in Paris" in result.final_output
    assert len(result.raw_responses) == 2


async def test_parallel_tools_and_several_rounds(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(name="Ada", model=model, tools=[get_weather, now])
    result = await Runner.run(agent, asked("get_weather", city="Oslo", days=2))
    assert outputs(result)[1:] == ["rain in Rome", "rain in Bern"]
    assert "rain in Rome" in result.final_output
    assert "rain in Bern" in result.final_output
    assert len(result.raw_responses) == 3


async def test_tools_in_a_stream(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(name="Ada", model=model, tools=[get_weather, now])
    result = Runner.run_streamed(agent, asked("get_weather", city="Bern", days=3) + asked("now"))
    arguments = ""
    async for event in result.stream_events():
        if event.type == "raw_response_event" and isinstance(
            event.data, ResponseFunctionCallArgumentsDeltaEvent
        ):
            arguments += event.data.delta
    assert '"Bern"' in arguments
    assert outputs(result) == ["rain in Bern", "[[say noon it is]]"]
    assert result.final_output == "noon it is"


@pytest.mark.parametrize(
    ("choice", "expected"), [("required", "rain in"), ("now", "[[say noon it is]]")]
)
async def test_a_tool_that_must_be_called(
    model: OpenAIChatCompletionsModel, choice: str, expected: str
) -> None:
    agent = Agent(
        name="Ada",
        model=model,
        tools=[get_weather, now],
        model_settings=ModelSettings(tool_choice=choice),
    )
    (output,) = outputs(await Runner.run(agent, "Hello!"))
    assert expected in output


async def test_a_tool_that_must_not_be_called(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(
        name="Ada",
        model=model,
        tools=[get_weather],
        model_settings=ModelSettings(tool_choice="none", parallel_tool_calls=False),
    )
    result = await Runner.run(agent, "What is the weather in Paris?")
    assert outputs(result) == []
    assert "weather in Paris" in result.final_output


async def test_a_tool_that_fails(model: OpenAIChatCompletionsModel) -> None:
    @function_tool(failure_error_function=lambda _, error: f"Error: {error}")
    def open_door() -> str:
        """Opens the door."""
        raise ValueError("the door is stuck")

    agent = Agent(name="Ada", model=model, tools=[open_door])
    result = await Runner.run(agent, "Please open the door.")
    assert outputs(result) == ["Error: the door is stuck"]
    assert "Error: the door is stuck" in result.final_output


async def test_a_handoff(model: OpenAIChatCompletionsModel) -> None:
    poet = Agent(name="Poet", instructions="Answer only with roses", model=model)
    desk = Agent(name="Desk", model=model, handoffs=[poet])
    result = await Runner.run(desk, "[[call transfer_to_poet {}]]")
    assert result.last_agent is poet
    assert "roses" in result.final_output


async def test_an_agent_as_a_tool(model: OpenAIChatCompletionsModel) -> None:
    poet = Agent(name="Poet", instructions="Answer only with roses", model=model)
    tool = poet.as_tool(tool_name="ask_poet", tool_description="Asks the poet.")
    desk = Agent(name="Desk", model=model, tools=[tool])
    result = await Runner.run(desk, asked("ask_poet", input="A word, please"))
    assert outputs(result) == ["roses"]
    assert "roses" in result.final_output


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
    """Nested, with a union and what may be null."""

    name: str
    age: int
    home: Address | None
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
        shapes=[Square(kind="square", side=2.5), Circle(kind="circle", radius=1)],
    ),
    Node(value=1, children=[Node(value=2, children=[])]),
)
of_each = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


def shaped(value: BaseModel) -> str:
    """Words that make the demo model answer this as JSON."""
    return f"[[json {value.model_dump_json()}]]"


@of_each
async def test_an_output(model: OpenAIChatCompletionsModel, value: BaseModel) -> None:
    agent = Agent(name="Ada", model=model, output_type=type(value))
    assert (await Runner.run(agent, shaped(value))).final_output == value


@of_each
async def test_an_output_in_a_stream(model: OpenAIChatCompletionsModel, value: BaseModel) -> None:
    agent = Agent(name="Ada", model=model, output_type=type(value))
    result = Runner.run_streamed(agent, shaped(value))
    deltas = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent)
    ]
    assert result.final_output == value
    assert len(deltas) > 2
    assert json.loads("".join(deltas)) == value.model_dump()


async def test_an_output_that_is_made_up(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(name="Ada", model=model, output_type=Person)
    result = await Runner.run(agent, "Tell me about 'Grace Hopper', aged 36")
    assert (result.final_output.name, result.final_output.age) == ("Grace Hopper", 36)


async def test_an_output_that_is_no_object(chat_model: Named) -> None:
    agent = Agent(name="Ada", model=chat_model(SONNET), output_type=list[int])
    result = await Runner.run(agent, '[[json {"response": [1, 2, 3]}]]')
    assert result.final_output == [1, 2, 3]


async def test_an_output_that_is_not_strict(chat_model: Named) -> None:
    schema = AgentOutputSchema(dict[str, int], strict_json_schema=False)
    agent = Agent(name="Ada", model=chat_model(SONNET), output_type=schema)
    result = await Runner.run(agent, '[[json {"a": 1}]]')
    assert result.final_output == {"a": 1}


async def test_tools_before_the_output(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(name="Ada", model=model, tools=[get_weather], output_type=Address)
    result = await Runner.run(agent, asked("get_weather", city="Bern", days=2))
    assert outputs(result) == ["rain in Bern"]
    assert isinstance(result.final_output, Address)


async def test_an_output_that_does_not_fit(model: OpenAIChatCompletionsModel) -> None:
    agent = Agent(name="Ada", model=model, output_type=Address)
    with pytest.raises(openai.InternalServerError) as caught:
        await Runner.run(agent, '[[json {"street": 7}]]')
    assert caught.value.code == "schema_mismatch"


async def test_a_guardrail_that_asks_the_model(chat_model: Named) -> None:
    judge = Agent(name="Judge", model=chat_model(SONNET), output_type=Node)

    @input_guardrail
    async def check(
        context: RunContextWrapper[None], _: Agent, text: Any
    ) -> GuardrailFunctionOutput:
        verdict = await Runner.run(judge, text, context=context.context)
        return GuardrailFunctionOutput(verdict.final_output, verdict.final_output.value > 1)

    agent = Agent(name="Ada", model=chat_model(SONNET), input_guardrails=[check])
    with pytest.raises(InputGuardrailTripwireTriggered):
        await Runner.run(agent, shaped(Node(value=2, children=[])))


async def test_too_many_turns(chat_model: Named) -> None:
    @function_tool
    def again() -> str:
        """Once more."""
        return "[[call again {}]]"

    agent = Agent(name="Ada", model=chat_model(SONNET), tools=[again])
    with pytest.raises(MaxTurnsExceeded):
        await Runner.run(agent, "[[call again {}]]", max_turns=3)


async def test_what_goes_wrong(chat_model: Named) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await Runner.run(Agent(name="Ada", model=chat_model("llama-3")), "hi")
    assert missing.value.code == "model_not_found"
    settings = RunConfig(model_settings=ModelSettings(temperature=3))
    with pytest.raises(openai.BadRequestError) as refused:
        await Runner.run(Agent(name="Ada", model=chat_model(SONNET)), "hi", run_config=settings)
    assert refused.value.param == "temperature"
