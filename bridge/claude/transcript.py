"""A long history, told to a process as it starts: the transcript of a session that it resumes.

Line by line (see :mod:`bridge.claude.history`) a history takes the CLI some 5 ms for each earlier
message of the user. From a transcript, the JSON Lines file in which it keeps its own sessions, it
takes any length at once, but only while it starts. The file is in memory: nothing is written to
disk. ``claude --help`` says nothing of a path after ``--resume``; tests against the real CLI guard
it, and a process that does not take it is replaced by one that is told line by line.
"""

import json
import os
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from bridge.claude.history import Line, Script

WORTH_A_START = 50
"""So many earlier messages of the user take longer to tell than a process takes to start."""

WORTH_IT = 8
"""And so many take longer than a transcript, where a process must be started anyhow."""

CAN_BE_TOLD = sys.platform == "linux"
"""Whether there are files in memory that another process can open."""

_CARRIED = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
"""What the CLI takes from a transcript as it takes it line by line. Pictures it would not make
smaller; beside text they may stand in results."""


def split(script: Script) -> tuple[tuple[Line, ...], Script]:
    """The lines that a transcript can tell, and what is left to tell line by line.

    They end with an answer: the CLI would answer a user's last message, or an open call, in words
    of its own.
    """
    end = 0
    for place, line in enumerate(script.earlier, 1):
        if not all(_is_carried(block) for block in line["message"]["content"]):
            break
        if line["message"].get("stop_reason") == "end_turn":
            end = place
    return script.earlier[:end], evolve(script, earlier=script.earlier[end:])


def _is_carried(block: dict[str, Any]) -> bool:
    if block["type"] == "tool_result":
        return all(piece["type"] == "text" for piece in block["content"])
    return block["type"] in _CARRIED


def is_worth_it(told: Sequence[Line], *, ready: bool) -> bool:
    """Whether to start a process with these lines; ``ready``: another has been started already."""
    waits = sum(line["type"] == "user" for line in told)
    return CAN_BE_TOLD and waits >= (WORTH_A_START if ready else WORTH_IT)


@frozen
class Transcript:
    """The file, open until it is closed here and in the process that inherits ``fd``."""

    path: Path
    fd: int

    @classmethod
    def of(cls, lines: Sequence[Line], folder: Path) -> "Transcript":
        """A file in memory, with a name in a ``folder`` of the process that is to read it.

        Raises ``OSError``.
        """
        session, parent = str(uuid.uuid4()), None
        told = []
        for line in lines:
            entry = {
                "type": line["type"],
                "message": line["message"],
                "uuid": line["uuid"],
                "parentUuid": parent,
                "sessionId": session,
                "isSidechain": False,
                "timestamp": "2026-01-01T00:00:00.000Z",
            }
            told.append(json.dumps(entry))
            parent = line["uuid"]
        fd = os.memfd_create("history")
        try:
            with open(fd, "w", encoding="ascii", closefd=False) as file:
                file.write("\n".join([*told, ""]))
            path = folder / f"{session}.jsonl"
            path.symlink_to(f"/proc/self/fd/{fd}")  # of whoever opens it
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd)

    def close(self) -> None:
        """Let go of it; to be called once."""
        os.close(self.fd)
