"""The events of several turns as one stream of them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from bridge.core.events import Event, TurnFailed

SIDE_BY_SIDE = 4
"""Turns of one request that run at once; the others wait for them, and not in the line of all."""


async def merged(
    turns: Sequence[AsyncGenerator[Event]], *, where: str
) -> AsyncGenerator[tuple[int, Event]]:
    """Each event with the number of its turn, as they come; the turns run side by side.

    Ends after the first ``TurnFailed``: an answer without one of its choices is none. Its error
    names the turn as an item of the field ``where``.
    """
    if len(turns) == 1:
        async with contextlib.aclosing(turns[0]) as events:
            async for event in events:
                yield 0, event
        return
    places = asyncio.Semaphore(SIDE_BY_SIDE)
    queue: asyncio.Queue[tuple[int, Event] | asyncio.Task[None]] = asyncio.Queue()

    async def pump(number: int) -> None:
        async with places, contextlib.aclosing(turns[number]) as events:
            async for event in events:
                queue.put_nowait((number, event))

    tasks = [asyncio.create_task(pump(number)) for number in range(len(turns))]
    for task in tasks:
        task.add_done_callback(queue.put_nowait)
    try:
        left = len(tasks)
        while left:
            match await queue.get():
                case asyncio.Task() as ended:
                    ended.result()
                    left -= 1
                case (number, TurnFailed(error=error) as failure):
                    error.param = error.param or f"{where}[{number}]"
                    yield number, failure
                    return
                case item:
                    yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
