"""LangChain's own standard tests of a chat model, for ``ChatAnthropic`` on the bridge."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models
from langchain_tests.unit_tests import ChatModelUnitTests
from langchain_tests.unit_tests.chat_models import ChatModelTests
from media import PDF, PNG

NOWHERE = "http://127.0.0.1:9"


class TestUnit(ChatModelUnitTests):
    """Those that send nothing."""

    @property
    def chat_model_class(self) -> type[ChatAnthropic]:
        return ChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "claude-sonnet-4-5", "api_key": "unused", "base_url": NOWHERE}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"ANTHROPIC_API_KEY": "unused", "ANTHROPIC_API_URL": NOWHERE},
            {"model": "claude-sonnet-4-5"},
            {"anthropic_api_key": "unused", "anthropic_api_url": NOWHERE},
        )

    @pytest.fixture
    def snapshot(self) -> Callable[..., object]:
        """How it is written down is LangChain's affair; what is read of it must be the same."""
        return lambda **_: mock.ANY


class Bridge:
    """What can be said of ``ChatAnthropic`` on the bridge."""

    model_name = "claude-sonnet-4-5"

    @property
    def chat_model_class(self) -> type[ChatAnthropic]:
        return ChatAnthropic

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "base_url": os.environ["BRIDGE_URL"].removesuffix("/v1"),
            "api_key": "unused",
            "max_retries": 0,
            "max_tokens": 4000,
        }

    @property
    def model_override_value(self) -> str:
        return "claude-sonnet-5-5"

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        kinds = ["cache_read_input", "cache_creation_input"]
        return {"invoke": kinds, "stream": kinds}

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        return self._ask(f"Hello {stream} {self.model_name}", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        self._ask("Hello again", stream=False)
        return self._ask("Hello again", stream=stream)

    def _ask(self, text: str, *, stream: bool) -> AIMessage:
        asked = self.chat_model_class(**self.chat_model_params)
        marked = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
        messages = [{"role": "user", "content": [marked]}]
        if not stream:
            return asked.invoke(messages)
        whole = None
        for chunk in asked.stream(messages):
            whole = chunk if whole is None else whole + chunk
        return whole

    @pytest.fixture(autouse=True)
    def _files_from_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite would fetch its picture and its PDF from the web."""

        def get(url: str, **_: object) -> SimpleNamespace:
            return SimpleNamespace(content=PDF if url.endswith(".pdf") else PNG)

        monkeypatch.setattr(chat_models, "httpx", SimpleNamespace(get=get))


class TestSonnet45(Bridge, ChatModelIntegrationTests):
    """A model that can be forced to call a tool."""


class TestHaiku55(Bridge, ChatModelIntegrationTests):
    """One that thinks as it sees fit; the newest that can still be forced."""

    model_name = "claude-haiku-5-5"


class TestJsonSchema(Bridge, ChatModelTests):
    """Structured output by the API's own format, instead of a tool that is forced."""

    test_structured_output = ChatModelIntegrationTests.test_structured_output
    test_structured_output_async = ChatModelIntegrationTests.test_structured_output_async
    test_structured_output_optional_param = (
        ChatModelIntegrationTests.test_structured_output_optional_param
    )

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}
