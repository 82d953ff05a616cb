"""One CLI process, which serves one conversation and then dies.

What the CLI says of a turn is heard in the step of the loop that reads it, and the turn's events go
to a queue without a bound: nothing that a client does, or fails to read, may ever hold that up. One
pump task per process connects, drains what is left to the SDK, and disconnects.
"""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
from attrs import define, field, frozen
from claude_agent_sdk import ClaudeSDKClient, ClaudeSDKError

from bridge.claude.calls import SERVER, OpenCalls
from bridge.claude.history import Line, Script
from bridge.claude.meter import Bill
from bridge.claude.options import Launch, locked, sdk_options, taken_to_think, unlocked
from bridge.claude.transcript import Beginning, Transcript, split
from bridge.claude.translate import Raw, RetryPolicy, Sentinel, Translator
from bridge.claude.transport import REAP_SECONDS, CliTransport
from bridge.core.conversation import ToolCall, ToolResult
from bridge.core.errors import Unavailable, UpstreamFault
from bridge.core.events import Event, FinishReason, TurnFailed, TurnFinished, TurnStarted

log = logging.getLogger(__name__)

CONTROL_SECONDS = 30.0
"""How long the CLI may take to answer a control request or to accept a line of history."""


COST_SECONDS = 1.0
"""How long a process that is done may take to tell what its turn cost; it takes some 5 ms."""

ASKED_SECONDS = 5.0
"""How long the CLI may take to ask for the results of calls. If it does not ask it has answered one
by itself, and the history is replayed."""


@frozen(kw_only=True)
class TurnPlan:
    """What a process is told: system prompt, functions, per-turn settings, and what is ``said``.

    That is a history with its prompt, or the results of the calls that the process waits for. In a
    process that goes on the system prompt, the functions and the model are settled, and the script
    holds only what it has not heard. ``taken_to_think``: the CLI is to take the model to be
    thinking. ``keep`` asks that it can go on after this turn.
    """

    system: tuple[str, ...]
    settings: dict[str, Any]
    said: Script | tuple[ToolResult, ...]
    functions: frozenset[str] = frozenset()
    taken_to_think: bool = False
    keep: bool = False


@define
class _Running:
    """The turn that a process is busy with."""

    plan: TurnPlan
    translator: Translator
    sentinel: Sentinel
    events: asyncio.Queue[Event] = field(factory=asyncio.Queue)
    live: bool = False  # the prompt was sent: what comes now belongs to the answer
    lock: "asyncio.Future[dict[str, Any]] | None" = None  # its reply, once the call is announced
    replayed: asyncio.Event = field(factory=asyncio.Event)

    def emit(self, events: list[Event]) -> None:
        for event in events:
            self.events.put_nowait(event)


class InitializeRefused(Exception):
    """The CLI answered, and will not be initialized like this."""


class CliProcess:
    """A process from spawn to death.

    The order of its life: :meth:`spawn`; :meth:`begin`, events until the turn's last one, and again
    as long as it :attr:`goes_on`; :meth:`kill` (at any time, from anywhere); :meth:`aclose`.
    """

    def __init__(
        self,
        launch: Launch,
        system: tuple[str, ...] | None = None,
        beginning: Beginning = Beginning.BLANK,
    ) -> None:
        """``system`` is the conversation's system prompt, where it can't be told later.

        Raises ``OSError``.
        """
        self._tmp = Path(tempfile.mkdtemp(prefix="p", dir=launch.scratch))
        self.launch = launch
        self.beginning = beginning
        self._transcript: Transcript | None = None  # until it is told
        try:
            if beginning is Beginning.RESUMED:
                self._transcript = Transcript.within(self._tmp)
            command = launch.command(self._tmp, system, self._transcript)
        except BaseException:  # nobody will clean up after what was never made
            shutil.rmtree(self._tmp, ignore_errors=True)
            raise
        self._transport = CliTransport(command, hear=self._hear)
        self._calls = OpenCalls(frozenset())
        self._client: ClaudeSDKClient | None = None
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._running: _Running | None = None
        self._settling = False  # the answer is whole, and the CLI has not said so yet
        self._stays = False  # and can go on then
        self.bill: Bill | None = None  # of all its turns
        self._free = asyncio.Event()  # nothing is left of the turn before
        self._free.set()
        self._settings: dict[str, Any] = {}  # the flag settings that hold now
        self.taken_to_think = False  # whether the CLI takes the model to be thinking
        self._waiting: tuple[str, ...] = ()
        self._pump_task: asyncio.Task[None] | None = None
        self._driver: asyncio.Task[None] | None = None
        self._unwanted = False

    @property
    def alive(self) -> bool:
        """Whether it was started, and has neither ended nor been killed."""
        return self._transport.is_ready() and not self._unwanted

    @property
    def gave_up(self) -> bool:
        """Whether it ended by itself while it was to wait for a history: it does not know how."""
        return self._transcript is not None and (self._transport.exit_code or 0) > 0

    @property
    def goes_on(self) -> bool:
        """Whether the last turn ended well and left it fit for the conversation's next one."""
        return self.alive and self._stays

    @property
    def settling(self) -> bool:
        """Whether an answer has just become whole, and the CLI has not told what it cost."""
        return self._settling

    @property
    def may_call(self) -> bool:
        """Whether a turn runs in which Claude Code might call the model again by itself."""
        running = self._running
        if running is None or not running.live or not self.alive:
            return False
        return running.lock is None or not running.lock.done()

    @property
    def waiting(self) -> tuple[str, ...]:
        """The ids of the calls whose results the turn waits for, in their order."""
        return self._waiting

    @property
    def pid(self) -> int | None:
        """The process id, or None before it was started."""
        return self._transport.pid

    def memory(self) -> int:
        """Its resident memory in bytes, 0 when it is not there."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.alive else 0
        except psutil.Error:  # it has just ended
            return 0

    async def spawn(self) -> None:
        """Start the process; it waits, uninitialized, for its conversation.

        Raises :class:`bridge.core.errors.Unavailable` when it can't be started.
        """
        try:
            await self._transport.spawn()
        except ClaudeSDKError as error:
            log.error("%s", error)
            raise Unavailable(
                "Claude Code can't be started on the server; its log says why.", code="spawn_failed"
            ) from error

    async def describe(self, *, system: tuple[str, ...]) -> dict[str, Any]:
        """Initialize without a turn and give what the CLI says of itself: its models, its account.

        Raises :class:`InitializeRefused`, or what the SDK raises: ``ClaudeSDKError``,
        ``TimeoutError``.
        """
        self._connect(system, frozenset())
        try:
            return await self._ready
        except (ClaudeSDKError, TimeoutError):
            raise
        except Exception as error:
            raise InitializeRefused(str(error)) from error  # the SDK has no class for it

    def begin(self, plan: TurnPlan, policy: RetryPolicy, bill: Bill) -> asyncio.Queue[Event]:
        """Start a turn of the conversation; its events come to the queue, the last one included.

        What it costs is put on the ``bill``, which is that of the process' turns before it.
        """
        self.bill = bill
        running = self._running = _Running(
            plan=plan, translator=Translator(policy=policy), sentinel=Sentinel(plan.functions)
        )
        if self._pump_task is None:
            self._connect(plan.system, plan.functions)
        self._driver = asyncio.create_task(self._drive(running))
        return running.events

    def fail(self, failure: TurnFailed) -> None:
        """End the running turn with ``failure``, and the process with it."""
        if self._running is not None and not self._running.translator.ended:
            self._running.translator.ended = True
            self._running.emit([failure])
        self.kill()

    def kill(self) -> None:
        """End the process at once. It can't call the model any more."""
        self._unwanted = True
        self._transport.kill()

    async def aclose(self, *, at_once: bool = True) -> None:
        """Kill it if need be, wait until it is gone, and delete its directory.

        If not ``at_once``, it may first tell what an answer cost that has just become whole.
        """
        if self._settling and not at_once:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COST_SECONDS):
                    await self._free.wait()
        self.kill()
        if self._driver is not None:
            self._driver.cancel()
        if self._pump_task is not None:  # it ends by itself, now that the process does
            for _ in range(10):  # in pieces: while the loop stands still so does the pump
                await asyncio.wait([self._pump_task], timeout=REAP_SECONDS / 10)
            self._pump_task.cancel()
        tasks = [task for task in (self._driver, self._pump_task) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await self._transport.close()
        await asyncio.to_thread(self._clean_up)

    def _clean_up(self) -> None:
        shutil.rmtree(self._tmp, ignore_errors=True)
        if self.pid is not None:  # a killed CLI can't take its name off the list of sessions
            with contextlib.suppress(OSError):
                (self.launch.config_dir / "sessions" / f"{self.pid}.json").unlink()

    # -- the pump --------------------------------------------------------------------------------

    def _connect(self, system: tuple[str, ...], functions: frozenset[str]) -> None:
        server = None
        if system:
            self._transport.add_to_initialize(systemPrompt=list(system))
        if functions:
            self._calls = OpenCalls(functions)
            self._transport.add_to_initialize(sdkMcpServers=[SERVER])
            server = self._calls.server()
        self._client = ClaudeSDKClient(sdk_options(server), transport=self._transport)
        self._pump_task = asyncio.create_task(self._pump(self._client))

    async def _pump(self, client: ClaudeSDKClient) -> None:
        try:
            async with asyncio.timeout(CONTROL_SECONDS):
                await client.connect()
            self._ready.set_result(await client.get_server_info() or {})
            async for _ in client.receive_messages():
                pass  # what is no control message was heard when it came
        except Exception as error:  # noqa: BLE001 - the SDK raises bare ones, for a timeout say
            self._lost(error)
        finally:
            self._lost(None)
            self.kill()
            with contextlib.suppress(Exception):
                await client.disconnect()

    def _hear(self, raw: Raw) -> None:
        """Take a message of the CLI, in the same step of the loop that read it.

        Not even the SDK's reader stands between: a turn may have ten thousand of them.
        """
        running, is_result = self._running, raw.get("type") == "result"
        if self.bill is not None and is_result:
            self.bill.told(raw.get("total_cost_usd"))
        if self.bill is not None and raw.get("type") == "rate_limit_event":
            self.bill.meter.hear(raw["rate_limit_info"])
        if self._settling:
            if is_result:
                self._settle(raw)
        elif running is not None and running.live:
            if raw.get("subtype") == "status" and raw.get("status") == "requesting":
                running.lock = self._apply(locked(running.plan.settings))
            elif running.sentinel.must_kill(raw):
                self.kill()
            self._answer(running, raw)
        elif self._waiting and is_result:
            self.kill()  # it gave up a call that should have waited
        elif running is not None and is_result:
            running.replayed.set()

    def _answer(self, running: _Running, raw: Raw) -> None:
        if raw.get("type") == "user":
            for block in raw["message"]["content"]:
                if isinstance(block, dict) and block.get("type") == "tool_result":
                    self._calls.taken(block["tool_use_id"])
        events = running.translator.feed(raw)
        for event in events:  # now, for its cost may be heard before anybody reads them
            if self.bill is not None and isinstance(event, TurnStarted):
                self.bill.begin_turn(event.model)
        if running.translator.ended:  # whether or not anybody reads its events
            running.live = False
            self._end_turn(events[-1], keep=running.plan.keep and not self._unwanted)
        running.emit(events)

    def _end_turn(self, last: Event, *, keep: bool) -> None:
        """Keep the process for the conversation's next turn, if the CLI does nothing till then."""
        self._stays = keep
        if self.bill is not None and isinstance(last, TurnFinished):
            self.bill.end_turn()
        match last:
            case TurnFinished(reason=FinishReason.STOP | FinishReason.STOP_SEQUENCE):
                self._settling = True
                self._free.clear()
            case TurnFinished(reason=FinishReason.TOOL_CALLS) if keep:
                calls = [part for part in last.message.parts if isinstance(part, ToolCall)]
                ids = tuple(call.id for call in calls)
                known = all(call.name in self._calls.names for call in calls)
                if known and len(set(ids)) == len(ids) and not any(map(self._calls.knows, ids)):
                    self._waiting = ids
                else:
                    self.kill()  # it would answer an unknown call by itself, and go on
            case _:
                self.kill()

    def _settle(self, result: Raw) -> None:
        """The CLI is through with the turn as well: make it ready for the next one."""
        self._settling = False
        if result.get("is_error") or not self._stays:
            self._free.set()
            self.kill()
        elif (unlocking := self._apply(unlocked(self._settings))) is not None:
            unlocking.add_done_callback(self._unlocked)

    def _unlocked(self, reply: "asyncio.Future[dict[str, Any]]") -> None:
        if reply.cancelled() or reply.exception() or reply.result().get("subtype") == "error":
            self.kill()
        self._free.set()

    def _apply(self, settings: dict[str, Any]) -> "asyncio.Future[dict[str, Any]] | None":
        """Send flag settings in this very step of the loop; a process that is gone gets none."""
        with contextlib.suppress(ClaudeSDKError):
            return self._transport.tell({"subtype": "apply_flag_settings", "settings": settings})
        return None

    def _lost(self, error: Exception | None) -> None:
        """The process is gone, or of no use any more: whoever waits for it is told."""
        self._free.set()
        why = error or UpstreamFault("Claude Code ended before it was asked anything.")
        if not self._ready.done():
            self._ready.set_exception(why)
            self._ready.exception()  # looked at: nobody may be waiting
        if self._running is None or self._running.translator.ended:
            return
        if not self._unwanted:
            log.warning(
                "the Claude Code process %s was lost: %s %s",
                self.pid,
                error or "it ended",
                " | ".join(self._transport.stderr_tail),
            )
        self._running.emit(
            self._running.translator.lost(
                "The Claude Code process ended in the middle of the turn. Send the request again."
            )
        )

    # -- the turn --------------------------------------------------------------------------------

    async def _drive(self, running: _Running) -> None:
        """Tell the process the settings, and then what is said."""
        plan, said = running.plan, running.plan.said
        try:
            if self._transcript is not None and isinstance(said, Script):
                told, said = split(said, plan.settings.get("model"))
                async with asyncio.timeout(CONTROL_SECONDS):
                    await self._transcript.tell(told, lambda: self.alive)
                self._transcript = None
            await self._ready
            async with asyncio.timeout(CONTROL_SECONDS):
                await self._free.wait()
            async with asyncio.timeout(ASKED_SECONDS):
                await self._calls.asked(self._waiting)
            if self._waiting or plan.settings["env"] != self._settings.get("env"):
                await self._transport.control(
                    {"subtype": "apply_flag_settings", "settings": plan.settings},
                    timeout=CONTROL_SECONDS,
                )
                self._settings = plan.settings
            if plan.taken_to_think is not self.taken_to_think:
                await self._transport.control(
                    taken_to_think(plan.taken_to_think), timeout=CONTROL_SECONDS
                )
                self.taken_to_think = plan.taken_to_think
            if isinstance(said, Script):
                for line in said.earlier:
                    await self._replay(running, line)
                running.live = True
                await self._query(said.prompt)
            else:
                running.live, self._waiting = True, ()
                async with asyncio.timeout(CONTROL_SECONDS):
                    await self._calls.give(said)
        except Exception as error:  # noqa: BLE001 - as in the pump, whose fault may be raised here
            self._lost(error)
            self.kill()

    async def _replay(self, running: _Running, line: Line) -> None:
        """Tell one earlier message, and wait until the CLI has taken it.

        User lines are queued by the CLI and answered by a result; assistant lines are taken at
        once, without a reply. Without the wait the order would be lost.
        """
        running.replayed.clear()
        await self._query(line)
        if line["type"] == "user":
            async with asyncio.timeout(CONTROL_SECONDS):
                await running.replayed.wait()

    async def _query(self, line: Line) -> None:
        assert self._client is not None  # noqa: S101 - connected, or nothing would be ready
        await self._client.query(_one(line))


async def _one(line: Line) -> AsyncIterator[Line]:
    yield dict(line)


def is_last(event: Event) -> bool:
    """Whether nothing comes after this event."""
    return isinstance(event, TurnFinished | TurnFailed)
