"""Turns, run: names resolved, capacity kept, deadlines held, processes taken and thrown away.

This is what the rest of the bridge sees of Claude: :meth:`Engine.run` takes a core turn and gives
core events.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from typing import Any

from attrs import define, evolve, field

from bridge.claude.account import Login, read_login
from bridge.claude.history import script
from bridge.claude.kept import Held, KeptProcesses
from bridge.claude.names import Names, listed_models
from bridge.claude.options import Launch, flag_settings
from bridge.claude.places import Places
from bridge.claude.pool import Pool
from bridge.claude.process import CliProcess, InitializeRefused, TurnPlan, is_last
from bridge.claude.translate import LOGIN_ADVICE, RetryPolicy
from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError, NotLoggedIn, ProcessLost, ShuttingDown, TurnTimeout
from bridge.core.events import Event, TurnFailed, TurnFinished, TurnStarted

log = logging.getLogger(__name__)

FLOOR = 1
"""How many ready processes are left when nobody has come for a while."""

LOGIN_RECHECK_SECONDS = 2.0
"""How often at most a request makes us look whether somebody has logged in meanwhile."""


@define
class _Run:
    """A turn's hold on a process."""

    process: CliProcess
    timer: asyncio.TimerHandle
    kept: bool = False


@define(kw_only=True)
class Engine:
    """The owner of all CLI processes of a server.

    ``clock`` is a monotonic time in seconds; tests own it.
    """

    launch: Launch
    names: Names
    policy: RetryPolicy
    max_concurrent: int
    max_queue: int
    max_timeout: float
    pool_size: int
    max_live: int
    process_idle: float
    max_process_memory: int
    match: bool
    clock: Callable[[], float] = time.monotonic
    login: Login = field(default=Login(logged_in=False), init=False)
    pool: Pool = field(init=False)
    kept: KeptProcesses = field(init=False)
    late: bool = field(default=True, init=False)  # the system prompt may come with initialize
    matched: int = field(default=0, init=False)  # turns that went on without naming a session
    places: Places = field(init=False)
    faults: Counter[str] = field(factory=Counter, init=False)  # of turns, by code
    _last_turn: float = field(init=False)
    _login_read_at: float = field(default=float("-inf"), init=False)
    _login_lock: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _described: asyncio.Event = field(factory=asyncio.Event, init=False)
    _describing: asyncio.Task[None] | None = field(default=None, init=False)
    _running: set[CliProcess] = field(factory=set, init=False)
    _coming: int = field(default=0, init=False)  # about to run
    _starting: set[CliProcess] = field(factory=set, init=False)  # of those: no word yet
    _stopping: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.pool = Pool(make=lambda: CliProcess(self.launch))
        self.kept = KeptProcesses(discard=self.pool.discard, clock=self.clock)
        self.pool_size = min(self.pool_size, self.max_live - 1)  # one is for whoever comes
        self.places = Places(min(self.max_concurrent, self.max_live), self.max_queue)
        self._last_turn = self.clock()

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the login state, then get the first processes ready in the background."""
        await self.refresh_login()

    async def stop_turns(self) -> None:
        """End every running turn with an error, and take no new ones."""
        self._stopping = True
        if self._describing is not None:
            self._describing.cancel()
        self.kept.end_all()
        failure = TurnFailed(error=ShuttingDown(ShuttingDown.advice))
        for process in list(self._running):
            process.fail(failure)

    async def aclose(self) -> None:
        """End every process; when this returns none is left."""
        await self.stop_turns()
        if self._describing is not None:
            await asyncio.wait([self._describing])
        await self.pool.aclose()

    # -- conversations between their turns --------------------------------------------------------

    def holds(self, owner: str, session: str) -> bool:
        """Whether a process waits for the next turn of this named conversation."""
        return self.kept.holds(owner, session)

    def release(self, owner: str, session: str) -> None:
        """This named conversation is over: end its process, if one waits."""
        self.kept.release(owner, session)

    def sweep(self) -> None:
        """End the processes that have waited for too long, also for somebody to come at all."""
        self.kept.end_idle(self.process_idle)
        if self._is_quiet():
            self.pool.shrink(FLOOR)

    def end_overgrown(self) -> None:
        """End the processes that take more memory than one may; their turns end with an error."""
        for process in (*self._running, *self.kept):
            if process.memory() > self.max_process_memory:
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
        """The ids of the living processes, by what they do: ready, running, idle."""
        by_state: dict[str, Iterable[CliProcess]] = {
            "ready": self.pool.ready,
            "running": self._running,
            "idle": self.kept,
        }
        return {
            state: [p.pid for p in processes if p.alive and p.pid is not None]
            for state, processes in by_state.items()
        }

    # -- login and models ------------------------------------------------------------------------

    async def refresh_login(self) -> Login:
        """Ask the CLI for the login state, unless that was done a moment ago."""
        async with self._login_lock:
            if self.clock() - self._login_read_at >= LOGIN_RECHECK_SECONDS:
                login = await read_login(self.launch)
                self._login_read_at = self.clock()
                self._take_login(login)
            return self.login

    async def current_login(self) -> Login:
        """The login as it is known; while there is none, whether somebody has logged in since."""
        return self.login if self.login.logged_in else await self.refresh_login()

    def _take_login(self, login: Login) -> None:
        changed, self.login = login != self.login, login
        if not changed:
            return
        self.launch = evolve(self.launch, simple=login.allows_simple)
        self.policy = evolve(self.policy, login_refreshes=not login.allows_simple)
        self.pool.drop_ready()
        self.kept.end_all()
        if login.logged_in and not self._stopping:
            self.pool.refill(self.pool_size)
            if self._describing is None or self._describing.done():
                self._describing = asyncio.create_task(self._describe())

    async def known_names(self) -> Names:
        """The names, with the CLI's own list in them once it is known."""
        if self._describing is not None:
            await self._described.wait()
        return self.names

    async def _describe(self) -> None:
        try:
            try:
                described = await self._described_by(system=("",))
            except InitializeRefused:
                log.warning(
                    "this Claude Code takes no system prompt when it is initialized: from now on a "
                    "process is started for each conversation when it comes, which takes longer"
                )
                self.late = False
                self.pool.drop_ready()
                described = await self._described_by(system=())
            models = listed_models(described.get("models") or ())
            self.names = evolve(self.names, listed=models)
        except Exception as error:  # noqa: BLE001 - the SDK raises bare ones; turns go on without
            log.warning("Claude Code did not list its models: %r", error)
        finally:
            self._described.set()

    async def _described_by(self, *, system: tuple[str, ...]) -> dict[str, Any]:
        process = await self.pool.take()
        try:
            return await process.describe(system=system)
        finally:
            self.pool.discard(process)

    # -- turns -----------------------------------------------------------------------------------

    async def run(self, turn: Turn) -> AsyncGenerator[Event]:
        """Run a turn; the events end with ``TurnFinished`` or ``TurnFailed``.

        Closing the iterator early kills the process, and with it the call to the model.
        """
        deadline = asyncio.get_running_loop().time() + self.max_timeout
        try:
            async with asyncio.timeout_at(deadline):
                model = await self._model(turn)
                await self.places.enter(turn.owner)
        except TimeoutError:
            yield TurnFailed(error=self._too_long("no place was free"))
            return
        except BridgeError as error:
            yield TurnFailed(error=error)
            return
        try:
            async with contextlib.aclosing(self._attempts(turn, model, deadline)) as events:
                async for event in events:
                    if isinstance(event, TurnFailed):
                        self.faults[event.error.code or event.error.kind.value] += 1
                    yield event
        finally:
            self._last_turn = self.clock()
            self.places.leave()

    async def _model(self, turn: Turn) -> str | None:
        """The model to ask for, if a turn can be run at all."""
        if self._stopping:
            raise ShuttingDown(ShuttingDown.advice)
        if not (await self.current_login()).logged_in:
            raise NotLoggedIn(LOGIN_ADVICE)
        return (await self.known_names()).resolve(turn.model)

    async def _attempts(
        self, turn: Turn, model: str | None, deadline: float
    ) -> AsyncGenerator[Event]:
        """One attempt; a second one when the process died before the model began to answer.

        The first may go on in the process that holds the conversation.
        """
        held = Held.before(turn, model)
        kept = self.kept.take(held)
        for last_attempt in (False, True):
            started = False
            attempt = self._attempt(turn, held, kept, deadline, ready=not last_attempt)
            kept = None
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

    async def _attempt(
        self, turn: Turn, held: Held, kept: CliProcess | None, deadline: float, *, ready: bool
    ) -> AsyncGenerator[Event]:
        try:
            async with asyncio.timeout_at(deadline):
                process = kept or await self._fresh(turn, ready=ready)
        except TimeoutError:
            yield TurnFailed(error=self._too_long("Claude Code did not start"))
            return
        except BridgeError as error:
            yield TurnFailed(error=error)
            return
        with self._counted(process, deadline) as run:
            if self._stopping:  # it was, while this turn waited
                yield TurnFailed(error=ShuttingDown(ShuttingDown.advice))
                return
            plan = self._plan(turn, held, live=kept is not None)
            queue = process.begin(plan, self._policy_until(deadline))
            answering: str | None = None
            while True:
                event = await queue.get()
                match event:
                    case TurnStarted():
                        answering = event.model
                        self._starting.discard(process)
                        self._refill()
                        self.matched += kept is not None and turn.session is None
                        event = evolve(event, live=kept is not None)
                    case TurnFinished():
                        message = evolve(event.message, model=answering)
                        event = evolve(event, message=message)
                        self._keep(run, evolve(held, messages=(*turn.messages, message)))
                    case TurnFailed(error=NotLoggedIn()):
                        self._take_login(evolve(self.login, logged_in=False))
                yield event
                if is_last(event):
                    return

    def _plan(self, turn: Turn, held: Held, *, live: bool) -> TurnPlan:
        """What to tell a process: all of it, or what it does not hold yet."""
        return TurnPlan(
            system=turn.system if self.late else (),
            settings=flag_settings(None if live else held.model, turn.sampling),
            script=script(turn.messages[len(held.messages) if live else 0 :]),
            keep=self.match or turn.session is not None,
        )

    async def _fresh(self, turn: Turn, *, ready: bool) -> CliProcess:
        self._coming += 1
        try:
            while len(self.kept) and self._free_places() < 0:
                self.kept.end_oldest()
            if self.late:
                return await self.pool.take(ready=ready)
            return await self.pool.start(CliProcess(self.launch, turn.system))
        finally:
            self._coming -= 1

    def _free_places(self) -> int:
        """How many more processes there may be, beside those that the pool has or should have."""
        busy = len(self._running) + self._coming
        return self.max_live - self.pool_size - busy - len(self.kept)

    def _ready_places(self) -> int:
        """How many processes the pool may have, when the others are counted."""
        return max(0, self.pool_size + min(0, self._free_places()))

    def _keep(self, run: "_Run", held: Held) -> None:
        """Keep a process for the conversation's next turn, if it is fit for that and has a place.

        From then on it is not this turn's any more: the next one may have begun in it.
        """
        if not run.process.goes_on or self._stopping or not self.process_idle:
            return
        if run.process.launch is not self.launch:  # the login changed meanwhile
            return
        while len(self.kept) and self._free_places() < 0:
            self.kept.end_oldest()
        if self._free_places() < 0:
            return
        run.kept = True
        run.timer.cancel()
        self._running.discard(run.process)
        self.kept.keep(held, run.process)

    def _policy_until(self, deadline: float) -> RetryPolicy:
        """No wait for a retry that would end after the deadline."""
        left = deadline - asyncio.get_running_loop().time()
        return evolve(self.policy, max_wait=min(self.policy.max_wait, left))

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
        if self.late and not (self._starting or self._stopping):
            wanted = min(self.pool_size, FLOOR) if self._is_quiet() else self.pool_size
            self.pool.refill(min(wanted, self._ready_places()))

    def _is_quiet(self) -> bool:
        return self.places.taken == 0 and self.clock() - self._last_turn >= self.process_idle

    def _too_long(self, state: str) -> TurnTimeout:
        return TurnTimeout(
            f"The answer took longer than {self.max_timeout:g} seconds (MAX_TIMEOUT): {state}."
        )
