"""What has been used, by a clock of the test's own."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from clock import Clock

from bridge.claude.meter import Spent
from bridge.core.conversation import Message, Role, Text, Turn
from bridge.core.errors import UpstreamFault
from bridge.core.events import (
    BlockKind,
    BlockStarted,
    Event,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.web.ledger import MAX_MODELS, MAX_NAME, MAX_SESSIONS, OTHERS, UNKNOWN, Ledger
from bridge.web.series import STEPS
from bridge.web.tally import Ended

DAY = 86_400.0
NOON = 1_790_000_000 // DAY * DAY + DAY / 2


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


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
    *events: Event | float,
    owner: str = "o",
    session: str | None = None,
    read: int = 99,
    then: Callable[[], None] = lambda: None,
) -> Ended:
    """A turn with these events, of which the client reads so many; and what happens after them.

    A number among them is a time that passes, in seconds.
    """
    heard: list[Ended] = []

    async def given() -> AsyncGenerator[Event]:
        for event in events:
            if isinstance(event, float):
                assert isinstance(ledger.clock, Clock)
                ledger.clock.now += event
            else:
                if isinstance(event, TurnStarted):
                    ledger.began(owner, session)
                yield event
        then()

    turn = Turn(messages=(SAID,), owner=owner, session=session)
    recorded = ledger.recorded(turn, given(), arrived=ledger.clock(), ended=heard.append)
    async for _ in recorded:
        if (read := read - 1) == 0:
            break
    await recorded.aclose()
    (ended,) = heard
    return ended


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
        "first_token_ms": {"count": 0, "mean": None, "longest": None},
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


# -- the first token -------------------------------------------------------------------------------

THINKS = BlockStarted(index=0, kind=BlockKind.THINKING)
CALLS = BlockStarted(index=0, kind=BlockKind.TOOL_CALL, call_id="c", name="f")
FIRST: dict[str, tuple[tuple[Event | float, ...], float | None]] = {
    "words": (
        (STARTED, 0.5, TextDelta(index=0, text="a"), 1.0, TextDelta(index=0, text="b")),
        0.75,
    ),
    "reasoning": ((STARTED, 0.5, THINKS, 0.5, ThinkingDelta(index=0, text="hm"), USED), 1.25),
    "a call": ((STARTED, 0.125, CALLS, 1.0, USED, FINISHED), 0.375),
    "nothing": ((STARTED, 0.5, THINKS, USED, FINISHED), None),
    "no model": ((TurnFailed(error=UpstreamFault("x")),), None),
}


@pytest.mark.parametrize("kind", FIRST)
async def test_how_long_the_first_token_took(ledger: Ledger, kind: str) -> None:
    events, seconds = FIRST[kind]
    ended = await record(ledger, 0.25, *events)
    assert ended.first_token == seconds
    told = ledger.render("o")["total"]["first_token_ms"]
    each = None if seconds is None else seconds * 1000
    assert told == {"count": int(seconds is not None), "mean": each, "longest": each}


async def test_first_tokens_are_told_by_their_mean_and_the_longest(ledger: Ledger) -> None:
    for seconds in (0.5, 2.0, 1.0):
        await record(ledger, STARTED, seconds, TextDelta(index=0, text="a"), session="s")
    await record(ledger, STARTED)
    told = {"count": 3, "mean": 1166.7, "longest": 2000.0}
    found = ledger.render("o")
    assert found["total"]["first_token_ms"] == found["by_model"]["m"]["first_token_ms"] == told
    assert found["by_session"]["s"]["first_token_ms"] == told


# -- over time -------------------------------------------------------------------------------------


def starts(ledger: Ledger, step: int, owner: str = "o") -> list[str]:
    return [bucket["start"] for bucket in ledger.render_series(owner, step)["data"]]


async def test_figures_over_time(ledger: Ledger, clock: Clock) -> None:
    clock.now += 61.5
    ended = await record(ledger, STARTED, 0.5, TextDelta(index=0, text="a"), USED, FINISHED)
    assert ended.usage.output_tokens == 11
    clock.now += 60
    await record(ledger, TurnFailed(error=UpstreamFault("x")))
    ledger.pay(spent(0.25))
    minutes = ledger.render_series("o", 60)
    (first, second) = minutes.pop("data")
    assert minutes == {
        "step": 60,
        "since": "2026-09-21T12:00:00.000Z",
        "until": "2026-09-21T12:02:02.000Z",
    }
    assert (first["start"], second["start"]) == (
        *("2026-09-21T12:01:00.000Z", "2026-09-21T12:02:00.000Z"),
    )
    assert first["by_model"] == {
        "m": {
            "requests": 1,
            "failed": 0,
            "cancelled": 0,
            "input_tokens": 5,
            "cache_read_tokens": 7,
            "cache_write_tokens": 3,
            "output_tokens": 11,
            "cost_usd": 0.0,
            "priced_requests": 0,
            "first_token_ms": {"count": 1, "mean": 500.0, "longest": 500.0},
        }
    }
    assert set(second["by_model"]) == {UNKNOWN, "m"}
    failed, paid = second["by_model"][UNKNOWN], second["by_model"]["m"]
    assert (failed["requests"], failed["failed"]) == (1, 1)
    assert (paid["requests"], paid["cost_usd"], paid["priced_requests"]) == (0, 0.25, 1)
    for step in (3_600, 86_400):
        (bucket,) = ledger.render_series("o", step)["data"]
        assert bucket["by_model"]["m"] == ledger.render("o")["by_model"]["m"]
    assert starts(ledger, 3_600) == ["2026-09-21T12:00:00.000Z"]
    assert starts(ledger, 86_400) == ["2026-09-21T00:00:00.000Z"]
    assert UNKNOWN not in ledger.render("o")["by_model"]
    assert starts(ledger, 60, "another") == []


@pytest.mark.parametrize(("step", "kept"), STEPS.items())
async def test_what_is_long_past_is_not_told(
    ledger: Ledger, clock: Clock, step: int, kept: int
) -> None:
    await record(ledger, *WHOLE)
    clock.now += (kept - 1) * step
    await record(ledger, *WHOLE)
    assert len(starts(ledger, step)) == 2
    begins = ledger.render_series("o", step)["since"]
    assert begins == max("2026-09-21T12:00:00.000Z", starts(ledger, step)[0])
    clock.now += step
    assert len(starts(ledger, step)) == 1, "also if nothing has happened since"
    assert ledger.render_series("o", step)["since"] > begins
    assert ledger.render("o")["total"]["requests"] == 2


async def test_no_more_than_that_is_kept(ledger: Ledger, clock: Clock) -> None:
    for _ in range(200):
        await record(ledger, *WHOLE)
        clock.now += DAY + 3_660
    buckets = ledger._account("o").series._buckets
    assert {step: len(kept) <= STEPS[step] for step, kept in buckets.items()} == dict.fromkeys(
        STEPS, True
    )
    assert len(buckets[60]) == 1
    assert len(buckets[86_400]) > 80


async def test_a_client_can_not_make_it_grow_by_naming_models(ledger: Ledger) -> None:
    names = [f"claude-{number}" for number in range(MAX_MODELS + 10)]
    for name in ["claude-" + "x" * 10_000, *names, names[0]]:
        await record(ledger, TurnStarted(model=name, message_id="x"), USED, FINISHED)
        ledger.pay(spent(0.5, model=name))
    (bucket,) = ledger.render_series("o", 60)["data"]
    for by_model in (ledger.render("o")["by_model"], bucket["by_model"]):
        assert len(by_model) == MAX_MODELS + 1
        assert max(map(len, by_model)) == MAX_NAME
        assert (by_model["claude-0"]["requests"], by_model[OTHERS]["requests"]) == (2, 11)
        assert by_model[OTHERS]["cost_usd"] == 5.5
