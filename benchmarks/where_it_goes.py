"""Where the time of a session's next turn, and of a history's replay, goes.

    python benchmarks/where_it_goes.py [--runs 30]

The bridge, the demo upstream and the client run in this process, Claude Code in its own. A next
turn is cut into parts by what passes on its way: the request is sent, the prompt is written to
Claude Code, Claude Code announces its request, the upstream has it, Claude Code passes the first
word on, the client has it. Beside it: a live SDK client, and the bridge without its lock, which
keeps Claude Code from going on by itself (docs/architecture.md). Medians, in milliseconds.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
from claude_agent_sdk import ClaudeSDKClient, StreamEvent, SystemMessage
from overhead import HISTORY, Talk, sdk_options

from bridge.claude.process import CliProcess
from bridge.demo import DemoUpstream
from bridge.settings import Settings
from bridge.web.app import build_app
from bridge.web.lifecycle import bind, listen

PARTS = ("to the prompt", "to the request", "to the upstream", "to the first word", "to the client")
SETTLE_SECONDS = 0.2

Moments = dict[str, float]


@contextlib.contextmanager
def watched(moments: Moments, *, lock: bool = True) -> Iterator[list[float]]:
    """Note what passes in the bridge's processes; gives the waits for messages of a history."""
    waits: list[float] = []
    query, hear, replay = (getattr(CliProcess, name) for name in ("_query", "_hear", "_replay"))

    async def noted_query(self: CliProcess, line: Any) -> None:
        await query(self, line)
        moments["to the prompt"] = time.monotonic()

    def noted_hear(self: CliProcess, raw: dict[str, Any]) -> None:
        requesting = raw.get("status") == "requesting"
        if requesting:
            moments["to the request"] = time.monotonic()
        if raw.get("type") == "stream_event" and "delta" in raw["event"]:
            moments.setdefault("to the first word", time.monotonic())
        if lock or not requesting:
            hear(self, raw)

    async def noted_replay(self: CliProcess, running: Any, line: Any) -> None:
        began = time.monotonic()
        await replay(self, running, line)
        if line["type"] == "user":
            waits.append(time.monotonic() - began)

    with (
        patch.object(CliProcess, "_query", noted_query),
        patch.object(CliProcess, "_hear", noted_hear),
        patch.object(CliProcess, "_replay", noted_replay),
    ):
        yield waits


def parts(moments: Moments) -> list[float]:
    """How long each part took, in milliseconds, and all of them."""
    times = [moments["began"], *(moments[part] for part in PARTS)]
    pieces = [(after - before) * 1000 for before, after in itertools.pairwise(times)]
    return [*pieces, (times[-1] - times[0]) * 1000]


def medians(rows: list[list[float]]) -> list[float]:
    """Of each part."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


async def of_the_bridge(
    environment: dict[str, str], upstream: DemoUpstream, runs: int, *, lock: bool
) -> list[float]:
    """Next turns of a session."""
    rows = []
    moments: Moments = {}
    with watched(moments, lock=lock):  # before the process that will be taken is made
        async with aiohttp.ClientSession() as http, bridge(environment) as url:
            talk = Talk(http, url, "session")
            await talk()
            for _ in range(runs):
                await asyncio.sleep(SETTLE_SECONDS)
                moments.clear()
                moments["began"] = time.monotonic()
                sample = await talk()
                moments["to the client"] = moments["began"] + sample.first
                moments["to the upstream"] = upstream.requests[-1].started
                rows.append(parts(moments))
    return medians(rows)


async def of_the_sdk(client: ClaudeSDKClient, upstream: DemoUpstream, runs: int) -> list[float]:
    """Next turns of a live SDK client, which has no client of its own."""
    rows = []
    for number in range(runs + 1):
        await asyncio.sleep(SETTLE_SECONDS)
        moments = {"began": time.monotonic()}
        await client.query("[[words 20]]")
        moments["to the prompt"] = time.monotonic()
        async for message in client.receive_response():
            now = time.monotonic()
            if isinstance(message, SystemMessage) and message.data.get("status") == "requesting":
                moments["to the request"] = now
            if isinstance(message, StreamEvent) and "delta" in message.event:
                moments.setdefault("to the first word", now)
        moments["to the client"] = moments["to the first word"]
        moments["to the upstream"] = upstream.requests[-1].started
        if number:
            rows.append(parts(moments))
    return medians(rows)


@contextlib.asynccontextmanager
async def bridge(environment: dict[str, str], **settings: Any) -> AsyncIterator[str]:
    """The URL of a bridge in this process."""
    chosen = Settings(**{"port": 0, "pool_size": 1, **settings})
    with bind(chosen) as sock:
        listening = await listen(build_app(chosen, environ=environment), sock)
        try:
            yield f"http://127.0.0.1:{listening.port}"
        finally:
            await listening.stop()


async def measure(runs: int) -> None:
    """Print both tables."""
    upstream = DemoUpstream(pace=0, keep=10)
    await upstream.start()
    try:
        with tempfile.TemporaryDirectory() as home:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": home,
                "CLAUDE_CONFIG_DIR": str(Path(home) / ".claude"),
                "ANTHROPIC_BASE_URL": upstream.url,
                "ANTHROPIC_API_KEY": "demo",
            }
            rows = {}
            async with ClaudeSDKClient(sdk_options(environment)) as client:
                rows["live SDK client"] = await of_the_sdk(client, upstream, runs)
            for name, lock in (("bridge", True), ("bridge without its lock", False)):
                rows[name] = await of_the_bridge(environment, upstream, runs, lock=lock)
            print(f"{'':26}" + "".join(f"{part:>19}" for part in (*PARTS, "in all")))
            for name, row in rows.items():
                print(f"{name:26}" + "".join(f"{piece:19.1f}" for piece in row))
            await replays(environment)
    finally:
        await upstream.stop()


async def replays(environment: dict[str, str]) -> None:
    """What a history of 40 messages, which is told line by line, waits for."""
    with watched({}) as waits:
        async with aiohttp.ClientSession() as http, bridge(environment, process_idle=0) as url:
            for _ in range(3):
                await asyncio.sleep(1)
                waits.clear()
                sample = await Talk(http, url, None, HISTORY * 4)()
    print(
        f"40 messages: {sample.first * 1000:.0f} ms to the first word, of which "
        f"{sum(waits) * 1000:.0f} ms are {len(waits)} waits until Claude Code has taken a message, "
        f"{statistics.median(waits) * 1000:.1f} ms each"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=30)
    asyncio.run(measure(parser.parse_args().runs))


if __name__ == "__main__":
    main()
