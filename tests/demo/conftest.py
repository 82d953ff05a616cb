"""A demo upstream on a real socket, and the two clients that talk to it."""

from collections.abc import AsyncIterator

import aiohttp
import anthropic
import pytest

from bridge.demo import DemoUpstream

HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


@pytest.fixture
async def up() -> AsyncIterator[DemoUpstream]:
    """A fresh one for each test, without a pace."""
    upstream = DemoUpstream(pace=0)
    await upstream.start()
    yield upstream
    await upstream.stop()


@pytest.fixture
async def http(up: DemoUpstream) -> AsyncIterator[aiohttp.ClientSession]:
    """A raw client with a key and the version header."""
    async with aiohttp.ClientSession(up.url, headers=HEADERS) as session:
        yield session


@pytest.fixture
async def sdk(up: DemoUpstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The official SDK, which does not retry."""
    async with anthropic.AsyncAnthropic(base_url=up.url, api_key="k", max_retries=0) as client:
        yield client
