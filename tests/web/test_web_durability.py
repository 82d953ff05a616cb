"""Sessions in a file outlive the server, however it ends; a file that can't be used is left alone."""

import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from commands import Serve, none_left, run
from serving import heard, running, said

from bridge.core.conversation import Message, Role, Text
from bridge.demo import DemoUpstream
from bridge.sessions.session import Session, SessionKey
from bridge.sessions.sqlite import open_sqlite

STORE = ("--session-store", "sqlite:///sessions.db")


def ask(http: aiohttp.ClientSession, url: str, session: str, text: str, **fields: Any) -> Any:
    body = {"model": "claude-sonnet-4-5", "messages": said(text), "session_id": session, **fields}
    return http.post(f"{url}/v1/chat/completions", json=body)


async def sessions(http: aiohttp.ClientSession, url: str, path: str = "") -> tuple[int, Any]:
    async with http.get(f"{url}/v1/sessions{path}") as response:
        return response.status, await response.json()


@pytest.fixture
async def upstream() -> AsyncIterator[DemoUpstream]:
    demo = DemoUpstream(pace=0, keep=None)
    await demo.start()
    yield demo
    await demo.stop()


async def test_a_killed_server_keeps_every_turn_that_was_answered_and_no_other(
    serve: Serve, tmp_path: Path, upstream: DemoUpstream
) -> None:
    login = {"ANTHROPIC_BASE_URL": upstream.url, "ANTHROPIC_API_KEY": "a-test-key"}
    args = ("--port", "0", "-w", "0", *STORE)
    async with aiohttp.ClientSession() as http:
        async with serve(*args, **login) as served:
            async with ask(http, served.url, "old", "my name is Ada") as response:
                told = (await response.json())["choices"][0]["message"]["content"]
            unfinished = []
            for session in ("old", "new"):
                text = "[[stall 2]] [[words 9]]"
                unfinished.append(await ask(http, served.url, session, text, stream=True))
                await unfinished[-1].content.readuntil(b"word1")
            async with ask(http, served.url, "last", "[[say hi]]", stream=True) as response:
                await response.content.readuntil(b"[DONE]")
                children = served.children()
                await served.stop(signal.SIGKILL)
            for response in unfinished:
                response.close()
        assert len(children) == 3
        await none_left(children, 20)

        upstream.clear()
        async with serve(*args, **login) as served:
            _, listed = await sessions(http, served.url)
            assert [(s["session_id"], s["message_count"]) for s in listed["sessions"]] == [
                ("last", 2),
                ("old", 2),
            ]
            assert (await sessions(http, served.url, "/new"))[0] == 404
            _, found = await sessions(http, served.url, "/old/messages")
            assert found["messages"] == said("my name is Ada", told)
            async with ask(http, served.url, "old", "what is my name?") as response:
                answer = (await response.json())["choices"][0]["message"]["content"]
                assert response.headers["x-bridge-session"] == "continued"
            assert "Ada" in answer
            (received,) = upstream.requests
            assert received.messages == heard("my name is Ada", told, "what is my name?")
            children = served.children()
            assert await served.stop() < 15
        await none_left(children, 20)
    assert (tmp_path / "sessions.db").stat().st_mode & 0o077 == 0


async def test_nothing_of_a_session_is_lost_by_a_restart(tmp_path: Path) -> None:
    file, odd = tmp_path / "sessions.db", "ünï/code %2F \U0001f600"
    question = "think, then [[say done]] \u2028\ud7ff"
    settings: dict[str, Any] = {
        "api_keys": ("key-of-one", "key-of-two"),
        "session_store": file,
        "clock": lambda: 1_800_000_000.0,
    }
    async with running(pool_size=0, **settings) as server:
        messages = [{"role": "system", "content": "Be brief."}, *said(question)]
        await server.ask(messages, session_id=odd, model="opus", key="key-of-one")
        await server.ask("[[say next]]", session_id=odd, model=None, key="key-of-one")
        before = (await server.rest("GET", "", key="key-of-one")).data
        (thought, _) = server.seen()[1]["messages"][1]["content"]
        assert thought["type"] == "thinking"
    async with running(pool_size=0, **settings) as server:
        after = (await server.rest("GET", "", key="key-of-one")).data
        assert after["sessions"][0].pop("state") == "parked"
        assert before["sessions"][0].pop("state") == "live"
        assert after == before
        assert (await server.rest("GET", "", key="key-of-two")).data["total"] == 0
        answer = await server.ask("[[say last]]", session_id=odd, model=None, key="key-of-one")
        assert (answer.outcome, answer.data["model"]) == ("continued", "claude-opus-5-5")
        (seen,) = server.seen()
        assert seen["system"] == ["Be brief."]
        expected = heard(question, "done", "[[say next]]", "next", "[[say last]]")
        expected[1]["content"].insert(0, thought)
        assert seen["messages"] == expected


async def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
        db.execute("INSERT INTO recipes VALUES ('soup')")
    db.close()


async def damaged(path: Path) -> None:
    """Ours, with a hole in it."""
    store = await open_sqlite(path)
    message = Message(role=Role.USER, parts=(Text(text="a private word " * 100),))
    session = Session(
        key=SessionKey(owner="local", id="one"),
        created_at=1e9,
        last_accessed=4e9,
        messages=(message,) * 40,
    )
    await store.save(session, kept=0)
    await store.aclose()
    raw = bytearray(path.read_bytes())
    raw[8192:32768] = b"\xa5" * (32768 - 8192)
    path.write_bytes(raw)


@pytest.mark.parametrize("make", [foreign, damaged])
async def test_a_file_that_can_not_be_used_is_refused_in_one_line_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    path = tmp_path / "sessions.db"
    await make(path)
    before = path.read_bytes()
    code, words = await run(tmp_path, "--demo", "--port", "0", *STORE)
    assert code == 1
    (line,) = [line for line in words.splitlines() if not _is_log(line)]
    assert line.startswith("Error: SESSION_STORE: ")
    assert "sessions.db" in line
    assert "private" not in words
    assert "Traceback" not in words
    assert path.read_bytes() == before
    assert list((tmp_path / "tmp").iterdir()) == []


def _is_log(line: str) -> bool:
    try:
        return json.loads(line)["level"] == "info"
    except ValueError:
        return False
