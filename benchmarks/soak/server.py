"""The bridge as a process of its own, and what is seen of it from outside."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from attrs import define, frozen

KEYS = ("key-of-ada", "key-of-bob", "key-of-eve")
RETRIES = 1
MAX_LIVE = 5
LIMITS = {
    "POOL_SIZE": "1",
    "MAX_LIVE": str(MAX_LIVE),
    "MAX_CONCURRENT": "4",
    "MAX_QUEUE": "6",
    "MAX_TIMEOUT": "15",
    "MAX_RETRIES": str(RETRIES),
    "RETRY_MAX_WAIT": "3",
    "PROCESS_IDLE_SECONDS": "20",
    "SESSION_WAIT_SECONDS": "3",
    "MAX_SESSIONS": "3",
    "MAX_SESSION_MESSAGES": "12",
}
"""Small, so that all of them are met."""

DEADLINE = 60.0
"""Seconds after which a request hangs: far beyond what the limits above allow together."""


@frozen
class Sample:
    """The server at one moment: what it holds itself, and its processes."""

    rss: float  # MB
    descriptors: int
    processes: int
    files: int

    @classmethod
    def of(cls, server: psutil.Process, scratch: Path) -> "Sample":
        """The server as it is now."""
        with server.oneshot():
            rss, descriptors = server.memory_info().rss / 2**20, server.num_fds()
        return cls(rss, descriptors, len(children(server)), files(scratch))


def children(server: psutil.Process) -> list[psutil.Process]:
    """The living Claude Code processes of the server."""
    found = []
    for child in server.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE and "claude" in Path(child.exe()).name:
                found.append(child)
    return found


def files(under: Path) -> int:
    """How many files there are."""
    return sum(len(names) for _, _, names in os.walk(under))


def left_over(root: Path, seen: set[psutil.Process]) -> list[psutil.Process]:
    """Living processes that the server started, or that stand in its directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            stands = process.cwd() if process not in seen else str(root)
            if stands.startswith(str(root)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@define
class Served:
    """The server's process, and where it keeps what."""

    root: Path
    log: Path
    process: asyncio.subprocess.Process
    url: str

    @property
    def scratch(self) -> Path:
        """Its TMPDIR."""
        return self.root / "tmp"

    async def stop(self) -> int | None:
        """SIGTERM; its exit code, None if it did not end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(DEADLINE):
                return await self.process.wait()
        except TimeoutError:
            return None


@contextlib.asynccontextmanager
async def served(root: Path, log: Path, upstream: str) -> AsyncIterator[Served]:
    """The bridge as a process of its own, with small limits and nothing of the person's."""
    for name in ("home", "tmp"):
        (root / name).mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root / "home"),
        "CLAUDE_CONFIG_DIR": str(root / "home" / ".claude"),
        "TMPDIR": str(root / "tmp"),
        "ANTHROPIC_BASE_URL": upstream,
        "ANTHROPIC_API_KEY": "demo",
        "API_KEYS": ",".join(KEYS),
        "PORT": "0",
        "SESSION_STORE": f"sqlite:///{root / 'sessions.db'}",
        **LIMITS,
    }
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge"),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=root / "home",
        )
    said = ""
    try:
        if process.stdout is None:
            raise RuntimeError("the bridge has no output")
        while "base URL" not in said:
            if not (line := (await process.stdout.readline()).decode()):
                raise RuntimeError(f"the bridge did not start: {said}")
            said += line
        found = re.search(r"listens on (\S+)", said)
        if found is None:
            raise RuntimeError(f"the bridge does not say where it is: {said}")
        yield Served(root, log, process, found[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
