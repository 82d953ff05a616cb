"""The dialects that answer turns, as the one handler sees them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen

from bridge.core.conversation import Turn
from bridge.core.events import Event
from bridge.core.fold import Completion
from bridge.dialects import openai_chat, openai_completions


class Decoded(Protocol):
    """A decoded request: a turn for each choice of the answer, and how it is to be given."""

    @property
    def turns(self) -> tuple[Turn, ...]: ...
    @property
    def stream(self) -> bool: ...
    @property
    def ignored(self) -> tuple[str, ...]: ...
    @property
    def changed(self) -> tuple[str, ...]: ...


Encode = Callable[[Event, int], bytes]
"""Makes frames of the events of each choice, which is told by its number."""


@frozen(kw_only=True)
class Dialect:
    """What an endpoint that answers is made of.

    ``decode`` takes a body and the session that a header named. ``encoder`` and ``render`` are
    given what was asked, the answer's id and the time in seconds since 1970; ids begin with
    ``prefix``. ``turns`` is the field that a request's turns come from.
    """

    prefix: str
    turns: str
    decode: Callable[[bytes, str | None], Decoded]
    encoder: Callable[[Any, str, int], Encode]
    render: Callable[[Any, Sequence[Completion], str, int], dict[str, Any]]


def _chat_encoder(asked: openai_chat.ChatRequest, completion_id: str, created: int) -> Encode:
    encoder = openai_chat.ChunkEncoder(
        completion_id=completion_id,
        created=created,
        include_usage=asked.include_usage,
        legacy=asked.legacy,
    )
    return lambda event, _: encoder.encode(event)


CHAT = Dialect(
    prefix="chatcmpl-",
    turns="messages",
    decode=lambda body, session: openai_chat.decode(body, session=session),
    encoder=_chat_encoder,
    render=lambda asked, completions, completion_id, created: openai_chat.render(
        completions[0], completion_id=completion_id, created=created, legacy=asked.legacy
    ),
)

COMPLETIONS = Dialect(
    prefix="cmpl-",
    turns="prompt",
    decode=lambda body, session: openai_completions.decode(body, session=session),
    encoder=lambda asked, completion_id, created: (
        openai_completions.ChunkEncoder(
            asked=asked, completion_id=completion_id, created=created
        ).encode
    ),
    render=lambda asked, completions, completion_id, created: openai_completions.render(
        asked, completions, completion_id=completion_id, created=created
    ),
)
