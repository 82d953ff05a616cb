"""The sessions of a server: the one place that knows their histories.

A session is its history. The process that may hold it between two turns is a cache, which belongs
to whoever runs the turns (:class:`Runner`) and can be lost at any time.
"""

import contextlib
import logging
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from attrs import define, evolve, field, frozen

from bridge.core.conversation import Message, Role, Turn
from bridge.core.errors import (
    InvalidRequest,
    SessionDeleted,
    SessionLimit,
    SessionNotFound,
    StorageFault,
)
from bridge.core.events import Event, Usage
from bridge.core.rules import check_conversation
from bridge.sessions.exchange import Exchange
from bridge.sessions.line import Line
from bridge.sessions.merging import Merged, merge
from bridge.sessions.session import Session, SessionKey, State, add, size_of
from bridge.sessions.store import SessionStore, StoreError

log = logging.getLogger(__name__)


class Runner(Protocol):
    """What runs turns and may hold a conversation's process between them."""

    def run(self, turn: Turn) -> AsyncGenerator[Event]:
        """The events of a turn; closing it early ends the turn."""

    def holds(self, owner: str, session: str) -> bool:
        """Whether a process waits for the session's next turn."""

    def release(self, owner: str, session: str) -> None:
        """The session's process is not needed any more."""


@frozen(kw_only=True)
class Limits:
    """How long and how large sessions may be.

    ``ttl`` is the life of a session after its last use and ``max_wait`` how long a request waits
    for earlier ones, in seconds. ``max_sessions`` and ``max_bytes`` are for all sessions of a key,
    ``max_messages`` for each. ``evict`` makes room by deleting the key's least recently used.
    """

    ttl: float
    max_wait: float
    max_sessions: int
    max_messages: int
    max_bytes: int
    evict: bool = False


@define(eq=False)
class _Entry:
    """The living side of a session."""

    session: Session
    committed: bool = False
    line: Line = field(factory=Line)
    exchange: Exchange | None = None


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
    _owners: defaultdict[str, OrderedDict[str, _Entry]] = field(
        factory=lambda: defaultdict(OrderedDict), init=False
    )  # by owner and id, the least recently used first
    _expired: Counter[str] = field(factory=Counter, init=False)  # by owner

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what the store remembers. Raises :class:`StoreError`."""
        for session in await self.store.load():
            self._owners[session.key.owner][session.key.id] = _Entry(session, committed=True)
        await self.sweep()

    async def aclose(self) -> None:
        """Close the store."""
        await self.store.aclose()

    async def sweep(self) -> None:
        """Delete the sessions whose time is over."""
        over = [
            entry
            for entries in self._owners.values()
            for entry in entries.values()
            if self._is_over(entry)
        ]
        self._expired.update(entry.session.key.owner for entry in over)
        await self._remove(over)

    # -- turns -----------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def enter(self, turn: Turn) -> AsyncIterator[Exchange]:
        """The place of a turn in its session, ``turn.session``, when it has come.

        ``turn.messages`` are what the client sent; the exchange's events are those of the whole
        conversation. Raises :class:`bridge.core.errors.BridgeError`.
        """
        key = SessionKey(owner=turn.owner, id=turn.session or "")
        gone: list[_Entry] = []
        entry = self._find(key)
        if entry is None:
            entry, gone = self._new(key)
        self._owners[key.owner].move_to_end(key.id)
        await entry.line.enter(self.limits.max_wait)
        exchange = None
        try:
            merged = merge(entry.session.messages, turn.messages)
            check_conversation(merged.messages)
            gone += self._room_for(entry, turn, merged)
            await self._remove(gone)
            exchange = entry.exchange = self._exchange(entry, turn, merged)
            yield exchange
        finally:
            if exchange is None or exchange.committing is None:  # else the commit leaves
                self._leave(entry)

    def _exchange(self, entry: _Entry, turn: Turn, merged: Merged) -> Exchange:
        session = entry.session
        whole = evolve(
            turn,
            messages=merged.messages,
            system=turn.system or session.system,
            model=turn.model or session.model,
        )

        async def commit(turn: Turn, answer: Message, usage: Usage) -> None:
            await self._commit(entry, merged, turn, answer, usage)

        return Exchange(merged.outcome, whole, self.runner.run, commit)

    async def _commit(
        self, entry: _Entry, merged: Merged, turn: Turn, answer: Message, usage: Usage
    ) -> None:
        messages = (*turn.messages, answer) if answer.parts else turn.messages
        new = evolve(
            entry.session,
            last_accessed=self.clock(),
            messages=messages,
            system=turn.system,
            model=turn.model,
            usage=add(entry.session.usage, usage),
            size=size_of(messages, turn.system),
        )
        try:
            await self.store.save(new, kept=merged.kept)
            entry.session, entry.committed = new, True
        except StoreError as error:
            log.error("a session could not be saved: %s", error)
            raise StorageFault(
                "The answer is whole, but the session could not be saved; the server's log says "
                "why. The session is as it was before."
            ) from None
        finally:
            self._leave(entry)

    def _leave(self, entry: _Entry) -> None:
        entry.exchange = None
        entry.session = evolve(entry.session, last_accessed=self.clock())
        entry.line.leave()
        if not entry.committed and entry.line.empty:
            self._drop(entry)  # its first turn failed: there never was a session

    # -- limits ----------------------------------------------------------------------------------

    def _new(self, key: SessionKey) -> tuple[_Entry, list[_Entry]]:
        """One more session, and those that it takes the place of, which the store still has.

        Raises :class:`SessionLimit`.
        """
        own = self._owners[key.owner]
        gone = []
        if key.id in own:  # its time is over
            self._expired[key.owner] += 1
            gone.append(own[key.id])
        elif len(own) >= self.limits.max_sessions:
            gone = self._idle(own.values())[:1]
            if not gone:
                raise SessionLimit(
                    f"There are {len(own)} sessions, as many as a key may have (MAX_SESSIONS). "
                    "Delete one (DELETE /v1/sessions/{id}), or wait until one expires.",
                    param="session_id",
                )
        for entry in gone:
            self._drop(entry)
        now = self.clock()
        entry = own[key.id] = _Entry(Session(key=key, created_at=now, last_accessed=now))
        return entry, gone

    def _room_for(self, entry: _Entry, turn: Turn, merged: Merged) -> list[_Entry]:
        """Which sessions must go for this turn. Raises :class:`SessionLimit`."""
        count = len(merged.messages) + 1
        if count > self.limits.max_messages:
            raise SessionLimit(
                f"With this request and its answer the session has {count} messages, more than the "
                f"{self.limits.max_messages} that it may have (MAX_SESSION_MESSAGES). Start a new "
                "session, or send a shorter history.",
                param="session_id",
            )
        own = self._owners[entry.session.key.owner]
        size = sum(other.session.size for other in own.values())
        size += size_of(merged.messages[merged.kept :], turn.system)
        evicted = []
        for other in self._idle(own.values()):
            if size <= self.limits.max_bytes:
                break
            evicted.append(other)
            size -= other.session.size
        if size > self.limits.max_bytes:
            raise SessionLimit(
                f"The sessions of this key would take {size} bytes, more than the "
                f"{self.limits.max_bytes} that they may (MAX_SESSION_BYTES). Delete some.",
                param="session_id",
            )
        return evicted

    def _idle(self, entries: Iterable[_Entry]) -> list[_Entry]:
        """Those that may be evicted, the first to go first: parked ones before live ones."""
        if not self.limits.evict:
            return []
        idle = [entry for entry in entries if entry.line.empty]
        return sorted(idle, key=lambda entry: self._state(entry) is not State.PARKED)

    # -- what a key sees of its sessions ---------------------------------------------------------

    def list(self, owner: str) -> list[Seen]:
        """All sessions of an owner, the most recently used first."""
        own = reversed(self._owners[owner].values())
        return [self._seen(entry) for entry in own if not self._is_over(entry)]

    def get(self, key: SessionKey) -> Seen:
        """One session. Raises :class:`SessionNotFound`."""
        return self._seen(self._existing(key))

    def stats(self, owner: str) -> dict[str, int]:
        """Counts of the owner's sessions: active, expired since the start, messages, bytes."""
        sessions = [seen.session for seen in self.list(owner)]
        return {
            "active_sessions": len(sessions),
            "expired_sessions": self._expired[owner],
            "total_messages": sum(len(session.messages) for session in sessions),
            "total_bytes": sum(session.size for session in sessions),
        }

    async def fork(self, key: SessionKey, new_id: str, messages: int | None = None) -> Seen:
        """A new session with the history of another, or with its first so many ``messages``.

        Raises :class:`SessionNotFound`, :class:`InvalidRequest` or :class:`SessionLimit`.
        """
        source = self._existing(key).session
        count = len(source.messages) if messages is None else messages
        history = source.messages[: max(0, count)]
        if not 0 < count <= len(source.messages) or (
            messages is not None and history[-1].role is not Role.ASSISTANT
        ):
            raise InvalidRequest(
                f"The session has {len(source.messages)} messages, and can be forked after any "
                f"answer among them, but not after {count}.",
                param="message_count",
                code="invalid_value",
            )
        target = SessionKey(owner=key.owner, id=new_id)
        if self._find(target) is not None:
            raise InvalidRequest(
                f"There is a session {new_id[:100]!r} already.",
                param="session_id",
                code="session_exists",
            )
        entry, gone = self._new(target)
        entry.session = evolve(
            entry.session,
            messages=history,
            system=source.system,
            model=source.model,
            size=size_of(history, source.system),
        )
        entry.committed = True
        await self._remove(gone)
        await self._stored(self.store.save(entry.session, kept=0))
        return self._seen(entry)

    async def delete(self, key: SessionKey) -> None:
        """Delete one; a turn of it that runs is ended. Raises :class:`SessionNotFound`."""
        await self._remove([self._existing(key)])

    async def delete_all(self, owner: str) -> int:
        """Delete all of an owner's; says how many there were."""
        own = [e for e in self._owners[owner].values() if not self._is_over(e)]
        await self._remove(own)
        return len(own)

    # -- within ----------------------------------------------------------------------------------

    def _find(self, key: SessionKey) -> _Entry | None:
        entry = self._owners[key.owner].get(key.id)
        return None if entry is None or self._is_over(entry) else entry

    def _existing(self, key: SessionKey) -> _Entry:
        entry = self._find(key)
        if entry is None:
            raise SessionNotFound(
                f"There is no session {key.id[:100]!r}. It may have expired, or it belongs to "
                "another key.",
                param="session_id",
            )
        return entry

    def _is_over(self, entry: _Entry) -> bool:
        last = entry.session.last_accessed
        return entry.line.empty and last + self.limits.ttl <= self.clock()

    def _seen(self, entry: _Entry) -> Seen:
        session = entry.session
        return Seen(
            session=session,
            state=self._state(entry),
            expires_at=session.last_accessed + self.limits.ttl,
        )

    def _state(self, entry: _Entry) -> State:
        key = entry.session.key
        if not entry.line.empty:
            return State.BUSY
        if entry.session.waits_for_results:
            return State.WAITING
        return State.LIVE if self.runner.holds(key.owner, key.id) else State.PARKED

    async def _remove(self, entries: Iterable[_Entry]) -> None:
        """Delete sessions here and in the store; their turns end, those who wait are told."""
        keys = []
        for entry in entries:
            self._drop(entry)
            keys.append(entry.session.key)
            entry.line.close(
                SessionDeleted("The session was deleted while this request waited for it.")
            )
            if entry.exchange is not None:
                entry.exchange.interrupt()
        if keys:
            await self._stored(self.store.delete(keys))

    def _drop(self, entry: _Entry) -> None:
        """Forget a session, as far as this memory goes."""
        key = entry.session.key
        if self._owners[key.owner].get(key.id) is entry:
            del self._owners[key.owner][key.id]
            self.runner.release(key.owner, key.id)

    async def _stored(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except StoreError as error:
            log.error("sessions could not be stored: %s", error)
            raise StorageFault(
                "Done in memory, but it could not be stored: after a restart of the server it will "
                "be as it was. The server's log says why."
            ) from None
