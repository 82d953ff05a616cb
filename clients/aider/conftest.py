"""A repository, and the command in it as a person with this server runs it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

GIT = shutil.which("git") or "git"
COMMAND = Path(sys.executable).with_name("aider")
SONNET, GPT = "openai/claude-sonnet-4-5", "openai/gpt-4o"
NEWER = (GPT, "gpt-4o-mini")
FLAGS = (
    *("--openai-api-base", os.environ["BRIDGE_URL"], "--openai-api-key", "unused"),
    *("--yes-always", "--no-pretty", "--no-fancy-input", "--no-gitignore", "--no-detect-urls"),
    *("--no-check-update", "--no-show-release-notes", "--no-show-model-warnings"),
    *("--analytics-disable", "--no-suggest-shell-commands"),
)
SECONDS = 55

Aider = Callable[..., str]


class Repository:
    """A folder with one file under version control."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet")
        self.write("hello.py", 'print("hello")\n')
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Begin")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            (GIT, *arguments), cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a person has there.

    The command asks the web about models that no file tells it about, and it sends a temperature
    unless it is told not to, which newer models refuse.
    """
    known = {
        "max_input_tokens": 200_000,
        "max_output_tokens": 64_000,
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "litellm_provider": "openai",
        "mode": "chat",
        "supports_vision": True,
    }
    models = dict.fromkeys((SONNET, *NEWER, "openai/no-such-model"), known)
    settings = [
        {
            "name": name,
            "edit_format": "diff",
            "weak_model_name": "gpt-4o-mini",
            "use_temperature": False,
            "reminder": "sys",
            "accepts_settings": ["reasoning_effort"],
        }
        for name in NEWER
    ]
    (tmp_path / ".aider.model.metadata.json").write_text(json.dumps(models))
    (tmp_path / ".aider.model.settings.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BROWSER", "true")  # it would show pages about errors
    monkeypatch.setenv("COLUMNS", "1000")
    return tmp_path


@pytest.fixture
def repository(home: Path) -> Repository:
    return Repository(home / "repository")


@pytest.fixture
def aider(repository: Repository) -> Aider:
    """The real command; all that it says."""

    def ran(model: str, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            (COMMAND, "--model", model, *FLAGS, *arguments),
            cwd=repository.root,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert ("litellm." in done.stdout) is fails, done.stdout
        return done.stdout

    return ran
