"""The clients, as a person makes them."""

import os
from collections.abc import AsyncIterator, Iterator

import openai
import pytest

URL = os.environ["BRIDGE_URL"]


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=URL, api_key="unused", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client() -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=URL, api_key="unused", max_retries=0) as made:
        yield made


@pytest.fixture(params=["claude-sonnet-4-5", "gpt-4o"])
def model(request: pytest.FixtureRequest) -> str:
    """One that can be told not to think, and one that always does."""
    return request.param
