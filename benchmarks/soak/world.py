"""What is expected of the server, the witness of what it did, and what came of it all."""

import asyncio
import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from attrs import define, field
from questions import ALWAYS, Kind, Question, Reply, Said, Wrong, expected, read_reply
from server import DEADLINE, MAX_LIVE, Sample, children

from bridge.demo import DemoUpstream, canonical
from bridge.demo.received import Received

LATE_SECONDS = 5.0
"""After the end of a question nothing may be asked of the model for it, but for this long."""
SIPPED = 160_000
"""Bytes that a slow reader reads slowly; then it takes what there is."""
OTHERS = 3
"""Processes beside MAX_LIVE that may be seen: those that have been killed and are being reaped."""


@define
class World:
    """The server under test, what is expected of it, and what happened."""

    url: str
    server: psutil.Process
    scratch: Path
    http: aiohttp.ClientSession
    upstream: DemoUpstream
    random: random.Random
    counts: Counter[str] = field(factory=Counter)
    codes: Counter[str] = field(factory=Counter)
    problems: list[str] = field(factory=list)
    samples: list[Sample] = field(factory=list)
    seen: set[psutil.Process] = field(factory=set)
    most: int = 0
    abandoned: int = 0  # sessions that something was wrong with
    until: float = 0.0
    _questions: dict[str, Question] = field(factory=dict)
    _unread: list[Received] = field(factory=list)
    _extra_calls: int = 0
    _numbers: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether there is time for something more."""
        return time.monotonic() < self.until

    def problem(self, what: str, said: object) -> None:
        """Something was wrong."""
        self.counts[what] += 1
        self.problems.append(f"{what}: {said}")

    # -- asking ----------------------------------------------------------------------------------

    def nonce(self) -> str:
        """A word that is nowhere else."""
        self._numbers += 1
        return f"n{self.random.getrandbits(48):012x}x{self._numbers}"

    def question(self, kind: Kind, system: str, *bases: Sequence[Said]) -> Question:
        """A question that goes on with one of these histories."""
        nonce = self.nonce()
        reply = f"this is the reply to {nonce} and to nothing else"
        text = f"{nonce} {kind.directive} [[say {reply}]]"
        allowed = [expected(system, [*base, ("user", text)]) for base in bases]
        question = Question(nonce, kind, text, reply, allowed, {*ALWAYS, *kind.errors})
        self._questions[nonce] = question
        return question

    async def ask(
        self, question: Question, key: str, body: dict[str, Any], *, slowly: bool = False
    ) -> Reply:
        """Ask it; the reply is right. Raises :class:`Wrong`."""
        self.counts["requests"] += 1
        try:
            async with asyncio.timeout(DEADLINE):
                reply = await self._send(key, body, slowly=slowly)
        except TimeoutError:
            self.counts["hangs"] += 1
            raise Wrong(f"{question.kind.name}: no end after {DEADLINE:g} seconds") from None
        except (aiohttp.ClientError, ConnectionError, ValueError, LookupError) as error:
            raise Wrong(f"{question.kind.name}: {error!r}") from error
        finally:
            question.over = time.monotonic()
        self._judge(question, reply)
        return reply

    async def _send(self, key: str, body: dict[str, Any], *, slowly: bool) -> Reply:
        url, headers = f"{self.url}/v1/chat/completions", bearer(key)
        if not slowly:
            async with self.http.post(url, json=body, headers=headers) as response:
                raw = await response.text()
                if (reply := read_reply(response.status, response.content_type, raw)).code == (
                    "queue_full"
                ) and "retry-after" not in response.headers:
                    raise Wrong("queue_full without a retry-after")
                return reply
        connector = aiohttp.TCPConnector(socket_factory=_narrow)
        async with (
            aiohttp.ClientSession(connector=connector, read_bufsize=4096) as http,
            http.post(url, json=body, headers=headers) as response,
        ):
            read = bytearray()
            while not response.content.at_eof():
                read += await response.content.read(4096 if len(read) < SIPPED else -1)
                await asyncio.sleep(0.05)
            return read_reply(response.status, response.content_type, read.decode())

    def _judge(self, question: Question, reply: Reply) -> None:
        kind = question.kind
        if reply.code is not None:
            where = reply.status if reply.status != 200 else "frame"
            self.codes[f"{where} {reply.code}"] += 1
            if reply.code not in question.errors:
                raise Wrong(f"{kind.name} ended with {where} {reply.code}")
            return
        if kind.errors or reply.finish != kind.finish:
            raise Wrong(f"{kind.name} was answered ({reply.finish}): {reply.text[:100]!r}")
        if kind.finish == "content_filter":
            self.counts["refusals"] += 1
            return
        cut = kind.finish == "length"
        if cut and not (reply.text and question.reply.startswith(reply.text)):
            raise Wrong(f"cut: {reply.text!r} is no beginning of {question.reply!r}")
        if not cut and reply.text != question.reply:
            raise Wrong(f"{kind.name}: {reply.text[:200]!r} instead of {question.reply[:200]!r}")
        self.counts["answers"] += 1

    async def rest(
        self, key: str, method: str, path: str, body: object = None
    ) -> tuple[int, dict[str, Any]]:
        """A request to ``/v1/sessions`` + ``path``: its status and document."""
        try:
            async with (
                asyncio.timeout(DEADLINE),
                self.http.request(
                    method, f"{self.url}/v1/sessions{path}", json=body, headers=bearer(key)
                ) as response,
            ):
                return response.status, await response.json()
        except TimeoutError:
            self.counts["hangs"] += 1
            raise Wrong(f"{method} {path}: no end after {DEADLINE:g} seconds") from None
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise Wrong(f"{method} {path}: {error!r}") from error

    # -- what goes on beside the clients ---------------------------------------------------------

    async def watch_upstream(self) -> None:
        """Hold what the model is sent against what is expected, and forget it."""
        while True:
            self.look()
            await asyncio.sleep(0.02)

    def look(self) -> None:
        """Look at what came since the last time."""
        self._unread += self.upstream.requests
        self.upstream.requests.clear()
        unread, self._unread = self._unread, []
        for received in unread:
            if isinstance(received.body, dict):
                self._look_at(received)
            elif received.state == "running":
                self._unread.append(received)  # not there yet as a whole
        old = time.monotonic() - DEADLINE
        for nonce in [n for n, q in self._questions.items() if q.over and q.over < old]:
            del self._questions[nonce]

    def _look_at(self, received: Received) -> None:
        self.counts["calls"] += 1
        body = canonical(received.body)
        try:
            nonce = str(body["messages"][-1]["content"][-1]["text"]).split()[0]
        except LookupError:
            nonce = ""
        question = self._questions.get(nonce)
        if question is None:
            self.problem("leaks", f"nobody asks this now: {str(body)[-300:]}")
            return
        question.arrived.set()
        question.calls += 1
        self._extra_calls += question.calls > question.kind.calls
        if body not in question.allowed:
            self.problem("leaks", f"sent {body}\n  instead of {question.allowed}")
        if question.over and received.started > question.over + LATE_SECONDS:
            self.problem("late calls", f"{question.kind.name}: {nonce}")

    async def kill(self) -> None:
        """Kill a Claude Code process now and then."""
        while self.goes_on:
            await asyncio.sleep(self.random.uniform(0.5, 5))
            if found := children(self.server):
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.random.choice(found).kill()
                    self.counts["kills"] += 1

    async def measure(self, every: float) -> None:
        """Look at the server now and then."""
        while self.goes_on:
            self.samples.append(Sample.of(self.server, self.scratch))
            await asyncio.sleep(every)

    async def watch_processes(self) -> None:
        """See every process, so that none can be missed in the end."""
        while True:
            found = children(self.server)
            self.seen.update(found)
            self.most = max(self.most, len(found))
            if len(found) > MAX_LIVE + OTHERS:
                self.problem("too many processes", len(found))
            await asyncio.sleep(0.5)

    def explain_counts(self, *, long: bool) -> None:
        """What the kills must account for; what must have happened at all, if the run was long."""
        kills = self.counts["kills"]
        lost = sum(count for code, count in self.codes.items() if code.endswith("process_lost"))
        if lost > kills or self._extra_calls > kills:
            self.problem(
                "unexplained", f"{kills} kills, {lost} lost, {self._extra_calls} calls too many"
            )
        if not long:
            return
        for what in ("answers", "kills", "cancels", "edits", "forks", "slow readers"):
            if not self.counts[what]:
                self.problem("proves nothing", f"no {what}")
        for code in ("503 queue_full", "503 session_busy", "400 session_limit"):
            if not self.codes[code]:
                self.problem("proves nothing", f"no {code}")


def bearer(key: str) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {key}"}


def _narrow(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that takes little before it is read."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return made
