"""Turns, run: names resolved, places kept, deadlines held, processes taken and told.

This is what the rest of the bridge sees of Claude: :meth:`Engine.run` takes a core turn and gives
core events.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable

from attrs import define, evolve, field

from bridge.claude.account import Account
from bridge.claude.asked import AskedTurn
from bridge.claude.counting import count_tokens
from bridge.claude.demands import Demands
from bridge.claude.failures import LOGIN_ADVICE
from bridge.claude.fleet import Fleet, Run, Taken
from bridge.claude.limits import Limits
from bridge.claude.meter import Bill, Meter
from bridge.claude.names import Names
from bridge.claude.options import Launch
from bridge.claude.places import Places
from bridge.claude.preview import Preview, preview_of
from bridge.claude.process import is_last
from bridge.claude.recall import Recall
from bridge.claude.translate import RetryPolicy
from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError, NotLoggedIn, ProcessLost, ShuttingDown, TurnTimeout
from bridge.core.events import Event, TurnFailed, TurnFinished, TurnStarted


@define(kw_only=True)
class Engine:
    """Runs the turns of a server, in the processes of its :class:`Fleet`.

    ``launch``, ``names`` and ``policy`` are what its account starts with; ``clock`` is a monotonic
    time in seconds, which tests own. ``match``: a request may go on in a process that was kept
    without a name; ``lenient``: sampling that a model would refuse is not asked of it.
    """

    _launch: Launch
    _names: Names
    _policy: RetryPolicy
    _limits: Limits
    match: bool
    lenient: bool = False
    _clock: Callable[[], float] = time.monotonic
    fleet: Fleet = field(init=False)
    recall: Recall = field(init=False)
    matched: int = field(default=0, init=False)  # turns that went on without naming a session
    meter: Meter = field(factory=Meter, init=False)
    places: Places = field(init=False)
    faults: Counter[str] = field(factory=Counter, init=False)  # of turns, by code

    def __attrs_post_init__(self) -> None:
        self.fleet = Fleet(
            launch=self._launch,
            names=self._names,
            policy=self._policy,
            limits=self._limits,
            clock=self._clock,
        )
        self.recall = Recall(clock=self._clock)
        limits = self._limits
        self.places = Places(min(limits.max_concurrent, limits.max_live), limits.max_queue)

    @property
    def account(self) -> Account:
        """The login, and what follows from it."""
        return self.fleet.account

    @property
    def limits(self) -> Limits:
        """How much may go on at once."""
        return self.fleet.limits

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the login state, then get the first processes ready in the background."""
        await self.account.refresh()

    async def stop_turns(self) -> None:
        """End every running turn with an error, and take no new ones."""
        self.fleet.stop(TurnFailed(error=ShuttingDown(ShuttingDown.advice)))

    async def aclose(self) -> None:
        """End every process; when this returns none is left."""
        await self.stop_turns()
        await self.fleet.aclose()

    # -- conversations between their turns --------------------------------------------------------

    def holds(self, owner: str, session: str) -> bool:
        """Whether a process waits for the next turn of this named conversation."""
        return self.fleet.kept.holds(owner, session)

    def release(self, owner: str, session: str) -> None:
        """This named conversation is over: end its process, if one waits."""
        self.fleet.kept.release(owner, session)

    def sweep(self) -> None:
        """End and forget what has waited for too long."""
        self.fleet.sweep()
        self.recall.sweep()

    def end_overgrown(self) -> None:
        """End the processes that take more memory than one may; their turns end with an error."""
        if ended := self.fleet.end_overgrown():
            self.faults["process_too_large"] += ended

    def processes(self) -> dict[str, list[int]]:
        """The ids of the living processes, see :meth:`Fleet.processes`."""
        return self.fleet.processes()

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
        if self.fleet.stopping:
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
        live = self.fleet.live(asked)
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

    async def _attempt(
        self, asked: AskedTurn, live: Taken | None, deadline: float, *, again: bool
    ) -> AsyncGenerator[Event]:
        turn, held, request = asked.turn, asked.held, asked.request
        try:
            async with asyncio.timeout_at(deadline):
                taken = live or await self.fleet.fresh(asked, again=again)
        except TimeoutError:
            yield TurnFailed(error=self._too_long("Claude Code did not start"))
            return
        except BridgeError as error:
            yield TurnFailed(error=error)
            return
        process = taken.process
        too_long = TurnFailed(error=self._too_long("the model had not finished"))
        with self.fleet.run(process, deadline, too_long) as run:
            if self.fleet.stopping:  # it was, while this turn waited
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
                                holds = evolve(held, messages=(*turn.messages, message))
                                self.fleet.keep(run, holds)
                            yield evolve(event, message=message)
                        case TurnFailed(error=NotLoggedIn()):
                            self.account.take(evolve(self.account.login, logged_in=False))
                            yield event
                        case _:
                            yield event
                    if is_last(event):
                        return

    def _started(self, run: Run, event: TurnStarted) -> TurnStarted:
        run.model = event.model
        self.fleet.has_begun(run)
        return event

    def _policy_until(self, deadline: float) -> RetryPolicy:
        """No wait for a retry that would end after the deadline."""
        left = deadline - asyncio.get_running_loop().time()
        return evolve(self.account.policy, max_wait=min(self.account.policy.max_wait, left))

    def _too_long(self, state: str) -> TurnTimeout:
        return TurnTimeout(
            f"The answer took longer than {self.limits.max_timeout:g} seconds (MAX_TIMEOUT): "
            f"{state}."
        )
