"""The real program behind a door: a small one that passes everything on, but for what it is told."""

import sys
from pathlib import Path

from bridge.claude.options import bundled_cli

_BEFORE = f"""#!{sys.executable}
import json, os, subprocess, sys, time

real = {str(bundled_cli())!r}
if "--input-format" not in sys.argv:
    os.execv(real, [real, *sys.argv[1:]])
"""
_BETWEEN = """
child = subprocess.Popen([real, *sys.argv[1:]], stdin=subprocess.PIPE)
for line in sys.stdin:
"""
_AFTER = """
    child.stdin.write(line.encode())
    child.stdin.flush()
"""


def make_door(path: Path, within: str = "", *, at_once: str = "") -> Path:
    """A program at ``path``; ``within`` is the body of its loop over the lines that come in.

    A line that it does not ``continue`` after is passed on. ``at_once`` it does before all else.
    """
    path.write_text(_BEFORE + at_once + _BETWEEN + within + _AFTER)
    path.chmod(0o700)
    return path
