"""The model, as a person makes it."""

import os
from collections.abc import Callable

import pytest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


@pytest.fixture
def chat_model() -> Callable[[str], OpenAIChatModel]:
    """A model of the bridge by its name."""
    return lambda name: OpenAIChatModel(
        name, provider=OpenAIProvider(base_url=os.environ["BRIDGE_URL"], api_key="unused")
    )


@pytest.fixture(params=["claude-sonnet-4-5", "gpt-4o"])
def model(
    request: pytest.FixtureRequest, chat_model: Callable[[str], OpenAIChatModel]
) -> OpenAIChatModel:
    """One that can be told not to think, and one that always does."""
    return chat_model(request.param)
