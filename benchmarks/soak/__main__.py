"""A long run of random clients, faults and kills; it ends with 1 if anything was not as it must be.

    python benchmarks/soak [--seconds 600] [--seed N] [--log FILE]

The bridge runs as a process of its own, with small limits, on a demo upstream in this one. Every
question holds a nonce, and what the model must be sent for it is written down before it is asked:
the upstream's log is the witness. Every answer must be right or an honest error, no request may
hang, and in the end the server must be as small as it was, and leave nothing behind.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import psutil
from checks import check_end, compare, settle
from clients import Client, bursts, slow_readers
from server import KEYS, Sample, served
from world import World

from bridge.demo import DemoUpstream

LONG_SECONDS = 120.0
"""A run of so many seconds meets everything that there is to meet."""


async def play(world: World, clients: Sequence[Client], seconds: float, every: float) -> None:
    """Everything at once, for so long; then everybody ends what they are at."""
    world.until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run())
        for others in (bursts(world), slow_readers(world), world.kill(), world.measure(every)):
            group.create_task(others)


async def soak(seconds: float, seed: int, log: Path | None) -> tuple[World, Sample, Sample]:
    """The whole run: what happened, and the server at rest after the warm-up and in the end."""
    warm_up = min(15.0, seconds / 4)
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    try:
        with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as made:
            root = Path(made)
            async with served(root, log or root / "server.log", upstream.url) as server:
                async with aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0, force_close=True),
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as http:
                    world = World(
                        server.url,
                        psutil.Process(server.process.pid),
                        server.scratch,
                        http,
                        upstream,
                        random.Random(seed),  # noqa: S311 - dice, not secrets
                    )
                    beside = [
                        asyncio.create_task(watch)
                        for watch in (world.watch_upstream(), world.watch_processes())
                    ]
                    clients = [
                        Client(world, key, session, f"system {world.nonce()}")
                        for key in KEYS
                        for session in ("shared-name", f"of-{key}", None)
                    ]
                    await play(world, clients, warm_up, warm_up)
                    first = await settle(world, clients)
                    world.samples.clear()
                    every = min(10.0, seconds / 24)
                    await play(world, clients, seconds - warm_up, every)
                    last = await settle(world, clients)
                    for task in beside:
                        if task.done():
                            task.result()
                        task.cancel()
                    await asyncio.wait(beside)
                compare(world, first, last)
                world.explain_counts(long=seconds >= LONG_SECONDS)
                await check_end(world, server)
    finally:
        await upstream.stop()
    return world, first, last


def table(world: World, first: Sample, last: Sample) -> str:
    """What happened, as text."""
    counts = world.counts
    errors = ", ".join(f"{code}: {count}" for code, count in sorted(world.codes.items()))
    happened = ("bursts", "slow readers", "edits", "forks", "deletes")
    bad = ("wrong", "leaks", "hangs", "late calls")
    rows = {
        "requests": f"{counts['requests']}, {counts['calls']} calls of the model",
        "answers": f"{counts['answers']}, {counts['refusals']} refusals",
        "honest errors": f"{sum(world.codes.values())} ({errors})",
        "cancels": counts["cancels"],
        "kills": counts["kills"],
        "beside": ", ".join(f"{counts[name]} {name}" for name in happened),
        **{name: counts[name] for name in bad},
        "memory": f"{first.rss:.0f} → {last.rss:.0f} MB at rest, "
        f"{max(s.rss for s in world.samples):.0f} at most",
        "descriptors": f"{first.descriptors} → {last.descriptors} at rest, "
        f"{max(s.descriptors for s in world.samples)} at most",
        "processes": f"{first.processes} → {last.processes} at rest, {world.most} at most",
        "files": f"{first.files} → {last.files} at rest, "
        f"{max(s.files for s in world.samples)} at most",
    }
    return "\n".join(f"{name:14} {value}" for name, value in rows.items())


def main() -> None:
    """Run, print, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, help="of the dice; a run is not repeated by it exactly")
    parser.add_argument("--log", type=Path, help="where the server's log is kept")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"{asked.seconds:g} seconds, seed {seed}", flush=True)
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # the upstream's: who was killed
    world, first, last = asyncio.run(soak(asked.seconds, seed, asked.log))
    print(table(world, first, last))
    for problem in world.problems[:20]:
        print(f"! {problem}")
    if world.problems:
        sys.exit(f"{len(world.problems)} things were not as they must be")


if __name__ == "__main__":
    main()
