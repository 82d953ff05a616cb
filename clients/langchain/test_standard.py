"""LangChain's own standard tests of a chat model, for ``ChatOpenAI`` on the bridge."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models
from langchain_tests.unit_tests import ChatModelUnitTests
from langchain_tests.unit_tests.chat_models import ChatModelTests
from media import PDF, PNG

NOWHERE = "http://127.0.0.1:9/v1"


class TestUnit(ChatModelUnitTests):
    """Those that send nothing."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "claude-sonnet-4-5", "api_key": "unused", "base_url": NOWHERE}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"OPENAI_API_KEY": "unused", "OPENAI_API_BASE": NOWHERE},
            {"model": "claude-sonnet-4-5"},
            {"openai_api_key": "unused", "openai_api_base": NOWHERE},
        )

    @pytest.fixture
    def snapshot(self) -> Callable[..., object]:
        """How it is written down is LangChain's affair; what is read of it must be the same."""
        return lambda **_: mock.ANY


class Bridge:
    """What can be said of ``ChatOpenAI`` on the bridge."""

    model_name = "claude-sonnet-4-5"

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "base_url": os.environ["BRIDGE_URL"],
            "api_key": "unused",
            "max_retries": 0,
            "stream_usage": True,  # off by default for servers other than OpenAI's
        }

    @property
    def model_override_value(self) -> str:
        return "claude-haiku-5-5"

    @property
    def supports_json_mode(self) -> bool:
        return True

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
        kinds = ["cache_read_input", "reasoning_output"]
        return {"invoke": kinds, "stream": kinds}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._ask(self.model_name, "Hello", stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        effort = {"reasoning_effort": "high"}
        return self._ask("gpt-4o", "Hello, think first", stream=stream, **effort)

    def _ask(self, model: str, text: str, *, stream: bool, **more: Any) -> AIMessage:
        asked = self.chat_model_class(**{**self.chat_model_params, "model": model, **more})
        if not stream:
            return asked.invoke(text)
        whole = None
        for chunk in asked.stream(text):
            whole = chunk if whole is None else whole + chunk
        return whole

    @pytest.fixture(autouse=True)
    def _files_from_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite would fetch its picture and its PDF from the web."""

        def get(url: str, **_: object) -> SimpleNamespace:
            return SimpleNamespace(content=PDF if url.endswith(".pdf") else PNG)

        monkeypatch.setattr(chat_models, "httpx", SimpleNamespace(get=get))


class TestSonnet45(Bridge, ChatModelIntegrationTests):
    """A model that can be told not to think."""


class TestGpt4o(Bridge, ChatModelIntegrationTests):
    """An OpenAI name; the model behind it always thinks."""

    model_name = "gpt-4o"


class TestFunctionCalling(Bridge, ChatModelTests):
    """Structured output by a function, instead of ``response_format``."""

    test_structured_output = ChatModelIntegrationTests.test_structured_output
    test_structured_output_async = ChatModelIntegrationTests.test_structured_output_async
    test_structured_output_optional_param = (
        ChatModelIntegrationTests.test_structured_output_optional_param
    )
    test_structured_output_pydantic_2_v1 = (
        ChatModelIntegrationTests.test_structured_output_pydantic_2_v1
    )

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "function_calling"}
