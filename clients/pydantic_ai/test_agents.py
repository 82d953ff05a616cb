"""Plain and streamed runs, tools, and what goes wrong."""

import json
import os
import uuid
from collections.abc import Callable

import pytest
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.exceptions import ModelHTTPError, UsageLimitExceeded
from pydantic_ai.messages import ModelResponse, ThinkingPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.usage import UsageLimits

Named = Callable[[str], OpenAIChatModel]
SONNET = "claude-sonnet-4-5"


def asked(name: str, **arguments: object) -> str:
    """Words that make the demo model call a function."""
    return f"[[call {name} {json.dumps(arguments)}]]"


async def test_a_run(model: OpenAIChatModel) -> None:
    result = await Agent(model).run("[[say four words for you]]")
    assert result.output == "four words for you"
    usage = result.usage
    assert usage.requests == 1
    assert usage.input_tokens > 0
    assert usage.output_tokens >= 4
    response = result.all_messages()[-1]
    assert isinstance(response, ModelResponse)
    assert response.finish_reason == "stop"
    assert (response.model_name or "").startswith("claude-sonnet-")


def test_a_run_in_sync(chat_model: Named) -> None:
    assert Agent(chat_model(SONNET)).run_sync("[[say in sync]]").output == "in sync"


async def test_another_provider() -> None:
    provider = OpenAICompatibleProvider(
        "bridge", base_url=os.environ["BRIDGE_URL"], api_key="unused"
    )
    result = await Agent(OpenAIChatModel(SONNET, provider=provider)).run("[[say likewise]]")
    assert result.output == "likewise"


async def test_a_stream(model: OpenAIChatModel) -> None:
    async with Agent(model).run_stream("[[words 12]]") as stream:
        deltas = [text async for text in stream.stream_text(delta=True, debounce_by=None)]
        assert stream.usage.output_tokens >= 12
    assert len(deltas) == 12
    assert "".join(deltas).split() == [f"word{number}" for number in range(1, 13)]


async def test_a_conversation(chat_model: Named) -> None:
    agent = Agent(chat_model(SONNET), instructions="Be brief.")
    first = await agent.run("My name is Ada.")
    second = await agent.run("What is my name?", message_history=first.all_messages())
    assert second.output == "Your name is Ada."
    echo = await agent.run("[[echo]]")
    assert json.loads(echo.output)["system"] == ["Be brief."]


async def test_a_session(chat_model: Named) -> None:
    agent = Agent(chat_model(SONNET))
    settings = {"extra_body": {"session_id": f"clients-{uuid.uuid4()}"}}
    await agent.run("My name is Ada.", model_settings=settings)
    second = await agent.run("What is my name?", model_settings=settings)
    assert second.output == "Your name is Ada."


async def test_reasoning(chat_model: Named) -> None:
    settings = OpenAIChatModelSettings(openai_reasoning_effort="medium")
    agent = Agent(chat_model("gpt-4o"), model_settings=settings)
    result = await agent.run("Please think, then [[say done]]")
    assert result.output == "done"
    (thought,) = [
        part
        for message in result.all_messages()
        for part in message.parts
        if isinstance(part, ThinkingPart)
    ]
    assert "The user said" in thought.content


async def test_a_tool(model: OpenAIChatModel) -> None:
    agent = Agent(model)
    seen = []

    @agent.tool_plain
    def get_weather(city: str, days: int = 1) -> str:
        """The weather in a city."""
        seen.append((city, days))
        return f"rain in {city}"

    result = await agent.run("What is the weather in Paris?")
    assert seen == [("Paris", 1)]
    assert "rain in Paris" in result.output
    assert result.usage.requests == 2
    assert result.usage.tool_calls == 1
    again = await agent.run("[[say and on]]", message_history=result.all_messages())
    assert again.output == "and on"


async def test_parallel_tools_and_several_rounds(model: OpenAIChatModel) -> None:
    agent = Agent(model, deps_type=dict[str, str])
    seen = []

    @agent.tool
    def get_weather(context: RunContext[dict[str, str]], city: str) -> str:
        """The weather in a city."""
        seen.append(city)
        return context.deps[city]

    result = await agent.run(
        asked("get_weather", city="Oslo"),
        deps={
            "Oslo": asked("get_weather", city="Rome") + asked("get_weather", city="Bern"),
            "Rome": "hot",
            "Bern": "[[say seen all three]]",
        },
    )
    assert seen[0] == "Oslo"
    assert sorted(seen[1:]) == ["Bern", "Rome"]
    assert result.output == "seen all three"
    assert result.usage.requests == 3


async def test_tools_in_a_stream(model: OpenAIChatModel) -> None:
    agent = Agent(model)

    @agent.tool_plain
    def now() -> str:
        """The time of day."""
        return "[[say noon it is]]"

    async with agent.run_stream(asked("now")) as stream:
        assert await stream.get_output() == "noon it is"
        calls = [
            part
            for message in stream.all_messages()
            for part in message.parts
            if isinstance(part, ToolCallPart)
        ]
    assert [(call.tool_name, call.args_as_dict()) for call in calls] == [("now", {})]


async def test_a_tool_that_asks_for_another_try(model: OpenAIChatModel) -> None:
    agent = Agent(model)

    @agent.tool_plain(retries=2)
    def get_weather(city: str) -> str:
        """The weather in a city."""
        if city == "Atlantis":
            raise ModelRetry("There is no such city: [[call get_weather]]")
        return "[[say it is warm elsewhere]]"

    result = await agent.run(asked("get_weather", city="Atlantis"))
    assert result.output == "it is warm elsewhere"
    assert result.usage.requests == 3


async def test_arguments_that_do_not_fit_are_told_to_the_model(chat_model: Named) -> None:
    agent = Agent(chat_model(SONNET))

    @agent.tool_plain(strict=False)
    def set_timer(minutes: int) -> str:
        """Sets a timer."""
        return f"set to {minutes}"

    result = await agent.run(asked("set_timer", minutes="soon"))
    assert "Input should be a valid integer" in result.output


async def test_a_tools_result_keeps_its_shape(chat_model: Named) -> None:
    agent = Agent(chat_model(SONNET))

    @agent.tool_plain
    def get_numbers() -> dict[str, list[int]]:
        """Some numbers."""
        return {"numbers": [1, 2, 3]}

    result = await agent.run(asked("get_numbers"))
    assert '{"numbers":[1,2,3]}' in result.output.replace(" ", "")
    (returned,) = [
        part
        for message in result.all_messages()
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
    assert returned.content == {"numbers": [1, 2, 3]}


async def test_a_model_that_does_not_exist(chat_model: Named) -> None:
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(chat_model("llama-3")).run("hi")
    assert caught.value.status_code == 404
    assert caught.value.body["code"] == "model_not_found"


async def test_a_field_at_fault(chat_model: Named) -> None:
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(chat_model(SONNET)).run("hi", model_settings={"temperature": 3})
    assert caught.value.status_code == 400
    assert caught.value.body["param"] == "temperature"


async def test_a_refusal_and_a_limit(chat_model: Named) -> None:
    refused = await Agent(chat_model(SONNET)).run("[[refuse]]")
    assert refused.response.finish_reason == "content_filter"
    with pytest.raises(UsageLimitExceeded):
        await Agent(chat_model(SONNET)).run(
            "[[words 50]]", usage_limits=UsageLimits(output_tokens_limit=10)
        )
