"""A turn, as it is asked of a process."""

from typing import Self

from attrs import frozen

from bridge.claude.body import Request, request_of
from bridge.claude.calls import results_for
from bridge.claude.history import Script, script
from bridge.claude.kept import Held
from bridge.claude.names import Names
from bridge.claude.options import NO_CLEARING, flag_settings
from bridge.claude.process import CliProcess, TurnPlan
from bridge.core.conversation import ToolResult, Turn

Said = Script | tuple[ToolResult, ...]


@frozen
class AskedTurn:
    """A turn, what a process must hold to go on with it, and what is asked of the model.

    ``answering`` is the model that will answer, as far as that is known.
    """

    turn: Turn
    held: Held
    request: Request
    answering: str | None

    @classmethod
    def of(cls, turn: Turn, model: str | None, names: Names, *, lenient: bool) -> Self:
        """What a turn asks of the resolved ``model``; see :func:`request_of`."""
        request = request_of(turn, names.abilities(model), lenient=lenient)
        return cls(turn, Held.before(turn, model), request, model or names.default_model)

    def new_to(self, process: CliProcess) -> Said | None:
        """What a process that holds the conversation has not heard; None if it can't go on.

        In mid turn the CLI does not change its mind about whether the model thinks.
        """
        new = self.turn.messages[len(self.held.messages) :]
        if not process.waiting:
            return script(new)
        if process.taken_to_think is not self.request.taken_to_think:
            return None
        return results_for(process.waiting, new)

    def whole(self) -> Script:
        """All of the conversation, for a process that holds nothing of it."""
        return script(self.turn.messages, self.answering)

    def plan(self, said: Said, *, live: bool, late: bool, simple: bool, keep: bool) -> TurnPlan:
        """What to tell a process: what is ``said``, and what is asked of the model.

        ``live``: it goes on, and has its model; ``late``: the system prompt is told now;
        ``simple``: the CLI runs in its simple mode.
        """
        fields = self.request.fields
        if not (self.request.clears or simple):
            fields = {**fields, **NO_CLEARING}
        return TurnPlan(
            system=self.turn.system if late else (),
            settings=flag_settings(None if live else self.held.model, fields),
            said=said,
            functions=self.held.functions,
            taken_to_think=self.request.taken_to_think,
            keep=keep,
        )
