"""The living side of the sessions: whose they are, which are over, and which must make room."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from attrs import define, field, frozen

from bridge.core.errors import SessionDeleted, SessionLimit, SessionNotFound
from bridge.sessions.exchange import Exchange
from bridge.sessions.line import Line
from bridge.sessions.session import Session, SessionKey, State

DELETED_BEFORE = "The session was deleted while this request waited for it."


class Holder(Protocol):
    """Who may hold a session's process between two turns."""

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
class Entry:
    """A session, and who is at it.

    The store has the first ``saved`` of its messages. ``expected`` is the size that the turn which
    runs will give it at least, in bytes.
    """

    session: Session
    committed: bool = False
    saved: int = 0
    expected: int = 0
    line: Line = field(factory=Line)
    exchange: Exchange | None = None


@define
class Entries:
    """All entries. ``clock`` gives the time in seconds since 1970 and never jumps."""

    holder: Holder
    limits: Limits
    clock: Callable[[], float]
    expired: Counter[str] = field(factory=Counter, init=False)  # by owner
    _owners: defaultdict[str, OrderedDict[str, Entry]] = field(
        factory=lambda: defaultdict(OrderedDict), init=False
    )  # by owner and id, the least recently used first

    # -- looking ---------------------------------------------------------------------------------

    def find(self, key: SessionKey) -> Entry | None:
        """An owner's session, if it is there and not over."""
        entry = self._owners[key.owner].get(key.id)
        return None if entry is None or self.is_over(entry) else entry

    def existing(self, key: SessionKey) -> Entry:
        """The same. Raises :class:`SessionNotFound`."""
        entry = self.find(key)
        if entry is None:
            raise SessionNotFound(
                f"There is no session {key.id[:100]!r}. It may have expired, or it belongs to "
                "another key.",
                param="session_id",
            )
        return entry

    def has(self, entry: Entry) -> bool:
        """Whether this very entry is still there."""
        key = entry.session.key
        return self._owners[key.owner].get(key.id) is entry

    def of(self, owner: str) -> list[Entry]:
        """An owner's sessions that are not over, the least recently used first."""
        return [entry for entry in self._owners[owner].values() if not self.is_over(entry)]

    def is_over(self, entry: Entry) -> bool:
        """Whether its time has passed; never while somebody is at it."""
        last = entry.session.last_accessed
        return entry.line.empty and last + self.limits.ttl <= self.clock()

    def state(self, entry: Entry) -> State:
        """What it does now."""
        key = entry.session.key
        if not entry.line.empty:
            return State.BUSY
        if entry.session.waits_for_results:
            return State.WAITING
        return State.LIVE if self.holder.holds(key.owner, key.id) else State.PARKED

    # -- coming and going ------------------------------------------------------------------------

    def restore(self, session: Session) -> None:
        """Take over what a store has."""
        entry = Entry(session, committed=True, saved=len(session.messages))
        self._owners[session.key.owner][session.key.id] = entry

    def add(self, key: SessionKey) -> Entry:
        """A new session, where :meth:`find` finds none."""
        now = self.clock()
        entry = Entry(Session(key=key, created_at=now, last_accessed=now))
        self._owners[key.owner][key.id] = entry
        return entry

    def use(self, entry: Entry) -> None:
        """It is the most recently used one now."""
        key = entry.session.key
        self._owners[key.owner].move_to_end(key.id)

    def collect_expired(self) -> list[Entry]:
        """The sessions whose time has passed, counted as expired; end them."""
        every = [entry for own in self._owners.values() for entry in own.values()]
        over = [entry for entry in every if self.is_over(entry)]
        self.expired.update(entry.session.key.owner for entry in over)
        return over

    def drop(self, entry: Entry) -> None:
        """Forget a session, as far as this memory goes."""
        if self.has(entry):
            key = entry.session.key
            del self._owners[key.owner][key.id]
            self.holder.release(key.owner, key.id)

    def end(self, entries: Iterable[Entry]) -> Sequence[SessionKey]:
        """Forget sessions; their turns end, those who wait are told. These keys were theirs."""
        keys = []
        for entry in entries:
            self.drop(entry)
            keys.append(entry.session.key)
            entry.line.close(SessionDeleted(DELETED_BEFORE))
            if entry.exchange is not None:
                entry.exchange.interrupt()
        return keys

    # -- limits ----------------------------------------------------------------------------------

    def check_place(self, owner: str, *spared: Entry) -> None:
        """Whether an owner may have one session more, and keep the ``spared``.

        Raises :class:`SessionLimit`.
        """
        own = self.of(owner)
        if len(own) >= self.limits.max_sessions and not self._evictable(own, *spared):
            raise SessionLimit(
                f"There are {len(own)} sessions, as many as a key may have (MAX_SESSIONS). Delete "
                "one (DELETE /v1/sessions/{id}), or wait until one expires.",
                param="session_id",
            )

    def check_room(self, others: Iterable[Entry], *spared: Entry, messages: int, size: int) -> None:
        """Whether beside the others of its owner a session may have so many messages and bytes.

        Raises :class:`SessionLimit`.
        """
        if messages > self.limits.max_messages:
            raise SessionLimit(
                f"With this request and its answer the session has {messages} messages, more than "
                f"the {self.limits.max_messages} that it may have (MAX_SESSION_MESSAGES). Start a "
                "new session, or send a shorter history.",
                param="session_id",
            )
        size += _size(others) - _size(self._evictable(others, *spared))
        if size > self.limits.max_bytes:
            raise SessionLimit(
                f"The sessions of this key would take {size} bytes, more than the "
                f"{self.limits.max_bytes} that they may (MAX_SESSION_BYTES). Delete some.",
                param="session_id",
            )

    def surplus(self, *spared: Entry) -> list[Entry]:
        """What must go now that the first of the ``spared``, whose owner's they are, has grown."""
        own = self.of(spared[0].session.key.owner)
        count, size = len(own), _size(own)
        surplus = []
        for entry in self._evictable(own, *spared):
            if count <= self.limits.max_sessions and size <= self.limits.max_bytes:
                break
            surplus.append(entry)
            count, size = count - 1, size - entry.session.size
        return surplus

    def _evictable(self, entries: Iterable[Entry], *spared: Entry) -> list[Entry]:
        """Those that may be evicted, the first to go first: parked ones before live ones."""
        if not self.limits.evict:
            return []
        idle = [entry for entry in entries if entry.line.empty and entry not in spared]
        return sorted(idle, key=lambda entry: self.state(entry) is not State.PARKED)


def _size(entries: Iterable[Entry]) -> int:
    return sum(max(entry.session.size, entry.expected) for entry in entries)
