"""The line before a session: first come, first served, whoever goes away in between."""

import asyncio

import pytest
from session_bench import settle

from bridge.core.errors import SessionBusy, SessionDeleted
from bridge.sessions.line import MAX_WAITING, RETRY_AFTER, Line

LONG = 60.0


async def test_the_first_enters_at_once() -> None:
    line = Line()
    assert line.empty
    await line.enter(0)
    assert not line.empty
    line.leave()
    assert line.empty


async def test_many_enter_in_the_order_in_which_they_came() -> None:
    line, inside, order = Line(), 0, []

    async def visit(number: int) -> None:
        nonlocal inside
        await line.enter(LONG)
        inside += 1
        assert inside == 1
        order.append(number)
        await asyncio.sleep(0)
        inside -= 1
        line.leave()

    await asyncio.gather(*(visit(number) for number in range(MAX_WAITING + 1)))
    assert order == list(range(MAX_WAITING + 1))


async def test_no_more_wait_than_may() -> None:
    line = Line()
    await line.enter(LONG)
    waiting = [asyncio.create_task(line.enter(LONG)) for _ in range(MAX_WAITING)]
    await settle()
    with pytest.raises(SessionBusy):
        await line.enter(LONG)
    waiting.pop().cancel()
    await settle()
    waiting.append(asyncio.create_task(line.enter(LONG)))
    for task in waiting:
        line.leave()
        await task
    line.leave()
    assert line.empty
    assert line.empty


async def queue(line: Line, count: int) -> "list[asyncio.Task[None]]":
    """One who is in, and so many who wait."""
    await line.enter(0)
    tasks = [asyncio.create_task(line.enter(LONG)) for _ in range(count)]
    await settle()
    return tasks


async def test_who_is_cancelled_drops_out() -> None:
    line = Line()
    first, second, third = await queue(line, 3)
    second.cancel()
    await settle()
    assert second.cancelled()
    line.leave()
    await first
    line.leave()
    await third
    line.leave()
    assert line.empty


@pytest.mark.parametrize("first_cancel", [False, True])
async def test_a_place_that_comes_as_its_owner_goes_is_passed_on(first_cancel: bool) -> None:
    line = Line()
    first, second = await queue(line, 2)
    if first_cancel:
        first.cancel()
        line.leave()
    else:
        line.leave()
        first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    await second
    line.leave()
    assert line.empty


async def test_the_last_one_who_goes_as_the_place_comes_leaves_an_empty_line() -> None:
    line = Line()
    (only,) = await queue(line, 1)
    line.leave()
    only.cancel()
    await asyncio.wait([only])
    assert line.empty


@pytest.mark.parametrize("limit", [0, 0.001])
async def test_nobody_waits_for_longer_than_the_limit(limit: float) -> None:
    line = Line()
    await line.enter(0)
    with pytest.raises(SessionBusy, match="SESSION_WAIT_SECONDS") as caught:
        await line.enter(limit)
    assert (caught.value.status, caught.value.retry_after) == (503, RETRY_AFTER)
    assert caught.value.code == "session_busy"
    line.leave()
    assert line.empty


async def test_a_place_that_comes_with_the_end_of_the_wait_is_not_lost() -> None:
    line = Line()
    await line.enter(0)
    late = asyncio.create_task(line.enter(0))
    patient = asyncio.create_task(line.enter(LONG))
    await asyncio.sleep(0)
    line.leave()
    await asyncio.wait([late])
    if late.exception() is None:
        line.leave()
    await patient
    line.leave()
    assert line.empty


async def test_a_closed_line_sends_all_who_wait_away() -> None:
    line, error = Line(), SessionDeleted("gone")
    waiting = await queue(line, 3)
    waiting[1].cancel()
    line.close(error)
    await settle()
    assert waiting[1].cancelled()
    assert [task.exception() for task in (waiting[0], waiting[2])] == [error, error]
    assert not line.empty, "who is in leaves by itself"
    line.leave()
    assert line.empty


async def test_who_is_cancelled_as_the_line_is_closed_is_just_cancelled() -> None:
    line = Line()
    (only,) = await queue(line, 1)
    line.close(SessionDeleted("gone"))
    only.cancel()
    await asyncio.wait([only])
    assert only.cancelled()
    line.leave()
    assert line.empty
