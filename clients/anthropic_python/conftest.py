"""The clients, as a person makes them."""

import os
from collections.abc import AsyncIterator, Iterator

import anthropic
import pytest
from asking import MODEL, NEWEST

URL = os.environ["BRIDGE_URL"].removesuffix("/v1")
SAMPLES = anthropic.__version__.startswith("1.")
"""Whether the client speaks the API's version 2023-06-01, which has temperature and its like."""


@pytest.fixture
def client() -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client() -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=URL, api_key="unused", max_retries=0) as made:
        yield made


@pytest.fixture(params=[MODEL, NEWEST])
def model(request: pytest.FixtureRequest) -> str:
    """One that thinks when it is told to, and one that always does as it sees fit."""
    return request.param
