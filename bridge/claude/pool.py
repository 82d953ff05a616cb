"""Processes that are ready before they are asked for.

A process is spawned early and initialized late, with the conversation's own system prompt: that
takes most of the wait out of a new conversation.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine

from attrs import define, field

from bridge.claude.process import CliProcess
from bridge.core.errors import BridgeError, ShuttingDown, Unavailable

log = logging.getLogger(__name__)


@define
class Pool:
    """Keeps processes ready and sees every process that it gave away to its end.

    ``limit`` is how many there may be: none lives on for its last words while another is to start.
    """

    make: Callable[[], CliProcess]
    limit: int
    _ready: deque[CliProcess] = field(factory=deque, init=False)
    _given: set[CliProcess] = field(factory=set, init=False)
    _telling: set[CliProcess] = field(factory=set, init=False)  # what their last answer cost
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)
    spawned: deque[float] = field(factory=lambda: deque(maxlen=100), init=False)
    _wanted: int = field(default=0, init=False)
    _generation: int = field(default=0, init=False)  # of what processes are started with
    _refilling: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def ready(self) -> tuple[CliProcess, ...]:
        """The processes that nobody has yet."""
        return tuple(self._ready)

    async def take(self, *, ready: bool = True) -> CliProcess:
        """A started process of the caller's own; hand it to :meth:`discard` when done.

        One of those that wait ready, if ``ready`` and there is one, else a new one.
        Raises :class:`bridge.core.errors.Unavailable` when none can be started.
        """
        if self._closed:
            raise ShuttingDown(ShuttingDown.advice)
        while ready and self._ready:
            process = self._ready.popleft()
            self._given.add(process)
            if process.alive:
                return process
            self.discard(process)
        return await self.start(self.make)

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
        if not self._refilling and not self._closed and len(self._ready) < wanted:
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
            self.discard(self._ready.popleft())
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

    async def _refill(self) -> None:
        try:
            while len(self._ready) < self._wanted and not self._closed:
                generation = self._generation
                process = self._made(self.make)
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
        finally:
            self._given.discard(process)
            self._telling.discard(process)

    def _background(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
