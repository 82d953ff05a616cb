"""The server that most tests share."""

from collections.abc import AsyncIterator, Iterator

import pytest
from serving import Running, running


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """A machine that is busy with ten other things is no Claude Code that hangs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.claude.login.STATUS_SECONDS", 120.0)
        patch.setattr("bridge.claude.process.CONTROL_SECONDS", 120.0)
        patch.setattr("bridge.claude.process.ASKED_SECONDS", 60.0)
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
    shared_server.engine.kept.end_all()
