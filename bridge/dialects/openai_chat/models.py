"""The request on the wire, as attrs classes, and what becomes of each of its fields."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from cattrs import Converter

from bridge.dialects.wire import hardened_converter, mistyped, tagged


@frozen(kw_only=True)
class TextPart:
    """``{"type": "text", "text": …}``"""

    text: str


@frozen(kw_only=True)
class RefusalPart:
    """``{"type": "refusal", "refusal": …}``, in an assistant message."""

    refusal: str


TextParts = str | tuple[TextPart, ...]
AssistantPart = TextPart | RefusalPart
AssistantContent = str | tuple[AssistantPart, ...]


@frozen(kw_only=True)
class FunctionCall:
    """A call's name, and its arguments as a string of JSON."""

    name: str
    arguments: str


@frozen(kw_only=True)
class WireToolCall:
    """One of an assistant message's ``tool_calls``."""

    id: str
    function: FunctionCall
    type: str = "function"


@frozen(kw_only=True)
class SystemMessage:
    """Roles ``system`` and ``developer``."""

    content: TextParts
    name: str | None = None


@frozen(kw_only=True)
class UserMessage:
    """Role ``user``."""

    content: TextParts
    name: str | None = None


@frozen(kw_only=True)
class AssistantMessage:
    """Role ``assistant``: words, calls, a refusal, or several of them."""

    content: AssistantContent | None = None
    refusal: str | None = None
    tool_calls: tuple[WireToolCall, ...] | None = None
    function_call: FunctionCall | None = None
    name: str | None = None


@frozen(kw_only=True)
class ToolMessage:
    """Role ``tool``: what the call gave back."""

    tool_call_id: str
    content: TextParts


@frozen(kw_only=True)
class FunctionMessage:
    """Role ``function``, the older form of ``tool``: it answers the call by its name."""

    name: str
    content: str | None


WireMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage

ROLES: Mapping[str, type] = {
    "system": SystemMessage,
    "developer": SystemMessage,
    "user": UserMessage,
    "assistant": AssistantMessage,
    "tool": ToolMessage,
    "function": FunctionMessage,
}


@frozen(kw_only=True)
class StreamOptions:
    """What comes with a stream."""

    include_usage: bool | None = None


@frozen(kw_only=True)
class WireRequest:
    """The fields that are honoured. All others: :data:`NEUTRAL` and :data:`IGNORED`."""

    messages: tuple[WireMessage, ...]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | tuple[str, ...] | None = field(default=None)
    session_id: str | None = None


def _one_of(*values: object) -> Callable[[object], bool]:
    return lambda value: any(value == v and type(value) is type(v) for v in values)


def _empty(value: object) -> bool:
    return value in ([], {}, "")


def _zero(value: object) -> bool:
    return value == 0 and not isinstance(value, bool)


NEUTRAL: Mapping[str, Callable[[object], bool]] = {
    "n": _one_of(1),
    "logprobs": _one_of(False),
    "top_logprobs": _one_of(0),
    "logit_bias": _empty,
    "modalities": lambda value: value == ["text"],
    "audio": _empty,
    "prediction": _empty,
    "web_search_options": lambda _: False,
    "tools": _empty,
    "tool_choice": _one_of("none", "auto"),
    "functions": _empty,
    "function_call": _one_of("none", "auto"),
    "response_format": lambda value: value == {"type": "text"},
    "reasoning_effort": lambda _: False,
    "enable_tools": _one_of(False),
}
"""Fields that would change the answer and can't be honoured (some: not yet). They are accepted
where they ask for nothing (null, or the value here) and refused by name otherwise."""

IGNORED: Mapping[str, Callable[[object], bool]] = {
    "seed": lambda _: False,
    "presence_penalty": _zero,
    "frequency_penalty": _zero,
    "user": lambda _: False,
    "metadata": _empty,
    "store": _one_of(False),
    "service_tier": _one_of("auto", "default"),
    "parallel_tool_calls": _one_of(True),
    "prompt_cache_key": lambda _: False,
    "prompt_cache_retention": lambda _: False,
    "safety_identifier": lambda _: False,
    "verbosity": _one_of("medium"),
}
"""Fields without an effect here. Like unknown ones they are named in the ``x-bridge-ignored``
header, unless they ask for nothing (null, or the value here)."""


def converter() -> Converter:
    """The converter that structures :class:`WireRequest`."""
    made = hardened_converter()
    tagged(made, WireMessage, "role", ROLES, "There is no such role")
    tagged(
        made,
        AssistantPart,
        "type",
        {"text": TextPart, "refusal": RefusalPart},
        "An assistant message can't hold such a part",
    )
    tagged(
        made,
        TextPart,
        "type",
        {"text": _PlainText},
        "This version can't take such a part yet",
        code="unsupported_parameter",
    )
    _string_or_list(made, str | tuple[TextPart, ...], tuple[TextPart, ...], "content parts")
    _string_or_list(made, AssistantContent, tuple[AssistantPart, ...], "content parts")
    _string_or_list(made, str | tuple[str, ...], tuple[str, ...], "strings")
    return made


class _PlainText(TextPart):
    """The class that the tag ``text`` structures; the tag itself is checked before."""


def _string_or_list(made: Converter, union: Any, items: Any, of: str) -> None:
    def structure(value: Any, _: object) -> Any:
        if isinstance(value, str):
            return made.structure(value, str)
        if isinstance(value, list):
            return made.structure(value, items)
        mistyped(f"a string or an array of {of}", value)

    made.register_structure_hook_func(lambda t: t == union, structure)
