"""Where sessions are kept beside the manager's memory: the port, and the default behind it."""

from collections.abc import Sequence
from typing import Protocol

from attrs import define, field

from bridge.sessions.session import Session, SessionKey


class StoreError(Exception):
    """What is kept can't be read or written; the message says why, and what to do."""


class SessionStore(Protocol):
    """Remembers sessions for the manager, which reads them once and writes after each turn.

    Every method may raise :class:`StoreError`. When :meth:`save` or :meth:`delete` has returned,
    the end of this process, however sudden, does not undo it.
    """

    async def load(self) -> list[Session]:
        """All sessions, in the order in which they were last used."""

    async def save(self, session: Session, *, kept: int) -> None:
        """Write a session; its first ``kept`` messages are those that were saved before."""

    async def delete(self, keys: Sequence[SessionKey]) -> None:
        """Forget these sessions; unknown ones too."""

    async def aclose(self) -> None:
        """Nothing follows."""


@define
class MemoryStore:
    """Remembers as long as the process lives, by the values that the manager has anyway."""

    _sessions: dict[SessionKey, Session] = field(factory=dict, init=False)

    async def load(self) -> list[Session]:
        return sorted(self._sessions.values(), key=lambda session: session.last_accessed)

    async def save(self, session: Session, *, kept: int) -> None:  # noqa: ARG002 - it is all there
        self._sessions[session.key] = session

    async def delete(self, keys: Sequence[SessionKey]) -> None:
        for key in keys:
            self._sessions.pop(key, None)

    async def aclose(self) -> None:
        pass
