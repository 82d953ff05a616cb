"""Processes that are ready before they are asked for.

A process is spawned early and initialized late, with the conversation's own system prompt: that
takes most of the wait out of a new conversation. Half of them wait for a conversation that has a
history (:mod:`bridge.claude.transcript`); where those of one kind are out the others step in.
"""

import asyncio
import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from attrs import define, field

from bridge.claude.process import CliProcess
from bridge.claude.transcript import CAN_BE_TOLD, Beginning
from bridge.core.errors import BridgeError, ShuttingDown, Unavailable

log = logging.getLogger(__name__)


RESUMING_AGAIN = 60.0
"""After so many seconds it is tried again whether the CLI can wait for a history."""


@define(kw_only=True)
class Pool:
    """Keeps processes ready and sees every process that it gave away to its end.

    ``limit`` is how many there may be: none lives on for its last words while another is to start.
    ``clock`` is a monotonic time in seconds.
    """

    make: Callable[[Beginning], CliProcess]
    limit: int
    clock: Callable[[], float]
    _ready: deque[CliProcess] = field(factory=deque, init=False)
    _given: set[CliProcess] = field(factory=set, init=False)
    _telling: set[CliProcess] = field(factory=set, init=False)  # what their last answer cost
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)
    spawned: deque[float] = field(factory=lambda: deque(maxlen=100), init=False)
    _wanted: int = field(default=0, init=False)
    _resuming_from: float = field(default=float("-inf"), init=False)
    _generation: int = field(default=0, init=False)  # of what processes are started with
    _refilling: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def ready(self) -> tuple[CliProcess, ...]:
        """The processes that nobody has yet."""
        return tuple(self._ready)

    async def take(
        self, beginnings: Sequence[Beginning] = (Beginning.BLANK,), *, ready: bool = True
    ) -> CliProcess:
        """A started process of the caller's own; hand it to :meth:`discard` when done.

        One of those that wait ready, if ``ready`` and there is one that has one of the
        ``beginnings``, the first if possible; else a new one with the first.
        Raises :class:`bridge.core.errors.Unavailable` when none can be started.
        """
        if self._closed:
            raise ShuttingDown(ShuttingDown.advice)
        self._drop_dead()
        for beginning in beginnings if ready else ():
            for process in self._ready:
                if process.beginning is beginning:
                    self._ready.remove(process)
                    self._given.add(process)
                    return process
        first = beginnings[0] if self._resumes else Beginning.BLANK
        return await self.start(functools.partial(self.make, first))

    async def start(self, make: Callable[[], CliProcess]) -> CliProcess:
        """Make and start a process for the caller; it too is handed to :meth:`discard`.

        Raises :class:`bridge.core.errors.Unavailable` when it can't be started.
        """
        process = self._made(make)
        self._given.add(process)
        try:
            await self._spawn(process)
        except BaseException:
            self.discard(process)
            raise
        return process

    def discard(self, process: CliProcess) -> None:
        """Kill a process now, or as soon as it has told what its last answer cost.

        It is reaped and its directory deleted in the background.
        """
        if self._closed or not process.settling:
            process.kill()
        else:
            self._telling.add(process)
        self._background(self._reap(process))

    def refill(self, wanted: int) -> None:
        """Start what is missing of ``wanted`` ready processes, in the background."""
        self._wanted = wanted
        if not self._refilling and not self._closed and self._missing() is not None:
            self._refilling = True
            self._background(self._refill())

    def drop_ready(self) -> None:
        """Discard the processes that nobody has yet, when what they were started with changed."""
        self._generation += 1
        self.shrink(0)

    def shrink(self, size: int) -> None:
        """Discard ready processes until so many are left, the one that is being started too."""
        self._wanted = min(self._wanted, size)
        while len(self._ready) > size:
            of = Beginning.RESUMED if self._resuming > size // 2 else Beginning.BLANK
            process = next(each for each in self._ready if each.beginning is of)
            self._ready.remove(process)
            self.discard(process)
        if len(self._ready) == size:
            self._generation += 1

    async def aclose(self) -> None:
        """End every process, given ones too; when this returns none is left."""
        self._closed = True
        for process in list(self._given):
            self.discard(process)
        self.drop_ready()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing goes on in the background: all reaped, all refilled."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _made(self, make: Callable[[], CliProcess]) -> CliProcess:
        try:
            return make()
        except OSError as error:  # no place for its files
            log.error("a Claude Code process can't be made: %s", error)
            raise Unavailable(
                "Claude Code can't be started on the server; its log says why.", code="spawn_failed"
            ) from error

    async def _spawn(self, process: CliProcess) -> None:
        if len(self._given) + len(self._ready) >= self.limit:
            for telling in self._telling:
                telling.kill()
        began = time.perf_counter()
        await process.spawn()
        self.spawned.append(time.perf_counter() - began)

    @property
    def _resumes(self) -> bool:
        """Whether processes can wait for a history, as far as is known."""
        return CAN_BE_TOLD and self.clock() >= self._resuming_from

    @property
    def _resuming(self) -> int:
        return sum(process.beginning is Beginning.RESUMED for process in self._ready)

    def _missing(self) -> Beginning | None:
        """Which process is to become ready next, if one is."""
        self._drop_dead()
        if len(self._ready) >= self._wanted:
            return None
        resuming = self._wanted // 2 if self._resumes else 0
        blank = len(self._ready) - self._resuming
        return Beginning.BLANK if blank < self._wanted - resuming else Beginning.RESUMED

    def _drop_dead(self) -> None:
        for process in [process for process in self._ready if not process.alive]:
            self._ready.remove(process)
            self.discard(process)

    async def _refill(self) -> None:
        try:
            while not self._closed and (beginning := self._missing()) is not None:
                generation = self._generation
                process = self._made(functools.partial(self.make, beginning))
                await self._spawn(process)
                if generation != self._generation:
                    await process.aclose()
                    continue
                if not process.alive or self._closed:
                    await process.aclose()
                    return
                self._ready.append(process)
        except BridgeError:
            return  # logged where it was raised; whoever asks next is told
        finally:
            self._refilling = False

    async def _reap(self, process: CliProcess) -> None:
        try:
            await process.aclose(at_once=self._closed)
            if process.gave_up:
                self._resuming_from = self.clock() + RESUMING_AGAIN
                log.warning(
                    "this Claude Code does not wait for a history: for the next minute histories "
                    "are told message by message, which takes longer"
                )
        finally:
            self._given.discard(process)
            self._telling.discard(process)

    def _background(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
