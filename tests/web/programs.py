"""Programs as the explorer writes them, run as a person would run them."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

MODULES = Path(__file__).parents[2] / "examples" / "node_modules"
LANGUAGES = ("curl", "python", "node")
KEY = "key'of\"this$test`"
HOSTILE = 'it\'s "$HOME" `id` \\n !x {{7*7}} </script> \u202e\u2028 \U0001f600'
"""What a session may be called, and none of the languages may take for something else."""

PYTHON = """
import contextlib, io, json, sys
results = {}
for name, program in json.load(sys.stdin).items():
    printed, space, fault = io.StringIO(), {}, None
    try:
        with contextlib.redirect_stdout(printed):
            exec(program, space)
    except Exception as error:
        fault = repr(error)
    given = space.get("answer")
    if hasattr(given, "to_dict"):
        given = given.to_dict(mode="json")
    given = given if isinstance(given, (dict, list, str, type(None))) else None
    results[name] = {"given": given, "printed": printed.getvalue(), "fault": fault}
print(json.dumps(results))
"""

NODE = """
import { readdirSync } from "node:fs";
const results = {};
const [log, write] = [console.log, process.stdout.write];
for (const file of readdirSync("programs").sort()) {
  let printed = "";
  globalThis.given = null;
  console.log = (...words) => { printed += `${words.join(" ")}\\n`; };
  process.stdout.write = (words) => { printed += words; return true; };
  let fault = null;
  try {
    await import(`./programs/${file}`);
  } catch (error) {
    fault = String(error);
  }
  [console.log, process.stdout.write] = [log, write];
  results[file.slice(3, -4)] = { given: globalThis.given, printed, fault };
}
write.call(process.stdout, JSON.stringify(results));
"""


@frozen
class Told:
    """What a program was given, what it printed, and how it failed, if it did."""

    given: Any
    printed: str
    fault: str | None


async def output_of(*command: str, cwd: Path, given: str = "") -> str:
    """The standard output of a program that knows no proxy and no other key."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and not name.startswith(("OPENAI_", "ANTHROPIC_"))
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def run_python(programs: Mapping[str, str], folder: Path) -> dict[str, Told]:
    """All in one process; each gives its variable ``answer``."""
    told = await output_of(sys.executable, "-c", PYTHON, cwd=folder, given=json.dumps(programs))
    return {name: Told(**one) for name, one in json.loads(told).items()}


async def run_node(programs: Mapping[str, str], folder: Path) -> dict[str, Told]:
    """The same in one process of Node.js."""
    (folder / "programs").mkdir()
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "run.mjs").write_text(NODE)
    keeps = '\nglobalThis.given = typeof answer === "undefined" ? null : (answer.body ?? answer);\n'
    for index, (name, program) in enumerate(programs.items()):
        (folder / "programs" / f"{index:02}-{name}.mjs").write_text(program + keeps)
    told = await output_of("node", "run.mjs", cwd=folder)
    return {name: Told(**one) for name, one in json.loads(told).items()}


async def run_curl(programs: Mapping[str, str], folder: Path) -> dict[str, Told]:
    """Each in a shell of its own; gives the document that it printed."""
    told = {}
    for name, program in programs.items():
        out = await output_of("bash", "-c", program, cwd=folder)
        told[name] = Told(json.loads(out) if out.startswith(("{", "[")) else out, out, None)
    return told


RUN = {"curl": run_curl, "python": run_python, "node": run_node}


def missing(language: str) -> str | None:
    """Why a language's programs can't be run here, or nothing."""
    if language == "curl" and shutil.which("curl") is None:
        return "curl is not installed, so its commands are not run"
    if language == "node" and shutil.which("node") is None:
        return "node is not installed, so its programs are not run"
    if language == "node" and not (MODULES / "@anthropic-ai" / "sdk").is_dir():
        return "examples/node_modules lacks packages: run npm install in examples/"
    return None


def can_run(language: str) -> bool:
    """Whether a language's programs can be run here."""
    return missing(language) is None


def tell_what_was_not_run() -> None:
    """Skips the test, with the reason, if there was one that could not be run."""
    for reason in filter(None, map(missing, LANGUAGES)):
        pytest.skip(reason)
