"""The server that most tests share."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from serving import Running, running

from bridge.claude import account
from bridge.claude.account import Account
from bridge.claude.login import Login
from bridge.claude.options import Launch, bundled_cli


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """A machine that is busy with ten other things is no Claude Code that hangs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.claude.login.STATUS_SECONDS", 120.0)
        patch.setattr("bridge.claude.process.CONTROL_SECONDS", 120.0)
        patch.setattr("bridge.claude.process.ASKED_SECONDS", 60.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def asked_once() -> Iterator[None]:
    """What Claude Code says of itself on the demo model it says to the first server of this process;
    the others, which would each start two of it to hear the same, are told that."""
    told: dict[object, Any] = {}
    describe, login = Account._described_by, account.read_login

    def is_of_the_demo(launch: Launch) -> bool:
        return launch.cli == bundled_cli() and launch.environment.get("ANTHROPIC_API_KEY") == "demo"

    async def described_once(self: Account, *, system: tuple[str, ...]) -> dict[str, Any]:
        if not is_of_the_demo(self.launch):
            return await describe(self, system=system)
        if system not in told:
            told[system] = await describe(self, system=system)
        found: dict[str, Any] = told[system]
        return found

    async def read_once(launch: Launch) -> Login:
        if not is_of_the_demo(launch):
            return await login(launch)
        if Login not in told:
            told[Login] = await login(launch)
        found: Login = told[Login]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "_described_by", described_once)
        patch.setattr(account, "read_login", read_once)
        yield


@pytest.fixture(scope="session")
async def shared_server() -> AsyncIterator[Running]:
    async with running(pool_size=2) as server:
        yield server


@pytest.fixture
async def server(shared_server: Running) -> AsyncIterator[Running]:
    """A server that several tests share, with an empty log and no process that is kept.

    One that is kept goes on warming up after its answer, for as much time again as it took so far.
    """
    shared_server.upstream.clear()
    yield shared_server
    shared_server.engine.fleet.kept.end_all()
