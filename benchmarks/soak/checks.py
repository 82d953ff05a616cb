"""The server at rest and after its end: it is as small as it was, and leaves nothing behind."""

import asyncio
import contextlib
import json
import signal
import statistics
import time
from collections.abc import Sequence

import psutil
from clients import Client
from questions import Wrong
from server import DEADLINE, KEYS, Sample, Served, children, left_over
from world import LATE_SECONDS, World


async def settle(world: World, clients: Sequence[Client]) -> Sample:
    """Wait until nothing runs; the server at rest. The sessions are as they were told, and end."""
    give_up = time.monotonic() + DEADLINE
    while True:
        _, stats = await world.rest(KEYS[0], "GET", "/stats")
        running = stats["processes"]["running"]["count"] + sum(stats["queue"].values())
        if not running:
            break
        if time.monotonic() > give_up:
            world.problem("hangs", f"nobody asks, and this runs: {stats}")
            break
        await asyncio.sleep(0.2)
    for client in clients:
        try:
            await client.check()
            await client.forget()
        except Wrong as wrong:
            world.problem("wrong", f"at rest: {wrong}")
    strangers = 0
    for key in KEYS:
        _, told = await world.rest(key, "GET", "")
        strangers += int(told["total"])
    if strangers > world.abandoned:
        world.problem("wrong", f"{strangers} sessions that nobody has")
    try:
        await world.upstream.wait_idle(timeout=LATE_SECONDS)
    except TimeoutError:
        world.problem("late calls", "the model is still asked, and nobody waits for it")
    world.look()
    await asyncio.sleep(2)  # the pool fills itself, connections end
    return Sample.of(world.server, world.scratch)


def compare(world: World, first: Sample, last: Sample) -> None:
    """The server did not grow: between two rests its descriptors, in between its memory."""
    more = max(0, last.processes - first.processes)
    if last.descriptors > first.descriptors + 6 * more + 8:
        world.problem("grew", f"descriptors from {first.descriptors} to {last.descriptors}")
    quarter = len(world.samples) // 4
    if quarter:
        before = statistics.median(s.rss for s in world.samples[quarter : 2 * quarter])
        after = statistics.median(s.rss for s in world.samples[-quarter:])
        if after > before * 1.15 + 10:
            world.problem("grew", f"memory from {before:.0f} to {after:.0f} MB")


async def check_end(world: World, server: Served) -> None:
    """SIGTERM leaves nothing behind."""
    world.seen.update(children(world.server))
    code = await server.stop()
    if code != 0:
        world.problem("bad end", f"the server's exit code is {code}")
    for process in left_over(server.root, world.seen):
        world.problem("bad end", f"left over: {process}")
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    left = [path.relative_to(server.root) for path in server.scratch.rglob("*")]
    if left:
        world.problem("bad end", f"files left in its TMPDIR: {', '.join(map(str, left[:10]))}")
    for line in server.log.read_text(errors="replace").splitlines():
        level = json.loads(line).get("level") if line.startswith("{") else "error"
        if level in {"error", "critical"}:
            world.problem("logged errors", line[:2000])
