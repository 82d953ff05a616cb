"""The real server on the demo model, as a process of its own."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from attrs import define, field
from suites import CLIENTS

_STARTS = 180.0
_STOPS = 30.0


@define
class Server:
    """A running server; ``problems`` is filled when it has ended."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    problems: list[str] = field(factory=list)

    def stop(self) -> None:
        """End it and note what was not as it must be: its end, and what it left behind."""
        if (code := self.process.poll()) is not None:
            self.problems.append(f"the server had ended by itself, with {code}")
            return
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        try:
            code = self.process.wait(_STOPS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.problems.append("the server did not end when it was told to")
        if code:
            self.problems.append(f"the server ended with {code}")
        _, alive = psutil.wait_procs(children, _STOPS)
        for child in alive:
            self.problems.append(f"the server left a process behind: {child.pid}")
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


@contextlib.contextmanager
def serving(root: Path, *options: str) -> Iterator[Server]:
    """The server with more ``options``, and with all that it writes under ``root``."""
    for name in ("home", "tmp"):
        (root / name).mkdir(parents=True)
    said, log = root / "said", root / "log"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CLIENTS.parent),  # the server that these tests stand beside, not another
        "HOME": str(root / "home"),
        "CLAUDE_CONFIG_DIR": str(root / "home" / ".claude"),
        "TMPDIR": str(root / "tmp"),
    }
    with said.open("wb") as out, log.open("wb") as errors:
        process = subprocess.Popen(
            (sys.executable, "-m", "bridge", "--demo", "--demo-pace", "0", "--port", "0", *options),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env=environment,
            cwd=root / "home",
        )
    server = Server(process, "", log)
    try:
        server.url = _url(process, said, log)
        yield server
    finally:
        server.stop()


def _url(process: subprocess.Popen[bytes], said: Path, log: Path) -> str:
    until = time.monotonic() + _STARTS
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"listens on (http://\S+)", said.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {said.read_text()}{log.read_text()}")
