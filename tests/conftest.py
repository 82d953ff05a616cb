"""The server that most tests share."""

from collections.abc import AsyncIterator

import pytest
from serving import Running, running


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
