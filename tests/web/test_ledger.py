"""What has been used, by a clock of the test's own."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from bridge.claude.meter import Spent
from bridge.core.conversation import Message, Role, Text, Turn
from bridge.core.errors import UpstreamFault
from bridge.core.events import (
    Event,
    FinishReason,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.web.ledger import MAX_SESSIONS, Ledger

DAY = 86_400.0
NOON = 1_790_000_000 // DAY * DAY + DAY / 2


class Clock:
    """A time that the test sets."""

    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    return Ledger(clock)


STARTED = TurnStarted(model="m", message_id="x", usage=Usage(input_tokens=5, output_tokens=1))
USED = UsageReported(
    usage=Usage(input_tokens=5, cache_read_tokens=7, cache_write_tokens=3, output_tokens=11)
)
SAID = Message(role=Role.ASSISTANT, parts=(Text(text="a"),))
FINISHED = TurnFinished(reason=FinishReason.STOP, message=SAID)
WHOLE = (STARTED, USED, FINISHED)


async def record(
    ledger: Ledger,
    *events: Event,
    owner: str = "o",
    session: str | None = None,
    read: int = 99,
    then: Callable[[], None] = lambda: None,
) -> None:
    """A turn with these events, of which the client reads so many; and what happens after them."""

    async def given() -> AsyncGenerator[Event]:
        for event in events:
            yield event
        then()

    turn = Turn(messages=(SAID,), owner=owner, session=session)
    recorded = ledger.recorded(turn, given())
    async for _ in recorded:
        if (read := read - 1) == 0:
            break
    await recorded.aclose()


def spent(cost: float, **fields: Any) -> Spent:
    return Spent(
        **{"owner": "o", "session": None, "model": "m", "turns": 1, **fields, "cost": cost}
    )


async def test_a_turn_is_counted_under_all_that_it_belongs_to(ledger: Ledger) -> None:
    await record(ledger, *WHOLE, session="s")
    await record(ledger, *WHOLE)
    ledger.pay(spent(0.1, session="s"))
    found = ledger.render("o")
    assert found["total"] == {
        "requests": 2,
        "failed": 0,
        "cancelled": 0,
        "input_tokens": 10,
        "cache_read_tokens": 14,
        "cache_write_tokens": 6,
        "output_tokens": 22,
        "cost_usd": 0.1,
        "priced_requests": 1,
    }
    assert found["by_model"] == {"m": found["total"]}
    assert found["by_key"] == {"o": found["total"]}
    assert found["by_day"] == {"2026-09-21": found["total"]}
    assert found["by_session"]["s"]["requests"] == 1
    assert found["by_session"]["s"]["cost_usd"] == 0.1


@pytest.mark.parametrize(
    ("events", "read", "failed", "cancelled", "tokens"),
    [
        (WHOLE, 99, 0, 0, 11),
        ((TurnFailed(error=UpstreamFault("x")),), 99, 1, 0, 0),
        ((STARTED, TurnFailed(error=UpstreamFault("x"))), 99, 1, 0, 1),
        (WHOLE, 1, 0, 1, 1),
        ((), 99, 0, 1, 0),
    ],
)
async def test_however_a_turn_ends(
    ledger: Ledger, events: tuple[Event, ...], read: int, failed: int, cancelled: int, tokens: int
) -> None:
    await record(ledger, *events, read=read)
    total = ledger.render("o")["total"]
    assert total["requests"] == 1
    assert (total["failed"], total["cancelled"], total["output_tokens"]) == (
        *(failed, cancelled, tokens),
    )
    assert set(ledger.render("o")["by_model"]) == ({"m"} if tokens else set())


async def test_a_day_ends_at_midnight_utc(ledger: Ledger, clock: Clock) -> None:
    await record(ledger, *WHOLE)
    clock.now += DAY / 2 - 0.001
    await record(ledger, *WHOLE)
    clock.now += 0.001
    await record(ledger, *WHOLE)
    ledger.pay(spent(0.5))
    days = ledger.render("o")["by_day"]
    assert {day: (t["requests"], t["cost_usd"]) for day, t in days.items()} == {
        "2026-09-21": (2, 0.0),
        "2026-09-22": (1, 0.5),
    }
    assert ledger.since == NOON


async def test_a_key_sees_its_own_alone(ledger: Ledger) -> None:
    await record(ledger, *WHOLE, owner="a", session="s")
    ledger.pay(spent(0.1, owner="a", session="s"))
    nothing = ledger.render("b")
    assert nothing["total"]["requests"] == nothing["total"]["cost_usd"] == 0
    assert nothing["by_model"] == nothing["by_session"] == nothing["by_day"] == {}
    assert set(nothing["by_key"]) == {"b"}


async def test_only_the_latest_sessions_are_told_apart(ledger: Ledger) -> None:
    for number in range(MAX_SESSIONS):
        await record(ledger, *WHOLE, session=f"s{number}")
    await record(ledger, *WHOLE, session="s0")
    await record(ledger, *WHOLE, session="new")
    found = ledger.render("o")
    assert len(found["by_session"]) == MAX_SESSIONS
    assert {"s0", "s2", "new"} <= set(found["by_session"])
    assert "s1" not in found["by_session"]
    assert found["total"]["requests"] == MAX_SESSIONS + 2


async def test_a_deleted_session_is_told_no_more(ledger: Ledger) -> None:
    for session in ("s", "t", "u"):
        await record(ledger, *WHOLE, session=session)
    ledger.forget("o", "s")
    ledger.forget("o", "s")
    assert set(ledger.render("o")["by_session"]) == {"t", "u"}
    ledger.pay(spent(0.1, session="s"))  # Claude Code tells it late
    assert set(ledger.render("o")["by_session"]) == {"t", "u"}
    ledger.forget_all("o")
    found = ledger.render("o")
    assert found["by_session"] == {}
    assert (found["total"]["requests"], found["total"]["cost_usd"]) == (3, 0.1)


async def test_a_turn_that_outlives_its_session_does_not_bring_it_back(ledger: Ledger) -> None:
    await record(ledger, *WHOLE, session="s", then=lambda: ledger.forget("o", "s"))
    found = ledger.render("o")
    assert found["by_session"] == {}
    assert found["total"]["requests"] == 1
    await record(ledger, *WHOLE, session="s")  # a new one of that name
    assert ledger.render("o")["by_session"]["s"]["requests"] == 1


async def test_a_session_that_no_model_answered_in_has_no_figures(ledger: Ledger) -> None:
    await record(ledger, TurnFailed(error=UpstreamFault("x")), session="s")  # there may be none
    found = ledger.render("o")
    assert (found["by_session"], found["total"]["failed"]) == ({}, 1)
    await record(ledger, *WHOLE, session="s")
    await record(ledger, TurnFailed(error=UpstreamFault("x")), session="s")
    assert ledger.render("o")["by_session"]["s"]["failed"] == 1


async def test_a_cost_may_be_told_before_the_turn_is_over(ledger: Ledger) -> None:
    await record(ledger, *WHOLE, session="s", then=lambda: ledger.pay(spent(0.1, session="s")))
    told = ledger.render("o")["by_session"]["s"]
    assert (told["requests"], told["priced_requests"], told["cost_usd"]) == (1, 1, 0.1)
