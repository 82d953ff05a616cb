"""What a request's messages are to the history of its session."""

from collections.abc import Iterable
from enum import StrEnum

from attrs import evolve, frozen

from bridge.core.conversation import Message, Part, Role, ToolCall, ToolResult
from bridge.core.errors import InvalidRequest
from bridge.core.visible import same


class Outcome(StrEnum):
    """What became of the session; the values of the ``x-bridge-session`` header."""

    CREATED = "created"
    CONTINUED = "continued"
    REPLACED = "replaced"
    FORKED = "forked"
    MATCHED = "matched"


@frozen(kw_only=True)
class Merged:
    """The conversation that a request means; the first ``kept`` messages are the stored ones."""

    messages: tuple[Message, ...]
    kept: int
    outcome: Outcome


def merge(stored: tuple[Message, ...], sent: tuple[Message, ...]) -> Merged:
    """Stored history and sent messages → the conversation.

    If ``sent`` begins with the whole history, the rest is appended. Else, if it holds a message of
    the assistant's, it is the client's version of the history and replaces the stored one from
    where they differ. Else it is appended. Whether a model can go on with that is not looked at.

    Messages are compared by what a client sees of them, so the stored ones keep what it does not:
    reasoning and its signatures.

    Raises :class:`InvalidRequest` for a result that names a function without a call that waits.
    """
    sent = _with_ids(sent, {call.id: call.name for call in _calls(stored[-1:])})
    if not stored:
        return Merged(messages=sent, kept=0, outcome=Outcome.CREATED)
    common = _common(stored, sent)
    if common == len(stored):
        return Merged(messages=stored + sent[common:], kept=len(stored), outcome=Outcome.CONTINUED)
    if any(message.role is Role.ASSISTANT for message in sent):
        return Merged(
            messages=stored[:common] + sent[common:], kept=common, outcome=Outcome.REPLACED
        )
    return Merged(messages=stored + sent, kept=len(stored), outcome=Outcome.CONTINUED)


def _common(stored: tuple[Message, ...], sent: tuple[Message, ...]) -> int:
    """How many messages are the same in both, from the first on."""
    for index, (one, other) in enumerate(zip(stored, sent, strict=False)):
        if not same(one, other):
            return index
    return min(len(stored), len(sent))


def _calls(messages: Iterable[Message]) -> list[ToolCall]:
    return [part for message in messages for part in message.parts if isinstance(part, ToolCall)]


def _with_ids(sent: tuple[Message, ...], waiting: dict[str, str]) -> tuple[Message, ...]:
    """The same messages; a result that names its function has the id of the first call of it.

    ``waiting`` are the names of the calls that the model made last, by id.
    """
    free = dict(waiting)

    def with_id(part: Part) -> Part:
        if not isinstance(part, ToolResult):
            return part
        if part.call_id or part.name is None:
            free.pop(part.call_id, None)
            return part
        for call_id, name in free.items():
            if name == part.name:
                del free[call_id]
                return evolve(part, call_id=call_id, name=None)
        raise InvalidRequest(
            f"'messages': no call of the function {part.name[:100]!r} waits for a result.",
            param="messages",
            code="invalid_value",
        )

    return tuple(evolve(m, parts=tuple(with_id(part) for part in m.parts)) for m in sent)
