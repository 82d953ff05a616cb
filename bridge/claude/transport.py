"""Our own SDK transport: one CLI process, its pipes, and control requests that the SDK lacks.

The SDK's own transport inherits the whole environment, shares our process group and can neither
start a process before it is asked for nor add ``systemPrompt`` to the initialize request. The
:class:`claude_agent_sdk.Transport` ABC is public, so this one does (see docs/architecture.md).
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from claude_agent_sdk import CLIConnectionError, CLIJSONDecodeError, Transport

log = logging.getLogger(__name__)

MAX_LINE = 64 * 1024 * 1024
"""Longest line taken from the CLI, in bytes: a 20 MB request echoed with every byte escaped."""

STDERR_LINES = 20
REAP_SECONDS = 5.0

Hear = Callable[[dict[str, Any]], None]

CONTROL = frozenset({"control_request", "control_response", "control_cancel_request"})
"""What the SDK and the CLI say to each other; all else is about the conversation."""


@frozen(kw_only=True)
class Command:
    """What to run: argument list, whole environment, working directory."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


def _launched(argv: tuple[str, ...]) -> list[str]:
    """The argument list that also ties the process to our life, where the system can do that."""
    if sys.platform != "linux":
        return list(argv)
    launcher = str(Path(__file__).with_name("launcher.py"))
    return [sys.executable, "-I", "-S", launcher, str(os.getpid()), *argv]


class CliTransport(Transport):
    """One CLI process as the SDK sees it.

    ``hear`` is called with every message about the conversation in the same step of the loop that
    read it: whoever must stop the CLI from going on by itself has about 10 ms. The SDK then gets
    the control messages alone; without a ``hear`` it gets all of them.
    """

    def __init__(self, command: Command, *, hear: Hear | None = None) -> None:
        self._command = command
        self._hear = hear
        self._pipes: _Pipes | None = None
        self._initialize_fields: dict[str, Any] = {}
        self._control: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._fault: Exception | None = None
        self._answered = False
        self._ended = False

    # -- before the SDK --------------------------------------------------------------------------

    async def spawn(self) -> None:
        """Start the process, in a process group of its own.

        Raises :class:`claude_agent_sdk.CLIConnectionError` when it can't be started.
        """
        if self._pipes is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            _, pipes = await loop.subprocess_exec(
                lambda: _Pipes(self._on_line, self._on_end),
                *_launched(self._command.argv),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self._command.env),
                cwd=self._command.cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise CLIConnectionError(f"Claude Code can't be started: {error}") from error
        self._pipes = pipes
        if self._fault is not None:  # it said so before we had it
            self.kill()

    def add_to_initialize(self, **fields: Any) -> None:
        """Add fields to the initialize request that the SDK is going to write."""
        self._initialize_fields.update(fields)

    # -- the public ABC --------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.spawn()

    async def write(self, data: str) -> None:
        pipes = self._alive()
        if self._initialize_fields:
            data = self._completed(data)
        await pipes.write(data.encode())

    def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        return self._read()

    async def end_input(self) -> None:
        """Does nothing: a CLI whose input ends may speak to the model once more. We kill it."""

    async def close(self) -> None:
        """Kill the process and wait, at most :data:`REAP_SECONDS`, until it is gone."""
        self.kill()
        if self._pipes is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REAP_SECONDS):
                    await self._pipes.gone.wait()

    def is_ready(self) -> bool:
        return self._pipes is not None and not self._ended

    # -- ours ------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The process id, or None before it was started."""
        return None if self._pipes is None else self._pipes.pid

    @property
    def exit_code(self) -> int | None:
        """With what it ended, -N if by signal N; None before that is known."""
        return None if self._pipes is None else self._pipes.exit_code

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines that the CLI wrote to standard error, for our log only."""
        return () if self._pipes is None else tuple(self._pipes.stderr)

    async def control(self, request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        """Send a control request of our own and give back its response.

        Raises ``TimeoutError``, or :class:`claude_agent_sdk.CLIConnectionError` when the CLI
        refuses it or is gone.
        """
        async with asyncio.timeout(timeout):
            response = await self.tell(request)
        if response.get("subtype") == "error":
            raise CLIConnectionError(
                f"Claude Code refused {request['subtype']}: {response.get('error')}"
            )
        return response.get("response") or {}

    def tell(self, request: dict[str, Any]) -> "asyncio.Future[dict[str, Any]]":
        """Send a control request in this very step of the loop; its reply need not be awaited.

        Raises :class:`claude_agent_sdk.CLIConnectionError` when the CLI is gone.
        """
        request_id = f"bridge_{next(self._numbers)}"
        line = {"type": "control_request", "request_id": request_id, "request": request}
        self._alive().post(json.dumps(line).encode() + b"\n")
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._control[request_id] = reply
        return reply

    def kill(self) -> None:
        """End the process and its children now, by SIGKILL: it can't call the model again."""
        if self._pipes is not None:
            self._pipes.kill()

    # -- within ----------------------------------------------------------------------------------

    def _alive(self) -> "_Pipes":
        if self._pipes is None or self._ended:
            raise CLIConnectionError("Claude Code is not running")
        return self._pipes

    def _completed(self, data: str) -> str:
        line = json.loads(data)
        request = line.get("request") or {}
        if request.get("subtype") != "initialize":
            return data
        fields, self._initialize_fields = self._initialize_fields, {}
        return json.dumps({**line, "request": {**request, **fields}}) + "\n"

    async def _read(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._messages.get()) is not None:
            yield message
        if self._fault is None and not self._answered:
            # The SDK waits a minute for the reply to its first request unless it sees an error.
            raise CLIConnectionError("Claude Code ended before it was initialized")
        if self._fault is not None:
            raise self._fault

    def _on_line(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            if line.strip():
                log.debug("Claude Code wrote a line that is not a message (%d bytes)", len(line))
            return
        try:
            message = json.loads(line)
        except ValueError as error:
            self._broken(CLIJSONDecodeError(f"(a line of {len(line)} bytes)", error))
            return
        if self._hear is not None and message.get("type") not in CONTROL:
            try:
                self._hear(message)
            except Exception as error:  # noqa: BLE001 - whatever a message of an odd shape leads to
                self._broken(CLIConnectionError(f"a message of an odd shape: {error!r}"))
            return
        if message.get("type") == "control_response":
            self._answered = True
            response = message.get("response") or {}
            reply = self._control.pop(str(response.get("request_id")), None)
            if reply is not None:
                if not reply.done():
                    reply.set_result(response)
                return
        self._messages.put_nowait(message)

    def _broken(self, fault: Exception) -> None:
        self._fault = fault
        self.kill()

    def _on_end(self, why: Exception | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._fault = self._fault or why
        for reply in self._control.values():
            if not reply.done():
                reply.set_exception(CLIConnectionError("Claude Code ended"))
                reply.exception()  # looked at: nobody may be waiting
        self._messages.put_nowait(None)


class _Pipes(asyncio.SubprocessProtocol):
    """The pipes of one process: lines out, bytes in."""

    def __init__(
        self, on_line: Callable[[bytes], None], on_end: Callable[[Exception | None], None]
    ) -> None:
        self._on_line = on_line
        self._on_end = on_end
        self._partial: list[bytes] = []
        self._partial_size = 0
        self._stdin: asyncio.WriteTransport | None = None
        self._process: asyncio.SubprocessTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._killed = False
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self.gone = asyncio.Event()
        self.exit_code: int | None = None
        self.pid = 0

    def post(self, data: bytes) -> None:
        if self._stdin is None or self._stdin.is_closing():
            raise CLIConnectionError("Claude Code no longer reads")
        self._stdin.write(data)

    async def write(self, data: bytes) -> None:
        self.post(data)
        await self._writable.wait()

    def kill(self) -> None:
        if self._killed or self.gone.is_set():
            return
        self._killed = True
        self._kill_group()  # of the process's own (start_new_session), so with its children
        self._writable.set()

    def _kill_group(self) -> None:
        if self.pid > 0:  # 0 would be the group that we are in ourselves
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    # -- asyncio.SubprocessProtocol --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101 - asyncio's promise
        stdin = transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)  # noqa: S101 - we asked for a pipe
        self._process, self._stdin, self.pid = transport, stdin, transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            lines = data.decode(errors="replace").splitlines()
            self.stderr.extend(line for line in lines if line.strip())
            return
        *whole_lines, rest = data.split(b"\n")
        for line in whole_lines:
            if self._killed:
                return
            self._partial.append(line)
            whole = b"".join(self._partial) if len(self._partial) > 1 else line
            self._partial, self._partial_size = [], 0
            self._on_line(whole)
        if rest:
            self._partial.append(rest)
            self._partial_size += len(rest)
            if self._partial_size > MAX_LINE:
                self._on_end(CLIConnectionError(f"a line of more than {MAX_LINE} bytes"))
                self.kill()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 0:
            self._writable.set()
        if fd == 1:
            self._on_end(exc)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def process_exited(self) -> None:
        # A child of the process may still hold its pipes; without its parent it serves nobody.
        self._kill_group()
        if self._process is not None:
            self.exit_code = self._process.get_returncode()
        self.gone.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end(exc)
        if self._process is not None:
            self._process.close()
