"""One turn of a session, from its place in the line to its commit."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from attrs import define, field

from bridge.core.conversation import Message, Turn
from bridge.core.errors import BridgeError, SessionDeleted
from bridge.core.events import (
    Event,
    FinishReason,
    TurnFailed,
    TurnFinished,
    Usage,
    UsageReported,
)
from bridge.sessions.merging import Outcome

DELETED = "The session was deleted while this request was answered."

Commit = Callable[[Turn, Message, Usage], Awaitable[None]]


@define(eq=False)
class Exchange:
    """A turn that has its place: :attr:`outcome` is what it does to the session.

    ``commit`` makes the turn part of the history. It is awaited before the client can see that the
    answer is whole, and once begun it is not broken off.
    """

    outcome: Outcome
    _turn: Turn
    _run: Callable[[Turn], AsyncGenerator[Event]]
    _commit: Commit
    committing: "asyncio.Task[None] | None" = field(default=None, init=False)
    _interrupted: bool = field(default=False, init=False)
    _waiter: "asyncio.Task[object] | None" = field(default=None, init=False)

    def interrupt(self) -> None:
        """End the turn with :class:`SessionDeleted`, unless its answer is whole already."""
        self._interrupted = True
        if self._waiter is not None:
            self._waiter.cancel()

    async def events(self) -> AsyncGenerator[Event]:
        """The turn's events, as the engine gives them."""
        usage = Usage()
        async with contextlib.aclosing(self._run(self._turn)) as events:
            while True:
                event = await self._next(events)
                match event:
                    case UsageReported():
                        usage = event.usage
                    case TurnFinished() if event.reason is not FinishReason.REFUSAL:
                        event = await self._finish(event, usage)
                yield event
                if isinstance(event, TurnFinished | TurnFailed):
                    return

    async def _next(self, events: AsyncGenerator[Event]) -> Event:
        """The next event; an interrupt cancels this and nothing else of the request's task."""
        if self._interrupted:
            return _deleted()
        waiter = self._waiter = asyncio.current_task()
        try:
            return await anext(events)
        except asyncio.CancelledError:
            if not self._was_interrupted() or waiter is None or waiter.uncancel() > 0:
                raise
            return _deleted()
        finally:
            self._waiter = None

    def _was_interrupted(self) -> bool:
        return self._interrupted  # which changes while we wait, as mypy can't know

    async def _finish(self, event: TurnFinished, usage: Usage) -> Event:
        committing = self._commit(self._turn, event.message, usage)
        self.committing = asyncio.ensure_future(committing)
        self.committing.add_done_callback(_look_at)  # the client may be gone by then
        try:
            await asyncio.shield(self.committing)
        except BridgeError as error:
            return TurnFailed(error=error)
        return event


def _look_at(done: "asyncio.Task[None]") -> None:
    if not done.cancelled():
        done.exception()


def _deleted() -> TurnFailed:
    return TurnFailed(error=SessionDeleted(DELETED))
