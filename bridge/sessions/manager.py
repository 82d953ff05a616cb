"""The sessions of a server: the one place that knows their histories.

A session is its history. The process that may hold it between two turns is a cache, which belongs
to whoever runs the turns (:class:`Runner`) and can be lost at any time.
"""

import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from attrs import define, evolve, field, frozen

from bridge.core.conversation import Message, Role, Turn
from bridge.core.errors import InvalidRequest, SessionDeleted, StorageFault
from bridge.core.events import Event, Usage
from bridge.core.rules import check_conversation, check_tool_choice
from bridge.sessions.entries import DELETED_BEFORE, Entries, Entry, Holder, Limits
from bridge.sessions.exchange import DELETED, Exchange
from bridge.sessions.merging import Merged, merge
from bridge.sessions.session import Session, SessionKey, State, size_of
from bridge.sessions.store import SessionStore, StoreError

log = logging.getLogger(__name__)


class Runner(Holder, Protocol):
    """What runs turns and may hold a conversation's process between them."""

    def run(self, turn: Turn) -> AsyncGenerator[Event]:
        """The events of a turn; closing it early ends the turn."""


@frozen(kw_only=True)
class Seen:
    """A session as it is told to its owner."""

    session: Session
    state: State
    expires_at: float


@define(kw_only=True)
class SessionManager:
    """All sessions. ``clock`` gives the time in seconds since 1970 and never jumps."""

    runner: Runner
    store: SessionStore
    limits: Limits
    clock: Callable[[], float]
    _entries: Entries = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._entries = Entries(self.runner, self.limits, self.clock)

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what the store remembers. Raises :class:`StoreError`."""
        for session in await self.store.load():
            self._entries.restore(session)
        if keys := self._entries.end(self._entries.collect_expired()):
            await self.store.delete(keys)

    async def aclose(self) -> None:
        """Close the store."""
        await self.store.aclose()

    async def sweep(self) -> None:
        """Delete the sessions whose time is over."""
        await self._remove(self._entries.collect_expired())

    # -- turns -----------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def enter(self, turn: Turn) -> AsyncIterator[Exchange]:
        """The place of a turn in its session, ``turn.session``, when it has come.

        ``turn.messages`` are what the client sent; the exchange's events are those of the whole
        conversation. Raises :class:`bridge.core.errors.BridgeError`.
        """
        key = SessionKey(owner=turn.owner, id=turn.session or "")
        entry = self._entries.find(key)
        over: list[Entry] = []
        if entry is None:
            self._entries.check_place(key.owner)
            over = self._entries.collect_expired()
            self._entries.end(over)
            entry = self._entries.add(key)
        self._entries.use(entry)
        try:
            await entry.line.enter(self.limits.max_wait)
        finally:
            self._drop_if_never_was(entry)
        exchange = None
        try:
            with contextlib.suppress(StorageFault):  # logged; that is none of this request's
                await self._remove(over)
            if not self._entries.has(entry):  # deleted between the place's coming and this step
                raise SessionDeleted(DELETED_BEFORE)
            merged = merge(entry.session.messages, turn.messages)
            whole = _whole(entry.session, turn, merged)
            entry.expected = self._checked_size(key.owner, entry, whole)
            exchange = entry.exchange = self._exchange(entry, whole, merged)
            yield exchange
        finally:
            if exchange is None or exchange.committing is None:  # else the commit leaves
                self._leave(entry)

    def preview(self, turn: Turn) -> Turn:
        """The whole turn, if it came to its session as that is now.

        Raises :class:`bridge.core.errors.BridgeError` as :meth:`enter` does.
        """
        key = SessionKey(owner=turn.owner, id=turn.session or "")
        entry = self._entries.find(key)
        if entry is None:
            self._entries.check_place(key.owner)
        now = self.clock()
        session = entry.session if entry else Session(key=key, created_at=now, last_accessed=now)
        whole = _whole(session, turn, merge(session.messages, turn.messages))
        self._checked_size(key.owner, entry, whole)
        return whole

    def _checked_size(self, owner: str, entry: Entry | None, whole: Turn) -> int:
        """How large a session will be with this turn. Raises :class:`SessionLimit`."""
        size = size_of(whole.messages, whole.system, whole.tools)
        others = [other for other in self._entries.of(owner) if other is not entry]
        self._entries.check_room(others, messages=len(whole.messages) + 1, size=size)
        return size

    def _exchange(self, entry: Entry, whole: Turn, merged: Merged) -> Exchange:
        async def commit(turn: Turn, answer: Message, usage: Usage) -> None:
            await self._commit(entry, merged, turn, answer, usage)

        return Exchange(merged.outcome, whole, self.runner.run, commit)

    async def _commit(
        self, entry: Entry, merged: Merged, turn: Turn, answer: Message, usage: Usage
    ) -> None:
        messages = (*turn.messages, answer) if answer.parts else turn.messages
        new = evolve(
            entry.session,
            last_accessed=self.clock(),
            messages=messages,
            system=turn.system,
            tools=turn.tools,
            model=turn.model,
            usage=entry.session.usage + usage,
            size=size_of(messages, turn.system, turn.tools),
        )
        try:
            if not self._entries.has(entry):  # or the store would have it for ever
                raise SessionDeleted(DELETED)
            await self.store.save(new, kept=min(merged.kept, entry.saved))
            entry.session, entry.committed, entry.saved = new, True, len(messages)
        except StoreError as error:
            log.error("a session could not be saved: %s", error)
            self.runner.release(new.key.owner, new.key.id)  # it holds what was not saved
            raise StorageFault(
                "The answer is whole, but the session could not be saved; the server's log says "
                "why. The session is as it was before."
            ) from None
        finally:
            self._leave(entry)
        with contextlib.suppress(StorageFault):  # logged; the turn is saved all the same
            await self._remove(self._entries.surplus(entry))

    def _leave(self, entry: Entry) -> None:
        entry.exchange, entry.expected = None, 0
        entry.session = evolve(entry.session, last_accessed=self.clock())
        entry.line.leave()
        self._drop_if_never_was(entry)

    def _drop_if_never_was(self, entry: Entry) -> None:
        """Forget a session whose first turn failed, unless somebody else is about to try."""
        if not entry.committed and entry.line.empty:
            self._entries.drop(entry)

    # -- what a key sees of its sessions ---------------------------------------------------------

    def list(self, owner: str) -> list[Seen]:
        """All sessions of an owner, the most recently used first."""
        return [self._seen(entry) for entry in reversed(self._entries.of(owner))]

    def get(self, key: SessionKey) -> Seen:
        """One session. Raises :class:`bridge.core.errors.SessionNotFound`."""
        return self._seen(self._entries.existing(key))

    def stats(self, owner: str) -> dict[str, int]:
        """Counts of the owner's sessions: all and by state, expired since the start, messages,
        bytes."""
        entries = self._entries.of(owner)
        sessions = [entry.session for entry in entries]
        states = Counter(self._entries.state(entry) for entry in entries)
        return {
            "active_sessions": len(sessions),
            **{f"{state}_sessions": states[state] for state in State},
            "expired_sessions": self._entries.expired[owner],
            "total_messages": sum(len(session.messages) for session in sessions),
            "total_bytes": sum(session.size for session in sessions),
        }

    async def fork(self, key: SessionKey, new_id: str, messages: int | None = None) -> Seen:
        """A new session with the history of another, or with its first so many ``messages``.

        Raises :class:`bridge.core.errors.SessionNotFound`, :class:`InvalidRequest` or
        :class:`bridge.core.errors.SessionLimit`.
        """
        forked = self._entries.existing(key)
        source = forked.session
        history = _beginning(source, messages)
        target = SessionKey(owner=key.owner, id=new_id)
        if self._entries.find(target) is not None:
            raise InvalidRequest(
                f"There is a session {new_id[:100]!r} already.",
                param="session_id",
                code="session_exists",
            )
        size = size_of(history, source.system, source.tools)
        own = self._entries.of(key.owner)
        self._entries.check_place(key.owner, forked)
        self._entries.check_room(own, forked, messages=len(history), size=size)
        over = self._entries.collect_expired()
        self._entries.end(over)
        entry = self._entries.add(target)
        entry.session = evolve(
            entry.session,
            messages=history,
            system=source.system,
            tools=source.tools,
            model=source.model,
            size=size,
        )
        entry.committed = True
        await entry.line.enter(0)  # at once, it is new: a turn on it waits until it is saved
        try:
            await self._remove([*over, *self._entries.surplus(entry, forked)])
            if not self._entries.has(entry):
                raise SessionDeleted(DELETED_BEFORE)
            await self._stored(self.store.save(entry.session, kept=0))
            entry.saved = len(history)
        finally:
            entry.line.leave()
        return self._seen(entry)

    async def delete(self, key: SessionKey) -> None:
        """Delete one; a turn of it that runs is ended.

        Raises :class:`bridge.core.errors.SessionNotFound`.
        """
        await self._remove([self._entries.existing(key)])

    async def delete_all(self, owner: str) -> int:
        """Delete all of an owner's; says how many there were."""
        own = self._entries.of(owner)
        await self._remove(own)
        return len(own)

    # -- within ----------------------------------------------------------------------------------

    def _seen(self, entry: Entry) -> Seen:
        return Seen(
            session=entry.session,
            state=self._entries.state(entry),
            expires_at=entry.session.last_accessed + self.limits.ttl,
        )

    async def _remove(self, entries: Iterable[Entry]) -> None:
        """Delete sessions here and in the store."""
        if keys := self._entries.end(entries):
            await self._stored(self.store.delete(keys))

    async def _stored(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except StoreError as error:
            log.error("sessions could not be stored: %s", error)
            raise StorageFault(
                "Done in memory, but it could not be stored: after a restart of the server it will "
                "be as it was. The server's log says why."
            ) from None


def _whole(session: Session, turn: Turn, merged: Merged) -> Turn:
    """The turn with what its session has for it: the conversation, and what was not sent anew.

    Raises :class:`InvalidRequest` for one that no model can be asked.
    """
    whole = evolve(
        turn,
        messages=merged.messages,
        system=turn.system or session.system,
        tools=turn.tools or session.tools,
        model=turn.model or session.model,
    )
    check_conversation(whole.messages)
    check_tool_choice(whole.tools, whole.tool_choice)
    return whole


def _beginning(source: Session, count: int | None) -> tuple[Message, ...]:
    """The first ``count`` messages of a session, all of them if None, for a session of their own.

    Raises :class:`InvalidRequest`.
    """
    number = len(source.messages) if count is None else count
    history = source.messages[: max(0, number)]
    if not 0 < number <= len(source.messages) or (
        count is not None and history[-1].role is not Role.ASSISTANT
    ):
        raise InvalidRequest(
            f"The session has {len(source.messages)} messages, and can be forked after any answer "
            f"among them, but not after {number}.",
            param="message_count",
            code="invalid_value",
        )
    return history
