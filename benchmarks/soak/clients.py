"""What the clients do: conversations, bursts, slow readers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, evolve, field
from questions import ANSWER, FAULTS, SLOW, STALL, Kind, Question, Reply, Said, Wrong, expected
from server import DEADLINE, KEYS
from world import World

MODEL = "claude-sonnet-4-5"
BURST = 14
LONG_WORDS = 8000


@define
class Client:
    """One conversation: named, or held by the client alone."""

    world: World
    key: str
    session: str | None
    system: str
    history: list[Said] = field(factory=list)

    async def run(self) -> None:
        """Do one thing after the other, until the time is over."""
        moves: dict[Callable[[], Awaitable[None]], int] = {
            self.turn: 48,
            self.fail: 16,
            self.leave_silence: 9,
            self.leave_answer: 7,
            self.edit: 7,
            self.forget: 4,
        }
        if self.session is not None:
            moves |= {self.two_at_once: 4, self.wait_in_vain: 3, self.fork: 4}
            moves |= {self.delete_meanwhile: 3}
        while self.world.goes_on:
            move = self.world.random.choices(list(moves), list(moves.values()))[0]
            try:
                await move()
            except Wrong as wrong:
                self.world.problem("wrong", wrong)
                self.world.abandoned += self.session is not None
                self.session = self.session and f"session-{self.world.nonce()}"
                self.history = []
            await asyncio.sleep(self.world.random.uniform(0, 0.6))

    # -- moves -----------------------------------------------------------------------------------

    async def turn(self, kind: Kind = ANSWER) -> None:
        """Go on with the conversation."""
        await self._say(self.world.question(kind, self.system, self.history), self.history)

    async def fail(self) -> None:
        """The same, with something that goes wrong at the model's."""
        weights = [1.0 if kind is STALL else 3.0 for kind in FAULTS]
        await self.turn(self.world.random.choices(FAULTS, weights)[0])
        if self.world.random.random() < 0.3:
            await self.check()

    async def edit(self) -> None:
        """Take back what was said, from some turn on."""
        if len(self.history) < 4:
            return await self.turn()
        self.world.counts["edits"] += 1
        kept = self.history[: 2 * self.world.random.randrange(1, len(self.history) // 2)]
        await self._say(self.world.question(ANSWER, self.system, kept), kept, whole=True)
        return None

    async def forget(self) -> None:
        """Delete the session, or begin anew."""
        if self.session is not None:
            self.world.counts["deletes"] += 1
            status, document = await self.world.rest(self.key, "DELETE", f"/{self.session}")
            if status != (200 if self.history else 404):
                raise Wrong(f"DELETE of {len(self.history)} messages: {status} {document}")
        self.history = []

    async def leave_silence(self) -> None:
        """Go away at any time before the end of an answer that has none."""
        question = self.world.question(STALL, self.system, self.history)
        await self._leave(question, after=self.world.random.random() < 0.7, within=1.0)

    async def leave_answer(self) -> None:
        """Go away around the end of an answer, which may be part of the session then."""
        question = self.world.question(SLOW, self.system, self.history)
        await self._leave(question, after=True, within=0.8)

    async def two_at_once(self) -> None:
        """Ask again while an answer is being given: the second one follows the first."""
        one = self.world.question(SLOW, self.system, self.history)
        asking = await self._begun(one)
        answer = ("user", one.text), ("assistant", one.reply)
        two = self.world.question(ANSWER, self.system, self.history, [*self.history, *answer])
        replies = await asyncio.gather(
            asking, self._ask(two, [("user", two.text)], system=True), return_exceptions=True
        )
        self._take(one, _reply(replies[0]))
        self._take(two, _reply(replies[1]))
        await self.check()

    async def wait_in_vain(self) -> None:
        """Ask again while the model is silent: the second one waits no longer than it may."""
        one = self.world.question(STALL, self.system, self.history)
        asking = await self._begun(one)
        two = self.world.question(ANSWER, self.system, self.history)
        try:
            reply = await self._ask(two, [("user", two.text)], system=True)
        finally:
            asking.cancel()
            await asyncio.wait([asking])
        self.world.counts["cancels"] += asking.cancelled()
        self._take(two, reply)
        await self.check()

    async def fork(self) -> None:
        """Go on with a part of the conversation in another session."""
        if not self.history:
            return await self.turn()
        count = 2 * self.world.random.randrange(1, len(self.history) // 2 + 1)
        name = f"fork-{self.world.nonce()}"
        body = {"session_id": name, "message_count": count}
        status, told = await self.world.rest(self.key, "POST", f"/{self.session}/fork", body)
        if status == 400 and told["error"]["code"] == "session_limit":
            self.world.codes["400 session_limit"] += 1
            return None
        if status != 201:
            raise Wrong(f"a fork: {status} {told}")
        self.world.counts["forks"] += 1
        child = evolve(self, session=name, history=self.history[:count])
        try:
            await child.turn()
            await child.check()
        finally:
            await child.forget()
        return None

    async def delete_meanwhile(self) -> None:
        """Delete the session while an answer is being given."""
        question = self.world.question(SLOW, self.system, self.history)
        question.errors |= {"session_deleted"}
        asking = await self._begun(question)
        await asyncio.sleep(self.world.random.uniform(0, 0.6))
        self.world.counts["deletes"] += 1
        try:
            status, document = await self.world.rest(self.key, "DELETE", f"/{self.session}")
        finally:
            await asyncio.wait([asking])
        if status not in {200, 404}:
            raise Wrong(f"DELETE in mid answer: {status} {document}")
        reply = asking.result()
        after = [*self.history, ("user", question.text), ("assistant", question.reply)]
        if status == 404 and reply.stays:  # the first answer came after it
            self.history = after
        elif status == 200:
            self.history = []
        await self.check()

    # -- within ----------------------------------------------------------------------------------

    async def check(self) -> None:
        """The session is what we think it is."""
        if self.session is not None and (told := await self._told()) != self.history:
            raise Wrong(f"the session has {told} instead of {self.history}")

    async def _told(self) -> list[Said]:
        """The session's messages, when nobody is at it any more."""
        give_up = time.monotonic() + DEADLINE
        while True:
            status, told = await self.world.rest(self.key, "GET", f"/{self.session}")
            if status != 200 or told["state"] != "busy":
                break
            if time.monotonic() > give_up:
                self.world.counts["hangs"] += 1
                raise Wrong("the session stays busy, and nobody is at it")
            await asyncio.sleep(0.05)
        status, told = await self.world.rest(self.key, "GET", f"/{self.session}/messages")
        if status == 404:
            return []
        if status != 200:
            raise Wrong(f"GET messages: {status} {told}")
        messages = [(message["role"], message["content"]) for message in told["messages"]]
        return [message for message in messages if message[0] != "system"]

    async def _say(self, question: Question, base: list[Said], *, whole: bool = False) -> None:
        whole = whole or self.session is None or self.world.random.random() < 0.3
        sent = [*base, ("user", question.text)] if whole else [("user", question.text)]
        reply = await self._ask(question, sent, system=whole or not base)
        if reply.stays:
            self.history = list(base)
        self._take(question, reply)
        if reply.code == "session_limit" or (self.session is None and len(self.history) > 20):
            await self.forget()

    def _take(self, question: Question, reply: Reply) -> None:
        if reply.stays:
            self.history += [("user", question.text), ("assistant", reply.text)]

    async def _ask(self, question: Question, sent: Sequence[Said], *, system: bool) -> Reply:
        dice = self.world.random
        messages = [{"role": role, "content": text} for role, text in sent]
        if system or dice.random() < 0.3:
            messages.insert(0, {"role": "system", "content": self.system})
        body: dict[str, Any] = {
            "model": MODEL,
            "messages": messages,
            "stream": dice.random() < 0.5,
        }
        if self.session is not None:
            body["session_id"] = self.session
        if dice.random() < 0.3:
            body["temperature"] = round(dice.random(), 2)
        return await self.world.ask(question, self.key, body)

    async def _begun(self, question: Question) -> "asyncio.Task[Reply]":
        """Asked, and at the model or already over."""
        sent = [*([] if self.session else self.history), ("user", question.text)]
        asking = asyncio.create_task(self._ask(question, sent, system=True))
        arrived = asyncio.create_task(question.arrived.wait())
        try:
            await asyncio.wait([asking, arrived], return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrived.cancel()
        return asking

    async def _leave(self, question: Question, *, after: bool, within: float) -> None:
        """Go away, ``after`` the model was asked or at any time."""
        before = self.history
        sent = [*([] if self.session else before), ("user", question.text)]
        if after:
            asking = await self._begun(question)
        else:
            asking = asyncio.create_task(self._ask(question, sent, system=True))
        await asyncio.sleep(self.world.random.uniform(0, within))
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled():
            self._take(question, asking.result())
            return
        self.world.counts["cancels"] += 1
        if self.session is None:
            return
        whole = [*before, ("user", question.text), ("assistant", question.reply)]
        told = await self._told()
        if told != before and (question.kind is STALL or told != whole):
            raise Wrong(f"after a cancel the session has {told} instead of {before}")
        self.history = told


def _reply(outcome: Reply | BaseException) -> Reply:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def bursts(world: World) -> None:
    """Now and then more requests than may wait."""
    while world.goes_on:
        await asyncio.sleep(world.random.uniform(4, 16))
        clients = [
            Client(world, world.random.choice(KEYS), None, f"system {world.nonce()}")
            for _ in range(BURST)
        ]
        world.counts["bursts"] += 1
        turns = [client.turn(SLOW) for client in clients]
        for outcome in await asyncio.gather(*turns, return_exceptions=True):
            if isinstance(outcome, Wrong):
                world.problem("wrong", f"in a burst: {outcome}")
            elif outcome is not None:
                raise outcome


async def slow_readers(world: World) -> None:
    """Long streams to clients that read slowly, or that stop reading and go."""
    while world.goes_on:
        await asyncio.sleep(world.random.uniform(2, 10))
        system = f"system {world.nonce()}"
        question = world.question(Kind("long answer", ""), system, [])
        question.reply = " ".join(f"word{number}" for number in range(1, LONG_WORDS + 1))
        question.text = f"{question.nonce} [[words {LONG_WORDS}]]"
        question.allowed = [expected(system, [("user", question.text)])]
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": question.text},
        ]
        body = {"model": MODEL, "stream": True, "messages": messages}
        key = world.random.choice(KEYS)
        world.counts["slow readers"] += 1
        asking = asyncio.create_task(world.ask(question, key, body, slowly=True))
        patience = None if world.random.random() < 0.5 else world.random.uniform(0.5, 3)
        await asyncio.wait([asking], timeout=patience)
        if asking.cancel():
            world.counts["cancels"] += 1
        await asyncio.wait([asking])
        if not asking.cancelled() and (wrong := asking.exception()) is not None:
            if not isinstance(wrong, Wrong):
                raise wrong
            world.problem("wrong", f"a slow reader: {wrong}")
