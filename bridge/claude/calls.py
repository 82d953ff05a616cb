"""The client's functions as the CLI sees them, and the calls that wait for their results.

The CLI gets their names alone, from an in-process MCP server: the definitions that the model sees
are put into the request as they are (see :mod:`bridge.claude.body`), since the CLI sorts functions,
cuts descriptions after 4,096 characters and knows no ``strict``. A call that the model makes stays
open in the server until the client sends its result, and with it the CLI's turn.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field
from claude_agent_sdk import McpSdkServerConfig
from mcp import types
from mcp.server import Server

from bridge.core.conversation import Message, Text, ToolResult

SERVER = "client"
"""The MCP server's name; ``--allowedTools`` lets its functions run without asking."""

MAX_CARRIED = 400_000
"""Longest result, in UTF-16 units, that is handed to the CLI: from 500,000 it keeps an excerpt."""

MAX_ERROR = 8_000
"""The same for an error: from 10,000."""


@define(eq=False)
class OpenCalls:
    """The functions of one process, by name, and the calls that are open."""

    names: frozenset[str]
    _asked: dict[str, asyncio.Event] = field(factory=dict, init=False)
    _taken: dict[str, asyncio.Event] = field(factory=dict, init=False)
    _results: dict[str, "asyncio.Future[ToolResult]"] = field(factory=dict, init=False)

    def server(self) -> McpSdkServerConfig:
        """The MCP server, for the SDK's options."""
        listed = types.ListToolsResult(tools=[_stub(name) for name in sorted(self.names)])

        async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
            return listed

        async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
            call_id = str((params.meta or {}).get("claudecode/toolUseId"))
            self._event(call_id).set()
            result = await self._future(call_id)
            del self._results[call_id]  # a process may see many, and long ones
            return _result(result)

        server = Server(SERVER, on_list_tools=list_tools, on_call_tool=call_tool)
        return McpSdkServerConfig(type="sdk", name=SERVER, instance=server)

    def knows(self, call_id: str) -> bool:
        """Whether there was a call of this id before."""
        return call_id in self._taken

    async def asked(self, call_ids: Iterable[str]) -> None:
        """Wait until the CLI has asked for each of these calls."""
        for call_id in call_ids:
            await self._event(call_id).wait()

    async def give(self, results: Iterable[ToolResult]) -> None:
        """Hand on the results of open calls: the CLI goes on with its turn when it has them all.

        One after another, since the model sees them in the order in which the CLI got them.
        """
        for result in results:
            taken = self._taken[result.call_id] = asyncio.Event()
            self._future(result.call_id).set_result(result)
            await taken.wait()

    def taken(self, call_id: str) -> None:
        """The CLI has the result of this call."""
        if call_id in self._taken:
            self._taken[call_id].set()

    def _event(self, call_id: str) -> asyncio.Event:
        return self._asked.setdefault(call_id, asyncio.Event())

    def _future(self, call_id: str) -> "asyncio.Future[ToolResult]":
        if call_id not in self._results:
            self._results[call_id] = asyncio.get_running_loop().create_future()
        return self._results[call_id]


def results_for(
    waiting: tuple[str, ...], messages: Sequence[Message]
) -> tuple[ToolResult, ...] | None:
    """The results of the calls that wait, in the order of these, if messages hold just that.

    None if there is more or less, or if the CLI would not hand a result on as it is: then the
    history must be replayed, which carries everything.
    """
    parts = [part for message in messages for part in message.parts]
    results = {part.call_id: part for part in parts if isinstance(part, ToolResult)}
    if len(results) < len(parts) or results.keys() != set(waiting):
        return None
    ordered = tuple(results[call_id] for call_id in waiting)
    return ordered if all(_is_carried(result) for result in ordered) else None


_BLANK = re.compile(r"[\s\ufeff]*")  # as JavaScript sees it, to whom U+FEFF is white space
_TRIMMED = re.compile(r"\A[\s\ufeff]|[\s\ufeff]\Z")


def _is_carried(result: ToolResult) -> bool:
    texts = [part.text for part in result.content if isinstance(part, Text)]
    return (
        len(texts) == len(result.content)  # it makes pictures smaller, and fetches none
        and not (result.is_error and _is_changed(texts))
        and not all(_BLANK.fullmatch(text) for text in texts)  # it would say so in its own words
        and sum(_length(text) for text in texts) <= MAX_CARRIED
    )


def _is_changed(texts: Sequence[str]) -> bool:
    """Whether the CLI would join, trim or cut these texts of an error."""
    return len(texts) != 1 or _length(texts[0]) > MAX_ERROR or _TRIMMED.search(texts[0]) is not None


def _length(text: str) -> int:
    """As JavaScript counts it, in UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def _stub(name: str) -> types.Tool:
    return types.Tool.model_validate(
        {
            "name": name,
            "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True},  # or the calls would come one after another
            "_meta": {"anthropic/maxResultSizeChars": 500_000},
        }
    )


def _result(result: ToolResult) -> types.CallToolResult:
    texts = [part for part in result.content if isinstance(part, Text)]
    return types.CallToolResult.model_validate(
        {
            "content": [{"type": "text", "text": part.text} for part in texts],
            "isError": result.is_error,
        }
    )
