"""The last requests of each key, from memory: what the access log tells, and not a word of them."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field

from bridge.claude.meter import Spent
from bridge.core.events import Usage
from bridge.web.errors import rfc3339
from bridge.web.tally import Ended

MAX_REQUESTS = 500
"""How many requests of a key are kept; those that ended first go first."""

MAX_TEXT = 200
"""Most characters of what comes from outside: a path, a model's name, another server's code."""

MAX_METHOD = 20


@define(kw_only=True, eq=False)
class Entry:
    """A request, which runs or has ended.

    ``ref`` is a name that no other request has; ``id`` may be the client's own, and repeat.
    ``time`` is that of its arrival in seconds since 1970, ``owner`` and ``session`` are there where
    it named a session. ``first_token`` is in seconds after the arrival. ``cost`` is in US dollars
    and for so many requests (``cost_of``); None until Claude Code tells it.
    """

    ref: str
    id: str
    time: float
    method: str
    route: str = ""
    status: int = 0
    duration_ms: float = 0.0
    stream: bool = False
    model: str = ""
    owner: str | None = None
    session: str | None = None
    usage: Usage = field(factory=Usage)
    first_token: float | None = None
    error: str = ""
    cost: float | None = None
    cost_of: int | None = None

    def add(self, ended: Ended) -> None:
        """A turn of it has ended."""
        self.model = ended.model[:MAX_TEXT] or self.model
        self.usage += ended.usage
        if ended.first_token is not None:
            earlier = ended.first_token if self.first_token is None else self.first_token
            self.first_token = min(earlier, ended.first_token)

    def pay(self, cost: float, requests: int) -> None:
        """What a turn of it cost, together with those of other ``requests``, itself included."""
        self.cost = cost + (self.cost or 0.0)
        self.cost_of = max(requests, self.cost_of or 1)

    def render(self) -> dict[str, Any]:
        """As ``GET /v1/requests`` shows it; ``input_tokens`` are all of the prompt."""
        first = self.first_token
        return {
            "id": self.id,
            "time": rfc3339(self.time),
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "duration_ms": self.duration_ms,
            "stream": self.stream,
            "model": self.model or None,
            "session": self.session,
            "input_tokens": self.usage.prompt_tokens,
            "cached_tokens": self.usage.cache_read_tokens,
            "output_tokens": self.usage.output_tokens,
            "first_token_ms": None if first is None else round(first * 1000, 1),
            "error": self.error or None,
            "cost_usd": None if self.cost is None else round(self.cost, 6),
            "cost_of": self.cost_of,
        }


@define
class RequestLog:
    """The requests of all keys, each by itself; ``clock`` is in seconds since 1970."""

    clock: Callable[[], float]
    _running: dict[str, Entry] = field(factory=dict, init=False)  # by ref
    _ended: dict[str, dict[str, Entry]] = field(factory=dict, init=False)  # by owner and ref
    _refs: Iterator[int] = field(factory=itertools.count, init=False)

    def begin(self, id_: str, method: str) -> Entry:
        """A request has arrived; it must :meth:`end`."""
        ref = str(next(self._refs))
        entry = Entry(ref=ref, id=id_, time=self.clock(), method=method[:MAX_METHOD])
        self._running[ref] = entry
        return entry

    def end(self, entry: Entry, owner: str | None) -> None:
        """It has ended; with an ``owner`` it is listed from now on."""
        del self._running[entry.ref]
        if owner is None:
            return
        ended = self._ended.setdefault(owner, {})
        ended[entry.ref] = entry
        if len(ended) > MAX_REQUESTS:
            del ended[next(iter(ended))]

    def pay(self, spent: Spent) -> None:
        """Claude Code has told what turns cost: the last of their requests gets the whole."""
        if spent.requests:
            ref = spent.requests[-1]
            entry = self._running.get(ref) or self._of(spent.owner).get(ref)
            if entry is not None:
                entry.pay(spent.cost, len(set(spent.requests)))

    def forget(self, owner: str, session: str) -> None:
        """The session is deleted: no entry tells its name any more."""
        self._forget(owner, lambda named: named == session)

    def forget_all(self, owner: str) -> None:
        """The same for all sessions of a key."""
        self._forget(owner, lambda _: True)

    def list(self, owner: str) -> list[Entry]:
        """The requests of a key, the one that arrived last first."""
        ended = reversed(self._of(owner).values())
        return sorted(ended, key=lambda entry: entry.time, reverse=True)

    def find(self, owner: str, id_: str) -> Entry | None:
        """The last of a key's requests that have this id."""
        return next((entry for entry in self.list(owner) if entry.id == id_), None)

    def _of(self, owner: str) -> dict[str, Entry]:
        return self._ended.get(owner, {})

    def _forget(self, owner: str, which: Callable[[str | None], bool]) -> None:
        for entry in itertools.chain(self._running.values(), self._of(owner).values()):
            if entry.owner == owner and which(entry.session):
                entry.session = None
