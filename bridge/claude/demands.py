"""What an answer must be beside words: a call of a function, arguments that fit, or JSON.

Each is asked of the model, and each is checked, since a model that is not forced may do otherwise.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field

from bridge.claude.answer import json_object
from bridge.claude.body import Request
from bridge.core.conversation import Part, Text, ToolCall, Turn
from bridge.core.errors import WrongAnswer
from bridge.core.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    CitationDelta,
    Event,
    FinishReason,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolArgsDelta,
    TurnFailed,
    TurnFinished,
    UsageReported,
)
from bridge.core.schema import value_fault

_CUT = {FinishReason.LENGTH, FinishReason.CONTEXT_WINDOW}
_WHOLE = {FinishReason.STOP, FinishReason.STOP_SEQUENCE, FinishReason.TOOL_CALLS}


@define
class Demands:
    """Takes a turn's events one by one and gives those that the client is to see.

    :attr:`altered` says, in the end, that the answer is not what the process holds.
    """

    _request: Request
    _turn: Turn
    _json: "_JsonAnswer | None" = field(init=False)
    _strict: dict[str, Mapping[str, Any]] = field(init=False)  # schemas by function
    altered: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        name = self._request.json_answer
        self._json = None if name is None else _JsonAnswer(name)
        self._strict = {tool.name: tool.schema for tool in self._turn.tools if tool.strict}

    async def take(self, event: Event) -> list[Event]:
        """Take the next event."""
        events = [event] if self._json is None else self._json.take(event)
        if not isinstance(event, TurnFinished) or event.reason not in _WHOLE:
            return events
        told = [each.message for each in events if isinstance(each, TurnFinished)]
        self.altered = told != [event.message]
        problem = self._wrong_calls(event)
        if problem is None and (self._json or self._strict):
            problem = await asyncio.to_thread(self._mismatch, event)
        return events if problem is None else [TurnFailed(error=problem)]

    def _wrong_calls(self, finished: TurnFinished) -> WrongAnswer | None:
        called = [call.name for call in _calls(finished)]
        if self._request.calls and not called:
            return WrongAnswer(
                "The model answered in words, but 'tool_choice' asks for a call. Try again, or say "
                "in the messages which function to call.",
                code="tool_not_called",
            )
        allowed = self._turn.tool_choice.names
        own = self._request.json_answer
        for name in called:
            if allowed is not None and name not in allowed and name != own:
                return WrongAnswer(
                    f"The model called {name[:100]!r}, which 'tool_choice' does not allow. Try "
                    "again, or leave the other functions out of 'tools'.",
                    code="tool_not_allowed",
                )
        return None

    def _mismatch(self, finished: TurnFinished) -> WrongAnswer | None:
        if self._json is not None and (self._json.started or not _calls(finished)):
            schema = self._turn.output.schema if self._turn.output else None
            if (problem := self._json.mismatch(schema)) is not None:
                return problem
        for call in _calls(finished):
            parameters = self._strict.get(call.name)
            fault = None if parameters is None else value_fault(call.arguments, parameters)
            if fault is not None:
                return WrongAnswer(
                    f"The model called {call.name!r} with arguments that do not meet its schema: "
                    f"'${fault.path}': {fault.problem}. Try again.",
                    code="schema_mismatch",
                )
        return None


@define
class _JsonAnswer:
    """Makes the arguments of the function ``name`` the text of the answer.

    The words beside it are held back: they count only if there is no such call, and if they are
    JSON. Of several calls the first one counts.
    """

    name: str
    started: bool = field(default=False, init=False)
    _index: int | None = field(default=None, init=False)  # the call's block, as it came
    _passed: dict[int, int] = field(factory=dict, init=False)  # blocks as they came → as they go
    _json: list[str] = field(factory=list, init=False)
    _words: list[str] = field(factory=list, init=False)
    _usage: UsageReported | None = field(default=None, init=False)

    def take(self, event: Event) -> list[Event]:
        match event:
            case BlockStarted(kind=BlockKind.TOOL_CALL, name=self.name):
                if self.started:
                    return []
                self.started, self._index = True, event.index
                return [evolve(self._pass(event), kind=BlockKind.TEXT, call_id="", name="")]
            case BlockStarted(kind=BlockKind.TEXT) | CitationDelta():
                return []
            case BlockStarted():
                return [self._pass(event)]
            case ToolArgsDelta(index=self._index):
                self._json.append(event.json)
                return [TextDelta(index=self._passed[event.index], text=event.json)]
            case BlockEnded(index=self._index) if not "".join(self._json):
                return [*self.take(ToolArgsDelta(index=event.index, json="{}")), *self._on(event)]
            case TextDelta():
                self._words.append(event.text)
                return []
            case UsageReported():
                self._usage = event
                return []
            case TurnFinished():
                return [*self._said(event), *filter(None, [self._usage]), self._finished(event)]
            case TurnFailed() if self.started and event.error.code == "bad_arguments":
                return [TurnFailed(error=_no_object())]
            case BlockEnded() | ThinkingDelta() | SignatureDelta() | ToolArgsDelta():
                return self._on(event)
            case _:
                return [event]

    def mismatch(self, schema: Mapping[str, Any] | None) -> WrongAnswer | None:
        """What is wrong with the whole answer."""
        try:
            value = json_object("".join(self._json if self.started else self._words))
        except ValueError:
            return _no_object()
        fault = None if schema is None else value_fault(value, schema)
        if fault is None:
            return None
        return WrongAnswer(
            "The model's answer does not meet the schema that was asked for: "
            f"'${fault.path}': {fault.problem}. Try again, or describe the field in the schema.",
            code="schema_mismatch",
        )

    def _on(
        self, event: BlockEnded | ThinkingDelta | SignatureDelta | ToolArgsDelta
    ) -> list[Event]:
        index = self._passed.get(event.index)
        return [] if index is None else [evolve(event, index=index)]

    def _pass(self, event: BlockStarted) -> BlockStarted:
        index = self._passed[event.index] = len(self._passed)
        return evolve(event, index=index)

    def _spoken(self, finished: TurnFinished) -> str:
        """The words, where they are the answer: JSON, as far as it came, or a refusal."""
        words = "".join(self._words)
        cut = finished.reason in _CUT and not words.lstrip().startswith("{")
        return "" if self.started or cut or _calls(finished) or not words.strip() else words

    def _said(self, finished: TurnFinished) -> list[Event]:
        words, index = self._spoken(finished), len(self._passed)
        if not words:
            return []
        return [
            BlockStarted(index=index, kind=BlockKind.TEXT),
            TextDelta(index=index, text=words),
            BlockEnded(index=index),
        ]

    def _finished(self, event: TurnFinished) -> TurnFinished:
        others = [call for call in _calls(event) if call.name != self.name]
        reason = event.reason
        if reason is FinishReason.TOOL_CALLS and not others:
            reason = FinishReason.STOP
        parts: list[Part] = [p for p in event.message.parts if not isinstance(p, Text | ToolCall)]
        if said := "".join(self._json) or self._spoken(event):
            parts.append(Text(text=said))
        return evolve(event, reason=reason, message=evolve(event.message, parts=(*parts, *others)))


def _no_object() -> WrongAnswer:
    return WrongAnswer(
        "The model's answer is not the JSON object that was asked for. Try again, or "
        "say in the messages what the object should hold.",
        code="schema_mismatch",
    )


def _calls(finished: TurnFinished) -> list[ToolCall]:
    return [part for part in finished.message.parts if isinstance(part, ToolCall)]
