"""Some sixty requests interleaved, with faults: each sees its own history and nothing else.

Every message holds a nonce. Before a client sends anything it writes down what the model must be
sent for it; afterwards the upstream's whole log is held against that.
"""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from typing import Any

import aiohttp
import pytest
from attrs import define, field
from serving import Running, running, until

from bridge.demo import canonical

KEYS = ("key-of-ada", "key-of-bob", "key-of-eve")
STEPS = 5
SLOW = 0.05

Said = tuple[str, str]  # role, text


def expected(system: str, history: list[Said]) -> dict[str, Any]:
    """The canonical form of what the model must be sent."""
    return {
        "system": [system],
        "messages": [
            {"role": role, "content": [{"type": "text", "text": text}]} for role, text in history
        ],
        "tools": [],
    }


@define
class World:
    """The server under test, what is expected of it, and what happened."""

    server: Running
    random: random.Random
    expected: dict[str, dict[str, Any]] = field(factory=dict)  # by nonce of the last message
    counts: Counter[str] = field(factory=Counter)
    numbers: int = 0
    picks: list[float] = field(factory=list)

    def deal(self, number: int) -> None:
        """So many steps, of every kind as many as it should be, in any order."""
        self.picks = [(place + 0.5) / number for place in range(number)]
        self.random.shuffle(self.picks)

    def nonce(self) -> str:
        self.numbers += 1
        return f"n{self.random.getrandbits(48):012x}x{self.numbers}"

    def kill_one(self, processes: list[int], what: str) -> None:
        if processes:
            self.counts[what] += 1
            os.kill(self.random.choice(processes), signal.SIGKILL)


@define
class Client:
    """One conversation: named, or held by the client alone."""

    world: World
    key: str
    session: str | None
    system: str = ""
    history: list[Said] = field(factory=list)

    async def run(self) -> None:
        self.system = f"system {self.world.nonce()}"
        for _ in range(STEPS):
            await self.step()
            await asyncio.sleep(0)

    async def step(self) -> None:
        pick = self.world.picks.pop()
        if pick < 0.50:
            await self.turn()
        elif pick < 0.62:
            await self.turn(self.world.random.choice(["[[fail 500]]", "[[break 2]] [[words 9]]"]))
        elif pick < 0.68:
            await self.turn(self.world.random.choice(["[[refuse]]", "[[empty]]"]))
        elif pick < 0.73:
            await self.turn("[[cut 3]] [[words 40]]")
        elif pick < 0.82:
            await self.leave()
        elif pick < 0.88:
            await self.lose()
        elif pick < 0.93:
            self.world.kill_one(self.world.server.engine.processes()["idle"], "kills while idle")
            await self.turn()
        elif pick < 0.97:
            await self.edit()
        else:
            await self.forget()

    async def turn(self, directive: str | None = None) -> None:
        nonce = self.world.nonce()
        reply = f"reply {nonce}"
        text = f"{nonce} {directive or f'[[slow {SLOW}]] [[say {reply}]]'}"
        answer = await self.ask(nonce, text)
        if answer is None:
            return
        if directive is None:
            assert answer == reply
        self.history += [("user", text), ("assistant", answer)]

    async def edit(self) -> None:
        """Take back what was said, from some turn on, as an editing client does."""
        if not self.history:
            return
        self.world.counts["edits"] += 1
        self.history = self.history[: 2 * self.world.random.randrange(len(self.history) // 2)]
        nonce = self.world.nonce()
        text = f"{nonce} edited [[say reply {nonce}]]"
        if self.session is not None and not self.history:
            await self.forget()  # without an answer in it, it would be something new to say
        answer = await self.ask(nonce, text, whole=True)
        if answer is not None:
            self.history += [("user", text), ("assistant", answer)]
        elif self.session is not None:
            await self.forget()  # what was taken back is still there

    async def leave(self) -> None:
        """Go away in the middle of an answer."""
        asking = await self.asking("[[stall 2]] [[words 30]]")
        if self.world.random.random() < 0.5:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
        self.world.counts["cancels"] += 1

    async def lose(self) -> None:
        """Somebody's process is killed in the middle of an answer."""
        asking = await self.asking("[[slow .2]] [[words 2]]")
        processes = self.world.server.engine.processes()["running"]
        self.world.kill_one(processes, "kills in mid turn")
        answer = await asking
        if answer is not None:  # it was another's
            self.history += [("user", asking.get_name()), ("assistant", answer)]

    async def asking(self, directive: str) -> "asyncio.Task[str | None]":
        """Somebody who asks, and whose request the model has; what is said is the task's name."""
        nonce = self.world.nonce()
        text = f"{nonce} {directive}"
        arrived = self.arrival(nonce)
        asking = asyncio.create_task(self.ask(nonce, text), name=text)
        await asyncio.wait([arrived, asking], return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        return asking

    def arrival(self, nonce: str) -> "asyncio.Task[None]":
        requests = self.world.server.upstream.requests

        async def wait() -> None:
            while not any(nonce in str(received.body["messages"][-1:]) for received in requests):
                await self.world.server.upstream.next_request()

        return asyncio.create_task(wait())

    async def forget(self) -> None:
        if self.session is not None:
            self.world.counts["deletes"] += 1
            url = f"{self.world.server.url}/v1/sessions/{self.session}"
            async with self.world.server.http.delete(url, headers=self.headers) as response:
                assert response.status in {200, 404}
        self.history = []

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def ask(self, nonce: str, text: str, *, whole: bool = False) -> str | None:
        """Send a message; the answer's text, or None when the turn came to nothing."""
        world = self.world
        now = [*self.history, ("user", text)]
        world.expected[nonce] = expected(self.system, now)
        whole = whole or self.session is None or world.random.random() < 0.3
        sent = now if whole else now[-1:]
        messages = [{"role": role, "content": said} for role, said in sent]
        if whole or not self.history or world.random.random() < 0.3:
            messages.insert(0, {"role": "system", "content": self.system})
        stream = world.random.random() < 0.5
        body: dict[str, Any] = {
            "model": "claude-sonnet-4-5",
            "messages": messages,
            "stream": stream,
        }
        if self.session is not None:
            body["session_id"] = self.session
        if world.random.random() < 0.3:
            body["temperature"] = round(world.random.random(), 2)
        world.counts["requests"] += 1
        async with world.server.post("/v1/chat/completions", body, **self.headers) as response:
            status, raw = response.status, (await response.read()).decode()
            world.counts[f"{status} {response.headers.get('x-bridge-session', '')}".strip()] += 1
        return _answer(status, raw, stream)


def _answer(status: int, raw: str, stream: bool) -> str | None:
    if status != 200:
        return None
    if not stream:
        choice = json.loads(raw)["choices"][0]
        return _said(choice["message"]["content"], choice["finish_reason"])
    events = [line.removeprefix("data: ") for line in raw.splitlines() if line.startswith("data: ")]
    if events[-1] != "[DONE]":
        return None
    deltas = [json.loads(event)["choices"][0] for event in events[:-1]]
    text = "".join(delta["delta"].get("content") or "" for delta in deltas)
    return _said(text, deltas[-1]["finish_reason"])


def _said(text: str, finish_reason: str) -> str | None:
    return None if finish_reason == "content_filter" else text


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [7])
async def test_each_request_sees_its_own_history_and_nothing_else(seed: int) -> None:
    async with running(
        pool_size=2, max_concurrent=8, max_live=18, api_keys=KEYS, retries=0
    ) as server:
        world = World(server, random.Random(seed))  # noqa: S311 - a test's dice
        clients = [
            Client(world, key, session)
            for key in KEYS
            for session in ("shared-name", f"of-{key}", None, None)
        ]
        world.deal(len(clients) * STEPS)
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.run())
        await server.upstream.wait_idle(timeout=60)

        leaks = []
        seen: Counter[str] = Counter()
        for received in server.upstream.requests:
            body = canonical(received.body)
            last = body["messages"][-1]["content"][-1]["text"]
            nonce = last.split()[0]
            seen[nonce] += 1
            if body != world.expected[nonce]:
                leaks.append((nonce, body, world.expected[nonce]))
        assert leaks == []
        again = [nonce for nonce, times in seen.items() if times > 1]
        assert len(again) <= world.counts["kills in mid turn"] + world.counts["kills while idle"]

        counts = ", ".join(f"{what}: {count}" for what, count in sorted(world.counts.items()))
        print(f"{counts}; {len(server.upstream.requests)} upstream requests, 0 leaks")  # noqa: T201
        assert world.counts["requests"] >= len(clients) * STEPS * 0.9
        assert min(world.counts[kind] for kind in ("cancels", "kills in mid turn", "200 matched"))
        await _as_told_over_rest(clients)
        await until(lambda: not server.engine.fleet.running)


async def _as_told_over_rest(clients: list[Client]) -> None:
    """Each session is what its client thinks it is."""
    for client in clients:
        if client.session is None:
            continue
        url = f"{client.world.server.url}/v1/sessions/{client.session}/messages"
        async with aiohttp.ClientSession() as http, http.get(url, headers=client.headers) as answer:
            document = await answer.json()
        if not client.history:
            assert answer.status == 404
            continue
        assert [
            (message["role"], message["content"])
            for message in document["messages"]
            if message["role"] != "system"
        ] == client.history
