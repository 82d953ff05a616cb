"""Bytes of a chat completion request → a turn, or an error that names the field."""

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from bridge.core.conversation import Sampling, Turn
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.openai_chat.messages import conversation
from bridge.dialects.openai_chat.models import IGNORED, NEUTRAL, WireRequest, converter
from bridge.dialects.openai_chat.tools import json_output, offer
from bridge.dialects.wire import Fault, load_object

_CONVERTER = converter()
_HONOURED = frozenset(WireRequest.__annotations__)


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


def decode(body: bytes, *, session: str | None = None) -> ChatRequest:
    """Decode a request; ``session`` is the one that it was sent to by other means than its body.

    The messages to a session need not be a whole conversation: they may begin with the results of
    calls that the session's last answer made, and a choice may be one among its functions. Raises
    :class:`bridge.core.errors.InvalidRequest` or its kin, with ``param`` set to the path of the
    field at fault.
    """
    raw = load_object(body)
    if "messages" not in raw and "input" in raw:
        raise InvalidRequest(
            "'messages' is missing. A body with 'input' belongs to POST /v1/responses, which this "
            "server does not have; send 'messages' to POST /v1/chat/completions.",
            param="messages",
            code="missing_required_parameter",
        )
    _refuse_unsupported(raw)
    try:
        wire: WireRequest = _CONVERTER.structure(raw, WireRequest)
    except Fault as fault:
        raise fault.as_error() from None
    if session is not None and wire.session_id not in (None, session):
        raise InvalidRequest(
            "'session_id' and the header X-Session-Id name different sessions: send one of them.",
            param="session_id",
            code="invalid_value",
        )
    session = wire.session_id if session is None else session
    system, messages = conversation(wire.messages, continues=session is not None)
    offered = offer(wire, continues=session is not None)
    changed = []
    temperature = wire.temperature
    if temperature is not None and 1 < temperature <= 2:
        temperature = 1.0
        changed.append("temperature")
    return ChatRequest(
        turn=Turn(
            messages=messages,
            system=system,
            model=wire.model or None,
            session=session,
            sampling=Sampling(
                temperature=_within(temperature, 0, 2, "temperature"),
                top_p=_within(wire.top_p, 0, 1, "top_p"),
                max_tokens=_max_tokens(wire),
                stop=_stop(wire.stop),
            ),
            tools=offered.tools,
            tool_choice=offered.choice,
            output=json_output(wire.response_format),
        ),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        legacy=offered.legacy,
        ignored=tuple(_ignored(raw)),
        changed=tuple(changed),
    )


# -- parameters ----------------------------------------------------------------------------------


def _refuse_unsupported(raw: dict[str, Any]) -> None:
    for name, is_neutral in NEUTRAL.items():
        value = raw.get(name)
        if value is not None and not is_neutral(value):
            raise UnsupportedParameter(
                f"'{name}' can't be honoured by this version of the server, and to leave it out "
                "would change the answer. Remove it from the request.",
                param=name,
            )


def _ignored(raw: dict[str, Any]) -> Iterable[str]:
    for name, value in raw.items():
        if name in _HONOURED or name in NEUTRAL:
            continue
        asks_for_nothing = IGNORED.get(name)
        if asks_for_nothing is None or not (value is None or asks_for_nothing(value)):
            yield name


def _within(value: float | None, low: float, high: float, name: str) -> float | None:
    if value is not None and not low <= value <= high:
        raise InvalidRequest(
            f"'{name}' must be between {low:g} and {high:g}, but it is {value:g}.",
            param=name,
            code="invalid_value",
        )
    return value


def _max_tokens(wire: WireRequest) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value: int | None = getattr(wire, name)
        if value is not None and value < 1:
            raise InvalidRequest(
                f"'{name}' must be at least 1, but it is {value}.", param=name, code="invalid_value"
            )
    return wire.max_completion_tokens or wire.max_tokens


def _stop(stop: str | tuple[str, ...] | None) -> tuple[str, ...]:
    sequences = (stop,) if isinstance(stop, str) else stop or ()
    if len(sequences) > 4:
        raise InvalidRequest(
            f"'stop' takes up to 4 sequences, but there are {len(sequences)}.",
            param="stop",
            code="invalid_value",
        )
    for index, sequence in enumerate(sequences):
        if not sequence.strip():  # the Messages API refuses them
            where = "stop" if isinstance(stop, str) else f"stop[{index}]"
            raise InvalidRequest(
                f"'{where}': a stop sequence must hold more than white space.",
                param=where,
                code="invalid_value",
            )
    return sequences
