"""Faults of a process. Those that the real CLI can't be brought to are made by small programs."""

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import evolve
from claude_agent_sdk import CLIConnectionError, CLIJSONDecodeError
from serving import Running, running, until

from bridge.claude import process as process_module
from bridge.claude import transport as transport_module
from bridge.claude.login import read_login
from bridge.claude.options import Launch
from bridge.claude.process import CliProcess
from bridge.claude.transport import CliTransport, Command

SpawnProgram = Callable[[str], CliTransport]


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[SpawnProgram]:
    """A transport on a Python program, given as its source."""
    made: list[CliTransport] = []

    def make(source: str) -> CliTransport:
        path = tmp_path / f"program{len(made)}.py"
        path.write_text("import json, os, sys, time\n" + textwrap.dedent(source))
        command = Command(
            argv=(sys.executable, "-u", str(path)), env={"PATH": os.environ["PATH"]}, cwd=tmp_path
        )
        made.append(CliTransport(command))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


async def test_lines_come_whole_however_they_are_cut(program: SpawnProgram) -> None:
    transport = program(
        """
        for piece in ('{"type":', '"a"}\\nnot a message\\n\\n{"ty', 'pe": "b"}', '\\n'):
            sys.stdout.write(piece); sys.stdout.flush(); time.sleep(0.01)
        print(json.dumps({"type": "control_response", "response": {"request_id": "?"}}))
        print(json.dumps({"type": "c", "long": "x" * 3_000_000}))
        """
    )
    await transport.connect()
    messages = [message async for message in transport.read_messages()]
    assert [message["type"] for message in messages] == ["a", "b", "control_response", "c"]
    assert len(messages[-1]["long"]) == 3_000_000


async def test_garbage_ends_the_process_with_an_error(program: SpawnProgram) -> None:
    transport = program("print('{broken'); time.sleep(60)")
    await transport.connect()
    with pytest.raises(CLIJSONDecodeError):
        [message async for message in transport.read_messages()]
    assert not transport.is_ready()


async def test_garbage_that_comes_before_the_start_is_over_ends_the_process_too(
    program: SpawnProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = program("print('{broken'); time.sleep(60)")
    loop = asyncio.get_running_loop()
    execute = loop.subprocess_exec

    async def slow(*args: Any, **kwargs: Any) -> Any:
        made = await execute(*args, **kwargs)
        await until(lambda: transport._fault is not None)
        return made

    monkeypatch.setattr(loop, "subprocess_exec", slow)
    await transport.connect()
    with pytest.raises(CLIJSONDecodeError):
        [message async for message in transport.read_messages()]
    assert not transport.is_ready()


async def test_a_message_of_an_odd_shape_ends_the_process(program: SpawnProgram) -> None:
    transport = program("print(json.dumps({'type': 'stream_event'})); time.sleep(60)")
    transport._hear = lambda raw: raw["event"]
    await transport.connect()
    with pytest.raises(CLIConnectionError, match="odd shape"):
        [message async for message in transport.read_messages()]


async def test_an_endless_line_ends_the_process(
    program: SpawnProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "MAX_LINE", 100_000)
    transport = program("sys.stdout.write('{' + 'x' * 10_000_000); time.sleep(60)")
    await transport.connect()
    with pytest.raises(CLIConnectionError, match="100000"):
        [message async for message in transport.read_messages()]


async def test_an_early_end_is_an_error_for_whoever_initializes(program: SpawnProgram) -> None:
    transport = program("print('no such option', file=sys.stderr); sys.exit(1)")
    await transport.connect()
    with pytest.raises(CLIConnectionError, match="before it was initialized"):
        [message async for message in transport.read_messages()]
    await until(lambda: transport.stderr_tail == ("no such option",))  # a pipe of its own
    with pytest.raises(CLIConnectionError):
        await transport.write("{}\n")


async def test_control_requests_of_our_own(program: SpawnProgram) -> None:
    transport = program(
        """
        for line in sys.stdin:
            asked = json.loads(line)
            kind = asked["request"]["subtype"]
            if kind == "silent":
                continue
            ok = {"subtype": "success", "response": {"echo": asked["request"]}}
            answer = {"subtype": "error", "error": "never heard of it"} if kind == "odd" else ok
            answer["request_id"] = asked["request_id"]
            print(json.dumps({"type": "control_response", "response": answer}))
        """
    )
    await transport.connect()
    reply = await transport.control({"subtype": "good", "x": 1}, timeout=10)
    assert reply == {"echo": {"subtype": "good", "x": 1}}
    with pytest.raises(CLIConnectionError, match="never heard of it"):
        await transport.control({"subtype": "odd"}, timeout=10)
    with pytest.raises(TimeoutError):
        await transport.control({"subtype": "silent"}, timeout=0.05)
    waiting = asyncio.create_task(transport.control({"subtype": "silent"}, timeout=10))
    await asyncio.sleep(0)
    transport.kill()
    with pytest.raises(CLIConnectionError, match="ended"):
        await waiting


async def test_fields_are_added_to_initialize_and_to_nothing_else(program: SpawnProgram) -> None:
    transport = program("for line in sys.stdin: print(line, end='')")
    await transport.connect()
    transport.add_to_initialize(systemPrompt=["be kind"])
    for subtype in ("interrupt", "initialize", "initialize"):
        await transport.write(f'{{"type": "x", "request": {{"subtype": "{subtype}"}}}}\n')
    reader = transport.read_messages()
    requests = [(await anext(reader))["request"] for _ in range(3)]
    assert requests == [
        {"subtype": "interrupt"},
        {"subtype": "initialize", "systemPrompt": ["be kind"]},
        {"subtype": "initialize"},
    ]


async def test_a_kill_reaches_the_children_too(program: SpawnProgram) -> None:
    transport = program(
        """
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(json.dumps({"type": "child", "pid": child.pid}))
        time.sleep(600)
        """
    )
    await transport.connect()
    child = psutil.Process((await anext(transport.read_messages()))["pid"])
    await transport.close()
    await asyncio.to_thread(psutil.wait_procs, [child], 20)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    transport = CliTransport(Command(argv=("/nowhere",), env={}, cwd=tmp_path / "nor here"))
    with pytest.raises(CLIConnectionError, match="can't be started"):
        await transport.connect()
    nowhere = Launch(
        cli=Path("/nowhere"),
        environment={},
        workdir=tmp_path,
        scratch=tmp_path,
        simple=False,
        cli_retries=0,
    )
    login = await read_login(nowhere)
    assert not login.logged_in
    assert login.error


async def test_a_process_killed_in_mid_turn_is_an_error_frame(server: Running) -> None:
    messages = [{"role": "user", "content": "[[stall 2]] [[words 9]]"}]
    body = {"model": "haiku", "stream": True, "messages": messages}
    async with server.post("/v1/chat/completions", body) as response:
        await response.content.readuntil(b"\n\n")
        (busy,) = server.engine.fleet.running
        assert busy.pid is not None
        os.kill(busy.pid, 9)
        rest = await response.text()
    assert response.status == 200
    assert "process_lost" in rest.strip().splitlines()[-1]
    assert "[DONE]" not in rest
    status, _ = await server.chat("[[say well again]]")
    assert status == 200


async def test_a_ready_process_that_died_is_replaced_without_a_word(server: Running) -> None:
    await server.chat("warm up")
    await server.engine.fleet.pool.settled()
    assert server.engine.fleet.pool._ready
    for process in server.engine.fleet.pool._ready:
        assert process.pid is not None
        os.kill(process.pid, 9)
    status, body = await server.chat("[[say still here]]")
    assert (status, body["choices"][0]["message"]["content"]) == (200, "still here")


async def test_the_attempt_after_a_lost_ready_process_takes_no_other_ready_one() -> None:
    async with running(pool_size=3, max_live=5) as server:
        await server.chat("warm up")
        await server.engine.fleet.pool.settled()
        doomed = server.engine.fleet.pool.ready
        assert len(doomed) == 3
        for process in doomed:  # each dies as soon as it is asked for something
            process.begin = dying(process)
        status, body = await server.chat("[[say still here]]")
        assert (status, body["choices"][0]["message"]["content"]) == (200, "still here")
        assert server.engine.faults == {"process_replaced": 1}
        assert len(server.upstream.requests) == 2
        assert sum(process.alive for process in doomed) == 2


def dying(process: CliProcess) -> Any:
    begin = process.begin

    def begin_and_die(*args: Any) -> Any:
        assert process.pid is not None
        os.kill(process.pid, 9)
        return begin(*args)

    return begin_and_die


# -- another login -------------------------------------------------------------------------------


def log_in_anew(server: Running) -> None:
    """As if somebody logged out, and then in again."""
    login = server.engine.account.login
    server.engine.account.take(evolve(login, logged_in=False))
    server.engine.account.take(login)


async def test_a_process_of_an_earlier_login_is_not_kept() -> None:
    async with running(pool_size=1) as server:
        async with server.next_request() as arrival:
            asking = asyncio.create_task(server.ask("[[slow .2]] [[say 1]]", session_id="s"))
            await arrival
            log_in_anew(server)
            assert (await asking).text == "1"
        assert server.engine.processes()["idle"] == []
        answer = await server.ask("[[say 2]]", session_id="s")
        assert (answer.outcome, answer.text) == ("continued", "2")
        assert len(set(server.processes())) == 2
        assert len(server.engine.processes()["idle"]) == 1


async def test_a_ready_or_an_idle_process_of_an_earlier_login_is_not_handed_out() -> None:
    async with running(pool_size=1) as server:
        await server.ask("[[say 1]]", session_id="s")
        await server.engine.fleet.pool.settled()
        old = [*server.engine.fleet.pool.ready, *server.engine.fleet.kept]
        assert len(old) == 2
        log_in_anew(server)
        await until(lambda: not any(process.alive for process in old))
        await server.engine.fleet.pool.settled()
        assert [process.launch for process in server.engine.fleet.pool.ready] == [
            server.engine.account.launch
        ]
        answers = [await server.ask("[[say 2]]", session_id="s"), await server.ask("[[say 2]]")]
        assert [answer.text for answer in answers] == ["2", "2"]
        assert len(set(server.processes())) == 3


async def test_a_process_whose_start_began_under_an_earlier_login_does_not_become_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, spawn, begun = asyncio.Event(), CliProcess.spawn, []

    async def slow_spawn(self: CliProcess) -> None:
        begun.append(self)
        await gate.wait()
        await spawn(self)

    async with running(pool_size=1) as server:
        await server.engine.account.known_names()
        await server.engine.fleet.pool.settled()
        monkeypatch.setattr(CliProcess, "spawn", slow_spawn)
        await server.chat("[[say hi]]")
        await until(lambda: len(begun) == 1)
        log_in_anew(server)
        gate.set()
        await server.engine.fleet.pool.settled()
        ready = server.engine.fleet.pool.ready
        assert len(ready) == 1
        assert not begun[0].alive
        assert begun[0] not in ready
        assert ready[0].launch is server.engine.account.launch


async def test_a_cli_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "CONTROL_SECONDS", 0.5)
    silent = tmp_path / "silent"
    silent.write_text(
        f"#!{sys.executable}\n"
        "import sys, time\n"
        'if \'status\' in sys.argv: print(\'{"loggedIn": true, "authMethod": "api_key"}\')\n'
        "else: time.sleep(600)\n"
    )
    silent.chmod(0o700)
    async with running(cli_path=silent, pool_size=0) as server:
        began = time.monotonic()
        status, body = await server.chat("hello")
        assert (status, body["error"]["code"]) == (502, "process_lost")
        assert time.monotonic() - began < 60  # and not 120, as it would be unpatched


async def test_a_cli_that_refuses_to_initialize_is_given_up(tmp_path: Path) -> None:
    refusing = tmp_path / "refusing"
    refusing.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        'if \'status\' in sys.argv: print(\'{"loggedIn": true, "authMethod": "api_key"}\')\n'
        "else:\n"
        "    for line in sys.stdin:\n"
        "        answer = {'subtype': 'error', 'error': 'no', 'request_id': json.loads(line)['request_id']}\n"
        "        print(json.dumps({'type': 'control_response', 'response': answer}), flush=True)\n"
    )
    refusing.chmod(0o700)
    async with running(cli_path=refusing, pool_size=0) as server:
        status, body = await server.chat("hello")
        assert (status, body["error"]["code"]) == (502, "process_lost")


async def test_waiting_for_a_place_ends_with_the_deadline() -> None:
    async with running(max_concurrent=1, max_timeout=2.5, pool_size=0) as server:
        await server.engine.places.enter("somebody")
        status, body = await server.chat("hello")
        server.engine.places.leave()
        assert (status, body["error"]["code"]) == (504, "timeout")
        assert len(server.upstream.requests) == 0
        server.engine.fleet.limits = evolve(server.engine.limits, max_timeout=60)
        assert (await server.chat("[[say free again]]"))[0] == 200


async def test_a_client_that_leaves_the_queue_costs_nothing() -> None:
    async with running(max_concurrent=1, pool_size=0) as server:
        await server.engine.places.enter("somebody")
        waiting = asyncio.create_task(server.chat("hello"))
        await until(lambda: server.engine.places.waiting == 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        await until(lambda: server.engine.places.waiting == 0)
        server.engine.places.leave()
        assert (await server.chat("[[say free]]"))[0] == 200
        assert len(server.upstream.requests) == 1


async def test_when_the_server_stops_waiting_turns_do_not_begin() -> None:
    async with running(max_concurrent=1, pool_size=0) as server:
        arrival = asyncio.create_task(server.upstream.next_request(timeout=60))
        first = asyncio.create_task(server.chat("[[stall]]"))
        await arrival
        second = asyncio.create_task(server.chat("hello"))
        await until(lambda: server.engine.places.waiting == 1)
        await server.engine.stop_turns()
        for asked in (first, second):
            status, body = await asked
            assert (status, body["error"]["code"]) == (503, "shutting_down")
        assert len(server.upstream.requests) == 1


async def test_a_model_list_that_can_not_be_had_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(self: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(process_module.CliProcess, "describe", refuse)
    async with running(pool_size=0) as server:
        status, body = await server.chat("[[say anyway]]", model="claude-haiku-4-5")
        assert (status, body["choices"][0]["message"]["content"]) == (200, "anyway")


async def test_no_place_for_a_directory_is_an_error_and_passes() -> None:
    async with running(pool_size=0) as server:
        scratch = server.engine.account.launch.scratch
        await server.engine.account.known_names()
        await server.engine.fleet.pool.settled()
        scratch.rmdir()
        status, body = await server.chat("hello")
        assert (status, body["error"]["code"]) == (503, "spawn_failed")
        scratch.mkdir()
        assert (await server.chat("[[say again]]"))[0] == 200


async def test_nothing_is_left_of_a_conversation() -> None:
    async with running(pool_size=1, no_match=True) as server:
        scratch = server.engine.account.launch.scratch
        for message in ("[[say one]]", "[[cut 2]] [[words 9]]", "[[fail 400 no]]", "[[empty]]"):
            await server.chat(message)
        await server.engine.fleet.pool.settled()
        ready = [process._tmp for process in server.engine.fleet.pool._ready]
        assert [path for path in scratch.iterdir() if path not in ready] == []
        assert list(server.engine.account.launch.workdir.iterdir()) == []
        config = server.engine.account.launch.config_dir
        pids = {f"{process.pid}.json" for process in server.engine.fleet.pool._ready}
        assert {path.name for path in (config / "sessions").glob("*")} <= pids
        assert list(config.rglob("*.jsonl")) == []
    assert not scratch.exists()
