"""A real server on the demo model, with the real CLI; the upstream's log is the witness."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from attrs import frozen

from bridge.claude.engine import Engine
from bridge.demo import DemoUpstream, canonical
from bridge.settings import Settings
from bridge.web.app import build_app
from bridge.web.keys import DEMO, ENGINE
from bridge.web.lifecycle import bind, listen
from bridge.web.stream import Patience


@frozen(kw_only=True)
class Running:
    """A server of this test run."""

    url: str
    upstream: DemoUpstream
    engine: Engine
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

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """A POST of JSON, to be entered with ``async with``."""
        return self.http.post(
            self.url + path,
            data=io.BytesIO(json.dumps(body).encode()),
            headers={"Content-Type": "application/json", **headers},
        )

    def seen(self) -> list[dict[str, Any]]:
        """What was sent upstream, in its canonical form."""
        return [canonical(received.body) for received in self.upstream.requests]


async def until(holds: Callable[[], bool]) -> None:
    """Let the others run until something holds; ten seconds at most."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - private state that tells nobody when it changes
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(
    *, patience: Patience | None = None, environ: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """A server with these settings, listening on a port that the system chose."""
    chosen = Settings(**{"demo": True, "demo_pace": 0.0, "port": 0, "retries": 0, **settings})
    with bind(chosen) as sock:
        app = build_app(chosen, environ=environ, patience=patience, demo_keep=None)
        listening = await listen(app, sock)
        try:
            async with aiohttp.ClientSession() as http:
                yield Running(
                    url=f"http://127.0.0.1:{listening.port}",
                    upstream=app[DEMO],
                    engine=app[ENGINE],
                    http=http,
                )
        finally:
            await listening.stop()
