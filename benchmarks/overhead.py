"""Our overhead beside the floors, in one run, on the demo model without its pace.

    python benchmarks/overhead.py [--runs 10] [--at-once 8] [--json FILE]

The floors are the bare upstream, the SDK's own one-shot ``query()`` and the next turn of one live
SDK client, with the options that the bridge uses. Times are medians in milliseconds; ``ttft`` is
the time to the first word. What counts is the ratios: absolute times are this machine's.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from attrs import define, field, frozen
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, StreamEvent, query

from bridge.demo import DemoUpstream

MODEL = "claude-sonnet-4-5"
PROMPT = "[[words 20]]"
HISTORY = [
    {"role": role, "content": f"{role} message {number} of a conversation that went on for a while"}
    for number in range(5)
    for role in ("user", "assistant")
]
LIVE, NEXT, MATCHED = (
    f"{who}, next turn" for who in ("live SDK client", "bridge, session", "bridge, matched")
)
ONE_SHOTS = "one-shot query(), {} at once"
SESSIONS = "bridge, sessions' next turns, {} at once"
DELTAS = 10_000
SETTLE_SECONDS = 1.0
"""Between measurements, so that the pool is full again and nothing else runs."""


@frozen
class Sample:
    """One request: seconds to its first word and to its end."""

    first: float
    whole: float


@define
class Series:
    """What was measured of one way to ask."""

    name: str
    samples: list[Sample]
    seconds: float = 0.0  # of the whole series, for requests at once
    cpu_seconds: float | None = None  # of the server, children excluded

    def row(self) -> dict[str, Any]:
        """The figures, times in milliseconds."""
        return {
            "name": self.name,
            "requests": len(self.samples),
            "ttft_ms": round(statistics.median(s.first for s in self.samples) * 1000, 1),
            "total_ms": round(statistics.median(s.whole for s in self.samples) * 1000, 1),
            "per_second": round(len(self.samples) / self.seconds, 2) if self.seconds else None,
            "server_cpu_ms": (
                None
                if self.cpu_seconds is None
                else round(self.cpu_seconds / len(self.samples) * 1000, 1)
            ),
        }


@define
class Stopwatch:
    """Started when made."""

    began: float = field(factory=time.perf_counter)
    first: float | None = None

    def word(self) -> None:
        """A word came."""
        if self.first is None:
            self.first = time.perf_counter() - self.began

    def stop(self) -> Sample:
        """The answer is whole."""
        assert self.first is not None, "no word came"  # noqa: S101 - a benchmark checks its answers
        return Sample(self.first, time.perf_counter() - self.began)


# -- the floors ----------------------------------------------------------------------------------


async def ask_upstream(http: aiohttp.ClientSession, url: str) -> Sample:
    """The bare upstream."""
    body = {
        "model": MODEL,
        "max_tokens": 1000,
        "stream": True,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    headers = {"x-api-key": "demo", "anthropic-version": "2023-06-01"}
    watch = Stopwatch()
    async with http.post(f"{url}/v1/messages", json=body, headers=headers) as response:
        async for line in response.content:
            if b"text_delta" in line:
                watch.word()
    return watch.stop()


def sdk_options(environment: dict[str, str]) -> ClaudeAgentOptions:
    """What the bridge asks of the CLI, in the SDK's own words."""
    quiet = {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "CLAUDE_CODE_SIMPLE": "1",
        "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
    }
    return ClaudeAgentOptions(
        model=MODEL,
        tools=[],
        setting_sources=[],
        strict_mcp_config=True,
        verbatim_prompts=True,
        include_partial_messages=True,
        thinking={"type": "disabled"},
        extra_args={"no-session-persistence": None, "disable-slash-commands": None},
        env={**environment, **quiet},
        cwd=environment["HOME"],
    )


async def ask_query(options: ClaudeAgentOptions) -> Sample:
    """The SDK's one-shot query: a process for each request."""
    watch = Stopwatch()
    async for message in query(prompt=PROMPT, options=options):
        if isinstance(message, StreamEvent) and "delta" in message.event:
            watch.word()
    return watch.stop()


async def ask_live(client: ClaudeSDKClient) -> Sample:
    """The next turn of a live SDK client."""
    watch = Stopwatch()
    await client.query(PROMPT)
    async for message in client.receive_response():
        if isinstance(message, StreamEvent) and "delta" in message.event:
            watch.word()
    return watch.stop()


# -- the bridge ----------------------------------------------------------------------------------


async def ask_bridge(
    http: aiohttp.ClientSession, url: str, messages: list[dict[str, str]], **more: str
) -> tuple[Sample, str]:
    """A streamed chat completion, and its words."""
    body = {"model": MODEL, "stream": True, "messages": messages, **more}
    watch = Stopwatch()
    frames: list[bytes] = []
    async with http.post(f"{url}/v1/chat/completions", json=body) as response:
        async for line in response.content:
            if line.startswith(b"data: "):
                frames.append(line.removeprefix(b"data: "))
                if b'"content":"w' in line or b'"content":" ' in line:
                    watch.word()
    sample = watch.stop()
    assert frames[-1].strip() == b"[DONE]", frames[-1]  # noqa: S101
    deltas = [json.loads(frame)["choices"][0]["delta"] for frame in frames[:-1]]
    return sample, "".join(delta.get("content") or "" for delta in deltas)


@define
class Talk:
    """A conversation with the bridge that goes on with each call, in a session or resent whole."""

    http: aiohttp.ClientSession
    url: str
    session: str | None = None
    history: list[dict[str, str]] = field(factory=list)

    async def __call__(self) -> Sample:
        said = {"role": "user", "content": PROMPT}
        whole = [*self.history, said]
        sent = whole if self.session is None or not self.history else [said]
        named = {} if self.session is None else {"session_id": self.session}
        sample, words = await ask_bridge(self.http, self.url, sent, **named)
        self.history = [*whole, {"role": "assistant", "content": words}]
        return sample


async def parked(http: aiohttp.ClientSession, url: str, number: int) -> list[Talk]:
    """Sessions of 20 messages that no process holds, on a server that keeps none."""
    talks = [Talk(http, url, f"parked {index}") for index in range(number)]
    said = {"role": "user", "content": PROMPT}
    history = [*(HISTORY * 2)[:18], said]
    for talk in talks:
        _, words = await ask_bridge(http, url, history, session_id=talk.session or "")
        talk.history = [*history, {"role": "assistant", "content": words}]
    return talks


@asynccontextmanager
async def served(
    environment: dict[str, str], pool: int, *more: str
) -> AsyncIterator[tuple[str, int]]:
    """The bridge as a process of its own: its URL and process id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "--port", "0", "--pool-size", str(pool), *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        cwd=environment["HOME"],
    )
    assert process.stdout is not None  # noqa: S101 - we asked for a pipe
    said = ""
    try:
        while "base URL" not in said:
            line = (await process.stdout.readline()).decode()
            if not line:
                raise RuntimeError(f"the bridge did not start: {said}")
            said += line
        found = re.search(r"listens on (\S+)", said)
        assert found is not None  # noqa: S101
        yield found[1], process.pid
    finally:
        process.terminate()
        await process.wait()


# -- measuring -----------------------------------------------------------------------------------


async def one_by_one(
    name: str, ask: Callable[[], Awaitable[Sample]], runs: int, settle: float, pid: int = 0
) -> Series:
    """One request after the other, each when everything is quiet; the first is not counted."""
    (series,) = await in_rotation({name: ask}, runs, settle, {name: pid})
    return series


async def in_rotation(
    asks: Mapping[str, Callable[[], Awaitable[Sample]]],
    runs: int,
    settle: float,
    pids: Mapping[str, int],
) -> list[Series]:
    """The same of several ways to ask, one after the other in each round.

    What the machine does beside meets all of them alike, so that they can be compared.
    """
    for ask in asks.values():
        await ask()
    series = {name: Series(name, []) for name in asks}
    cpu = dict.fromkeys(asks, 0.0)
    for _ in range(runs):
        for name, ask in asks.items():
            await asyncio.sleep(settle)
            before = _cpu(pids.get(name, 0))
            series[name].samples.append(await ask())
            cpu[name] += _cpu(pids.get(name, 0)) - before
    for name, pid in pids.items():
        series[name].cpu_seconds = cpu[name] if pid else None
    return list(series.values())


async def at_once(
    name: str, asks: Sequence[Callable[[], Awaitable[Sample]]], rounds: int = 1
) -> Series:
    """Requests that begin together, in so many rounds; one more before them is not counted."""
    seconds = 0.0
    samples: list[Sample] = []
    for number in range(rounds + 1):
        await asyncio.sleep(SETTLE_SECONDS)
        began = time.perf_counter()
        round_ = await asyncio.gather(*(ask() for ask in asks))
        if number:
            samples += round_
            seconds += time.perf_counter() - began
    return Series(name, samples, seconds=seconds)


def _cpu(pid: int) -> float:
    if not pid:
        return 0.0
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def at_rest(environment: dict[str, str]) -> float:
    """Memory of the server alone, without a process, in MB (PSS)."""
    async with served(environment, 0) as (_, pid):
        await asyncio.sleep(SETTLE_SECONDS)
        return float(psutil.Process(pid).memory_full_info().pss) / 2**20


async def per_delta(http: aiohttp.ClientSession, url: str, pid: int) -> tuple[float, float]:
    """10,000 deltas of one answer: CPU of the server for each in µs, and how many a second."""
    before, began = _cpu(pid), time.perf_counter()
    said = [{"role": "user", "content": f"[[words {DELTAS}]]"}]
    _, words = await ask_bridge(http, url, said)
    seconds = time.perf_counter() - began
    assert len(words.split()) == DELTAS  # noqa: S101
    return (_cpu(pid) - before) / DELTAS * 1e6, DELTAS / seconds


async def measure(runs: int, number: int, pool: int) -> tuple[list[Series], list[str]]:
    """The whole table, and what is no time to a first word."""
    others = []
    upstream = DemoUpstream(pace=0, keep=0)
    await upstream.start()
    series: list[Series] = []
    try:
        with tempfile.TemporaryDirectory() as home:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": home,
                "CLAUDE_CONFIG_DIR": str(Path(home) / ".claude"),
                "ANTHROPIC_BASE_URL": upstream.url,
                "ANTHROPIC_API_KEY": "demo",
            }
            options = sdk_options(environment)
            async with aiohttp.ClientSession() as http:
                series.append(
                    await one_by_one(
                        "bare upstream", lambda: ask_upstream(http, upstream.url), runs, 0.05
                    )
                )
                series.append(
                    await one_by_one("one-shot query()", lambda: ask_query(options), runs, 0.2)
                )
                series.append(
                    await at_once(
                        ONE_SHOTS.format(number),
                        [lambda: ask_query(options)] * number,
                        rounds=2,
                    )
                )
                # Without kept processes each request is a new process, a session a parked one.
                async with served(environment, pool, "--process-idle", "0") as (url, pid):
                    sleeping = await parked(http, url, runs + 1)

                    async def new() -> Sample:
                        return await Talk(http, url)()

                    async def history() -> Sample:
                        return await Talk(http, url, None, HISTORY)()

                    async def long() -> Sample:
                        return await Talk(http, url, None, HISTORY * 20)()

                    async def revived() -> Sample:
                        return await sleeping.pop()()

                    for name, ask in (
                        ("new", new),
                        ("10 messages of history", history),
                        ("parked session of 20 messages", revived),
                        ("200 messages of history", long),
                    ):
                        series.append(
                            await one_by_one(f"bridge, {name}", ask, runs, SETTLE_SECONDS, pid)
                        )
                    for name, ask in (("new", new), ("10 messages of history", history)):
                        asks = [ask] * number
                        series.append(await at_once(f"bridge, {name}, {number} at once", asks))
                others.append(f"server at rest: {await at_rest(environment):.0f} MB")
                async with served(environment, pool, "--max-live", "64") as (url, pid):
                    cpu, speed = await per_delta(http, url, pid)
                    others.append(f"a delta: {cpu:.0f} µs of CPU, {speed:.0f} a second")
                    async with ClaudeSDKClient(options) as client:
                        talks: dict[str, Callable[[], Awaitable[Sample]]] = {
                            LIVE: lambda: ask_live(client),
                            NEXT: Talk(http, url, "session"),
                            MATCHED: Talk(http, url, None, HISTORY[:2]),
                        }
                        pids = {NEXT: pid, MATCHED: pid}
                        series += await in_rotation(talks, 2 * runs, 0.2, pids)
                    sessions = [Talk(http, url, f"session {index}") for index in range(number)]
                    series.append(await at_once(SESSIONS.format(number), sessions, rounds=5))
    finally:
        await upstream.stop()
    return series, others


def table(rows: list[dict[str, Any]], number: int) -> str:
    """The figures as text, each beside its floor."""
    floors = {row["name"]: row for row in rows}
    lines = [f"{'':44} {'ttft ms':>9} {'total ms':>9} {'ratio':>7} {'req/s':>7} {'cpu ms':>7}"]
    for row in rows:
        crowd = "at once" in row["name"]
        floor = floors[ONE_SHOTS.format(number) if crowd else "one-shot query()"]
        ratio = row["ttft_ms"] / floor["ttft_ms"]
        lines.append(
            f"{row['name']:44} {row['ttft_ms']:9.1f} {row['total_ms']:9.1f} {ratio:7.2f} "
            f"{row['per_second'] or '':>7} {row['server_cpu_ms'] or '':>7}"
        )
    lines.append("ratio: time to the first word beside the one-shot query, alone or at once")
    live = floors[LIVE]["ttft_ms"]
    rates = [floors[name.format(number)]["per_second"] for name in (SESSIONS, ONE_SHOTS)]
    lines.append(
        f"next turns: {floors[NEXT]['ttft_ms'] / live:.2f} of a live client's in a session, "
        f"{floors[MATCHED]['ttft_ms'] / live:.2f} matched; "
        f"{number} at once: {rates[0] / rates[1]:.1f} times as many a second"
    )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--pool", type=int, default=2, help="ready processes of the bridge")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    asked = parser.parse_args()
    series, others = asyncio.run(measure(asked.runs, asked.at_once, asked.pool))
    rows = [s.row() for s in series]
    print(table(rows, asked.at_once))
    print("\n".join(others))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
