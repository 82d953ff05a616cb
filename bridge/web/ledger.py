"""What has been used since the server started: requests, tokens and dollars, from memory."""

import datetime as dt
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from typing import Any

from attrs import define, field

from bridge.claude.meter import Spent
from bridge.core.conversation import Turn
from bridge.core.events import (
    BlockKind,
    BlockStarted,
    Event,
    TextDelta,
    ThinkingDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.web.errors import rfc3339
from bridge.web.series import Series, beginning
from bridge.web.tally import Ended, Tally, rendered

MAX_SESSIONS = 1_000
"""Of how many sessions of a key the figures are kept; the least recently used go first."""

MAX_MODELS = 32
"""How many models of a key are told apart: a client may name any id that looks like Claude's, and
what stands in for the model's side may answer to all of them."""

MAX_NAME = 200
"""Most characters of a model's name."""

OTHERS = "other"
"""The name of all models beyond those."""

UNKNOWN = "unknown"
"""Under what name a turn goes, over time, that ended before a model began to answer."""


@define
class _Account:
    """The figures of one key."""

    total: Tally = field(factory=Tally)
    by_model: dict[str, Tally] = field(factory=dict)
    by_session: OrderedDict[str, Tally] = field(factory=OrderedDict)
    by_day: dict[str, Tally] = field(factory=dict)
    series: Series = field(factory=Series)

    def use(self, session: str) -> None:
        """Tell the session's figures apart from now on, until it is forgotten."""
        self.by_session.setdefault(session, Tally())
        self.by_session.move_to_end(session)
        if len(self.by_session) > MAX_SESSIONS:
            self.by_session.popitem(last=False)

    def tallies(self, now: float, model: str, session: str | None) -> list[Tally]:
        day = dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()
        found = [self.total, self.by_day.setdefault(day, Tally())]
        if model:
            model = model[:MAX_NAME]
            if model not in self.by_model and len(self.by_model) >= MAX_MODELS:
                model = OTHERS
            found.append(self.by_model.setdefault(model, Tally()))
        found += self.series.tallies(now, model or UNKNOWN)
        if session is not None and session in self.by_session:  # else it was deleted meanwhile
            found.append(self.by_session[session])
        return found


@define
class Ledger:
    """The figures of all keys, each by itself; ``clock`` is in seconds since 1970."""

    clock: Callable[[], float]
    since: float = field(init=False)
    _accounts: dict[str, _Account] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.since = self.clock()

    async def recorded(
        self,
        turn: Turn,
        events: AsyncGenerator[Event],
        *,
        arrived: float,
        ended: Callable[[Ended], None],
    ) -> AsyncGenerator[Event]:
        """The same events; what the turn used is recorded when it ends, however it does.

        Its request ``arrived`` then, by this clock; ``ended`` is called with what was recorded.
        """
        model, usage, failed, over = "", Usage(), False, False
        first: float | None = None
        try:
            async for event in events:
                match event:
                    case TextDelta() | ThinkingDelta() | BlockStarted(kind=BlockKind.TOOL_CALL):
                        if first is None:
                            first = self.clock()
                    case TurnStarted():
                        model, usage = event.model, event.usage
                    case UsageReported():
                        usage = event.usage
                    case TurnFinished() | TurnFailed():
                        over, failed = True, isinstance(event, TurnFailed)
                yield event
        finally:
            await events.aclose()
            known = Ended(
                model=model,
                usage=usage,
                failed=failed,
                cancelled=not over,
                first_token=None if first is None else first - arrived,
            )
            for tally in self._tallies(turn.owner, model, turn.session):
                tally.add(known)
            ended(known)

    def began(self, owner: str, session: str | None) -> None:
        """A model begins to answer: the session exists, nothing was refused."""
        if session is not None:
            self._account(owner).use(session)

    def pay(self, spent: Spent) -> None:
        """Claude Code has told what turns cost."""
        for tally in self._tallies(spent.owner, spent.model, spent.session):
            tally.cost += spent.cost
            tally.priced += spent.turns

    def forget(self, owner: str, session: str) -> None:
        """The session is deleted: its name is told no more. Its figures stay in the sums."""
        self._account(owner).by_session.pop(session, None)

    def forget_all(self, owner: str) -> None:
        """The same for all sessions of a key."""
        self._account(owner).by_session.clear()

    def render(self, owner: str) -> dict[str, Any]:
        """What a key has used."""
        account = self._account(owner)
        return {
            "total": account.total.render(),
            "by_model": rendered(account.by_model),
            "by_session": rendered(account.by_session),
            "by_key": {owner: account.total.render()},
            "by_day": rendered(account.by_day),
        }

    def render_series(self, owner: str, step: int) -> dict[str, Any]:
        """What a key has used in each bucket of ``step`` seconds, one of :data:`STEPS`."""
        now = self.clock()
        return {
            "step": step,
            "since": rfc3339(max(beginning(step, now), self.since)),
            "until": rfc3339(now),
            "data": self._account(owner).series.render(step, now),
        }

    def _tallies(self, owner: str, model: str, session: str | None) -> list[Tally]:
        return self._account(owner).tallies(self.clock(), model, session)

    def _account(self, owner: str) -> _Account:
        return self._accounts.setdefault(owner, _Account())
