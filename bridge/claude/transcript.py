"""A history, told to a process as it starts: the transcript of a session that it resumes.

Line by line (see :mod:`bridge.claude.history`) a history takes the CLI some 7 ms for each earlier
message of the user. From a transcript, the JSON Lines file in which it keeps its own sessions, it
takes any length at once, but only while it starts. So a process that is to resume is started with a
named pipe in the place of that file, and waits there until somebody comes with a history. Nothing
is written to disk. ``claude --help`` says nothing of a path after ``--resume``; tests against the
real CLI guard it, and where it is not taken a history is told line by line.
"""

import asyncio
import enum
import errno
import json
import os
import uuid
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from claude_agent_sdk import CLIConnectionError

from bridge.claude.history import Line, Script

WORTH_IT = 5
"""So many earlier messages of the user take longer to tell than a transcript does."""

WORTH_A_START = 50
"""And so many take longer than a process takes to start."""

CAN_BE_TOLD = hasattr(os, "mkfifo")
"""Whether there are named pipes."""

LOOK_SECONDS = 0.002
"""How often to look whether a process that has just been started has come to its pipe."""


class Beginning(enum.Enum):
    """How a process is started, before anybody knows for which conversation."""

    BLANK = enum.auto()
    """It has no history; one can be told to it line by line."""

    RESUMED = enum.auto()
    """It waits for a transcript. One of nothing takes it some 20 ms longer than a blank one."""


def beginnings(script: Script, model: str | None) -> tuple[Beginning, ...]:
    """Which ready processes would do for a conversation that asks for ``model``, the best first.

    If there is none of these it is faster to start one that begins like the first.
    """
    if not CAN_BE_TOLD:
        return (Beginning.BLANK,)
    told, _ = split(script, model)
    waits = sum(line["type"] == "user" for line in told)
    if waits < WORTH_IT:
        return (Beginning.BLANK, Beginning.RESUMED)
    if waits < WORTH_A_START:
        return (Beginning.RESUMED, Beginning.BLANK)
    return (Beginning.RESUMED,)


_REASONING = frozenset({"thinking", "redacted_thinking"})

_CARRIED = _REASONING | {"text", "tool_use"}
"""What the CLI takes from a transcript as it takes it line by line. Pictures it would not make
smaller; beside text they may stand in results."""


def split(script: Script, model: str | None) -> tuple[tuple[Line, ...], Script]:
    """The lines that a transcript can tell, and what is left to tell line by line.

    They end with an answer: the CLI would answer a user's last message, or an open call, in words
    of its own. It takes the last answer's model for the one in use, and would tell the one that is
    asked for, ``model``, of the change. So that answer is told as one of that model, which only an
    answer with reasoning must really be; where the CLI chooses the model (None) nothing is told so.
    """
    end = 0
    for place, line in enumerate(script.earlier, 1):
        message = line["message"]
        if not all(_is_carried(block) for block in message["content"]):
            break
        if message.get("stop_reason") == "end_turn" and (
            message["model"] == model or not _has_reasoning(line)
        ):
            end = place
    if model is None or not end:
        return (), script
    told = (*script.earlier[: end - 1], _answered_by(model, script.earlier[end - 1]))
    return told, evolve(script, earlier=script.earlier[end:])


def _has_reasoning(line: Line) -> bool:
    return any(block["type"] in _REASONING for block in line["message"]["content"])


def _answered_by(model: str, line: Line) -> Line:
    return {**line, "message": {**line["message"], "model": model}}


def _is_carried(block: dict[str, Any]) -> bool:
    if block["type"] == "tool_result":
        return all(piece["type"] == "text" for piece in block["content"])
    return block["type"] in _CARRIED


_NOTHING: Line = {"type": "system", "subtype": "informational", "content": "-", "level": "info"}
"""What a transcript of nothing says. The model is not told of it; from an empty one the CLI would
not start."""


_ENTRY = frozenset({"type", "message", "uuid", "subtype", "content", "level"})
"""What an entry has of a line."""


@frozen
class Transcript:
    """A named pipe at ``path``, at which one process waits for its history."""

    path: Path

    @classmethod
    def within(cls, folder: Path) -> "Transcript":
        """A new one in a ``folder`` of the process's own. Raises ``OSError``."""
        path = folder / f"{uuid.uuid4()}.jsonl"  # the CLI takes the name for the session's id
        os.mkfifo(path, mode=0o600)
        return cls(path)

    async def tell(self, lines: Sequence[Line], alive: Callable[[], bool]) -> None:
        """Give the process these lines, once; it may still take them when this returns.

        Raises :class:`claude_agent_sdk.CLIConnectionError` when the process ends instead
        (``alive``).
        """
        while (pipe := self._awaited()) is None:
            if not alive():
                raise CLIConnectionError("Claude Code ended before it took its history")
            await asyncio.sleep(LOOK_SECONDS)
        self.path.unlink()  # it has it open; when it looks once more it is to find an empty file
        self.path.symlink_to(os.devnull)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, pipe)
        transport.write(self._entries(lines).encode("ascii"))
        transport.close()  # when all is written, or nobody reads any more

    def _awaited(self) -> FileIO | None:
        """The pipe's end to write to, as soon as the process waits at the other one."""
        try:
            return FileIO(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK), "wb")
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return None

    def _entries(self, lines: Sequence[Line]) -> str:
        session, parent = self.path.stem, None
        entries = []
        for line in lines or [{**_NOTHING, "uuid": str(uuid.uuid4())}]:
            said = {name: line[name] for name in _ENTRY & line.keys()}
            entry = {
                **said,
                "parentUuid": parent,
                "sessionId": session,
                "isSidechain": False,
                "timestamp": "2026-01-01T00:00:00.000Z",
            }
            entries.append(json.dumps(entry) + "\n")
            parent = line["uuid"]
        return "".join(entries)
