"""The bridge's models, as a person tells ``llm`` of them, and the command."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

COMMAND = Path(sys.executable).with_name("llm")
MODELS = {
    "sonnet": {"model_name": "claude-sonnet-4-5"},
    "gpt": {"model_name": "gpt-4o"},
    "absent": {"model_name": "llama-3"},
    "named": {"model_name": "gpt-4o", "headers": {"X-Session-Id": "clients-llm"}},
    "text": {"model_name": "gpt-4o", "completion": True},
}

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command keeps its models and logs: of each test its own."""
    common = {
        "api_base": os.environ["BRIDGE_URL"],
        "supports_schema": True,
        "supports_tools": True,
        "vision": True,
        "reasoning": True,
    }
    models = [{"model_id": f"bridge-{name}", **common, **more} for name, more in MODELS.items()]
    (tmp_path / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["bridge-sonnet", "bridge-gpt"])
def model(request: pytest.FixtureRequest) -> str:
    """One that can be told not to think, and one that always does."""
    return request.param


@pytest.fixture
def run() -> Run:
    """The real command; what it says, or else the error that it tells."""

    def ran(*arguments: str, stdin: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            (COMMAND, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout.removesuffix("\n")

    return ran
