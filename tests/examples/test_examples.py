"""Every example, run as a person would run it, against a real server on the demo model."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from serving import Running, running

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "key-of-the-examples"
SECONDS = 60


pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
async def keyed_server() -> AsyncIterator[Running]:
    """A server that wants a key, so that the examples are seen to send theirs."""
    async with running(api_keys=(KEY,), pool_size=2) as server:
        yield server


async def run_example(*command: str, url: str, key: str = KEY) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of an example."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and not name.startswith(("OPENAI_", "ANTHROPIC_"))
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=EXAMPLES,
        env={**environment, "BRIDGE_URL": url, "BRIDGE_API_KEY": key},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def node_command() -> tuple[str, ...]:
    """The command of the Node example; skips the test, with the reason, where it can't run."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so examples/openai_node.mjs is not tested")
    if not (EXAMPLES / "node_modules" / "openai").is_dir():
        pytest.skip("examples/node_modules has no openai package: run npm install in examples/")
    return (node, "openai_node.mjs")


def command_of(example: str) -> tuple[str, ...]:
    match example.rpartition(".")[2]:
        case "py":
            return (sys.executable, example)
        case "sh":
            return ("bash", example)
        case _:
            return node_command()


ANSWERS = {
    "anthropic_messages.py": (
        "I am the bridge's demo model",
        "get_time({'city': 'Oslo'})\n",
        "get_time returned: In Oslo it is a quarter past nine.",
    ),
    "openai_chat.py": ("Nice to meet you, Ada!", "Your name is Ada.", " tokens in, "),
    "openai_async.py": ("> My dog is called Rex.", "demo model", "favourite colour is green"),
    "curl_examples.sh": (
        '"id":"claude-',
        '"content":"Your name is Ada."',
        '"finish_reason":"length"',
        '"completion_tokens":40',
        "data: [DONE]",
        '"param":"messages[0].role"',
    ),
    "openai_node.mjs": ("Nice to meet you, Ada!", "Your name is Ada.", " tokens in, "),
    "embeddings.py": (
        "> How do I bake bread?\n",
        "  0.70  Baking bread needs flour, water, salt and yeast.\n",
        "256 dimensions, made by wordllama-l2-supercat",
    ),
    "function_calling.py": (
        "> What is the weather in Paris?\n  get_weather({'city': 'Paris'})\n",
        "get_weather returned: It is sunny in Paris, 21 degrees.",
    ),
    "picture_and_reasoning.py": (
        "\nthinks: The user said",
        "\nsays: I see an image (image/png, 5x5 pixels). I see a text document of 23 characters.",
    ),
    "structured_output.py": ("Ada is 36", "and has a dog: "),
    "session_continuity.py": (
        "> My name is Ada.\nNice to meet you, Ada!",
        "> What is my name?\nYour name is Ada.",
        "listed: 4 messages, live",
        "read: 4 messages",
        "> Do you know my name?\nYour name is Ada.",
        "-fork deleted successfully",
    ),
    "session_curl_example.sh": (
        "x-bridge-session: created",
        "x-bridge-session: continued",
        "x-session-id: example%20",
        '"delta":{"content":" Ada."}',
        '"content":"Your name is Ada."',
        '"session_id":"example ',
        ", forked deleted successfully",
        '"code":"session_not_found"',
    ),
}


def test_that_every_example_is_tested() -> None:
    programs = {p.name for p in EXAMPLES.iterdir() if p.suffix in {".py", ".sh", ".mjs"}}
    assert programs == set(ANSWERS)


@pytest.mark.parametrize("example", ANSWERS)
async def test_an_example_prints_the_answer(example: str, keyed_server: Running) -> None:
    if example == "embeddings.py":
        pytest.importorskip("wordllama", reason="without wordllama there are no embeddings")
    code, out, err = await run_example(*command_of(example), url=f"{keyed_server.url}/v1")
    assert (code, err) == (0, ""), f"{out}\n{err}"
    for expected in ANSWERS[example]:
        assert expected in out


@pytest.mark.parametrize("example", ANSWERS)
async def test_an_example_fails_when_the_server_refuses(
    example: str, keyed_server: Running
) -> None:
    code, out, err = await run_example(
        *command_of(example), url=f"{keyed_server.url}/v1", key="not-the-right-key"
    )
    assert code != 0
    assert "not one of this server's" in out + err or "401" in out + err
    assert "Traceback" not in err
