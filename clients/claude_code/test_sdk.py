"""The SDK for Python: queries, a client with several turns, tools of one's own."""

from pathlib import Path
from typing import Any

import pytest
from asking import MODEL, asked
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    StreamEvent,
    TextBlock,
    create_sdk_mcp_server,
    query,
    tool,
)

pytestmark = pytest.mark.timeout(180)  # it is a large program, to be started each time


@pytest.fixture
def options(folder: Path, settings: dict[str, str]) -> dict[str, Any]:
    return {"cwd": folder, "env": settings}


@tool("get_weather", "The weather in a city", {"city": str})
async def get_weather(args: dict[str, Any]) -> dict[str, Any]:
    city = args["city"]
    if city == "Oslo":
        city = "".join(asked("mcp__town__get_weather", city=name) for name in ("Rome", "Bern"))
    return {"content": [{"type": "text", "text": f"rain in {city}"}]}


TOWN = create_sdk_mcp_server("town", tools=[get_weather])


def said(messages: list[Any]) -> list[str]:
    return [
        block.text
        for message in messages
        if isinstance(message, AssistantMessage)
        for block in message.content
        if isinstance(block, TextBlock)
    ]


async def turn(client: ClaudeSDKClient, prompt: str) -> list[Any]:
    await client.query(prompt)
    return [message async for message in client.receive_response()]


async def test_a_query(options: dict[str, Any]) -> None:
    messages = [
        message
        async for message in query(
            prompt="[[say four words for you]]",
            options=ClaudeAgentOptions(model=MODEL, include_partial_messages=True, **options),
        )
    ]
    assert said(messages) == ["four words for you"]
    assert isinstance(messages[-1], ResultMessage)
    assert messages[-1].usage["output_tokens"] >= 4
    deltas = [
        message.event["delta"]["text"]
        for message in messages
        if isinstance(message, StreamEvent)
        and message.event["type"] == "content_block_delta"
        and message.event["delta"]["type"] == "text_delta"
    ]
    assert deltas == ["four", " words", " for", " you"]


async def test_several_turns_with_tools_of_ones_own(options: dict[str, Any]) -> None:
    own = ClaudeAgentOptions(
        mcp_servers={"town": TOWN},
        allowed_tools=["mcp__town__get_weather"],
        tools=[],
        **options,
    )
    async with ClaudeSDKClient(own) as client:
        await turn(client, "My name is Ada.")
        told = said(await turn(client, asked("mcp__town__get_weather", city="Oslo")))
        assert "rain in Rome" in told[-1]
        assert "rain in Bern" in told[-1]
        assert said(await turn(client, "What is my name?"))[-1] == "Your name is Ada."
        await client.set_model(MODEL)
        *_, result = messages = await turn(client, "[[say by another]]")
        assert said(messages)[-1] == "by another"
        assert isinstance(result, ResultMessage)
        assert MODEL in (result.model_usage or {})


async def test_a_person_who_decides(options: dict[str, Any], folder: Path) -> None:
    seen: list[str] = []

    async def decide(_name: str, given: dict[str, Any], _: Any) -> Any:
        if "no.txt" in given["command"]:
            return PermissionResultDeny(message="not that one")
        return PermissionResultAllow()

    async def note(given: Any, *_: Any) -> Any:
        seen.append(given["tool_input"]["command"])
        return {}

    own = ClaudeAgentOptions(
        can_use_tool=decide,
        hooks={"PostToolUse": [HookMatcher(matcher="Bash", hooks=[note])]},
        **options,
    )
    async with ClaudeSDKClient(own) as client:
        calls = [asked("Bash", command=f"echo > {name}.txt") for name in ("yes", "no")]
        told = said(await turn(client, "".join(calls)))
    assert (folder / "yes.txt").exists()
    assert not (folder / "no.txt").exists()
    assert seen == ["echo > yes.txt"]
    assert "not that one" in told[-1]


async def test_an_interruption(options: dict[str, Any]) -> None:
    own = ClaudeAgentOptions(include_partial_messages=True, **options)
    async with ClaudeSDKClient(own) as client:
        await client.query("[[stall 2]] [[words 50]]")
        async for message in client.receive_messages():
            if isinstance(message, StreamEvent) and message.event["type"] == "content_block_delta":
                break
        await client.interrupt()
        async for _ in client.receive_response():
            pass
        assert said(await turn(client, "[[say still here]]"))[-1] == "still here"


async def test_structured_output(options: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    own = ClaudeAgentOptions(output_format={"type": "json_schema", "schema": schema}, **options)
    *_, result = [
        message async for message in query(prompt='[[json {"city": "Rome"}]]', options=own)
    ]
    assert result.structured_output == {"city": "Rome"}
