"""Processes that hold a conversation between its turns.

A kept process is a cache of a history and nothing else: it is gone on with only by a turn of the
same owner whose every word so far it holds already. Such a turn sends upstream what a replay of its
history would send, only sooner.
"""

from collections.abc import Callable, Iterator

from attrs import define, evolve, field, frozen

from bridge.claude.process import CliProcess
from bridge.core.conversation import Message, Role, Turn
from bridge.core.visible import all_same


@frozen(kw_only=True)
class Held:
    """What a process holds: the whole conversation, and whose it is.

    ``session`` is the conversation's name, None when it has none; ``model`` the one asked for,
    resolved. ``functions`` are the names of those that may be called.
    """

    owner: str
    session: str | None
    model: str | None
    system: tuple[str, ...]
    messages: tuple[Message, ...]
    functions: frozenset[str] = field(default=frozenset(), eq=False)

    @classmethod
    def before(cls, turn: Turn, model: str | None) -> "Held":
        """What a process must hold to go on with a turn: all up to the last answer."""
        end = len(turn.messages)
        while end and turn.messages[end - 1].role is not Role.ASSISTANT:
            end -= 1
        return cls(
            owner=turn.owner,
            session=turn.session,
            model=model,
            system=turn.system,
            messages=turn.messages[:end],
            functions=frozenset(tool.name for tool in turn.tools),
        )

    def serves(self, wanted: "Held") -> bool:
        """Whether a process that holds this can go on with what another must hold.

        The messages are compared by what a client sees of them: it does not send reasoning back.
        One with functions always offers some, so a turn without any is not for it.
        """
        offers = bool(self.functions) == bool(wanted.functions)
        alike = evolve(self, messages=()) == evolve(wanted, messages=())
        return (
            alike
            and offers
            and self.functions >= wanted.functions
            and all_same(self.messages, wanted.messages)
        )


@frozen
class _Kept:
    held: Held
    process: CliProcess
    since: float


@define
class KeptProcesses:
    """The idle processes, the least recently used one first.

    ``discard`` ends a process; ``clock`` is a monotonic time in seconds.
    """

    discard: Callable[[CliProcess], None]
    clock: Callable[[], float]
    _kept: list[_Kept] = field(factory=list, init=False)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[CliProcess]:
        return (kept.process for kept in self._kept)

    def keep(self, held: Held, process: CliProcess) -> None:
        """Keep a process that ended a turn well; it holds ``held`` now."""
        self._kept.append(_Kept(held, process, self.clock()))

    def take(self, wanted: Held) -> CliProcess | None:
        """The process that holds just this, to go on with.

        A named conversation has one process: if that holds something else, it is of no use any
        more and is ended.
        """
        if not wanted.messages:
            self.release(wanted.owner, wanted.session)
            return None
        for kept in reversed(self._kept):
            if kept.held.serves(wanted) and kept.process.alive:
                self._kept.remove(kept)
                return kept.process
        self.release(wanted.owner, wanted.session)
        return None

    def holds(self, owner: str, session: str) -> bool:
        """Whether a process is kept for this named conversation."""
        return any(
            (kept.held.owner, kept.held.session) == (owner, session) and kept.process.alive
            for kept in self._kept
        )

    def release(self, owner: str, session: str | None) -> None:
        """End the process of a named conversation, if there is one."""
        if session is not None:
            self._end(lambda kept: (kept.held.owner, kept.held.session) == (owner, session))

    def end_oldest(self) -> None:
        """End the least recently used one."""
        if self._kept:
            self.discard(self._kept.pop(0).process)

    def end_idle(self, seconds: float, *, waiting: float) -> None:
        """End those that were not used for so long, and those that have died.

        Those that wait for the results of calls may do so for ``waiting`` seconds.
        """
        now = self.clock()

        def is_over(kept: _Kept) -> bool:
            limit = waiting if kept.process.waiting else seconds
            return kept.since + limit <= now or not kept.process.alive

        self._end(is_over)

    def end_all(self) -> None:
        """End every one."""
        self._end(lambda _: True)

    def _end(self, which: Callable[[_Kept], bool]) -> None:
        ended = [kept for kept in self._kept if which(kept)]
        self._kept = [kept for kept in self._kept if kept not in ended]
        for kept in ended:
            self.discard(kept.process)
