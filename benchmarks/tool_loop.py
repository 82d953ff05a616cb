"""The second step of a loop of two calls: from the results to the first word.

    python benchmarks/tool_loop.py [--runs 10]

Parked is the turn that waited for the results, replayed the same request when its process is gone.
The floor is one live SDK client whose own MCP server is handed the results. Requests are those that
reached the model for the whole loop. Times are medians in milliseconds.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from claude_agent_sdk import ClaudeSDKClient, StreamEvent
from mcp import types
from mcp.server import Server
from overhead import MODEL, Sample, Stopwatch, sdk_options, served

from bridge.demo import DemoUpstream

NAMES = ("get_weather", "get_time")
PROMPT = "[[call get_weather {}]] [[call get_time {}]]"
RESULT = "fine, as far as anybody can tell [[say and so it is]]"
TOOLS = [{"type": "function", "function": {"name": name}} for name in NAMES]


async def step_of_sdk(environment: dict[str, str]) -> Sample:
    """The floor: an SDK client of its own, whose handlers wait as the bridge's do."""
    results = {name: asyncio.get_running_loop().create_future() for name in NAMES}
    called = asyncio.Queue[str]()

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        read_only = types.ToolAnnotations(read_only_hint=True)
        tools = [
            types.Tool(name=name, input_schema={"type": "object"}, annotations=read_only)
            for name in NAMES
        ]
        return types.ListToolsResult(tools=tools)

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        called.put_nowait(params.name)
        await results[params.name]
        return types.CallToolResult(content=[types.TextContent(type="text", text=RESULT)])

    server = Server("client", on_list_tools=list_tools, on_call_tool=call_tool)
    options = sdk_options({**environment, "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1"})
    options.mcp_servers = {"client": {"type": "sdk", "name": "client", "instance": server}}
    options.allowed_tools = ["mcp__client"]
    async with ClaudeSDKClient(options) as client:
        await client.query(PROMPT)
        messages = client.receive_response()
        asked = set[str]()
        async for message in messages:
            if isinstance(message, StreamEvent) and message.event["type"] == "message_stop":
                break
        while len(asked) < len(NAMES):
            asked.add(await called.get())
        watch = Stopwatch()
        for name in NAMES:
            results[name].set_result(None)
        async for message in messages:
            if isinstance(message, StreamEvent) and "delta" in message.event:
                watch.word()
    return watch.stop()


async def ask(
    http: aiohttp.ClientSession, url: str, messages: list[Any], watch: Stopwatch
) -> dict[str, Any]:
    """A streamed chat completion; the message that it is."""
    body = {"model": MODEL, "stream": True, "messages": messages, "tools": TOOLS}
    calls: dict[int, dict[str, Any]] = {}
    async with http.post(f"{url}/v1/chat/completions", json=body) as response:
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            delta = json.loads(line.removeprefix(b"data: "))["choices"][0]["delta"]
            if delta.get("content"):
                watch.word()
            for piece in delta.get("tool_calls", ()):
                call = calls.setdefault(piece["index"], piece)
                if call is not piece:
                    call["function"]["arguments"] += piece["function"]["arguments"]
    return {"role": "assistant", "tool_calls": list(calls.values())}


async def step_of_bridge(http: aiohttp.ClientSession, url: str) -> Sample:
    """A loop, of which the second step counts."""
    said: list[Any] = [{"role": "user", "content": PROMPT}]
    called = await ask(http, url, said, Stopwatch())
    await asyncio.sleep(1)  # a client works meanwhile
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": RESULT}
        for call in called["tool_calls"]
    ]
    watch = Stopwatch()
    await ask(http, url, [*said, called, *results], watch)
    return watch.stop()


async def measured(
    name: str, step: Callable[[], Awaitable[Sample]], upstream: DemoUpstream, runs: int
) -> tuple[str, float, float]:
    """The name, the median time to the first word in ms, and the requests of a loop."""
    await step()
    upstream.clear()
    samples = []
    for _ in range(runs):
        samples.append(await step())
        await asyncio.sleep(1)
    first = statistics.median(sample.first for sample in samples) * 1000
    return name, first, len(upstream.requests) / runs


async def measure(runs: int) -> list[tuple[str, float, float]]:
    """The rows of the table."""
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    rows = []
    try:
        with tempfile.TemporaryDirectory() as home:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": home,
                "CLAUDE_CONFIG_DIR": str(Path(home) / ".claude"),
                "ANTHROPIC_BASE_URL": upstream.url,
                "ANTHROPIC_API_KEY": "demo",
            }
            floor = ("live SDK client", lambda: step_of_sdk(environment))
            rows.append(await measured(*floor, upstream, runs))
            async with aiohttp.ClientSession() as http:
                for name, *more in (("parked",), ("replayed", "--tool-wait", "0")):
                    async with served(environment, 1, *more) as (url, _):
                        step = lambda url=url: step_of_bridge(http, url)  # noqa: E731
                        rows.append(await measured(f"bridge, {name}", step, upstream, runs))
    finally:
        await upstream.stop()
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10)
    rows = asyncio.run(measure(parser.parse_args().runs))
    floor = rows[0][1]
    print(f"{'second step of a loop':24} {'ttft ms':>8} {'ratio':>6} {'requests of a loop':>19}")
    for name, first, requests in rows:
        print(f"{name:24} {first:8.1f} {first / floor:6.2f} {requests:19.1f}")


if __name__ == "__main__":
    main()
