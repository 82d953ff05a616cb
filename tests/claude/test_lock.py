"""What keeps a living CLI from calling the model by itself. A later CLI may change any of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import ClaudeSDKClient

from bridge.claude.options import (
    Launch,
    bundled_cli,
    flag_settings,
    locked,
    sdk_options,
    unlocked,
)
from bridge.claude.transport import CliTransport
from bridge.demo import DemoUpstream

SETTINGS = flag_settings("claude-sonnet-4-5", {"temperature": 0.5})


class Cli:
    """The real program without our process around it: nobody kills it."""

    def __init__(self, launch: Launch, tmp: Path) -> None:
        self.results: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.transport = CliTransport(launch.command(tmp), hear=self.hear)
        self.client = ClaudeSDKClient(sdk_options(), transport=self.transport)
        self.lock = True
        self.told = asyncio.Event()

    def hear(self, raw: dict[str, Any]) -> None:
        if self.lock and raw.get("status") == "requesting":
            self.apply(locked(SETTINGS)).add_done_callback(lambda _: self.told.set())
        if raw["type"] == "result":
            self.results.put_nowait(raw)

    def apply(self, settings: dict[str, Any]) -> Any:
        return self.transport.tell({"subtype": "apply_flag_settings", "settings": settings})

    async def turn(self, text: str) -> dict[str, Any]:
        async def prompt() -> AsyncIterator[dict[str, Any]]:
            yield {
                "type": "user",
                "message": {"role": "user", "content": [{"type": "text", "text": text}]},
                "parent_tool_use_id": None,
                "client_composed": True,
            }

        self.told.clear()
        await self.client.query(prompt())
        return await self.results.get()


@pytest.fixture
async def upstream() -> AsyncIterator[DemoUpstream]:
    demo = DemoUpstream(pace=0.0, keep=None)
    await demo.start()
    yield demo
    await demo.stop()


@pytest.fixture
async def cli(upstream: DemoUpstream, tmp_path: Path) -> AsyncIterator[Cli]:
    (tmp_path / "work").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CLAUDE_CONFIG_DIR": str(tmp_path / ".claude"),
        "ANTHROPIC_BASE_URL": upstream.url,
        "ANTHROPIC_API_KEY": "demo",
    }
    launch = Launch(
        cli=bundled_cli(),
        environment=environment,
        workdir=tmp_path / "work",
        scratch=tmp_path,
        simple=True,
        cli_retries=1,
    )
    made = Cli(launch, tmp_path)
    await made.client.connect()
    await made.apply(SETTINGS)
    upstream.hold = made.told.wait  # the answer is no faster than the lock
    yield made
    made.transport.kill()
    await made.client.disconnect()
    await made.transport.close()


@pytest.mark.parametrize("ending", ["[[empty]]", "[[refuse]]", "[[cut 3]] [[words 50]]"])
async def test_a_locked_cli_makes_one_call(cli: Cli, upstream: DemoUpstream, ending: str) -> None:
    await cli.turn(ending)
    assert len(upstream.requests) == 1


async def test_an_unlocked_cli_makes_another(cli: Cli, upstream: DemoUpstream) -> None:
    await cli.turn("[[cut 3]] [[words 50]]")
    await cli.apply(unlocked(SETTINGS))
    result = await cli.turn("[[say still here]]")
    assert (result["is_error"], result["result"]) == (False, "still here")
    assert [received.state for received in upstream.requests] == ["answered"] * 2
    assert {received.body["temperature"] for received in upstream.requests} == {0.5}
    assert {received.body["model"] for received in upstream.requests} == {"claude-sonnet-4-5"}


async def test_without_the_lock_it_calls_again(cli: Cli, upstream: DemoUpstream) -> None:
    """If this fails the CLI has become tamer: the lock may not be needed any more."""
    cli.lock, upstream.hold = False, None
    await cli.turn("[[empty]]")
    assert len(upstream.requests) > 1


async def test_a_locked_cli_still_retries_the_call_that_it_has_announced(
    cli: Cli, upstream: DemoUpstream
) -> None:
    result = await cli.turn("[[fail 529]]")
    assert result["api_error_status"] == 529
    assert len(upstream.requests) == 2
