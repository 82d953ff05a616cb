"""A manager on a bench: messages in short words, a runner that plays scripts, a clock to be set."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from attrs import define, field, frozen
from clock import Clock
from hypothesis import strategies as st

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Message,
    Part,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from bridge.core.errors import BridgeError, UpstreamFault
from bridge.core.events import (
    Event,
    FinishReason,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.sessions.entries import Limits
from bridge.sessions.manager import SessionManager
from bridge.sessions.merging import Outcome
from bridge.sessions.session import SessionKey
from bridge.sessions.store import MemoryStore, SessionStore, StoreError

# -- messages ------------------------------------------------------------------------------------


def user(*words: str) -> Message:
    return Message(role=Role.USER, parts=tuple(Text(text=text) for text in words))


def answer(*words: str) -> Message:
    return Message(role=Role.ASSISTANT, parts=tuple(Text(text=text) for text in words))


def thinking(*words: str) -> Message:
    thoughts: tuple[Part, ...] = (
        Thinking(text="hm", signature="sig"),
        RedactedThinking(data="secret"),
    )
    return Message(role=Role.ASSISTANT, parts=thoughts + answer(*words).parts)


def calling(*ids: str, text: str = "", name: str = "look") -> Message:
    calls = tuple(ToolCall(id=id_, name=name, arguments={"at": id_}) for id_ in ids)
    return Message(role=Role.ASSISTANT, parts=(answer(text).parts if text else ()) + calls)


def result(*ids: str) -> Message:
    found = (Text(text="found"),)
    return Message(
        role=Role.USER, parts=tuple(ToolResult(call_id=id_, content=found) for id_ in ids)
    )


def joined(*messages: Message) -> Message:
    """One message of all their parts."""
    parts = tuple(part for message in messages for part in message.parts)
    return Message(role=messages[0].role, parts=parts)


def named_result(*names: str) -> Message:
    """As a client gives them that knows no ids."""
    found = (Text(text="found"),)
    return Message(
        role=Role.USER,
        parts=tuple(ToolResult(call_id="", name=name, content=found) for name in names),
    )


def tool(name: str = "look", **more: Any) -> Tool:
    return Tool(name=name, schema={"type": "object", "properties": {"at": {}}}, **more)


# -- any messages ---------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()), max_size=8)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
any_result_part = st.one_of(
    st.builds(Text, text=any_text),
    st.builds(Image, media_type=any_text, data=any_text),
    st.builds(LinkedImage, url=any_text),
    st.builds(
        Document,
        media_type=any_text,
        data=any_text,
        title=st.none() | any_text,
        context=st.none() | any_text,
    ),
    st.builds(
        LinkedDocument, url=any_text, title=st.none() | any_text, context=st.none() | any_text
    ),
)
any_part = st.one_of(
    any_result_part,
    st.builds(Thinking, text=any_text, signature=any_text),
    st.builds(RedactedThinking, data=any_text),
    st.builds(
        ToolCall,
        id=any_text,
        name=any_text,
        arguments=st.dictionaries(any_text, any_json, max_size=3),
    ),
    st.builds(
        ToolResult,
        call_id=any_text,
        content=st.lists(any_result_part, max_size=2).map(tuple),
        is_error=st.booleans(),
    ),
)
any_message = st.builds(
    Message,
    role=st.sampled_from(Role),
    parts=st.lists(any_part, max_size=4).map(tuple),
    model=st.none() | any_text,
)
any_tool = st.builds(
    Tool,
    name=any_text,
    schema=st.dictionaries(any_text, any_json, max_size=3),
    description=st.none() | any_text,
    strict=st.booleans(),
)

# -- a runner -------------------------------------------------------------------------------------

STARTED = TurnStarted(model="claude-x", message_id="msg_1")
USAGE = Usage(input_tokens=3, output_tokens=5)
BROKE = UpstreamFault("it broke")

Script = tuple[Event | asyncio.Event | Callable[[], None], ...]


def finishing(message: Message, reason: FinishReason = FinishReason.STOP) -> Script:
    return (STARTED, UsageReported(usage=USAGE), TurnFinished(reason=reason, message=message))


def failing(error: BridgeError = BROKE) -> Script:
    return (STARTED, TurnFailed(error=error))


def refusing() -> Script:
    return finishing(answer("no"), FinishReason.REFUSAL)


def blocking(gate: asyncio.Event, script: Script) -> Script:
    return (script[0], gate, *script[1:])


@define
class FakeRunner:
    """Plays its scripts, one for each turn, then answers "a1", "a2" and so on.

    A script is played in order: an event is given, a gate waited for, a function called.
    """

    scripts: deque[Script] = field(factory=deque)
    seen: list[Turn] = field(factory=list)
    held: set[tuple[str, str]] = field(factory=set)
    released: list[tuple[str, str]] = field(factory=list)
    running: int = 0

    async def run(self, turn: Turn) -> AsyncGenerator[Event]:
        self.seen.append(turn)
        default = finishing(answer(f"a{len(self.seen)}"))
        self.running += 1
        try:
            for item in self.scripts.popleft() if self.scripts else default:
                match item:
                    case asyncio.Event():
                        await item.wait()
                    case _ if callable(item):
                        item()
                    case _:
                        yield item
        finally:
            self.running -= 1

    def holds(self, owner: str, session: str) -> bool:
        return (owner, session) in self.held

    def release(self, owner: str, session: str) -> None:
        self.released.append((owner, session))
        self.held.discard((owner, session))


# -- stores ---------------------------------------------------------------------------------------


@define
class SlowStore(MemoryStore):
    """Writes in the order in which it was asked to, each to its end, when its gate is open.

    While it has a ``fault``, that is what becomes of a write.
    """

    gate: asyncio.Event = field(factory=asyncio.Event, init=False)
    fault: StoreError | None = field(default=None, init=False)
    _order: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    async def save(self, session: Any, *, kept: int) -> None:
        await asyncio.shield(asyncio.ensure_future(self._write(super().save(session, kept=kept))))

    async def delete(self, keys: Any) -> None:
        await asyncio.shield(asyncio.ensure_future(self._write(super().delete(keys))))

    async def _write(self, writing: Any) -> None:
        async with self._order:
            await self.gate.wait()
            if self.fault is not None:
                writing.close()
                raise self.fault
            await writing


@define
class BrokenStore(MemoryStore):
    """Can't write while it is broken; ``kept`` is what each save left out as saved before."""

    broken: bool = True
    forgets: bool = True
    kept: list[int] = field(factory=list)

    async def save(self, session: Any, *, kept: int) -> None:
        self._check()
        old = self._sessions.get(session.key)
        assert kept <= (len(old.messages) if old else 0), "these were never saved"
        self.kept.append(kept)
        await super().save(session, kept=kept)

    async def delete(self, keys: Any) -> None:
        self._check(self.forgets)
        await super().delete(keys)

    def _check(self, can: bool = True) -> None:
        if self.broken or not can:
            raise StoreError("the disk is full")


def stored(store: MemoryStore) -> dict[tuple[str, str], tuple[Message, ...]]:
    """All that a store remembers, by owner and id."""
    return {(key.owner, key.id): s.messages for key, s in store._sessions.items()}


# -- a manager ------------------------------------------------------------------------------------


LIMITS: dict[str, Any] = {
    "ttl": 60.0,
    "max_wait": 5.0,
    "max_sessions": 100,
    "max_messages": 100,
    "max_bytes": 1_000_000,
}


@frozen(kw_only=True)
class Told:
    """What a client was told of its turn."""

    outcome: Outcome
    events: list[Event]

    @property
    def error(self) -> BridgeError | None:
        last = self.events[-1]
        return last.error if isinstance(last, TurnFailed) else None


@define
class Bench:
    """A manager, and all that it stands on."""

    manager: SessionManager
    runner: FakeRunner
    clock: Clock
    store: Any

    async def ask(
        self, *messages: Message | str, named: str = "s", owner: str = "ann", **turn: Any
    ) -> Told:
        async with (
            self.manager.enter(asked(*messages, named=named, owner=owner, **turn)) as exchange,
            contextlib.aclosing(exchange.events()) as events,
        ):
            return Told(outcome=exchange.outcome, events=[event async for event in events])

    def start(self, *messages: Message | str, **turn: Any) -> "asyncio.Task[Told]":
        return asyncio.create_task(self.ask(*messages, **turn))

    def play(self, *scripts: Script) -> None:
        self.runner.scripts.extend(scripts)

    def block(self, script: Script | None = None) -> asyncio.Event:
        """The next turn goes on when the gate is opened that this returns."""
        gate = asyncio.Event()
        self.play(blocking(gate, script or finishing(answer("late"))))
        return gate

    def history(self, named: str = "s", owner: str = "ann") -> tuple[Message, ...]:
        return self.manager.get(SessionKey(owner=owner, id=named)).session.messages

    def ids(self, owner: str = "ann") -> list[str]:
        return [seen.session.key.id for seen in self.manager.list(owner)]


def asked(*messages: Message | str, named: str = "s", owner: str = "ann", **turn: Any) -> Turn:
    said = tuple(user(message) if isinstance(message, str) else message for message in messages)
    return Turn(messages=said, session=named, owner=owner, **turn)


def bench(
    store: SessionStore | None = None, runner: FakeRunner | None = None, **limits: Any
) -> Bench:
    runner, clock = runner or FakeRunner(), Clock()
    store = store or MemoryStore()
    manager = SessionManager(
        runner=runner, store=store, limits=Limits(**{**LIMITS, **limits}), clock=clock
    )
    return Bench(manager, runner, clock, store)


async def settle(steps: int = 20) -> None:
    """Let everybody go on who can."""
    for _ in range(steps):
        await asyncio.sleep(0)


def key(named: str = "s", owner: str = "ann") -> SessionKey:
    return SessionKey(owner=owner, id=named)
