"""Content blocks of the Messages API that clients of OpenAI's send as well."""

from collections.abc import Iterable

from attrs import frozen

from bridge.core.conversation import RedactedThinking, Thinking
from bridge.dialects.policy import JsonObject


@frozen(kw_only=True)
class ToolUseBlock:
    """A call of the model's; its ``input`` is the arguments."""

    id: str
    name: str
    input: JsonObject


@frozen(kw_only=True)
class ThinkingBlock:
    """Reasoning, which the model's side wants back as it came."""

    thinking: str
    signature: str


@frozen(kw_only=True)
class RedactedBlock:
    """The same, where only the model's side can read it."""

    data: str


def thoughts(blocks: Iterable[object]) -> Iterable[Thinking | RedactedThinking]:
    """The reasoning among these blocks."""
    for block in blocks:
        if isinstance(block, ThinkingBlock):
            yield Thinking(text=block.thinking, signature=block.signature)
        elif isinstance(block, RedactedBlock):
            yield RedactedThinking(data=block.data)
