"""A real server on the demo model, with the real CLI; the upstream's log is the witness."""

import asyncio
import contextlib
import functools
import io
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
import yarl
from attrs import frozen
from clock import Clock

from bridge.claude.engine import Engine
from bridge.demo import DemoUpstream, canonical
from bridge.demo.received import Received
from bridge.sessions.manager import SessionManager
from bridge.settings import Settings
from bridge.web.app import build_app
from bridge.web.keys import DEMO, ENGINE, SESSIONS
from bridge.web.lifecycle import bind, listen
from bridge.web.stream import Patience


@frozen(kw_only=True)
class Answer:
    """What came back: ``data`` is the document, or of a stream the data of each event."""

    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def text(self) -> str:
        """The words of the model."""
        if isinstance(self.data, dict):
            return self.data["choices"][0]["message"]["content"] or ""
        return "".join(choice["delta"].get("content") or "" for choice in self._choices())

    @property
    def message(self) -> dict[str, Any]:
        """The message of the answer; of a stream what its chunks add up to."""
        if isinstance(self.data, dict):
            message: dict[str, Any] = self.data["choices"][0]["message"]
            return message
        whole: dict[str, Any] = {}
        calls: dict[int, dict[str, Any]] = {}
        for choice in self._choices():
            for name, piece in choice["delta"].items():
                if name == "tool_calls":
                    _add_calls(calls, piece)
                else:
                    whole[name] = whole[name] + piece if whole.get(name) else piece
        return {**whole, "tool_calls": list(calls.values())} if calls else whole

    @property
    def finish_reason(self) -> str:
        """Why the answer ended."""
        choices = self.data["choices"] if isinstance(self.data, dict) else self._choices()
        (reason,) = [reason for c in choices if (reason := c["finish_reason"]) is not None]
        return str(reason)

    @property
    def usage(self) -> dict[str, Any]:
        """The token counts; of a stream those of its last chunk."""
        whole = self.data if isinstance(self.data, dict) else json.loads(self.data[-2])
        usage: dict[str, Any] = whole["usage"]
        return usage

    def _choices(self) -> list[dict[str, Any]]:
        chunks = [json.loads(event) for event in self.data if event[0] == "{"]
        return [choice for chunk in chunks for choice in chunk.get("choices", ())]

    @property
    def whole(self) -> bool:
        """Whether it is an answer, and has an end."""
        return self.status == 200 and (isinstance(self.data, dict) or self.data[-1] == "[DONE]")

    @property
    def error(self) -> dict[str, Any]:
        """The error, whether it is the body or the last frame."""
        document = self.data if isinstance(self.data, dict) else json.loads(self.data[-1])
        error: dict[str, Any] = document["error"]
        return error

    @property
    def outcome(self) -> str | None:
        """What became of the session."""
        return self.headers.get("x-bridge-session")

    @property
    def session(self) -> str:
        """The session's id."""
        return unquote(self.headers["x-session-id"])


def _add_calls(calls: dict[int, dict[str, Any]], pieces: list[dict[str, Any]]) -> None:
    for piece in pieces:
        call = calls.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
        call |= {name: piece[name] for name in ("id", "type") if name in piece}
        for name, words in piece["function"].items():
            call["function"][name] += words


@frozen(kw_only=True, repr=False)
class Running:
    """A server of this test run."""

    url: str
    upstream: DemoUpstream
    engine: Engine
    sessions: SessionManager
    http: aiohttp.ClientSession

    async def chat(self, content: Any, **fields: Any) -> tuple[int, dict[str, Any]]:
        """One chat request; ``content`` is the user's message, or a list of messages."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        body = {"model": "claude-sonnet-4-5", "messages": messages, **fields}
        async with self.post("/v1/chat/completions", body) as response:
            return response.status, await response.json()

    async def stream(self, content: Any, **fields: Any) -> tuple[int, list[str]]:
        """The same as a stream: the status and the data of each event."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        body = {"model": "claude-sonnet-4-5", "messages": messages, "stream": True, **fields}
        async with self.post("/v1/chat/completions", body) as response:
            text = await response.text()
            if response.content_type == "application/json":
                return response.status, [text]
            return response.status, [
                line.removeprefix("data: ") for line in text.splitlines() if line
            ]

    async def ask(
        self,
        content: Any,
        *,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        **fields: Any,
    ) -> Answer:
        """The same, with its headers; a stream if ``stream`` is among the fields."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        body = {"model": "claude-sonnet-4-5", "messages": messages, **fields}
        sent = {**(headers or {}), **({"x-api-key": key} if key else {})}
        async with self.post("/v1/chat/completions", body, **sent) as response:
            text = await response.text()
            data = (
                json.loads(text)
                if response.content_type == "application/json"
                else [line.removeprefix("data: ") for line in text.splitlines() if line]
            )
            return Answer(status=response.status, headers=response.headers, data=data)

    async def rest(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> Answer:
        """A request to ``/v1/sessions`` + ``path``, which is sent as it is."""
        url = yarl.URL(f"{self.url}/v1/sessions{path}", encoded=True)
        headers = {"Content-Type": "application/json", **({"x-api-key": key} if key else {})}
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        async with self.http.request(method, url, data=data, headers=headers) as response:
            return Answer(
                status=response.status,
                headers=response.headers,
                data=json.loads(await response.read() or "null"),
            )

    async def messages(self, session: str) -> list[dict[str, Any]]:
        """A session's messages, as REST tells them."""
        found = await self.rest("GET", f"/{quote(session, safe='')}/messages")
        assert found.status == 200, found.data
        messages: list[dict[str, Any]] = found.data["messages"]
        return messages

    @contextlib.asynccontextmanager
    async def next_request(self) -> AsyncIterator["asyncio.Task[Received]"]:
        """Inside it something is sent; the task gives the request that then reaches the model."""
        arrival = asyncio.create_task(self.upstream.next_request(timeout=60))
        await asyncio.sleep(0)  # it listens from here on
        try:
            yield arrival
            await arrival
        finally:
            arrival.cancel()

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """A POST of JSON, to be entered with ``async with``."""
        return self.http.post(
            self.url + path,
            data=io.BytesIO(json.dumps(body).encode()),
            headers={"Content-Type": "application/json", **headers},
        )

    def stand_still(self) -> Clock:
        """The clock that the processes of this server live by from now on."""
        clock, fleet = Clock(), self.engine.fleet
        fleet.clock = fleet.kept.clock = fleet.pool.clock = clock
        fleet.last_turn = clock.now
        return clock

    def seen(self) -> list[dict[str, Any]]:
        """What was sent upstream, in its canonical form."""
        return [canonical(received.body) for received in self.upstream.requests]

    def processes(self) -> list[str]:
        """Which process sent each of them, by a name that the CLI gives itself."""
        return [r.headers["x-claude-code-session-id"] for r in self.upstream.requests]


def new_id() -> str:
    """An id that no other session has."""
    return f"s-{uuid.uuid4().hex}"


def said(*texts: str) -> list[dict[str, Any]]:
    """Messages in a client's form: the user, the assistant, the user …"""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def heard(*texts: str) -> list[dict[str, Any]]:
    """The same in the canonical form of what reaches the model."""
    return [
        {"role": message["role"], "content": [{"type": "text", "text": message["content"]}]}
        for message in said(*texts)
    ]


async def until(holds: Callable[[], bool], *, seconds: float = 60) -> None:
    """Let the others run until something holds; a minute at most."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - private state that tells nobody when it changes
            await asyncio.sleep(0.001)  # so that who is waited for has the processor


async def no_second_call(engine: Engine) -> None:
    """Wait until no process can call the model again by itself; two seconds, if one is stopped.

    A model takes longer than the bridge for that, and the demo, on a machine that tests keep busy,
    does not: the answers of our upstreams wait for it.
    """
    with contextlib.suppress(TimeoutError):
        await until(lambda: not any(p.may_call for p in engine.fleet.running), seconds=2)


@contextlib.asynccontextmanager
async def running(
    *,
    patience: Patience | None = None,
    environ: dict[str, str] | None = None,
    clock: Callable[[], float] | None = None,
    upstream: DemoUpstream | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A server with these settings, listening on a port that the system chose.

    Unless it is told otherwise no process is ready before it is needed: the last would be for nobody.
    One that is not in demo mode is told of its ``upstream`` by the ``environ``.
    """
    quick = {"demo": True, "demo_pace": 0.0, "port": 0, "retries": 0, "pool_size": 0}
    chosen = Settings(**{**quick, **settings})
    with bind(chosen) as sock:
        app = build_app(chosen, environ=environ, patience=patience, demo_keep=None, clock=clock)
        listening = await listen(app, sock)
        model: DemoUpstream = upstream or app[DEMO]
        model.hold = functools.partial(no_second_call, app[ENGINE])
        try:
            async with aiohttp.ClientSession() as http:
                yield Running(
                    url=f"http://127.0.0.1:{listening.port}",
                    upstream=model,
                    engine=app[ENGINE],
                    sessions=app[SESSIONS],
                    http=http,
                )
        finally:
            await listening.stop()
