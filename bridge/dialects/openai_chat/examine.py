"""What would become of a request, without answering it: by the code that decides it."""

import re
from collections.abc import Set
from typing import Any

from attrs import frozen

from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_chat.decode import ChatRequest, structure
from bridge.dialects.openai_chat.models import POLICY
from bridge.dialects.wire import load_object

_FIELD = re.compile(r"[^.\[]+")


_STAND_IN = [{"role": "user", "content": "Hello"}]
"""In the place of messages that were refused, so that the other fields can be looked at."""

_HANGS_ON = {"tools": ("tool_choice",), "functions": ("function_call",)}
"""Fields that mean nothing without another one."""


@frozen(kw_only=True)
class Examined:
    """The fields that were ``sent``, and what was found of them.

    ``asked`` is the request without what is ``refused``, a stand-in for messages that are; ``None``
    if nothing can be asked then.
    ``neutral`` are the fields that ask for nothing, ``undecided`` those that hang on refused ones.
    """

    sent: tuple[str, ...]
    neutral: tuple[str, ...]
    undecided: tuple[str, ...]
    refused: tuple[InvalidRequest, ...]
    asked: ChatRequest | None


def examine(
    body: bytes, *, session: str | None = None, without: frozenset[str] = frozenset()
) -> Examined:
    """Decode a request again and again, each time without the field that was refused.

    ``without`` are fields that somebody else has refused. Raises :class:`InvalidRequest` for a body
    that is no JSON object.
    """
    sent = load_object(body)
    raw, refused, undecided = _without(sent, without), [], set[str]()
    asked: ChatRequest | None = None
    while asked is None:
        try:
            asked = structure(raw, session=session)
        except InvalidRequest as error:
            refused.append(error)
            name = field_of(error.param)
            if raw.get("messages") is _STAND_IN and name == "messages":
                break
            if name not in {*raw, "messages"}:
                break
            hanging = {other for other in _HANGS_ON.get(name, ()) if other in raw}
            undecided |= hanging
            raw = _without(raw, {name, *hanging})
    apart = {*undecided, *(field_of(error.param) for error in refused)}
    return Examined(
        sent=tuple(sent),
        neutral=tuple(
            name for name in sent if name not in apart and _asks_nothing(name, sent[name])
        ),
        undecided=tuple(name for name in sent if name in undecided),
        refused=tuple(refused),
        asked=asked,
    )


def _without(raw: dict[str, Any], names: Set[str]) -> dict[str, Any]:
    left = {name: value for name, value in raw.items() if name not in names}
    return {**left, "messages": _STAND_IN} if "messages" in names else left


def field_of(param: str | None) -> str:
    """The field of the request that a path leads into, "" if it is none."""
    found = _FIELD.match(param or "")
    return found[0] if found else ""


def _asks_nothing(name: str, value: Any) -> bool:
    known = {**POLICY.refused, **POLICY.ignored}.get(name)
    return value is None or (known is not None and known(value))
