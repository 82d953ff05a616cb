"""The suites, run against the server, some at once."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from attrs import define
from environments import NotInstalled, prepare, versions
from outcomes import Outcome, read_report
from suites import CLIENTS, Suite

_AT_ONCE = 2
_SECONDS = 900.0
KEY = "open-sesame"
"""The key of the server that wants one."""

_SHARED = CLIENTS / "shared"
_SILENT = {
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NEXT_TELEMETRY_DISABLED": "1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}
"""Nobody is told of the tests, nor asked for a list of prices."""


def install(suite: Suite) -> Outcome:
    """Have what the suite needs; its outcome has a problem when that is not to be had."""
    outcome = Outcome(suite=suite)
    try:
        if prepare(suite):
            print(f"{suite.name}: installed", flush=True)
        outcome.versions = versions(suite)
    except (NotInstalled, subprocess.TimeoutExpired) as error:
        outcome.problems.append(f"not installed: {error}")
    return outcome


def run(outcomes: list[Outcome], urls: dict[str, str], root: Path, wanted: str | None) -> None:
    """Run the suites, or those of their tests that are ``wanted``; all they write is in ``root``.

    ``urls`` are the servers by the names of variables. What each of the suites says is printed when
    it has ended.
    """
    waiting = list(outcomes)
    running: list[_Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                running.append(_start(waiting.pop(0), urls, root, wanted))
            time.sleep(0.1)
            for ended in [one for one in running if one.has_ended()]:
                running.remove(ended)
                ended.tell(whole=wanted is None)
    finally:
        for one in running:
            one.kill()


@define
class _Run:
    """A suite that runs, with all that it writes in ``root``."""

    outcome: Outcome
    root: Path
    process: subprocess.Popen[bytes]
    began: float

    def has_ended(self) -> bool:
        """Whether it has, by itself or because it took too long."""
        self.outcome.seconds = time.monotonic() - self.began
        if self.process.poll() is None and self.outcome.seconds > _SECONDS:
            self.outcome.problems.append(f"it took more than {_SECONDS:g} seconds")
            self.kill()
        return self.process.poll() is not None

    def kill(self) -> None:
        """End all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tell(self, *, whole: bool) -> None:
        """Print what it said, and note what became of it."""
        self.kill()
        outcome = self.outcome
        said = (self.root / "said").read_text(errors="replace")
        print(f"\n== {outcome.suite.name}: {outcome.versions}\n{said}", flush=True)
        read_report(outcome, self.root / "report.xml", whole=whole)
        if self.process.returncode and outcome.is_well:
            outcome.problems.append(f"the test runner ended with {self.process.returncode}")
        outside = self.root / "outside"
        if outside.is_file():
            reached = ", ".join(sorted(set(outside.read_text().splitlines())))
            outcome.problems.append(f"it tried to leave this machine: {reached}")


def _start(outcome: Outcome, urls: dict[str, str], above: Path, wanted: str | None) -> _Run:
    suite = outcome.suite
    root = above / suite.name
    root.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "TMPDIR": str(root),
        "LANG": "C.UTF-8",
        **{name: f"{url}/v1" for name, url in urls.items()},
        "BRIDGE_KEY": KEY,
        "GUARD_LOG": str(root / "outside"),
        "NODE_OPTIONS": f"--import={(_SHARED / 'loopback.mjs').as_uri()}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(_SHARED),
        **_SILENT,
    }
    make = _node if suite.is_node else _pytest
    with (root / "said").open("wb") as said:
        process = subprocess.Popen(
            make(suite, root / "report.xml", wanted),
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _Run(outcome, root, process, time.monotonic())


def _pytest(suite: Suite, report: Path, wanted: str | None) -> list[str]:
    return [
        *(str(suite.environment / "bin" / "python"), "-m", "pytest"),
        *("-c", str(_SHARED / "pytest.ini"), "--rootdir", str(suite.root)),
        *("-p", "loopback", "-p", "no:cacheprovider", "--junitxml", str(report)),
        *(("-k", wanted) if wanted else ()),
        str(suite.root),
    ]


def _node(suite: Suite, report: Path, wanted: str | None) -> list[str]:
    own = suite.environment / "node" / "bin" / "node"
    return [
        *(str(own), "--test", "--test-concurrency=1"),
        *("--test-reporter=spec", "--test-reporter-destination=stdout"),
        *("--test-reporter=junit", f"--test-reporter-destination={report}"),
        *((f"--test-name-pattern={wanted}",) if wanted else ()),
        *sorted(str(path) for path in suite.root.glob("*.test.mjs")),
    ]
