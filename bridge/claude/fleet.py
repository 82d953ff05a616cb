"""All processes of a server: which are ready, run or are kept, and how many there may be."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Iterator

from attrs import define, evolve, field, frozen

from bridge.claude.account import Account
from bridge.claude.asked import AskedTurn, Said
from bridge.claude.kept import Held, KeptProcesses
from bridge.claude.limits import Limits
from bridge.claude.names import Names
from bridge.claude.options import Launch
from bridge.claude.pool import Pool
from bridge.claude.process import CliProcess
from bridge.claude.transcript import Beginning, beginnings
from bridge.claude.translate import RetryPolicy
from bridge.core.errors import ProcessLost
from bridge.core.events import TurnFailed

log = logging.getLogger(__name__)

FLOOR = 1
"""How many ready processes are left when nobody has come for a while."""


@frozen
class Taken:
    """A process for a turn, and what it is to be told. ``live``: it goes on with a conversation."""

    process: CliProcess
    said: Said
    live: bool


@define
class Run:
    """A turn's hold on a process."""

    process: CliProcess
    timer: asyncio.TimerHandle
    model: str | None = None  # that answers
    kept: bool = False


@define(kw_only=True)
class Fleet:
    """The owner of all CLI processes of a server.

    ``launch``, ``names`` and ``policy`` are what its :class:`Account` starts with; ``clock`` is a
    monotonic time in seconds, which tests own.
    """

    _launch: Launch
    _names: Names
    _policy: RetryPolicy
    limits: Limits
    clock: Callable[[], float]
    account: Account = field(init=False)
    pool: Pool = field(init=False)
    kept: KeptProcesses = field(init=False)
    running: set[CliProcess] = field(factory=set, init=False)
    last_turn: float = field(init=False)  # when it ended
    stopping: bool = field(default=False, init=False)
    _coming: int = field(default=0, init=False)  # about to run
    _starting: set[CliProcess] = field(factory=set, init=False)  # they run, and said no word yet

    def __attrs_post_init__(self) -> None:
        limits = self.limits  # of the ready processes one place is left for whoever comes
        self.limits = evolve(limits, pool_size=min(limits.pool_size, limits.max_live - 1))
        self.pool = Pool(
            make=lambda beginning: CliProcess(self.account.launch, beginning=beginning),
            limit=limits.max_live,
            clock=self.clock,
        )
        self.account = Account(
            launch=self._launch,
            names=self._names,
            policy=self._policy,
            pool=self.pool,
            clock=self.clock,
            changed=self._account_changed,
        )
        self.kept = KeptProcesses(discard=self.pool.discard, clock=self.clock)
        self.last_turn = self.clock()

    # -- life ------------------------------------------------------------------------------------

    def stop(self, failure: TurnFailed) -> None:
        """End every running turn with ``failure``, and start nothing more."""
        self.stopping = True
        self.account.stop()
        self.kept.end_all()
        for process in list(self.running):
            process.fail(failure)

    async def aclose(self) -> None:
        """End every process; when this returns none is left."""
        await self.account.stopped()
        await self.pool.aclose()

    def _account_changed(self) -> None:
        self.kept.end_all()
        if self.account.login.logged_in and not self.stopping:
            self.pool.refill(self.limits.pool_size)
            self.account.describe()

    def sweep(self) -> None:
        """End the processes that have waited for too long, also for somebody to come at all."""
        self.kept.end_idle(self.limits.process_idle, waiting=self.limits.tool_wait)
        if self._is_quiet():
            self.pool.shrink(FLOOR)

    def end_overgrown(self) -> int:
        """End the processes that take more memory than one may, with their turns; how many."""
        ended = 0
        for process in (*self.running, *self.kept):
            if process.memory() > self.limits.max_process_memory:
                ended += 1
                log.warning("the Claude Code process %s takes too much memory", process.pid)
                process.fail(
                    TurnFailed(
                        error=ProcessLost(
                            "The Claude Code process took more memory than it may "
                            "(MAX_PROCESS_MEMORY). Send the request again."
                        )
                    )
                )
        return ended

    def processes(self) -> dict[str, list[int]]:
        """The ids of the living processes, by what they do: ready, running, idle, waiting.

        Those that wait do so for the results of calls.
        """
        by_state: dict[str, Iterable[CliProcess]] = {
            "ready": self.pool.ready,
            "running": self.running,
            "idle": (process for process in self.kept if not process.waiting),
            "waiting": (process for process in self.kept if process.waiting),
        }
        return {
            state: [p.pid for p in processes if p.alive and p.pid is not None]
            for state, processes in by_state.items()
        }

    # -- a turn's process ------------------------------------------------------------------------

    def live(self, asked: AskedTurn) -> Taken | None:
        """The process that goes on with the turn, if there is one."""
        process = self.kept.take(asked.held)
        if process is None:
            return None
        said = asked.new_to(process)
        if said is None:
            self.pool.discard(process)
            return None
        return Taken(process, said, live=True)

    async def fresh(self, asked: AskedTurn, *, again: bool) -> Taken:
        """A process that holds nothing of the conversation.

        ``again``: the one before was lost. So a ready one may be, and a transcript the reason.
        Raises :class:`bridge.core.errors.Unavailable` when none can be started.
        """
        script, launch = asked.whole(), self.account.launch
        self._coming += 1
        try:
            while len(self.kept) and self._free_places() < 0:
                self.kept.end_oldest()
            if not self.account.late:
                make = functools.partial(CliProcess, launch, asked.turn.system)
                return Taken(await self.pool.start(make), script, live=False)
            begun = (Beginning.BLANK,) if again else beginnings(script, asked.held.model)
            return Taken(await self.pool.take(begun, ready=not again), script, live=False)
        finally:
            self._coming -= 1

    @contextlib.contextmanager
    def run(self, process: CliProcess, deadline: float, too_long: TurnFailed) -> Iterator[Run]:
        """The process is one of the running ones; at the deadline it ends, read or not."""
        self.running.add(process)
        self._starting.add(process)
        while len(self.kept) and self._free_places() < 0:  # several may have come at once
            self.kept.end_oldest()
        self.pool.shrink(self._ready_places())  # one may have been on its way to there
        timer = asyncio.get_running_loop().call_at(deadline, process.fail, too_long)
        run = Run(process, timer)
        try:
            yield run
        finally:
            if not run.kept:
                timer.cancel()
                self.running.discard(process)
                self._starting.discard(process)
                self.pool.discard(process)
            self.last_turn = self.clock()
            self._refill()

    def has_begun(self, run: Run) -> None:
        """The model has begun to answer: the processor is free for a process for later."""
        self._starting.discard(run.process)
        self._refill()

    def keep(self, run: Run, held: Held) -> None:
        """Keep a process for the conversation's next turn, if it is fit for that and has a place.

        From then on it is not this turn's any more: the next one may have begun in it.
        """
        process = run.process
        allowed = self.limits.tool_wait if process.waiting else self.limits.process_idle
        if not process.goes_on or self.stopping or not allowed:
            return
        if process.launch is not self.account.launch:  # the login changed meanwhile
            return
        while len(self.kept) and self._free_places() < 0:
            self.kept.end_oldest()
        if self._free_places() < 0:
            return
        run.kept = True
        run.timer.cancel()
        self.running.discard(process)
        self.kept.keep(held, process)

    def _free_places(self) -> int:
        """How many more processes there may be, beside those that the pool has or should have."""
        busy = len(self.running) + self._coming
        return self.limits.max_live - self.limits.pool_size - busy - len(self.kept)

    def _ready_places(self) -> int:
        """How many processes the pool may have, when the others are counted."""
        return max(0, self.limits.pool_size + min(0, self._free_places()))

    def _refill(self) -> None:
        """Start a process for later, unless somebody waits for the first word of one now."""
        if self.account.late and not (self._starting or self.stopping):
            size = self.limits.pool_size
            wanted = min(size, FLOOR) if self._is_quiet() else size
            self.pool.refill(min(wanted, self._ready_places()))

    def _is_quiet(self) -> bool:
        busy = self.running or self._coming
        return not busy and self.clock() - self.last_turn >= self.limits.process_idle
