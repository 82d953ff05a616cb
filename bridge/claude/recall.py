"""The reasoning of answers that a client will send back without it.

OpenAI's clients have no place for signed reasoning: what they send back as history is the words and
the calls. The model's side wants its reasoning back as it was, and counts a prompt without it as
another one, so answers with reasoning are remembered for a while and put in their place again.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field, frozen

from bridge.core.conversation import (
    Document,
    Image,
    Message,
    Passages,
    RedactedThinking,
    Role,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from bridge.core.rules import media_of
from bridge.core.visible import seen

KEPT_SECONDS = 3_600.0
MAX_BYTES = 16 * 2**20
MANY = 500  # messages, from which on it takes a while to look through them
_ANSWER_BYTES = 1_000  # what an answer takes beside its words


@frozen
class _Answer:
    message: Message
    size: int
    since: float


@frozen
class Recalled:
    """A turn with its answers as they were given, and what stands for all of it."""

    turn: Turn
    _digest: Any
    used: tuple[bytes, ...]

    def key_with(self, answer: Message) -> bytes:
        """What an answer to it is remembered by."""
        digest = self._digest.copy()
        _add(digest, answer)
        return bytes(digest.digest())


@define
class Recall:
    """Answers with reasoning, by the conversation that they end, as a client sees it.

    ``clock`` is a monotonic time in seconds. Those that were not used for longest go first.
    """

    clock: Callable[[], float]
    _answers: OrderedDict[bytes, _Answer] = field(factory=OrderedDict, init=False)
    _size: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._answers)

    async def recalled(self, turn: Turn) -> Recalled:
        """The same as :meth:`restored`, for large conversations beside the loop."""
        if len(turn.messages) > MANY or media_of(turn.messages):
            return await asyncio.to_thread(self.restored, turn)
        return self.restored(turn)

    def restored(self, turn: Turn) -> Recalled:
        """The turn, each answer in its history as it was given. Changes nothing here."""
        digest = hashlib.blake2b(repr((turn.owner, turn.system)).encode(errors="replace"))
        messages, used = list(turn.messages), []
        for index, message in enumerate(turn.messages):
            _add(digest, message)
            if message.role is not Role.ASSISTANT or has_reasoning(message):
                continue
            known = self._answers.get(key := bytes(digest.digest()))
            if known is not None:
                messages[index] = known.message
                used.append(key)
        whole = evolve(turn, messages=tuple(messages)) if used else turn
        return Recalled(whole, digest, tuple(used))

    def remember(self, recalled: Recalled, answer: Message) -> None:
        """Keep an answer, if there is reasoning in it, and those of its history."""
        for key in recalled.used:
            if key in self._answers:
                self._answers[key] = evolve(self._answers[key], since=self.clock())
                self._answers.move_to_end(key)
        if not has_reasoning(answer):
            return
        key = recalled.key_with(answer)
        self._forget(key)
        size = _ANSWER_BYTES + sum(len(repr(part)) for part in answer.parts)
        self._answers[key] = _Answer(answer, size, self.clock())
        self._size += size
        while self._size > MAX_BYTES:
            self._forget(next(iter(self._answers)))

    def sweep(self) -> None:
        """Forget what was not used for long."""
        oldest = self.clock() - KEPT_SECONDS
        for key in [key for key, answer in self._answers.items() if answer.since <= oldest]:
            self._forget(key)

    def _forget(self, key: bytes) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._size -= answer.size


def has_reasoning(message: Message) -> bool:
    """Whether there is reasoning in a message."""
    return any(isinstance(part, Thinking | RedactedThinking) for part in message.parts)


def _add(digest: Any, message: Message) -> None:
    for part in seen(message):
        _add_part(digest, part)
    digest.update(b"\0message")


def _add_part(digest: Any, part: object) -> None:
    """Parts that are the same to a client are the same here."""
    match part:
        case ToolCall():
            told = json.dumps(
                [part.id, part.name, _plain(part.arguments)], sort_keys=True, default=repr
            )
        case ToolResult():
            told = repr((part.call_id, part.is_error))
            for piece in part.content:
                _add_part(digest, piece)
        case Passages():
            told = repr(evolve(part, content=()))
            for piece in part.content:
                _add_part(digest, piece)
        case Image() | Document():
            told = repr(evolve(part, data=""))
            digest.update(part.data.encode(errors="replace"))
        case str():
            told = part
        case _:
            told = repr(part)
    digest.update(f"\0{type(part).__name__}{len(told)} {told}".encode(errors="replace"))


def _plain(value: Any) -> Any:
    """JSON whose whole numbers are written in one way: JavaScript makes 1 of 1.0."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value
