"""Turns, run: names resolved, capacity kept, deadlines held, processes taken and thrown away.

This is what the rest of the bridge sees of Claude: :meth:`Engine.run` takes a core turn and gives
core events.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

from attrs import define, evolve, field, frozen

from bridge.claude import transcript
from bridge.claude.account import Account
from bridge.claude.asked import AskedTurn, Said
from bridge.claude.counting import count_tokens
from bridge.claude.demands import Demands
from bridge.claude.failures import LOGIN_ADVICE
from bridge.claude.kept import Held, KeptProcesses
from bridge.claude.limits import Limits
from bridge.claude.meter import Bill, Meter
from bridge.claude.names import Names
from bridge.claude.options import Launch
from bridge.claude.places import Places
from bridge.claude.pool import Pool
from bridge.claude.preview import Preview, preview_of
from bridge.claude.process import CliProcess, is_last
from bridge.claude.recall import Recall
from bridge.claude.translate import RetryPolicy
from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError, NotLoggedIn, ProcessLost, ShuttingDown, TurnTimeout
from bridge.core.events import Event, TurnFailed, TurnFinished, TurnStarted

log = logging.getLogger(__name__)

FLOOR = 1
"""How many ready processes are left when nobody has come for a while."""


@frozen
class _Taken:
    """A process for a turn, and what it is to be told. ``live``: it goes on with a conversation."""

    process: CliProcess
    said: Said
    live: bool


@define
class _Run:
    """A turn's hold on a process."""

    process: CliProcess
    timer: asyncio.TimerHandle
    model: str | None = None  # that answers
    kept: bool = False


@define(kw_only=True)
class Engine:
    """The owner of all CLI processes of a server.

    ``launch``, ``names`` and ``policy`` are what its :class:`Account` starts with; ``clock`` is a
    monotonic time in seconds, which tests own. ``match``: a request may go on in a process that was
    kept without a name; ``lenient``: sampling that a model would refuse is not asked of it.
    """

    _launch: Launch
    _names: Names
    _policy: RetryPolicy
    limits: Limits
    match: bool
    lenient: bool = False
    clock: Callable[[], float] = time.monotonic
    account: Account = field(init=False)
    pool: Pool = field(init=False)
    kept: KeptProcesses = field(init=False)
    recall: Recall = field(init=False)
    matched: int = field(default=0, init=False)  # turns that went on without naming a session
    meter: Meter = field(factory=Meter, init=False)
    places: Places = field(init=False)
    faults: Counter[str] = field(factory=Counter, init=False)  # of turns, by code
    _last_turn: float = field(init=False)
    _running: set[CliProcess] = field(factory=set, init=False)
    _coming: int = field(default=0, init=False)  # about to run
    _starting: set[CliProcess] = field(factory=set, init=False)  # of those: no word yet
    _stopping: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.pool = Pool(lambda: CliProcess(self.account.launch), self.limits.max_live)
        self.account = Account(
            launch=self._launch,
            names=self._names,
            policy=self._policy,
            pool=self.pool,
            clock=self.clock,
            changed=self._account_changed,
        )
        self.kept = KeptProcesses(discard=self.pool.discard, clock=self.clock)
        self.recall = Recall(clock=self.clock)
        limits = self.limits  # of the ready processes one place is left for whoever comes
        self.limits = evolve(limits, pool_size=min(limits.pool_size, limits.max_live - 1))
        self.places = Places(min(limits.max_concurrent, limits.max_live), limits.max_queue)
        self._last_turn = self.clock()

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the login state, then get the first processes ready in the background."""
        await self.account.refresh()

    async def stop_turns(self) -> None:
        """End every running turn with an error, and take no new ones."""
        self._stopping = True
        self.account.stop()
        self.kept.end_all()
        failure = TurnFailed(error=ShuttingDown(ShuttingDown.advice))
        for process in list(self._running):
            process.fail(failure)

    async def aclose(self) -> None:
        """End every process; when this returns none is left."""
        await self.stop_turns()
        await self.account.stopped()
        await self.pool.aclose()

    def _account_changed(self) -> None:
        self.kept.end_all()
        if self.account.login.logged_in and not self._stopping:
            self.pool.refill(self.limits.pool_size)
            self.account.describe()

    # -- conversations between their turns --------------------------------------------------------

    def holds(self, owner: str, session: str) -> bool:
        """Whether a process waits for the next turn of this named conversation."""
        return self.kept.holds(owner, session)

    def release(self, owner: str, session: str) -> None:
        """This named conversation is over: end its process, if one waits."""
        self.kept.release(owner, session)

    def sweep(self) -> None:
        """End the processes that have waited for too long, also for somebody to come at all."""
        self.kept.end_idle(self.limits.process_idle, waiting=self.limits.tool_wait)
        self.recall.sweep()
        if self._is_quiet():
            self.pool.shrink(FLOOR)

    def end_overgrown(self) -> None:
        """End the processes that take more memory than one may; their turns end with an error."""
        for process in (*self._running, *self.kept):
            if process.memory() > self.limits.max_process_memory:
                self.faults["process_too_large"] += 1
                log.warning("the Claude Code process %s takes too much memory", process.pid)
                process.fail(
                    TurnFailed(
                        error=ProcessLost(
                            "The Claude Code process took more memory than it may "
                            "(MAX_PROCESS_MEMORY). Send the request again."
                        )
                    )
                )

    def processes(self) -> dict[str, list[int]]:
        """The ids of the living processes, by what they do: ready, running, idle, waiting.

        Those that wait do so for the results of calls.
        """
        by_state: dict[str, Iterable[CliProcess]] = {
            "ready": self.pool.ready,
            "running": self._running,
            "idle": (process for process in self.kept if not process.waiting),
            "waiting": (process for process in self.kept if process.waiting),
        }
        return {
            state: [p.pid for p in processes if p.alive and p.pid is not None]
            for state, processes in by_state.items()
        }

    # -- turns -----------------------------------------------------------------------------------

    async def run(self, turn: Turn) -> AsyncGenerator[Event]:
        """Run a turn; the events end with ``TurnFinished`` or ``TurnFailed``.

        Closing the iterator early kills the process, and with it the call to the model.
        """
        deadline = asyncio.get_running_loop().time() + self.limits.max_timeout
        try:
            async with asyncio.timeout_at(deadline):
                model = await self._model(turn)
                nameless = turn.session is None and self.match and not turn.ends
                recalled = await self.recall.recalled(turn) if nameless else None
                await self.places.enter(turn.owner)
        except TimeoutError:
            yield TurnFailed(error=self._too_long("no place was free"))
            return
        except BridgeError as error:
            yield TurnFailed(error=error)
            return
        try:
            turn = recalled.turn if recalled else turn
            async with contextlib.aclosing(self._attempts(turn, model, deadline)) as events:
                async for event in events:
                    if isinstance(event, TurnFailed):
                        self.faults[event.error.code or event.error.kind.value] += 1
                    if recalled and isinstance(event, TurnFinished):
                        self.recall.remember(recalled, event.message)
                    yield event
        finally:
            self._last_turn = self.clock()
            self.places.leave()

    async def preview(self, turn: Turn) -> Preview:
        """What would become of a turn. Raises :class:`BridgeError` where it could not be run."""
        await self._check_ready()
        return preview_of(turn, await self.account.known_names(), lenient=self.lenient)

    async def count_tokens(self, turn: Turn) -> int:
        """The tokens of a turn's prompt, by the Messages API's own count.

        Raises :class:`BridgeError`; a login that is no API key can't have it counted.
        """
        model = await self._model(turn)
        asked = AskedTurn.of(turn, model, self.account.names, lenient=self.lenient)
        account = self.account
        return await count_tokens(asked, account.login, account.launch.environment)

    async def _check_ready(self) -> None:
        """Whether turns can be run at all."""
        if self._stopping:
            raise ShuttingDown(ShuttingDown.advice)
        if not (await self.account.current_login()).logged_in:
            raise NotLoggedIn(LOGIN_ADVICE)

    async def _model(self, turn: Turn) -> str | None:
        """The model to ask for."""
        await self._check_ready()
        return (await self.account.known_names()).resolve(turn.model)

    async def _attempts(
        self, turn: Turn, model: str | None, deadline: float
    ) -> AsyncGenerator[Event]:
        """One attempt; a second one when the process died before the model began to answer.

        The first may go on in the process that holds the conversation.
        """
        asked = AskedTurn.of(turn, model, self.account.names, lenient=self.lenient)
        live = self._live(asked)
        for last_attempt in (False, True):
            started = False
            attempt = self._attempt(asked, live, deadline, again=last_attempt)
            live = None
            async with contextlib.aclosing(attempt) as events:
                async for event in events:
                    started |= isinstance(event, TurnStarted)
                    lost = isinstance(event, TurnFailed) and isinstance(event.error, ProcessLost)
                    if lost and not (started or last_attempt):
                        self.faults["process_replaced"] += 1
                        break
                    yield event
                    if is_last(event):
                        return

    def _live(self, asked: AskedTurn) -> _Taken | None:
        """The process that goes on with the turn, if there is one."""
        process = self.kept.take(asked.held)
        if process is None:
            return None
        said = asked.new_to(process)
        if said is None:
            self.pool.discard(process)
            return None
        return _Taken(process, said, live=True)

    async def _attempt(
        self, asked: AskedTurn, live: _Taken | None, deadline: float, *, again: bool
    ) -> AsyncGenerator[Event]:
        turn, held, request = asked.turn, asked.held, asked.request
        try:
            async with asyncio.timeout_at(deadline):
                taken = live or await self._fresh(asked, again=again)
        except TimeoutError:
            yield TurnFailed(error=self._too_long("Claude Code did not start"))
            return
        except BridgeError as error:
            yield TurnFailed(error=error)
            return
        process = taken.process
        with self._counted(process, deadline) as run:
            if self._stopping:  # it was, while this turn waited
                yield TurnFailed(error=ShuttingDown(ShuttingDown.advice))
                return
            plan = asked.plan(
                taken.said,
                live=taken.live,
                late=self.account.late,
                simple=self.account.launch.simple,
                keep=turn.session is not None or (self.match and not turn.ends),
            )
            bill = process.bill or Bill(self.meter, turn.owner, turn.session)
            bill.request = turn.request
            queue = process.begin(plan, self._policy_until(deadline), bill)
            demands = Demands(request, turn)
            while True:
                for event in await demands.take(await queue.get()):
                    match event:
                        case TurnStarted():
                            self.matched += taken.live and turn.session is None
                            yield evolve(
                                self._started(run, event),
                                live=taken.live,
                                changed=request.changed,
                                ignored=request.ignored,
                            )
                        case TurnFinished():
                            message = evolve(event.message, model=run.model)
                            if not demands.altered:
                                self._keep(run, evolve(held, messages=(*turn.messages, message)))
                            yield evolve(event, message=message)
                        case TurnFailed(error=NotLoggedIn()):
                            self.account.take(evolve(self.account.login, logged_in=False))
                            yield event
                        case _:
                            yield event
                    if is_last(event):
                        return

    def _started(self, run: "_Run", event: TurnStarted) -> TurnStarted:
        run.model = event.model
        if run.process.bill is not None:
            run.process.bill.model = event.model
        self._starting.discard(run.process)
        self._refill()
        return event

    async def _fresh(self, asked: AskedTurn, *, again: bool) -> _Taken:
        """A process that holds nothing of the conversation, or begins with what is long of it.

        ``again``: the one before was lost. So a ready one may be, and a transcript the reason.
        """
        script, launch = asked.whole(), self.account.launch
        self._coming += 1
        try:
            while len(self.kept) and self._free_places() < 0:
                self.kept.end_oldest()
            if not self.account.late:
                make = functools.partial(CliProcess, launch, asked.turn.system)
                return _Taken(await self.pool.start(make), script, live=False)
            told, rest = transcript.split(script)
            if not again and transcript.is_worth_it(told, ready=bool(self.pool.ready)):
                make = functools.partial(CliProcess, launch, history=told)
                return _Taken(await self.pool.start(make), rest, live=False)
            return _Taken(await self.pool.take(ready=not again), script, live=False)
        finally:
            self._coming -= 1

    def _free_places(self) -> int:
        """How many more processes there may be, beside those that the pool has or should have."""
        busy = len(self._running) + self._coming
        return self.limits.max_live - self.limits.pool_size - busy - len(self.kept)

    def _ready_places(self) -> int:
        """How many processes the pool may have, when the others are counted."""
        return max(0, self.limits.pool_size + min(0, self._free_places()))

    def _keep(self, run: "_Run", held: Held) -> None:
        """Keep a process for the conversation's next turn, if it is fit for that and has a place.

        From then on it is not this turn's any more: the next one may have begun in it.
        """
        process = run.process
        allowed = self.limits.tool_wait if process.waiting else self.limits.process_idle
        if not process.goes_on or self._stopping or not allowed:
            return
        if process.launch is not self.account.launch:  # the login changed meanwhile
            return
        while len(self.kept) and self._free_places() < 0:
            self.kept.end_oldest()
        if self._free_places() < 0:
            return
        run.kept = True
        run.timer.cancel()
        self._running.discard(process)
        self.kept.keep(held, process)

    def _policy_until(self, deadline: float) -> RetryPolicy:
        """No wait for a retry that would end after the deadline."""
        left = deadline - asyncio.get_running_loop().time()
        return evolve(self.account.policy, max_wait=min(self.account.policy.max_wait, left))

    @contextlib.contextmanager
    def _counted(self, process: CliProcess, deadline: float) -> Iterator["_Run"]:
        """The process is one of the running ones; at the deadline it ends, read or not."""
        self._running.add(process)
        self._starting.add(process)
        while len(self.kept) and self._free_places() < 0:  # several may have come at once
            self.kept.end_oldest()
        self.pool.shrink(self._ready_places())  # one may have been on its way to there
        too_long = TurnFailed(error=self._too_long("the model had not finished"))
        timer = asyncio.get_running_loop().call_at(deadline, process.fail, too_long)
        run = _Run(process, timer)
        try:
            yield run
        finally:
            if not run.kept:
                timer.cancel()
                self._running.discard(process)
                self._starting.discard(process)
                self.pool.discard(process)
            self._refill()

    def _refill(self) -> None:
        """Start a process for later, unless somebody waits for the first word of one now."""
        if self.account.late and not (self._starting or self._stopping):
            size = self.limits.pool_size
            wanted = min(size, FLOOR) if self._is_quiet() else size
            self.pool.refill(min(wanted, self._ready_places()))

    def _is_quiet(self) -> bool:
        return self.places.taken == 0 and self.clock() - self._last_turn >= self.limits.process_idle

    def _too_long(self, state: str) -> TurnTimeout:
        return TurnTimeout(
            f"The answer took longer than {self.limits.max_timeout:g} seconds (MAX_TIMEOUT): "
            f"{state}."
        )
