"""Bytes of a chat completion request → a turn, or an error that names the field."""

from typing import Any

from attrs import frozen

from bridge.core.conversation import Turn
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai.parameters import reasoning, sampling
from bridge.dialects.openai_chat.messages import conversation
from bridge.dialects.openai_chat.models import POLICY, WireRequest, converter
from bridge.dialects.openai_chat.tools import json_output, offer
from bridge.dialects.policy import only_session
from bridge.dialects.wire import Fault, load_object, unread

_CONVERTER = converter()


@frozen(kw_only=True)
class ChatRequest:
    """A decoded request.

    ``ignored`` and ``changed`` name the fields that had no effect, or another one than asked;
    the client is told in headers. ``legacy``: calls are to be answered in the older form, as
    ``function_call``.
    """

    turn: Turn
    stream: bool
    include_usage: bool
    legacy: bool = False
    ignored: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns of the request, one for each choice of the answer."""
        return (self.turn,)


def decode(body: bytes, *, session: str | None = None) -> ChatRequest:
    """Decode a request; ``session`` is the one that it was sent to by other means than its body.

    The messages to a session need not be a whole conversation: they may begin with the results of
    calls that the session's last answer made, and a choice may be one among its functions. Raises
    :class:`bridge.core.errors.InvalidRequest` or its kin, with ``param`` set to the path of the
    field at fault.
    """
    return structure(load_object(body), session=session)


def structure(raw: dict[str, Any], *, session: str | None = None) -> ChatRequest:
    """The same for a body that was read already."""
    if "messages" not in raw and "input" in raw:
        raise InvalidRequest(
            "'messages' is missing. A body with 'input' belongs to POST /v1/responses, which this "
            "server does not have; send 'messages' to POST /v1/chat/completions.",
            param="messages",
            code="missing_required_parameter",
        )
    POLICY.check(raw)
    try:
        wire: WireRequest = _CONVERTER.structure(raw, WireRequest)
    except Fault as fault:
        raise fault.as_error() from None
    session = only_session(session, wire.session_id)
    system, messages = conversation(wire.messages, continues=session is not None)
    offered = offer(wire, continues=session is not None)
    asked, changed = sampling(wire, max_completion_tokens=wire.max_completion_tokens)
    return ChatRequest(
        turn=Turn(
            messages=messages,
            system=system,
            model=wire.model or None,
            session=session,
            sampling=asked,
            reasoning=reasoning(wire.reasoning_effort, wire.thinking),
            tools=offered.tools,
            tool_choice=offered.choice,
            output=json_output(wire.response_format),
        ),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        legacy=offered.legacy,
        ignored=(*_ignored_limit(wire), *POLICY.names_ignored(unread(raw, wire))),
        changed=changed,
    )


def _ignored_limit(wire: WireRequest) -> tuple[str, ...]:
    """The older limit of tokens has no effect beside another, newer one."""
    newer, older = wire.max_completion_tokens, wire.max_tokens
    return ("max_tokens",) if None not in (newer, older) and newer != older else ()
