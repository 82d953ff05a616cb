"""Sessions in one SQLite file, which outlives the server.

A transaction for each turn, in WAL mode: what was committed survives the death of this process at
any moment (a power cut may take the last turns; the file stays whole). One server at a time may
have the file open.
"""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
from attrs import define, field

from bridge.core.conversation import Message, Tool
from bridge.core.events import Usage
from bridge.sessions.codec import dump, load
from bridge.sessions.session import Session, SessionKey, size_of
from bridge.sessions.store import StoreError

APPLICATION_ID = 0x62726467  # "brdg", in the header of our files
VERSION = 2

_TOOLS = "tools BLOB NOT NULL DEFAULT x'5b5d'"  # an empty list

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at REAL NOT NULL,
    last_accessed REAL NOT NULL,
    model TEXT,
    system BLOB NOT NULL,
    usage BLOB NOT NULL,
    {_TOOLS},
    UNIQUE (owner, id)
);
CREATE TABLE messages (
    session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (session, position)
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""

_STEPS = {1: f"ALTER TABLE sessions ADD COLUMN {_TOOLS}"}
"""What makes a file of a version one of the next."""

_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
    "secure_delete = ON",  # what was deleted is not left in the file's free pages
)

_Write = Callable[[aiosqlite.Connection], Awaitable[None]]


async def open_sqlite(path: Path) -> "SqliteStore":
    """Open a file of sessions, or make it; one of an earlier version becomes one of this.

    Raises :class:`StoreError` for a file that is not ours, is damaged, is of a later version, is in
    use, or can't be made; such a file is left as it is.
    """
    try:
        if not path.parent.is_dir():
            raise StoreError(f"{path}: the directory {path.parent} does not exist. Make it first.")
        with suppress(FileExistsError):  # others may not read conversations
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        await asyncio.to_thread(_check, path)
        db = await aiosqlite.connect(path, isolation_level=None, timeout=0)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from None
    try:
        for pragma in _PRAGMAS:
            await db.execute(f"PRAGMA {pragma}")
        if await _one(db, "PRAGMA application_id") == 0:
            await db.executescript(_SCHEMA)
        await db.execute("BEGIN IMMEDIATE")  # the lock on the file is ours from here on
        await db.execute("COMMIT")
        if (damage := await _one(db, "PRAGMA quick_check(1)")) != "ok":
            raise StoreError(f"{path} is damaged: {' '.join(str(damage).split())}. {_ADVICE}")
        store = SqliteStore(path, db)
        await _take_over(store, db)
    except sqlite3.Error as error:
        await db.close()
        raise _unusable(path, error) from None
    except BaseException:
        await db.close()
        raise
    return store


async def _take_over(store: "SqliteStore", db: aiosqlite.Connection) -> None:
    """Make a file one of this version, unless what is in it can't be read: all of it or nothing."""
    found = await _one(db, "PRAGMA user_version")
    steps = [step for version, step in _STEPS.items() if version >= found]
    if not steps:
        return
    await db.execute("BEGIN IMMEDIATE")  # which ends undone with the connection, if a step fails
    for step in steps:
        await db.execute(step)
    await store.load()
    await db.execute(f"PRAGMA user_version = {VERSION}")
    await db.execute("COMMIT")


_ADVICE = "It was left as it is: move it away, or name another one with --session-store."


def _check(path: Path) -> None:
    """Look at a file without changing it; an empty one may become ours."""
    if path.stat().st_size == 0:
        return
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=0)
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        db.close()
    if application == 0 and version == 0 and tables == 0:
        return
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is a database of some other program. {_ADVICE}")
    if not 1 <= version <= VERSION:
        raise StoreError(
            f"{path} was written by another version of this server (format {version}, this one "
            f"reads up to {VERSION}). {_ADVICE}"
        )


def _unusable(path: Path, error: Exception) -> StoreError:
    if "locked" in str(error):
        return StoreError(f"{path} is in use, by another server perhaps. {_ADVICE}")
    return StoreError(f"{path} can't be used as a file of sessions: {error}. {_ADVICE}")


async def _empty_log(db: aiosqlite.Connection) -> None:
    """Move the write-ahead log into the file: what was deleted is not left in it either."""
    await _one(db, "PRAGMA wal_checkpoint(TRUNCATE)")


async def _one(db: aiosqlite.Connection, query: str, values: Sequence[object] = ()) -> Any:
    async with db.execute(query, values) as cursor:
        row = await cursor.fetchone()
    return None if row is None else row[0]


@define
class SqliteStore:
    """An open file of sessions; see :func:`open_sqlite`."""

    path: Path
    _db: aiosqlite.Connection
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False)  # one transaction at a time

    async def load(self) -> list[Session]:
        try:
            return await self._load()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from None
        except Exception as error:  # noqa: BLE001 - cattrs raises many; their words quote messages
            kind = type(error).__name__
            raise StoreError(f"{self.path} holds what can't be read ({kind}). {_ADVICE}") from None

    async def _load(self) -> list[Session]:
        messages: dict[int, list[Message]] = {}
        query = "SELECT session, message FROM messages ORDER BY session, position"
        async with self._db.execute(query) as cursor:
            async for number, message in cursor:
                messages.setdefault(number, []).append(load(message, Message))
        query = (
            "SELECT number, owner, id, created_at, last_accessed, model, system, usage, tools "
            "FROM sessions ORDER BY last_accessed"
        )
        sessions = []
        async with self._db.execute(query) as cursor:
            async for number, owner, id_, created, accessed, model, system, usage, tools in cursor:
                history = tuple(messages.pop(number, ()))
                texts, functions = load(system, tuple[str, ...]), load(tools, tuple[Tool, ...])
                sessions.append(
                    Session(
                        key=SessionKey(owner=owner, id=id_),
                        created_at=created,
                        last_accessed=accessed,
                        messages=history,
                        system=texts,
                        tools=functions,
                        model=model,
                        usage=load(usage, Usage),
                        size=size_of(history, texts, functions),
                    )
                )
        return sessions

    async def save(self, session: Session, *, kept: int) -> None:
        key = (session.key.owner, session.key.id)
        added = [
            (position, dump(message, Message))
            for position, message in enumerate(session.messages[kept:], start=kept)
        ]

        async def write(db: aiosqlite.Connection) -> None:
            await db.execute(
                "INSERT INTO sessions "
                "(owner, id, created_at, last_accessed, model, system, usage, tools) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, id) DO UPDATE SET "
                "created_at = excluded.created_at, last_accessed = excluded.last_accessed, "
                "model = excluded.model, system = excluded.system, usage = excluded.usage, "
                "tools = excluded.tools",
                (
                    *key,
                    session.created_at,
                    session.last_accessed,
                    session.model,
                    dump(session.system, tuple[str, ...]),
                    dump(session.usage, Usage),
                    dump(session.tools, tuple[Tool, ...]),
                ),
            )
            query = "SELECT number FROM sessions WHERE owner = ? AND id = ?"
            number = await _one(db, query, key)
            await db.execute(
                "DELETE FROM messages WHERE session = ? AND position >= ?", (number, kept)
            )
            await db.executemany(
                "INSERT INTO messages (session, position, message) VALUES (?, ?, ?)",
                [(number, position, message) for position, message in added],
            )

        await self._transaction(write)

    async def delete(self, keys: Sequence[SessionKey]) -> None:
        async def write(db: aiosqlite.Connection) -> None:
            await db.executemany(
                "DELETE FROM sessions WHERE owner = ? AND id = ?",
                [(key.owner, key.id) for key in keys],
            )

        await self._transaction(write)
        await self._in_order(_empty_log, begin=False)

    async def aclose(self) -> None:
        async with self._lock:
            await self._db.close()

    async def _transaction(self, write: _Write) -> None:
        """All of it or nothing, and to its end even if whoever asked for it is cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._in_order(write)))

    async def _in_order(self, write: _Write, *, begin: bool = True) -> None:
        async with self._lock:
            try:
                if begin:
                    await self._db.execute("BEGIN IMMEDIATE")
                await write(self._db)
                if begin:
                    await self._db.execute("COMMIT")
            except (sqlite3.Error, ValueError) as error:  # ValueError: the connection was closed
                with suppress(sqlite3.Error, ValueError):
                    await self._db.execute("ROLLBACK")
                raise StoreError(f"{self.path} could not be written: {error}") from None
