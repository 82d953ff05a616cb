"""What can become of a process, with the real one behind a door that misbehaves when it is asked to.

Each time: a clear 5xx, the session as it was, the next turn right, the fault counted.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import evolve
from door import make_door
from serving import Running, heard, new_id, running

from bridge.claude import transport as transport_module

MISBEHAVES = """
    prompt = '"type": "user"' in line and '"shouldQuery"' not in line
    if prompt and "[[door garbage]]" in line:
        print("{this is not JSON", flush=True)
        continue
    if prompt and "[[door nonsense]]" in line:
        print(json.dumps({"type": "stream_event", "event": {"type": "message_start"}}), flush=True)
        continue
    while prompt and "[[door endless]]" in line:
        sys.stdout.write("{" + "x" * 1_000_000)
    if prompt and "[[door exit]]" in line:
        child.kill()
        os._exit(3)
    if prompt and "[[door silence]]" in line:
        time.sleep(600)
    if prompt and "[[door hunger]]" in line:
        eaten = bytearray(os.urandom(1)) * 400_000_000
        time.sleep(600)
"""


@pytest.fixture
def door(tmp_path: Path) -> Path:
    return make_door(tmp_path / "claude", MISBEHAVES)


@pytest.fixture(scope="module")
async def shared_behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    door = make_door(tmp_path_factory.mktemp("door") / "claude", MISBEHAVES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.web.app.WATCH_SECONDS", 0.1)
        async with running(cli_path=door, pool_size=1, max_process_memory=300_000_000) as server:
            yield server


@pytest.fixture
def behind(shared_behind: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A server behind the door, with an empty log, no faults and no sessions."""
    monkeypatch.setattr(transport_module, "MAX_LINE", 5_000_000)
    shared_behind.upstream.clear()
    shared_behind.engine.faults.clear()
    return shared_behind


FAULTS = {
    # what the door does: status, code
    "garbage": (502, "process_lost"),
    "nonsense": (502, "process_lost"),
    "endless": (502, "process_lost"),
    "exit": (502, "process_lost"),
    "silence": (504, "timeout"),
    "hunger": (502, "process_lost"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_costs_its_turn_and_nothing_else(
    behind: Running, fault: str, stream: bool
) -> None:
    one = new_id()
    told = (await behind.ask("my name is Ada", session_id=one)).text
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        if fault == "silence":
            patch.setattr(
                behind.engine.fleet, "limits", evolve(behind.engine.limits, max_timeout=1.0)
            )
        answer = await behind.ask(f"[[door {fault}]]", session_id=one, stream=stream)
    assert (answer.status, answer.error["code"]) == FAULTS[fault]
    assert time.monotonic() - began < 60
    assert behind.engine.faults[FAULTS[fault][1]] == 1
    assert len(await behind.messages(one)) == 2
    answer = await behind.ask("what is my name?", session_id=one)
    assert "Ada" in answer.text
    assert behind.seen()[-1]["messages"] == heard("my name is Ada", told, "what is my name?")
    assert len(behind.upstream.requests) == 2
    assert behind.engine.places.taken == 0


async def test_a_program_that_goes_and_comes_back(door: Path) -> None:
    away = door.with_name("away")
    async with running(cli_path=door, pool_size=0) as server:
        await server.ask("my name is Ada", session_id="one")
        door.rename(away)
        answer = await server.ask("what is my name?", session_id="one")
        assert answer.text, "the process that lives needs no program"
        server.engine.fleet.kept.end_all()
        for _ in range(2):
            answer = await server.ask("[[say lost]]", session_id="one")
            assert answer.status in {502, 503}
            assert answer.error["code"] in {"process_lost", "spawn_failed"}
        away.rename(door)
        answer = await server.ask("what is my name?", session_id="one")
        assert "Ada" in answer.text
        assert len(await server.messages("one")) == 6


async def test_a_program_that_is_replaced_serves_the_next_conversation(door: Path) -> None:
    async with running(cli_path=door, pool_size=0) as server:
        await server.ask("my name is Ada", session_id="one")
        other = make_door(door.with_name("other"), MISBEHAVES + "    version = 2\n")
        other.replace(door)
        assert (await server.ask("[[say new]]")).text == "new"
        assert "Ada" in (await server.ask("what is my name?", session_id="one")).text


async def test_a_clock_that_jumps_moves_nothing(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.ask("my name is Ada", session_id="jump")
    before = (await server.rest("GET", "/jump")).data["expires_at"]
    real = time.time
    for jump in (1e6, -1e6):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        await server.sessions.sweep()
        server.engine.sweep()
        assert (await server.rest("GET", "/jump")).data["expires_at"] == before
    async with asyncio.timeout(60):
        assert "Ada" in (await server.ask("what is my name?", session_id="jump")).text
