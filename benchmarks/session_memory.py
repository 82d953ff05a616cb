"""What parked sessions cost in memory, and how long a turn's commit takes.

    python benchmarks/session_memory.py [--sessions 1000] [--messages 20] [--characters 500]

Through the real session manager, on both stores; no process and no model is involved.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
from attrs import define

from bridge.core.conversation import Message, Role, Text, Turn
from bridge.core.events import (
    Event,
    FinishReason,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.sessions.entries import Limits
from bridge.sessions.manager import SessionManager
from bridge.sessions.sqlite import open_sqlite
from bridge.sessions.store import MemoryStore, SessionStore


@define
class Parrot:
    """Answers every turn at once, with as many characters as it is told."""

    characters: int

    async def run(self, turn: Turn) -> AsyncGenerator[Event]:
        """An answer that is nobody else's."""
        yield TurnStarted(model=turn.model or "parrot", message_id="msg")
        yield UsageReported(usage=Usage(output_tokens=1))
        answer = Message(role=Role.ASSISTANT, parts=(Text(text=words(self.characters)),))
        yield TurnFinished(reason=FinishReason.STOP, message=answer)

    def holds(self, owner: str, session: str) -> bool:  # noqa: ARG002
        """No process holds anything."""
        return False

    def release(self, owner: str, session: str) -> None:
        """There is nothing to release."""


def words(characters: int) -> str:
    """Text that no other message shares."""
    return (uuid.uuid4().hex * (characters // 32 + 1))[:characters]


async def measure(store: SessionStore, sessions: int, messages: int, characters: int) -> None:
    """Fill a manager and print what it took."""
    limits = Limits(
        ttl=3600, max_wait=1, max_sessions=sessions, max_messages=messages, max_bytes=2**40
    )
    manager = SessionManager(runner=Parrot(characters), store=store, limits=limits, clock=time.time)
    gc.collect()
    before = psutil.Process().memory_info().rss
    took = []
    for number in range(sessions):
        for _ in range(messages // 2):
            said = Message(role=Role.USER, parts=(Text(text=words(characters)),))
            turn = Turn(messages=(said,), owner="somebody", session=f"session {number}")
            began = time.perf_counter()
            async with manager.enter(turn) as exchange:
                async for _ in exchange.events():
                    pass
            took.append(time.perf_counter() - began)
    gc.collect()
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    print(
        f"{type(store).__name__:12} {sessions} sessions of {messages} messages of {characters} "
        f"characters: {grown:.1f} MB; a turn's share of the manager "
        f"{statistics.median(took) * 1000:.2f} ms (median), {max(took) * 1000:.1f} ms (longest)"
    )
    await manager.aclose()


async def both(sessions: int, messages: int, characters: int) -> None:
    """The table."""
    await measure(MemoryStore(), sessions, messages, characters)
    with tempfile.TemporaryDirectory() as folder:
        store = await open_sqlite(Path(folder) / "sessions.db")
        await measure(store, sessions, messages, characters)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--characters", type=int, default=500)
    asked = parser.parse_args()
    asyncio.run(both(asked.sessions, asked.messages, asked.characters))


if __name__ == "__main__":
    main()
