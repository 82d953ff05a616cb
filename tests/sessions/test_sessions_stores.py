"""Where sessions are kept: what every store promises, then what the file promises beyond that."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from session_bench import Bench, answer, bench, calling, key, result, thinking, tool, user

from bridge.core.conversation import (
    Image,
    LinkedImage,
    Message,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from bridge.core.events import Usage
from bridge.sessions.session import Session, State, size_of
from bridge.sessions.sqlite import APPLICATION_ID, SqliteStore, open_sqlite
from bridge.sessions.store import MemoryStore, SessionStore, StoreError

FOUR = (user("one"), thinking("a1"), user("two"), answer("a2"))

EVERYTHING = (
    user("Grüße, 会話 👩‍👩‍👧 \0 \x1f \u2028", "half a pair: \ud83d and \ude00", "\ud83d\ude00", ""),
    Message(
        role=Role.ASSISTANT,
        model="claude-x[1m]",
        parts=(
            Thinking(text="hm \ud800", signature="sig=="),
            RedactedThinking(data="AAAA"),
            Text(text="I look."),
            ToolCall(
                id="c1",
                name="look",
                arguments={
                    "a": [1, 2.5, None, True, {"b": {"\udfff": "\ud800"}}],
                    "": 10**30,
                    "e": {},
                },
            ),
            ToolCall(id="c2", name="find", arguments={}),
        ),
    ),
    Message(
        role=Role.USER,
        parts=(
            ToolResult(call_id="c1", content=(Text(text="x"), Text(text="y"))),
            ToolResult(call_id="c2", content=(), is_error=True),
            ToolResult(
                call_id="c3",
                content=(
                    Image(media_type="image/png", data="AAAA"),
                    LinkedImage(url="https://example.org/a.png"),
                ),
            ),
        ),
    ),
    Message(role=Role.SYSTEM, parts=(Text(text="be brief"),)),
    Message(role=Role.ASSISTANT, parts=()),
)

FUNCTIONS = (
    tool("look", description="Grüße \ud800", strict=True),
    Tool(name="find", schema={"z": {"b": [1, 1.0, True, None], "a": {"$ref": "#"}}, "a": "\udfff"}),
)


def session(
    *messages: Message, named: str = "s", owner: str = "ann", at: float = 0.0, **more: Any
) -> Session:
    return Session(
        key=key(named, owner),
        created_at=1.5,
        last_accessed=at,
        messages=messages,
        size=size_of(messages, more.get("system", ()), more.get("tools", ())),
        **more,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionStore]:
    if request.param == "memory":
        opened: SessionStore = MemoryStore()
    else:
        opened = await open_sqlite(tmp_path / "sessions.db")
    yield opened
    await opened.aclose()


async def only(store: SessionStore) -> Session:
    (loaded,) = await store.load()
    return loaded


# -- every store ---------------------------------------------------------------------------------


async def test_a_new_store_is_empty(store: SessionStore) -> None:
    assert await store.load() == []


async def test_all_of_a_session_is_remembered(store: SessionStore) -> None:
    saved = session(
        *EVERYTHING,
        named="ein Gespräch/?#% 👍",
        owner="schlüssel",
        at=1700000000.123456,
        model="opus",
        system=("be brief", "\ud800", ""),
        tools=FUNCTIONS,
        usage=Usage(
            input_tokens=1,
            cache_read_tokens=2,
            cache_write_tokens=3,
            output_tokens=4,
            reasoning_tokens=5,
        ),
    )
    await store.save(saved, kept=0)
    loaded = await only(store)
    assert loaded == saved
    assert loaded.size == saved.size
    assert repr(loaded.tools) == repr(saved.tools), "keys in their order"
    assert [m.model for m in loaded.messages] == [m.model for m in saved.messages]
    assert [type(part) for m in loaded.messages for part in m.parts] == [
        type(part) for m in saved.messages for part in m.parts
    ]


async def test_a_plain_session_is_remembered(store: SessionStore) -> None:
    await store.save(session(), kept=0)
    assert await only(store) == session()


# what is saved second, how much of the first it keeps
SECONDS = {
    "appended": ((*FOUR, user("three"), answer("a3")), 4),
    "nothing-new": (FOUR, 4),
    "another-tail": ((*FOUR[:2], user("other"), answer("b2")), 2),
    "a-longer-tail": ((*FOUR[:1], *[user(str(n)) for n in range(9)]), 1),
    "a-shorter-tail": ((*FOUR[:2], user("other")), 2),
    "cut": (FOUR[:1], 1),
    "all-new": ((user("new"),), 0),
    "nothing": ((), 0),
    "kept-less-than-is-the-same": (FOUR, 1),
}


@pytest.mark.parametrize(("messages", "kept"), SECONDS.values(), ids=SECONDS)
async def test_a_session_is_as_it_was_saved_last(
    store: SessionStore, messages: tuple[Message, ...], kept: int
) -> None:
    await store.save(session(*FOUR), kept=0)
    await store.save(session(*FOUR, named="other"), kept=0)
    second = session(
        *messages,
        at=7.0,
        model="m",
        system=("new",),
        tools=FUNCTIONS,
        usage=Usage(output_tokens=9),
    )
    await store.save(second, kept=kept)
    assert await store.load() == [session(*FOUR, named="other"), second]


async def test_a_deleted_session_is_forgotten_whole(store: SessionStore) -> None:
    for id_ in ("a", "b", "c"):
        await store.save(session(*FOUR, named=id_), kept=0)
    await store.delete([key("a"), key("c")])
    assert await only(store) == session(*FOUR, named="b")
    await store.save(session(user("new"), named="a"), kept=0)
    assert [s.messages for s in await store.load() if s.key.id == "a"] == [(user("new"),)]


async def test_deleting_what_is_not_there_is_no_fault(store: SessionStore) -> None:
    await store.save(session(*FOUR), kept=0)
    await store.delete([])
    await store.delete([key("unknown"), key("s", "bob"), key("s", ""), key("S")])
    assert await only(store) == session(*FOUR)


async def test_a_key_that_is_used_anew_has_none_of_the_old_messages(store: SessionStore) -> None:
    await store.save(session(*FOUR), kept=0)
    await store.save(session(user("new"), at=3.0), kept=0)
    assert await only(store) == session(user("new"), at=3.0)


async def test_one_name_of_two_owners_is_two_sessions_in_a_store(store: SessionStore) -> None:
    ann, bob = session(*FOUR, at=1.0), session(user("hi"), owner="bob", at=2.0)
    await store.save(ann, kept=0)
    await store.save(bob, kept=0)
    assert await store.load() == [ann, bob]
    await store.delete([ann.key])
    assert await store.load() == [bob]


async def test_names_are_compared_to_the_letter(store: SessionStore) -> None:
    ids = ["é", "e\u0301", "A", "a", "a ", "1", "1.0", "%", "_"]
    for at, id_ in enumerate(ids):
        await store.save(session(user(id_), named=id_, at=at), kept=0)
    assert [s.key.id for s in await store.load()] == ids
    await store.delete([key("%"), key("_")])
    assert [s.key.id for s in await store.load()] == ids[:-2]


async def test_sessions_are_loaded_in_the_order_in_which_they_were_used(
    store: SessionStore,
) -> None:
    for id_, at in (("b", 2.0), ("d", 4.25), ("a", 1.0), ("c", 4.0), ("b", 9.0)):
        await store.save(session(named=id_, at=at), kept=0)
    assert [s.key.id for s in await store.load()] == ["a", "c", "d", "b"]


async def test_many_save_at_once(store: SessionStore) -> None:
    async def turns(number: int) -> None:
        for count in range(1, 5):
            saved = session(*FOUR[:count], named=f"s{number}", at=number)
            await store.save(saved, kept=count - 1)

    await asyncio.gather(*(turns(number) for number in range(20)))
    assert await store.load() == [session(*FOUR, named=f"s{n}", at=n) for n in range(20)]


async def test_writes_are_done_in_the_order_in_which_they_were_asked_for(
    store: SessionStore,
) -> None:
    writes: list[Awaitable[None]] = []
    for _ in range(5):
        writes += [store.save(session(*FOUR), kept=0), store.delete([key()])]
    await asyncio.gather(*writes, store.save(session(user("last")), kept=0))
    assert await only(store) == session(user("last"))


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8])
async def test_a_cancelled_save_is_whole_or_absent(store: SessionStore, steps: int) -> None:
    before, after = session(*FOUR[:2]), session(*FOUR, at=9.0)
    await store.save(before, kept=0)
    saving = asyncio.create_task(store.save(after, kept=2))
    for _ in range(steps):
        await asyncio.sleep(0)
    saving.cancel()
    await asyncio.wait([saving])
    await store.save(session(named="next"), kept=0)
    (loaded,) = [s for s in await store.load() if s.key == key()]
    assert loaded in (before, after)


# -- the file ------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(path)
    try:
        yield store
    finally:
        await store.aclose()


async def sessions_in(path: Path) -> list[Session]:
    async with opened(path) as store:
        return await store.load()


async def saved_file(path: Path, *sessions: Session) -> bytes:
    """A closed file of sessions; its bytes."""
    async with opened(path) as store:
        for one in sessions or (session(*FOUR),):
            await store.save(one, kept=0)
    return path.read_bytes()


async def test_sessions_survive_the_server(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    one, two = session(*EVERYTHING, at=1.0, model="m"), session(*FOUR, named="t", at=2.0)
    await saved_file(path, one, two)
    assert await sessions_in(path) == [one, two]
    async with opened(path) as store:
        await store.delete([one.key])
    assert await sessions_in(path) == [two]
    assert everything_under(tmp_path).keys() == {"s.db"}


async def test_a_manager_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as store:
        b = bench(store)
        for _ in range(3):
            await b.ask("again")
        await b.ask("again", answer("a1"), "other")
        await b.manager.fork(key(), "copy", 2)
        await b.ask("gone", named="gone")
        await b.manager.delete(key("gone"))
        seen = b.manager.list("ann")
    async with opened(path) as store:
        again = bench(store)
        await again.manager.start()
        assert again.manager.list("ann") == seen
        await again.ask("four")
        assert len(again.history()) == 6


async def test_nothing_of_a_deleted_session_stays_in_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as store:
        for id_ in ("a", "b"):
            await store.save(session(*FOUR, named=id_), kept=0)
        await store.save(session(*FOUR[:1], named="a"), kept=1)
        await store.delete([key("b")])
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


async def test_deleted_words_are_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as store:
        for named in ("first", "second", "third"):
            words = [user(f"words of the {named} {n} " * 50) for n in range(20)]
            await store.save(session(*words, named=named), kept=0)
        await store.delete([key("second")])
    raw = path.read_bytes()
    assert b"words of the first 7" in raw
    assert b"words of the second" not in raw


REMOVALS: dict[str, Callable[[Bench], Awaitable[object]]] = {
    "delete": lambda b: b.manager.delete(key("gone")),
    "delete-all": lambda b: b.manager.delete_all("ann"),
    "expiry": lambda b: b.manager.sweep(),
    "eviction": lambda b: b.ask("one", named="new"),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
async def test_deleted_words_are_gone_from_the_file_and_its_log_at_once(
    tmp_path: Path, remove: Callable[[Bench], Awaitable[object]]
) -> None:
    path = tmp_path / "s.db"

    def raw() -> bytes:
        return b"".join(file.read_bytes() for file in sorted(tmp_path.glob("s.db*")))

    async with opened(path) as store:
        b = bench(store, ttl=60, max_sessions=1, evict=True)
        for n in range(20):
            await b.ask(f"secret words {n} " * 50, named="gone", system=("secret system",))
        await b.ask("secret words 0", answer("secret answer"), "secret last", named="gone")
        b.clock.now += 30
        await b.ask("other words", owner="bob")
        b.clock.now += 30 * (remove is REMOVALS["expiry"])
        assert b"secret words" in raw()
        await remove(b)
        assert b"secret" not in raw()
        assert b"other words" in raw()
        assert {found.key.id for found in await store.load()} in ({"s"}, {"s", "new"})


async def test_others_may_not_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as store:
        await store.save(session(*FOUR), kept=0)
        modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()}
    assert modes.pop("s.db") == 0o600
    assert set(modes.values()) <= {0o600}


async def test_an_empty_file_becomes_ours(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.touch(mode=0o640)
    await saved_file(path)
    assert await sessions_in(path) == [session(*FOUR)]


async def test_a_file_of_an_odd_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a b?mode=memory#%41 é.db"
    await saved_file(path)
    assert await sessions_in(path) == [session(*FOUR)]
    assert everything_under(tmp_path).keys() == {path.name}
    monkeypatch.chdir(tmp_path)
    assert await sessions_in(Path(path.name)) == [session(*FOUR)]


async def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    await saved_file(tmp_path / "real.db")
    (tmp_path / "link.db").symlink_to("real.db")
    assert await sessions_in(tmp_path / "link.db") == [session(*FOUR)]


async def test_nothing_can_be_written_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = await open_sqlite(path)
    await store.aclose()
    await store.aclose()
    writes: list[Awaitable[Any]] = [
        store.save(session(), kept=0),
        store.delete([key()]),
        store.load(),
    ]
    for write in writes:
        with pytest.raises(StoreError, match=r"s\.db"):
            await write
    assert await sessions_in(path) == []


async def test_the_end_waits_for_what_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = await open_sqlite(path)
    saving = [
        asyncio.create_task(store.save(session(*FOUR, named=str(n), at=n), kept=0))
        for n in range(5)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await store.aclose()
    await asyncio.gather(*saving)
    assert len(await sessions_in(path)) == 5


@pytest.mark.parametrize("query", [
    "PRAGMA max_page_count = 1",
    "CREATE TRIGGER no BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END",
    "PRAGMA query_only = ON",
], ids=["full", "in-mid-transaction", "read-only"])  # fmt: skip
async def test_a_failed_write_changes_nothing_and_the_store_goes_on(
    tmp_path: Path, query: str
) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as store:
        await store.save(session(*FOUR), kept=0)
        await store._db.execute(query)
        with pytest.raises(StoreError, match=r"s\.db could not be written"):
            await store.save(session(user("x" * 100_000), at=5.0), kept=0)
        assert await store.load() == [session(*FOUR)]
        for undo in (
            "PRAGMA max_page_count = 1000000",
            "PRAGMA query_only = OFF",
            "DROP TRIGGER IF EXISTS no",
        ):
            await store._db.execute(undo)
        await store.save(session(user("now")), kept=0)
    assert await sessions_in(path) == [session(user("now"))]


# -- sudden ends ---------------------------------------------------------------------------------

DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from bridge.core.conversation import Message, Role, Text
from bridge.sessions.session import Session, SessionKey
from bridge.sessions.sqlite import open_sqlite

def session(count):
    words = Message(role=Role.USER, parts=(Text(text="x" * 1000),))
    return Session(key=SessionKey(owner="ann", id="s"), created_at=0, last_accessed=count, messages=(words,) * count)

async def main():
    {before}
    store = await open_sqlite(Path(sys.argv[1]))
    {body}

asyncio.run(main())
"""
DEATH_IN_THE_LAST_STEP = """
    from bridge.sessions.sqlite import SqliteStore

    async def load(self):
        await self._db.execute("PRAGMA user_version = 2")
        os.kill(os.getpid(), signal.SIGKILL)

    SqliteStore.load = load
"""
AFTER_A_SAVE = """
    for count in range(1, 6):
        await store.save(session(count), kept=count - 1)
    os.kill(os.getpid(), signal.SIGKILL)
"""
ENDLESS = """
    count = 0
    while True:
        count += 1
        await store.save(session(count), kept=count - 1)
        os.write(1, b".")
"""
WAITING = """
    await store.save(session(1), kept=0)
    os.write(1, b".")
    await asyncio.sleep(60)
"""


def dying(path: Path, body: str, before: str = "") -> "subprocess.Popen[bytes]":
    source = DYING.format(body=body, before=before)
    return subprocess.Popen(
        [sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE, bufsize=0
    )


def finish(process: "subprocess.Popen[bytes]") -> bytes:
    process.kill()
    said, _ = process.communicate(timeout=60)
    return said


async def test_what_was_saved_survives_a_sudden_death(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = dying(path, AFTER_A_SAVE)
    assert await asyncio.to_thread(process.wait, 30) == -9
    finish(process)
    loaded = (await sessions_in(path))[0]
    assert len(loaded.messages) == 5
    assert loaded.last_accessed == 5


async def test_a_death_in_mid_write_leaves_whole_turns(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = dying(path, ENDLESS)
    assert process.stdout is not None
    for _ in range(40):
        await asyncio.to_thread(process.stdout.read, 1)
    saved = 40 + len(finish(process))
    (loaded,) = await sessions_in(path)
    assert saved <= len(loaded.messages) <= saved + 1
    assert loaded.last_accessed == len(loaded.messages)


async def test_a_death_while_the_file_is_made_leaves_one_that_opens(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.touch()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    await saved_file(path)
    assert await sessions_in(path) == [session(*FOUR)]


async def test_a_file_in_use_by_another_server_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = dying(path, WAITING)
    try:
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.read, 1)
        await check_refused(path, "in use")
    finally:
        finish(process)
    assert len(await sessions_in(path)) == 1


async def test_a_file_is_used_once_by_a_server(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as store:
        with pytest.raises(StoreError, match="in use"):
            await open_sqlite(path)
        await store.save(session(*FOUR), kept=0)
    assert await sessions_in(path) == [session(*FOUR)]


# -- files of the first version -------------------------------------------------------------------

FIRST_SCHEMA = """
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at REAL NOT NULL,
    last_accessed REAL NOT NULL,
    model TEXT,
    system BLOB NOT NULL,
    usage BLOB NOT NULL,
    UNIQUE (owner, id)
);
CREATE TABLE messages (
    session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (session, position)
);
PRAGMA application_id = 1651663975;
PRAGMA user_version = 1;
"""
FIRST_SESSIONS = [
    (1, "ann", "s", 1.5, 9.0, "opus", b'["be brief"]', b'{"input_tokens":3,"output_tokens":5}'),
    (2, "bob", "waits", 2.5, 8.0, None, b"[]", b"{}"),
]
FIRST_MESSAGES = [
    (1, 0, '{"role":"user","parts":[{"type":"text","text":"Grüße"}]}'),
    (
        1,
        1,
        '{"role":"assistant","parts":[{"type":"thinking","text":"hm","signature":"sig"},{"type":"tool_call","id":"c1","name":"look","arguments":{"at":"c1"}},{"type":"tool_call","id":"c2","name":"look","arguments":{"at":"c2"}}],"model":"claude-x"}',
    ),
    (
        1,
        2,
        '{"role":"user","parts":[{"type":"tool_result","call_id":"c1","content":[{"text":"x"},{"text":"y"}]},{"type":"tool_result","call_id":"c2","content":[],"is_error":true}]}',
    ),
    (1, 3, '{"role":"assistant","parts":[{"type":"text","text":"a2"}]}'),
    (2, 0, '{"role":"user","parts":[{"type":"text","text":"one"}]}'),
    (
        2,
        1,
        '{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"look","arguments":{"at":"c1"}}]}',
    ),
]
WHAT_IT_HOLDS = (
    user("Grüße"),
    Message(
        role=Role.ASSISTANT,
        parts=(Thinking(text="hm", signature="sig"), *calling("c1", "c2").parts),
    ),
    Message(
        role=Role.USER,
        parts=(
            ToolResult(call_id="c1", content=(Text(text="x"), Text(text="y"))),
            ToolResult(call_id="c2", content=(), is_error=True),
        ),
    ),
    answer("a2"),
)


def of_the_first_version(path: Path, *queries: str) -> bytes:
    """A file as the first version left it, changed by the queries; its bytes."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(FIRST_SCHEMA)
        db.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", FIRST_SESSIONS)
        rows = [(number, position, raw.encode()) for number, position, raw in FIRST_MESSAGES]
        db.executemany("INSERT INTO messages VALUES (?, ?, ?)", rows)
        for query in queries:
            db.execute(query)
        db.commit()
    return path.read_bytes()


def layout(path: Path) -> dict[str, list[Any]]:
    """The version of a file, and what its tables have, column by column."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = ["user_version", "table_info(sessions)", "table_info(messages)"]
        return {name: db.execute(f"PRAGMA {name}").fetchall() for name in names}


async def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    of_the_first_version(path)
    bobs, anns = await sessions_in(path)
    assert anns == session(
        *WHAT_IT_HOLDS,
        at=9.0,
        model="opus",
        system=("be brief",),
        usage=Usage(input_tokens=3, output_tokens=5),
    )
    assert anns.messages[1].model == "claude-x"
    assert (bobs.key, bobs.messages) == (key("waits", "bob"), (user("one"), calling("c1")))
    assert anns.tools == bobs.tools == ()
    assert everything_under(tmp_path).keys() == {"s.db"}
    assert await sessions_in(path) == [bobs, anns], "the second time it is one of ours"


async def test_a_file_that_was_taken_over_is_like_a_new_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    of_the_first_version(old)
    await sessions_in(old)
    await saved_file(new)
    assert layout(old) == layout(new)
    assert layout(old)["user_version"] == [(2,)]


async def test_a_session_of_the_first_version_goes_on_with_functions(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    of_the_first_version(path)
    async with opened(path) as store:
        b = bench(store, ttl=2000)
        await b.manager.start()
        assert b.manager.get(key("waits", "bob")).state is State.WAITING
        await b.ask(result("c1"), named="waits", owner="bob", tools=FUNCTIONS)
        await b.ask("three", tools=FUNCTIONS)
        seen = b.manager.list("ann") + b.manager.list("bob")
    async with opened(path) as store:
        again = bench(store, ttl=2000)
        await again.manager.start()
        assert again.manager.list("ann") + again.manager.list("bob") == seen
        assert [s.session.tools for s in seen] == [FUNCTIONS, FUNCTIONS]


UNREADABLE = {
    "a-message": "UPDATE messages SET message = x'7b'",
    "a-usage": "UPDATE sessions SET usage = x''",
    "no-table-of-sessions": "DROP TABLE sessions",
    "no-table-of-messages": "DROP TABLE messages",
    "a-column-too-many": "ALTER TABLE sessions ADD COLUMN tools",
}


@pytest.mark.parametrize("query", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_file_of_the_first_version_that_can_not_be_read_is_left_as_it_is(
    tmp_path: Path, query: str
) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    of_the_first_version(path, query)
    before = layout(path)
    await check_refused(path, r"can't be (read|used)")
    assert layout(path) == before


async def test_a_damaged_file_of_the_first_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    raw = of_the_first_version(path)
    path.write_bytes(raw[:-4096] + b"\x5a" * 4096)
    await check_refused(path, "damaged|malformed")


async def test_a_file_of_the_first_version_that_is_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    raw = of_the_first_version(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use"):
            await open_sqlite(path)
    assert path.read_bytes() == raw
    assert layout(path)["user_version"] == [(1,)]


async def test_a_death_while_a_file_is_taken_over_leaves_one_of_the_first_version(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    of_the_first_version(path)
    process = dying(path, "", before=DEATH_IN_THE_LAST_STEP)
    assert await asyncio.to_thread(process.wait, 30) == -9
    finish(process)
    assert layout(path)["user_version"] == [(1,)]
    assert len(layout(path)["table_info(sessions)"]) == 8
    assert len(await sessions_in(path)) == 2


# -- files that are not ours ----------------------------------------------------------------------


def everything_under(folder: Path) -> dict[str, bytes | None]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
        if not p.name.endswith("-shm")  # SQLite makes these to look at a file, and leaves them
        and not (p.name.endswith("-wal") and p.stat().st_size == 0)
    }


async def check_refused(path: Path, words: str) -> None:
    """Neither opened nor loaded, and nothing is changed nor left behind."""
    before = everything_under(path.parent.parent)
    with pytest.raises(StoreError, match=words) as caught:
        await sessions_in(path)
    assert str(path) in str(caught.value)
    assert everything_under(path.parent.parent) == before


def foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE sessions (id TEXT)")
        db.execute("INSERT INTO sessions VALUES ('x')")
        db.commit()


def foreign_without_tables(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 5")
        db.commit()


def versioned(version: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {version}; CREATE TABLE t (x)"
            )

    return make


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "another-programs-database": (foreign, "some other program"),
    "another-programs-empty-database": (foreign_without_tables, "some other program"),
    "a-later-version": (versioned(99), r"format 99, this one reads up to 2"),
    "the-next-version": (versioned(3), r"format 3, this one reads up to 2"),
    "no-version": (versioned(0), r"format 0, this one reads up to 2"),
    "text": (lambda path: path.write_text("my diary\n" * 100), "not a database"),
    "a-short-text": (lambda path: path.write_text("hi"), "not a database"),
    "a-directory": (lambda path: path.mkdir(), "can't be used"),
    "a-link-to-nowhere": (lambda path: path.symlink_to("nowhere"), "can't be used"),
}


@pytest.mark.parametrize(("make", "words"), OTHERS.values(), ids=OTHERS)
async def test_a_file_that_is_not_ours_is_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    make(path)
    await check_refused(path, words)


async def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "s.db"
    with pytest.raises(StoreError, match="does not exist") as caught:
        await open_sqlite(path)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_a_file_in_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/s\.db"):
        await open_sqlite(tmp_path / "file" / "s.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
@pytest.mark.parametrize("name", ["s.db", "inner/s.db"])
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o500])
async def test_a_place_that_may_not_be_used(tmp_path: Path, name: str, mode: int) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o500)
    (tmp_path / "folder").chmod(mode)
    try:
        with pytest.raises(StoreError, match=r"s\.db"):
            await open_sqlite(path)
    finally:
        (tmp_path / "folder").chmod(0o700)
        path.parent.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
@pytest.mark.parametrize("mode", [0o000, 0o200, 0o400])
async def test_a_file_that_may_not_be_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "s.db"
    before = await saved_file(path)
    path.chmod(mode)
    with pytest.raises(StoreError, match=r"s\.db"):
        await sessions_in(path)
    path.chmod(0o600)
    assert path.read_bytes() == before


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda raw: raw[: len(raw) // 2],
    "a-page-is-missing": lambda raw: raw[:-4096],
    "only-the-header": lambda raw: raw[:100],
    "cut-within-the-header": lambda raw: raw[:50],
    "garbled-pages": lambda raw: raw[:4096] + bytes(len(raw) - 4096),
    "garbled-schema": lambda raw: raw[:100] + b"\xa5" * 3996 + raw[4096:],
    "garbled-tail": lambda raw: raw[:8192] + b"\x5a" * (len(raw) - 8192),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_file_is_left_as_it_is(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    many = [session(*FOUR, user("x" * 3000), named=f"s{n}") for n in range(10)]
    path.write_bytes(damage(await saved_file(path, *many)))
    await check_refused(path, "damaged|malformed|can't be used|not a database")


async def test_a_damaged_index_is_found_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    await saved_file(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_sessions_1'"
        ((page,),) = db.execute(query)
    raw = bytearray(path.read_bytes())
    raw[4096 * (page - 1) : 4096 * page] = bytes(4096)
    path.write_bytes(raw)
    await check_refused(path, "damaged|malformed")


WRONG_ROWS = {
    "a-message-that-is-no-json": "UPDATE messages SET message = x'7b'",
    "a-message-of-an-unknown-kind": """UPDATE messages SET message = '{"role":"robot","parts":[]}'""",
    "a-part-of-an-unknown-kind": """UPDATE messages SET message = CAST('{"role":"user","parts":[{"type":"image"}]}' AS BLOB)""",
    "a-result-of-an-unknown-kind": """UPDATE messages SET message = CAST('{"role":"user","parts":[{"type":"tool_result","call_id":"c","content":[{"type":"song","text":"x"}]}]}' AS BLOB)""",
    "a-message-with-one-field-more": """UPDATE messages SET message = CAST('{"role":"user","parts":[],"x":1}' AS BLOB)""",
    "a-message-that-is-a-list": "UPDATE messages SET message = CAST('[]' AS BLOB)",
    "a-message-that-is-a-number": "UPDATE messages SET message = 5",
    "a-message-that-is-text": "UPDATE messages SET message = CAST(message AS TEXT)",
    "a-message-that-is-no-utf-8": "UPDATE messages SET message = x'ff'",
    "a-deep-message": "UPDATE messages SET message = CAST(replace(hex(zeroblob(50000)), '0', '[') AS BLOB)",
    "a-usage-that-is-none": "UPDATE sessions SET usage = x''",
    "a-system-prompt-that-is-none": "UPDATE sessions SET system = x'7b7d7d'",
    "functions-that-are-none": "UPDATE sessions SET tools = x''",
    "a-function-without-a-schema": """UPDATE sessions SET tools = CAST('[{"name":"f"}]' AS BLOB)""",
    "no-table-of-messages": "DROP TABLE messages",
    "no-such-column": "ALTER TABLE sessions RENAME COLUMN usage TO use",
}


@pytest.mark.parametrize("query", WRONG_ROWS.values(), ids=WRONG_ROWS)
async def test_rows_that_are_no_sessions_are_left_as_they_are(tmp_path: Path, query: str) -> None:
    path = tmp_path / "folder" / "s.db"
    path.parent.mkdir()
    await saved_file(path, session(user("secret words")))
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(query)
        db.commit()
    await check_refused(path, r"can't be (read|used)")
    with pytest.raises(StoreError) as caught:
        await sessions_in(path)
    assert "secret words" not in str(caught.value)


def test_all_kinds_of_parts_are_in_everything() -> None:
    kinds = {type(part) for message in EVERYTHING for part in message.parts}
    assert kinds == {Text, Thinking, RedactedThinking, ToolCall, ToolResult}
