"""What has been used since the server started: requests, tokens and dollars, from memory."""

import datetime as dt
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from typing import Any

from attrs import define, field

from bridge.claude.meter import Spent
from bridge.core.conversation import Turn
from bridge.core.events import (
    Event,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)

MAX_SESSIONS = 1_000
"""Of how many sessions of a key the figures are kept; the least recently used go first."""


@define
class Tally:
    """Figures of some turns.

    ``failed`` ended with an error, ``cancelled`` when the client left. ``usage`` counts what is
    known of those too. ``cost`` is in US dollars, as Claude Code tells it; it does not tell that of
    ``requests - priced`` of them: failed, cancelled or cut off ones, and those still to be told.
    """

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    usage: Usage = field(factory=Usage)
    cost: float = 0.0
    priced: int = 0

    def render(self) -> dict[str, Any]:
        """As ``GET /v1/usage`` shows it; ``input_tokens`` are those that no cache was used for."""
        usage = self.usage
        return {
            "requests": self.requests,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "input_tokens": usage.input_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": round(self.cost, 6),
            "priced_requests": self.priced,
        }


@define
class _Account:
    """The figures of one key."""

    total: Tally = field(factory=Tally)
    by_model: dict[str, Tally] = field(factory=dict)
    by_session: OrderedDict[str, Tally] = field(factory=OrderedDict)
    by_day: dict[str, Tally] = field(factory=dict)

    def use(self, session: str) -> None:
        """Tell the session's figures apart from now on, until it is forgotten."""
        self.by_session.setdefault(session, Tally())
        self.by_session.move_to_end(session)
        if len(self.by_session) > MAX_SESSIONS:
            self.by_session.popitem(last=False)

    def tallies(self, day: str, model: str, session: str | None) -> list[Tally]:
        found = [self.total, self.by_day.setdefault(day, Tally())]
        if model:
            found.append(self.by_model.setdefault(model, Tally()))
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

    async def recorded(self, turn: Turn, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """The same events; what the turn used is recorded when it ends, however it does."""
        model, usage, failed, ended = "", Usage(), False, False
        try:
            async for event in events:
                match event:
                    case TurnStarted():
                        model, usage = event.model, event.usage
                        if turn.session is not None:  # it exists: nothing was refused
                            self._account(turn.owner).use(turn.session)
                    case UsageReported():
                        usage = event.usage
                    case TurnFinished() | TurnFailed():
                        ended, failed = True, isinstance(event, TurnFailed)
                yield event
        finally:
            await events.aclose()
            for tally in self._tallies(turn.owner, model, turn.session):
                tally.requests += 1
                tally.failed += failed
                tally.cancelled += not ended
                tally.usage += usage

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
            "by_model": _rendered(account.by_model),
            "by_session": _rendered(account.by_session),
            "by_key": {owner: account.total.render()},
            "by_day": _rendered(account.by_day),
        }

    def _tallies(self, owner: str, model: str, session: str | None) -> list[Tally]:
        day = dt.datetime.fromtimestamp(self.clock(), dt.UTC).date().isoformat()
        return self._account(owner).tallies(day, model, session)

    def _account(self, owner: str) -> _Account:
        return self._accounts.setdefault(owner, _Account())


def _rendered(tallies: dict[str, Tally]) -> dict[str, Any]:
    return {name: tally.render() for name, tally in tallies.items()}
