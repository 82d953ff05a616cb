"""What turns cost and how much of the plan is used up, as Claude Code tells it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen


@frozen(kw_only=True)
class Spent:
    """What Claude Code says that ``turns`` of a conversation cost, in US dollars.

    They are several where the model waited for the results of calls in between; ``requests`` are
    theirs (:attr:`bridge.core.conversation.Turn.request`), in their order.
    """

    owner: str
    session: str | None
    model: str
    cost: float
    turns: int
    requests: tuple[str, ...] = ()


@frozen(kw_only=True)
class Quota:
    """The state of one window of the plan (``five_hour``, ``seven_day`` …).

    ``status`` is ``allowed``, ``allowed_warning`` or ``rejected``; ``utilization`` the part that is
    used, 0 to 1; times are in seconds since 1970.
    """

    window: str
    status: str
    utilization: float | None
    resets_at: int | None
    overage_status: str | None
    told_at: float


@define
class Meter:
    """Hears of every cost and of every change of the plan's state.

    ``began`` is called with the owner and the session of a turn in which a model begins to answer,
    ``spent`` with each cost. API keys have no plan: :attr:`quotas` stays empty.
    """

    spent: Callable[[Spent], None] = lambda _: None
    began: Callable[[str, str | None], None] = lambda _owner, _session: None
    quotas: dict[str, Quota] = field(factory=dict, init=False)

    def hear(self, info: Mapping[str, Any]) -> None:
        """Take the plan's state, a ``rate_limit_info``; it holds until the CLI tells another."""
        window = info.get("rateLimitType") or "unknown"
        self.quotas[window] = Quota(
            window=window,
            status=info["status"],
            utilization=info.get("utilization"),
            resets_at=info.get("resetsAt"),
            overage_status=info.get("overageStatus"),
            told_at=time.time(),
        )


@define
class Bill:
    """Whose a process' turns are, and what of its total cost is paid.

    The CLI tells the total of its process' life, once for all turns since it told it last.
    ``model`` and ``request`` are those of the turn that runs.
    """

    meter: Meter
    owner: str
    session: str | None
    model: str = ""
    request: str = ""
    _total: float = field(default=0.0, init=False)
    _unpaid: list[str] = field(factory=list, init=False)  # the requests of turns that have ended

    def begin_turn(self, model: str) -> None:
        """A model has begun to answer."""
        self.model = model
        self.meter.began(self.owner, self.session)

    def end_turn(self) -> None:
        """A turn has ended, whose cost is to be told."""
        self._unpaid.append(self.request)

    def told(self, total: float | None) -> None:
        """The CLI has told the total."""
        if total is None or not self._unpaid:  # it tells one for each line of history as well
            return
        cost, self._total = total - self._total, total
        requests, self._unpaid = tuple(self._unpaid), []
        self.meter.spent(
            Spent(
                owner=self.owner,
                session=self.session,
                model=self.model,
                cost=cost,
                turns=len(requests),
                requests=requests,
            )
        )
