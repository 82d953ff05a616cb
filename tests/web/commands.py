"""The ``bridge`` command as a process, for tests."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psutil
from attrs import define


@define
class Served:
    """A running ``bridge`` command."""

    process: asyncio.subprocess.Process
    url: str
    said: str
    home: Path

    def children(self) -> list[psutil.Process]:
        """Its child processes that are Claude Code."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ended while we looked
                if "claude" in Path(child.exe()).name:
                    found.append(child)
        return found

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal; how many seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        async with asyncio.timeout(60):
            await self.process.wait()
        return time.monotonic() - began


Serve = Callable[..., AbstractAsyncContextManager[Served]]


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    (home / "tmp").mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp"), **more}


async def run(home: Path, *args: str, **environ: str) -> tuple[int, str]:
    """The command until it ends by itself: its exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *args),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(home, **environ),
        cwd=home,
    )
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def none_left(children: list[psutil.Process], seconds: float) -> None:
    """Every process ends within the time."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, seconds)
    assert alive == []


@contextlib.asynccontextmanager
async def serving(home: Path, *args: str, **environ: str) -> AsyncIterator[Served]:
    """The command, running, with ``home`` as its home and working directory.

    Unless ``args`` ask for some, no process is ready before it is needed.
    """
    log = home / "log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", "--pool-size", "0", *args),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=clean_environment(home, **environ),
            cwd=home,
        )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(60):
            while "base URL" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, f"it ended: {said} {log.read_text()}"
                said += line
        found = re.search(r"listens on (http://\S+)", said)
        assert found
        yield Served(process, found[1], said, home)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
