"""What the suites need, installed once and used again until the requirements change."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from suites import CLIENTS, Suite

_SHARED = CLIENTS / "shared" / "pytest.txt"
_STAMP = ".installed"
_SECONDS = 900


class NotInstalled(Exception):
    """A suite's packages are not to be had; the message says why."""


def prepare(suite: Suite) -> bool:
    """Have the suite's environment ready; whether something had to be installed for it.

    Raises :class:`NotInstalled`.
    """
    wanted = _wanted(suite)
    stamp = suite.environment / _STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    shutil.rmtree(suite.environment, ignore_errors=True)
    if suite.is_node:
        if shutil.which("npm") is None:
            raise NotInstalled("npm is not here")
        _run("npm", "ci", "--no-audit", "--no-fund", "--silent", cwd=suite.root)
    else:
        _run(sys.executable, "-m", "venv", str(suite.environment), cwd=suite.root)
        _run(
            *(str(suite.environment / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "-r", str(_SHARED), "-r", suite.needs),
            cwd=suite.root,
        )
    stamp.write_text(wanted)
    return True


def versions(suite: Suite) -> str:
    """Which versions of the packages that count were installed."""
    return ", ".join(f"{name} {_version(suite, name)}" for name in suite.shows)


def _version(suite: Suite, package: str) -> str:
    if suite.is_node:
        described = (suite.environment / package / "package.json").read_text()
        return str(json.loads(described)["version"])
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return _run(str(suite.environment / "bin" / "python"), "-c", ask, cwd=suite.root).strip()


def _wanted(suite: Suite) -> str:
    """All that decides what is installed."""
    if suite.is_node:
        return (suite.root / "package-lock.json").read_text()
    requirements = (_SHARED, suite.root / suite.needs)
    return "".join([platform.python_version(), *(f"\n{p.read_text()}" for p in requirements)])


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if done.returncode:
        told = (done.stdout + done.stderr).strip()[-3000:]
        raise NotInstalled(f"{' '.join(command)} failed ({done.returncode}): {told}")
    return done.stdout
