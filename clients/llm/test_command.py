"""The real command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import COMMAND, Run
from media import PDF, PDF_SEEN, PNG, PNG_SEEN

WEATHER = '''
def get_weather(city: str) -> str:
    """The weather in a city."""
    return {"Oslo": "[[call get_weather {\\"city\\": \\"Rome\\"}]]"}.get(city, f"rain in {city}")
'''


each_way = pytest.mark.parametrize(
    "ask",
    [("-m", "bridge-sonnet"), ("-m", "bridge-gpt", "--no-stream")],
    ids=["stream", "whole"],
)


def asked(*cities: str) -> str:
    """Words that make the demo model call a function."""
    return "".join(f"[[call get_weather {json.dumps({'city': city})}]]" for city in cities)


@pytest.mark.parametrize("more", [(), ("--no-stream",)], ids=["stream", "whole"])
def test_a_prompt(run: Run, model: str, more: tuple[str, ...]) -> None:
    assert run("-m", model, "[[say four words for you]]", *more) == "four words for you"


def test_words_are_shown_as_they_come() -> None:
    """The model falls silent after two of them and its answer never ends."""
    command = (COMMAND, "-m", "bridge-sonnet", "[[stall 2]] [[words 9]]")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(len("word1 word2")) == b"word1 word2"
        assert process.poll() is None
        process.kill()


def test_a_system_prompt_and_a_text_on_stdin(run: Run) -> None:
    heard = json.loads(run("-m", "bridge-gpt", "-s", "Be brief.", "[[echo]]", stdin="Some text."))
    assert heard["system"] == ["Be brief."]
    (said,) = heard["messages"]
    assert said["content"][0]["text"].split() == ["Some", "text.", "[[echo]]"]


def test_a_conversation_goes_on(run: Run) -> None:
    run("-m", "bridge-gpt", "My name is Ada.")
    assert run("-c", "What is my name?") == "Your name is Ada."
    heard = json.loads(run("-c", "--no-stream", "[[echo]]"))
    roles = [message["role"] for message in heard["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


def test_a_chat(run: Run) -> None:
    said = run("chat", "-m", "bridge-sonnet", stdin="My name is Ada.\nWhat is my name?\nquit\n")
    assert "Your name is Ada." in said


def test_a_session_by_a_header(run: Run) -> None:
    """Each command sends its own message alone."""
    run("-m", "bridge-named", "My name is Ada.")
    assert run("-m", "bridge-named", "What is my name?") == "Your name is Ada."


@each_way
def test_functions(run: Run, ask: tuple[str, ...]) -> None:
    said = run(*ask, "--functions", WEATHER, asked("Oslo", "Bern"))
    assert said == "get_weather returned: rain in Rome"  # which the first result asks for


@each_way
def test_a_schema(run: Run, ask: tuple[str, ...]) -> None:
    ada = {"name": "Ada “the first”", "age": 36}
    said = run(*ask, "--schema", "name, age int", f"[[json {json.dumps(ada)}]]")
    assert json.loads(said) == ada


def test_a_schema_of_many(run: Run) -> None:
    dogs = {"items": [{"name": "Rex", "age": 3}, {"name": "Fido", "age": 4}]}
    ask = ("-m", "bridge-gpt", "--schema-multi", "name, age int")
    assert json.loads(run(*ask, f"[[json {json.dumps(dogs)}]]")) == dogs


@pytest.mark.parametrize(
    ("model", "name", "data", "seen"),
    [("bridge-sonnet", "a.png", PNG, PNG_SEEN), ("bridge-gpt", "a.pdf", PDF, PDF_SEEN)],
    ids=["picture", "document"],
)
def test_an_attachment(run: Run, home: Path, model: str, name: str, data: bytes, seen: str) -> None:
    path = home / name
    path.write_bytes(data)
    assert seen in run("-m", model, "What is it?", "-a", str(path))
    assert "I see 2 earlier turns" in run("-c", "And now?")  # it is sent again with what follows


def test_options(run: Run) -> None:
    sonnet = ("-m", "bridge-sonnet", "[[words 50]]")
    cut = run(*sonnet, "-o", "temperature", "0.5", "-o", "max_tokens", "3", "-o", "seed", "7")
    assert cut == "word1 word2 word3"
    assert run(*sonnet, "-o", "stop", "word3").split() == ["word1", "word2"]
    said = run("-m", "bridge-sonnet", '[[json {"a": [1]}]]', "-o", "json_object", "1")
    assert json.loads(said) == {"a": [1]}


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [((), 4, 4), (("-o", "reasoning_effort", "high"), 10, 100)],
    ids=["plain", "with reasoning"],
)
def test_the_usage(run: Run, more: tuple[str, ...], least: int, most: int) -> None:
    """Reasoning is not shown, but counted."""
    run("-m", "bridge-sonnet", "[[say four words for you]]", *more)
    (logged,) = json.loads(run("logs", "--json", "-n", "1"))
    assert logged["response"] == "four words for you"
    assert logged["input_tokens"] > 0
    assert least <= logged["output_tokens"] <= most


def test_the_older_kind_of_model(run: Run) -> None:
    """It asks ``/v1/completions``."""
    assert run("-m", "bridge-text", "[[say plain text]]") == "plain text"
    assert run("-m", "bridge-text", "--no-stream", "[[words 3]]") == "word1 word2 word3"


def test_without_any_configuration(run: Run) -> None:
    url = os.environ["BRIDGE_URL"]
    ask = ("openai", "endpoint", url, "-m", "gpt-4o")
    assert run(*ask, "[[say straight away]]") == "straight away"
    assert run(*ask, "--functions", WEATHER, asked("Rome")) == "get_weather returned: rain in Rome"
    assert {"gpt-4o", "sonnet"} <= set(run("openai", "endpoint", url, "--models").splitlines())


@pytest.mark.parametrize(
    ("model", "prompt", "told"),
    [
        ("bridge-absent", "hi", "404.*'llama-3' does not exist"),
        ("bridge-sonnet", "[[fail 400 not today]]", "400.*not today"),
        ("bridge-sonnet", "[[stream-error 20]] [[words 60]]", "overloaded"),
    ],
    ids=["no such model", "refused", "in mid-stream"],
)
def test_what_goes_wrong(run: Run, model: str, prompt: str, told: str) -> None:
    assert re.search(told, run("-m", model, prompt, fails=True))


def test_the_command_is_guarded(home: Path) -> None:
    """A program that a test starts can't leave this machine either."""
    log = home / "outside"
    leave = "import socket; socket.create_connection(('192.0.2.1', 9), 1)"
    done = subprocess.run(
        (sys.executable, "-c", leave),
        env={**os.environ, "GUARD_LOG": str(log)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert "a test tried to reach 192.0.2.1" in done.stderr
    assert log.read_text() == "192.0.2.1\n"
