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
class Image:
    """A picture: ``data`` is base64, of what ``media_type`` says (``image/png``)."""

    media_type: str
    data: str


@frozen(kw_only=True)
class LinkedImage:
    """A picture that the model's side fetches from ``url``, which begins with ``https://``."""

    url: str


@frozen(kw_only=True)
class Document:
    """A file to read: a PDF, whose ``data`` is base64, or plain text, whose ``data`` is the text.

    ``media_type`` is ``application/pdf`` or ``text/plain``; ``title`` is what the file is called,
    ``context`` what the model is told of it beside its words. ``cited``: the answer is to cite it.
    """

    media_type: str
    data: str
    title: str | None = None
    context: str | None = None
    cited: bool = False


@frozen(kw_only=True)
class LinkedDocument:
    """A PDF that the model's side fetches from ``url``, which begins with ``https://``."""

    url: str
    title: str | None = None
    context: str | None = None
    cited: bool = False


@frozen(kw_only=True)
class Passages:
    """A document in pieces, which are what an answer can cite of it."""

    content: tuple[Text | Image | LinkedImage, ...]
    title: str | None = None
    context: str | None = None
    cited: bool = False


@frozen(kw_only=True)
class SearchResult:
    """Something that the client's own search found; ``source`` is where, a URL for one."""

    source: str
    title: str
    texts: tuple[str, ...]
    cited: bool = False


Media = Image | LinkedImage | Document | LinkedDocument | Passages
ResultPart = Text | Media | SearchResult


@frozen(kw_only=True)
class ToolResult:
    """What the client's function gave back for the call ``call_id``.

    A client that knows no ids says the function's ``name`` instead: ``call_id`` is empty until the
    call is found in the session that the result was sent to.
    """

    call_id: str
    content: tuple[ResultPart, ...]
    is_error: bool = False
    name: str | None = field(default=None, eq=False)


@frozen(kw_only=True)
class Thinking:
    """The model's own reasoning, with the signature that makes it acceptable when sent back."""

    text: str
    signature: str = ""


@frozen(kw_only=True)
class RedactedThinking:
    """Reasoning that only the model's side can read, sent back as it came."""

    data: str


Part = ResultPart | ToolCall | ToolResult | Thinking | RedactedThinking


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

    ``temperature`` and ``top_p`` are 0 to 1, ``top_k`` counts the likeliest tokens that are taken
    from, ``max_tokens`` output tokens; ``stop`` holds the sequences that end the answer.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


class Effort(StrEnum):
    """How hard the model is to try, from not thinking at all to as hard as it can."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


class ThinkingMode(StrEnum):
    """The Messages API's own words for how a model thinks."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    ADAPTIVE = "adaptive"
    BETWEEN_TOOLS = "between_tools"


LEAST_BUDGET = 1_024
"""Fewest tokens that the Messages API lets a model think with."""


@frozen(kw_only=True)
class Thought:
    """How the model is to think, in the Messages API's terms: it is asked for just that.

    ``budget`` counts tokens and belongs to ``ENABLED``. ``display`` says whether its words are
    wanted (``summarized``) or not (``omitted``); ``None`` leaves that to the model.
    """

    mode: ThinkingMode
    budget: int | None = None
    display: str | None = None


@frozen(kw_only=True)
class Reasoning:
    """How much the model is to think. ``None`` leaves the choice to the model.

    ``effort`` alone decides about thinking as well, as the model can; ``thought`` decides first.
    ``exact``: both are asked for as they are, and of what is None the model's own default holds, as
    in a request to the Messages API. Otherwise a model that is not asked to think is told not to.
    """

    effort: Effort | None = None
    thought: Thought | None = None
    exact: bool = False


@frozen(kw_only=True)
class Tool:
    """A function that the client runs and the model may call.

    ``schema`` is the JSON Schema of its arguments, an object's. ``strict`` asks the model's side to
    keep the arguments to it.
    """

    name: str
    schema: Mapping[str, Any]
    description: str | None = None
    strict: bool = False


@frozen(kw_only=True)
class ToolChoice:
    """Which functions the model may call in a turn, and whether it must.

    ``names`` are the only ones it may call, ``None`` means all of them. ``required``: it must call
    one. ``parallel``: it may make several calls at once.
    """

    names: tuple[str, ...] | None = None
    required: bool = False
    parallel: bool = True


@frozen(kw_only=True)
class JsonOutput:
    """The answer is to be a JSON object, one that meets ``schema`` if that is not None."""

    schema: Mapping[str, Any] | None = None
    description: str | None = None


@frozen(kw_only=True)
class Turn:
    """One request to the model, whatever dialect it came in.

    ``model`` is the name as the client wrote it (``None``: the default). ``system`` are the texts
    of the system prompt, in order. ``messages`` is the whole conversation, oldest first; its last
    message is never the assistant's. ``output`` is what the answer must be, ``None`` if anything.
    ``ends``: nobody will go on with the conversation, unless it is a session's. ``end_user`` is an
    id of the client's own for the person who asks, which the model's side is told.
    ``owner`` names the key that the request came with, ``session`` the owner's conversation that
    the turn belongs to, if it has a name. ``request`` tells the request from all others, for
    whoever counts what it cost; it is no part of what is asked, so turns that differ in it alone
    are equal.
    """

    messages: tuple[Message, ...]
    system: tuple[str, ...] = ()
    model: str | None = None
    sampling: Sampling = field(factory=Sampling)
    reasoning: Reasoning = field(factory=Reasoning)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(factory=ToolChoice)
    output: JsonOutput | None = None
    ends: bool = False
    end_user: str | None = None
    owner: str = ""
    session: str | None = None
    request: str = field(default="", eq=False)
