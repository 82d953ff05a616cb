"""The server that most tests share."""

from collections.abc import AsyncIterator

import pytest
from serving import Running, running


@pytest.fixture(scope="session")
async def shared_server() -> AsyncIterator[Running]:
    async with running(pool_size=2) as server:
        yield server


@pytest.fixture
async def server(shared_server: Running) -> Running:
    """A server that several tests share, with an empty log."""
    shared_server.upstream.clear()
    return shared_server
