"""Places for turns: so many at once, and a line that is fair between owners."""

import asyncio
import random

import pytest

from bridge.claude.places import Places
from bridge.core.errors import Unavailable


class Line:
    """Places, and the order in which they were given."""

    def __init__(self, limit: int, max_waiting: int = 1000) -> None:
        self.places = Places(limit, max_waiting)
        self.given: list[str] = []

    def ask(self, name: str) -> "asyncio.Task[None]":
        """Somebody, whose owner is the first letter of the name, comes for a place."""

        async def enter() -> None:
            await self.places.enter(name[0])
            self.given.append(name)

        return asyncio.create_task(enter())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_no_more() -> None:
    line = Line(2)
    for name in ("a1", "a2", "a3", "b1"):
        line.ask(name)
    await settle()
    assert line.given == ["a1", "a2"]
    assert (line.places.taken, line.places.waiting) == (2, 2)
    for _ in range(4):
        line.places.leave()
        await settle()
    assert (line.places.taken, line.places.waiting) == (0, 0)
    assert sorted(line.given) == ["a1", "a2", "a3", "b1"]


async def test_owners_take_turns_and_each_keeps_its_order() -> None:
    line = Line(1)
    for name in ("a0", "a1", "a2", "a3", "b1", "b2", "c1"):
        line.ask(name)
    await settle()
    for _ in range(7):
        line.places.leave()
        await settle()
    assert line.given == ["a0", "a1", "b1", "c1", "a2", "b2", "a3"]


async def test_a_full_line_is_an_error_that_says_when_to_come_back() -> None:
    line = Line(1, max_waiting=1)
    asked = [line.ask(name) for name in ("a1", "a2", "b1")]
    await settle()
    with pytest.raises(Unavailable) as caught:
        await asked[2]
    assert (caught.value.status, caught.value.code) == (503, "queue_full")
    assert caught.value.retry_after
    line.places.leave()
    await asked[1]
    line.places.leave()


async def test_who_leaves_the_line_is_forgotten() -> None:
    line = Line(1)
    _, leaving, staying = (line.ask(name) for name in ("a1", "b1", "c1"))
    await settle()
    leaving.cancel()
    await settle()
    assert line.places.waiting == 1
    line.places.leave()
    await staying
    line.places.leave()
    assert (line.given, line.places.taken) == (["a1", "c1"], 0)


async def test_a_place_that_comes_as_its_owner_goes_is_passed_on() -> None:
    line = Line(1)
    _, leaving, staying = (line.ask(name) for name in ("a1", "b1", "c1"))
    await settle()
    line.places.leave()
    leaving.cancel()
    await staying
    line.places.leave()
    assert (line.given, line.places.taken) == (["a1", "c1"], 0)


async def test_whatever_happens_no_place_is_lost() -> None:
    dice = random.Random(3)  # noqa: S311
    line = Line(3)
    holding = 0
    asked: list[asyncio.Task[None]] = []
    for number in range(2000):
        pick = dice.random()
        if pick < 0.5:
            asked.append(line.ask(f"{dice.choice('abc')}{number}"))
        elif pick < 0.7 and asked:
            dice.choice(asked).cancel()
        if pick > 0.3:
            await asyncio.sleep(0)
        done = [task for task in asked if task.done()]
        asked = [task for task in asked if not task.done()]
        holding += sum(not task.cancelled() for task in done)
        assert holding <= 3
        if holding and pick > 0.6:
            line.places.leave()
            holding -= 1
    for task in asked:
        task.cancel()
    await settle()
    holding += sum(task.done() and not task.cancelled() for task in asked)
    for _ in range(holding):
        line.places.leave()
    assert (line.places.taken, line.places.waiting) == (0, 0)
