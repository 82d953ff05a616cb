"""What a request's messages are to the history of its session."""

from enum import StrEnum

from attrs import frozen

from bridge.core.conversation import Message, Role, Text, ToolCall, ToolResult


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
    the assistant's, or a result that no call waits for, it is the client's version of the history
    and replaces the stored one from where they differ. Else it is appended.

    Messages are compared by what a client sees of them, so the stored ones keep what it does not:
    reasoning and its signatures.
    """
    if not stored:
        return Merged(messages=sent, kept=0, outcome=Outcome.CREATED)
    common = _common(stored, sent)
    if common == len(stored):
        return Merged(messages=stored + sent[common:], kept=len(stored), outcome=Outcome.CONTINUED)
    if _is_history(sent, waiting=_calls(stored[-1])):
        return Merged(
            messages=stored[:common] + sent[common:], kept=common, outcome=Outcome.REPLACED
        )
    return Merged(messages=stored + sent, kept=len(stored), outcome=Outcome.CONTINUED)


def _common(stored: tuple[Message, ...], sent: tuple[Message, ...]) -> int:
    """How many messages are the same in both, from the first on."""
    for index, (one, other) in enumerate(zip(stored, sent, strict=False)):
        if one != other and _seen(one) != _seen(other):
            return index
    return min(len(stored), len(sent))


def _seen(message: Message) -> tuple[object, ...]:
    """What a client sees of a message, and can send back."""
    parts = message.parts
    return (
        message.role,
        "".join(part.text for part in parts if isinstance(part, Text)),
        [part for part in parts if isinstance(part, ToolCall | ToolResult)],
    )


def _calls(message: Message) -> set[str]:
    return {part.id for part in message.parts if isinstance(part, ToolCall)}


def _is_history(sent: tuple[Message, ...], waiting: set[str]) -> bool:
    return any(
        message.role is Role.ASSISTANT
        or any(isinstance(p, ToolResult) and p.call_id not in waiting for p in message.parts)
        for message in sent
    )
