"""The command itself, as a process: start, exposure, signals, and what is left behind."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from commands import Serve, clean_environment, none_left, run
from serving import until

from bridge.demo import DemoUpstream
from bridge.web.runtime import private_directory

BODY = {"model": "sonnet", "stream": True}


def ask(http: aiohttp.ClientSession, url: str, content: str) -> Any:
    messages = [{"role": "user", "content": content}]
    return http.post(f"{url}/v1/chat/completions", json={**BODY, "messages": messages})


def is_swept(place: Path) -> bool:
    """Whether the next server has deleted what others left; one that has just been forked may hold
    the lock for a moment longer."""
    with private_directory() as of_the_next:
        return list(place.iterdir()) == [of_the_next]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_ends_turns_with_an_error_frame_and_leaves_nothing(
    serve: Serve, number: signal.Signals
) -> None:
    async with serve("--demo", "--demo-pace", "0", "--port", "0") as served:
        async with aiohttp.ClientSession() as http:
            async with ask(http, served.url, "[[stall 2]] [[words 9]]") as response:
                assert response.status == 200
                await response.content.readuntil(b"\n\n")
                children = served.children()
                assert children
                stopping = asyncio.create_task(served.stop(number))
                rest = (await response.read()).decode()
            assert await stopping < 15
        assert served.process.returncode == 0
        last = json.loads(rest.strip().splitlines()[-1].removeprefix("data: "))
        assert last["error"]["code"] == "shutting_down"
        assert "[DONE]" not in rest
        await none_left(children, 20)
        assert list((served.home / "tmp").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
@pytest.mark.parametrize("message", ["[[stall]]", "[[stall 2]] [[words 9]]", "idle"])
async def test_a_killed_server_leaves_no_child_that_could_call_the_model(
    serve: Serve, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    try:
        login = {"ANTHROPIC_BASE_URL": upstream.url, "ANTHROPIC_API_KEY": "a-test-key"}
        async with serve("--port", "0", "-w", "2", **login) as served:
            asked = 0
            async with aiohttp.ClientSession() as http:
                request = None
                if message != "idle":
                    arrival = asyncio.create_task(upstream.next_request(timeout=60))
                    request = asyncio.create_task(ask(http, served.url, message).__aenter__())
                    await arrival
                    asked = 1
                children = served.children()
                assert children or message == "idle"
                await served.stop(signal.SIGKILL)
                await none_left(children, 20)
                if request is not None:
                    with contextlib.suppress(aiohttp.ClientError):
                        (await request).close()
            await upstream.wait_idle(timeout=60)
            assert len(upstream.requests) == asked
            left = list((served.home / "tmp").iterdir())
            assert left  # a killed server can't clean up …
        monkeypatch.setattr(tempfile, "tempdir", str(served.home / "tmp"))
        await until(lambda: is_swept(served.home / "tmp"))  # … but the next one does
    finally:
        await upstream.stop()


async def test_without_credentials_it_starts_and_says_how_to_log_in(serve: Serve) -> None:
    async with serve("--port", "0") as served:
        assert "claude login" in served.said
        assert "--demo" in served.said
        async with aiohttp.ClientSession() as http:
            async with ask(http, served.url, "hello") as response:
                assert response.status == 503
                error = (await response.json())["error"]
                assert error["code"] == "not_logged_in"
                assert "claude login" in error["message"]
            async with http.get(f"{served.url}/health") as response:
                health = await response.json()
                assert health == {
                    "status": "healthy",
                    "service": "bridge",
                    "backend": "claude",
                    "logged_in": False,
                }
            async with http.get(f"{served.url}/v1/models") as response:
                assert response.status == 503
            async with http.get(served.url) as response:
                assert "login" in await response.text()
        await served.stop()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
async def test_what_a_child_process_gets(serve: Serve) -> None:
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    try:
        environ = {
            "ANTHROPIC_BASE_URL": upstream.url,
            "ANTHROPIC_API_KEY": "the-servers-own-login",
            "API_KEYS": "client-key-123",
            "DATABASE_PASSWORD": "secret",
            "CLAUDE_TIMEOUT": "60",
            "AWS_REGION": "eu-north-1",
            "NO_PROXY": "one.example",
        }
        async with serve("--port", "0", "-w", "0", **environ) as served:
            async with aiohttp.ClientSession(
                headers={"Authorization": "Bearer client-key-123"}
            ) as http:
                messages = [
                    {"role": "system", "content": "a very private system prompt"},
                    {"role": "user", "content": "[[stall 2]] [[words 9]] a private question"},
                ]
                url = f"{served.url}/v1/chat/completions"
                async with http.post(url, json={**BODY, "messages": messages}) as response:
                    first = await response.content.readuntil(b"\n\n")
                    assert response.status == 200, first
                    (child,) = served.children()
                    got = child.environ()
                    argv = " ".join(child.cmdline())
                    assert os.getpgid(child.pid) == child.pid  # Ctrl-C does not reach it
                    assert list(Path(child.cwd()).iterdir()) == []
            assert got["ANTHROPIC_API_KEY"] == "the-servers-own-login"
            assert got["AWS_REGION"] == "eu-north-1"
            assert got["NO_PROXY"] == "one.example"
            assert not {"API_KEYS", "DATABASE_PASSWORD", "CLAUDE_TIMEOUT"} & set(got)
            assert Path(got["TMPDIR"]).is_relative_to(served.home / "tmp")
            assert "private" not in argv
            assert "client-key" not in argv + json.dumps(got)
            await served.stop()
            assert "private" not in (served.home / "log").read_text()
            assert "client-key" not in (served.home / "log").read_text()
            written = [path for path in served.home.rglob("*") if path.is_file()]
            assert not [path for path in written if b"private" in path.read_bytes()]
    finally:
        await upstream.stop()


async def test_a_login_of_the_persons_own_settings_is_used(serve: Serve, tmp_path: Path) -> None:
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    try:
        (tmp_path / ".claude").mkdir()
        settings = {
            "apiKeyHelper": "echo a-key-from-a-helper",
            "model": "claude-haiku-4-5",
            "env": {"ANTHROPIC_BASE_URL": upstream.url},
            "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch ran"}]}]},
        }
        (tmp_path / ".claude" / "settings.json").write_text(json.dumps(settings))
        async with serve("--port", "0") as served:
            async with aiohttp.ClientSession() as http:
                body = {"messages": [{"role": "user", "content": "[[say helped]]"}]}
                url = f"{served.url}/v1/chat/completions"
                async with http.post(url, json=body) as response:
                    answer = await response.json()
                    assert response.status == 200, answer
            assert answer["model"] == "claude-haiku-4-5"
            (received,) = upstream.requests
            assert "a-key-from-a-helper" in json.dumps(received.headers)
            assert list(tmp_path.rglob("ran")) == []  # the hook did not
            await served.stop()
    finally:
        await upstream.stop()


MADE_UP_LOGIN = {
    "claudeAiOauth": {
        "accessToken": "sk-ant-oat01-made-up",
        "refreshToken": "sk-ant-ort01-made-up",
        "expiresAt": 4102444800000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
}


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS keeps logins in the keychain")
async def test_an_oauth_login_and_its_end(serve: Serve, tmp_path: Path) -> None:
    upstream = DemoUpstream(pace=0, keep=None)
    await upstream.start()
    try:
        (tmp_path / ".claude").mkdir()
        login = tmp_path / ".claude" / ".credentials.json"
        login.write_text(json.dumps(MADE_UP_LOGIN))
        environ = {"ANTHROPIC_BASE_URL": upstream.url, "CLAUDE_AUTH_METHOD": "cli"}
        async with serve("--port", "0", **environ) as served:
            async with aiohttp.ClientSession() as http:
                async with ask(http, served.url, "[[say by subscription]]") as response:
                    assert response.status == 200
                    assert b'" subscription"' in await response.read()
                (received,) = upstream.requests
                assert received.headers["authorization"] == "Bearer sk-ant-oat01-made-up"
                raw = json.dumps(received.body)
                assert str(Path.cwd()) not in raw

                login.unlink()
                async with ask(http, served.url, "hello") as response:
                    assert response.status == 503
                    assert (await response.json())["error"]["code"] == "not_logged_in"
                async with http.get(f"{served.url}/health") as response:
                    assert (await response.json())["logged_in"] is False
            await served.stop()
    finally:
        await upstream.stop()


async def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    fifo, hanging = tmp_path / "fifo", tmp_path / "hanging"
    os.mkfifo(fifo)
    hanging.write_text(f"#!/bin/sh\necho up > {fifo}\nexec sleep 600\n")
    hanging.chmod(0o700)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "--port", "0", "--cli-path", str(hanging)),
        env=clean_environment(tmp_path),
        cwd=tmp_path,
    )
    assert await asyncio.to_thread(fifo.read_text) == "up\n"
    children = psutil.Process(process.pid).children()
    process.terminate()
    async with asyncio.timeout(60):
        await process.wait()
    await none_left(children, 20)
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_the_next_free_port_is_taken_and_named(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it: as good
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        async with serve("--demo") as served:
            assert not served.url.endswith(":8000")
            assert "Port 8000 is taken" in served.said
            await served.stop()


async def test_a_chosen_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = await run(tmp_path, "--demo", "--port", port)
    assert code != 0
    assert port in said
    assert "--port" in said
    assert "Traceback" not in said


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
    "beyond loopback without a key": (("--host", "0.0.0.0"), {}, "API_KEY"),
    "milliseconds": ((), {"CLAUDE_TIMEOUT": "600000"}, "in seconds"),
    "a short key": ((), {"API_KEY": "short"}, "8 to 512"),
    "a broken model map": ((), {"MODEL_MAP": "{"}, "not valid JSON"),
    "an unknown login": ((), {"CLAUDE_AUTH_METHOD": "magic"}, "bedrock"),
    "an API key that is not set": ((), {"CLAUDE_AUTH_METHOD": "api_key"}, "ANTHROPIC_API_KEY"),
    "bedrock without a region": ((), {"CLAUDE_AUTH_METHOD": "bedrock"}, "AWS_REGION"),
    "vertex without a project": (
        (),
        {"CLAUDE_AUTH_METHOD": "vertex"},
        "ANTHROPIC_VERTEX_PROJECT_ID",
    ),
    "cli without a login": ((), {"CLAUDE_AUTH_METHOD": "cli"}, "auth login`"),
    "a folder for a program": ((), {"CLAUDE_CLI_PATH": "/tmp"}, "CLAUDE_CLI_PATH"),
    "a program that is not there": ((), {"CLAUDE_CLI_PATH": "/nowhere"}, "CLAUDE_CLI_PATH"),
    "a host that is not there": (("--host", "no.such.host.invalid", "--insecure"), {}, "no.such"),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_it_refuses_to_start(tmp_path: Path, kind: str) -> None:
    args, environ, words = REFUSED[kind]
    code, said = await run(tmp_path, "--port", "0", *args, **environ)
    assert code != 0
    assert words in said
    assert "Traceback" not in said


async def test_a_chosen_login_is_not_replaced_by_one_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    settings = {"apiKeyHelper": "echo k", "env": {"ANTHROPIC_API_KEY": "a-key-in-settings"}}
    (tmp_path / ".claude" / "settings.json").write_text(json.dumps(settings))
    code, said = await run(tmp_path, "--port", "0", CLAUDE_AUTH_METHOD="cli")
    assert code != 0
    assert "not logged in" in said


async def test_beyond_loopback_with_a_key(serve: Serve) -> None:
    async with serve("--demo", "--host", "0.0.0.0", "--port", "0", API_KEY="abcdefgh1") as served:
        async with aiohttp.ClientSession() as http:
            url = served.url.replace("0.0.0.0", "127.0.0.1")
            async with http.get(f"{url}/v1/models") as response:
                assert response.status == 401
            async with http.get(f"{url}/v1/models", headers={"x-api-key": "abcdefgh1"}) as response:
                assert response.status == 200
        await served.stop()


async def test_a_dotenv_file_is_read(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_KEY=from-the-file-1\n")
    async with serve("--demo", "--port", "0") as served:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{served.url}/health") as response:
                assert response.status == 200
            response = await http.get(f"{served.url}/v1/models")
            assert response.status == 401
        await served.stop()


async def test_version_and_help(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "--version")
    assert code == 0
    assert re.fullmatch(r"bridge \d+\.\d+\.\d+\n", said)
    code, said = await run(tmp_path, "--help")
    assert code == 0
    for name in ("--host", "--demo", "CLAUDE_AUTH_METHOD", "MAX_TIMEOUT", "POOL_SIZE"):
        assert name in said
