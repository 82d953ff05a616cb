"""A conversation as values: messages, their parts, and the turn that a request asks for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen


class Role(StrEnum):
    """Who speaks. ``SYSTEM`` is an instruction that stands later than the system prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@frozen(kw_only=True)
class Text:
    """Words."""

    text: str


@frozen(kw_only=True)
class ToolCall:
    """A function call that the model made; ``arguments`` is the decoded JSON object."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@frozen(kw_only=True)
class ToolResult:
    """What the client's function gave back for the call ``call_id``."""

    call_id: str
    content: tuple[Text, ...]
    is_error: bool = False


@frozen(kw_only=True)
class Thinking:
    """The model's own reasoning, with the signature that makes it acceptable when sent back."""

    text: str
    signature: str = ""


@frozen(kw_only=True)
class RedactedThinking:
    """Reasoning that only the model's side can read, sent back as it came."""

    data: str


Part = Text | ToolCall | ToolResult | Thinking | RedactedThinking


@frozen(kw_only=True)
class Message:
    """One message of a conversation; a message without parts says nothing and is never sent.

    ``model`` is the one that gave an assistant's message (``None``: not known). It is no part of
    what was said, so messages that differ in it alone are equal.
    """

    role: Role
    parts: tuple[Part, ...]
    model: str | None = field(default=None, eq=False)


@frozen(kw_only=True)
class Sampling:
    """How the model is asked to sample. ``None`` leaves the choice to the model.

    ``temperature`` and ``top_p`` are 0 to 1, ``max_tokens`` counts output tokens, ``stop`` holds
    the sequences that end the answer.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


@frozen(kw_only=True)
class Turn:
    """One request to the model, whatever dialect it came in.

    ``model`` is the name as the client wrote it (``None``: the default). ``system`` are the texts
    of the system prompt, in order. ``messages`` is the whole conversation, oldest first; its last
    message is never the assistant's. ``owner`` names the key that the request came with,
    ``session`` the owner's conversation that the turn belongs to, if it has a name.
    """

    messages: tuple[Message, ...]
    system: tuple[str, ...] = ()
    model: str | None = None
    sampling: Sampling = field(factory=Sampling)
    owner: str = ""
    session: str | None = None
