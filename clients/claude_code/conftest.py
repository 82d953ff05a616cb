"""Claude Code itself, as the SDK brings it, in a place of its own."""

import json
import os
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import claude_agent_sdk
import pytest

URL = os.environ["BRIDGE_URL"].removesuffix("/v1")
CLI = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


class _Refusing(socketserver.StreamRequestHandler):
    """A proxy that notes where it was to lead, and leads nowhere: the guard of this program."""

    def handle(self) -> None:
        asked = self.rfile.readline().decode(errors="replace").split()
        with Path(os.environ["GUARD_LOG"]).open("a") as log:
            log.write(f"{' '.join(asked[1:2])}\n")


@pytest.fixture(scope="session")
def proxy() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where Claude Code works."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def settings(tmp_path: Path, proxy: str) -> dict[str, str]:
    """What a person sets to use the bridge, and what keeps the program to itself."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": "unused",
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "TMPDIR": str(home),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "DISABLE_AUTOUPDATER": "1",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "127.0.0.1",
    }


Claude = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def claude(folder: Path, settings: dict[str, str]) -> Claude:
    """Runs ``claude -p``; all that it says, a message each, the result last."""

    def run(prompt: str, *options: str, **more: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            (str(CLI), "-p", prompt, "--output-format", "stream-json", "--verbose", *options),
            cwd=folder,
            env={"PATH": os.environ["PATH"], **settings, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, done.stderr
        assert lines[-1]["type"] == "result"
        return lines

    return run
