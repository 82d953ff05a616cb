"""What a client sees of a message, and can send back: not the model's reasoning."""

import itertools
from collections.abc import Sequence

from bridge.core.conversation import Message, Part, RedactedThinking, Role, Text, Thinking


def seen(message: Message) -> tuple[object, ...]:
    """What a client sees of a message, to compare by; how its words are parted is not told.

    Of an answer it sees the words first, whatever stood between them.
    """
    parts = [part for part in message.parts if not isinstance(part, Thinking | RedactedThinking)]
    if message.role is Role.ASSISTANT:
        parts.sort(key=lambda part: not isinstance(part, Text))
    return (message.role, *_joined(parts))


def _joined(parts: Sequence[Part]) -> list[object]:
    joined: list[object] = []
    for is_text, group in itertools.groupby(parts, lambda part: isinstance(part, Text)):
        if is_text:
            joined.append("".join(part.text for part in group if isinstance(part, Text)))
        else:
            joined += group
    return joined


def same(one: Message, other: Message) -> bool:
    """Whether two messages are the same to a client."""
    return one == other or seen(one) == seen(other)


def all_same(some: Sequence[Message], others: Sequence[Message]) -> bool:
    """Whether two conversations are the same to a client."""
    return len(some) == len(others) and all(map(same, some, others))
