"""The request on the wire, as attrs classes, and what becomes of each of its fields."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from cattrs import Converter

from bridge.dialects.wire import Fault, hardened_converter, mistyped, tagged

JsonObject = dict[str, Any]
"""Any JSON object that can be sent on: see :func:`check_sendable`."""


@frozen(kw_only=True)
class TextPart:
    """``{"type": "text", "text": …}``"""

    text: str


@frozen(kw_only=True)
class RefusalPart:
    """``{"type": "refusal", "refusal": …}``, in an assistant message."""

    refusal: str


@frozen(kw_only=True)
class ImageUrl:
    """A ``data:`` URL that holds the picture, or an ``https:`` one that leads to it."""

    url: str


@frozen(kw_only=True)
class ImagePart:
    """``{"type": "image_url", "image_url": {"url": …}}``, in a tool's message."""

    image_url: ImageUrl


TextParts = str | tuple[TextPart, ...]
AssistantPart = TextPart | RefusalPart
AssistantContent = str | tuple[AssistantPart, ...]
ToolPart = TextPart | ImagePart
ToolContent = str | tuple[ToolPart, ...]


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
    """Role ``tool``: what the call gave back; ``is_error`` is no field of OpenAI's."""

    tool_call_id: str
    content: ToolContent
    is_error: bool | None = None


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
class WireFunction:
    """A function that the model may call, in one of ``tools`` or of the older ``functions``."""

    name: str
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


@frozen(kw_only=True)
class WireTool:
    """``{"type": "function", "function": …}``"""

    function: WireFunction


@frozen(kw_only=True)
class NamedFunction:
    """``{"name": …}``, which alone is a choice of the older ``function_call``."""

    name: str


@frozen(kw_only=True)
class FunctionChoice:
    """``{"type": "function", "function": {"name": …}}``: this one must be called."""

    function: NamedFunction


@frozen(kw_only=True)
class AllowedTools:
    """The only functions that may be called, and whether one must be (``mode``)."""

    mode: str
    tools: tuple[FunctionChoice, ...]


@frozen(kw_only=True)
class AllowedChoice:
    """``{"type": "allowed_tools", "allowed_tools": …}``"""

    allowed_tools: AllowedTools


ObjectChoice = FunctionChoice | AllowedChoice
WireChoice = str | FunctionChoice | AllowedChoice
OlderChoice = str | NamedFunction


@frozen(kw_only=True)
class TextFormat:
    """``{"type": "text"}``: the answer may be anything."""


@frozen(kw_only=True)
class JsonObjectFormat:
    """``{"type": "json_object"}``: the answer is to be some JSON object."""


@frozen(kw_only=True)
class NamedSchema:
    """The schema of the answer. Answers are checked against it, whatever ``strict`` says."""

    name: str
    description: str | None = None
    schema: JsonObject | None = None
    strict: bool | None = None


@frozen(kw_only=True)
class JsonSchemaFormat:
    """``{"type": "json_schema", "json_schema": …}``"""

    json_schema: NamedSchema


WireFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat


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
    tools: tuple[WireTool, ...] | None = None
    tool_choice: WireChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: tuple[WireFunction, ...] | None = None
    function_call: OlderChoice | None = None
    response_format: WireFormat | None = None
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
    made.register_structure_hook_func(lambda t: t == JsonObject, _json_object)
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
        ToolPart,
        "type",
        {"text": TextPart, "image_url": ImagePart},
        "A tool message can't hold such a part",
        code="unsupported_parameter",
    )
    tagged(
        made,
        ObjectChoice,
        "type",
        {"function": FunctionChoice, "allowed_tools": AllowedChoice},
        "There is no such choice here",
        code="unsupported_parameter",
    )
    tagged(
        made,
        WireFormat,
        "type",
        {"text": TextFormat, "json_object": JsonObjectFormat, "json_schema": JsonSchemaFormat},
        "There is no such format",
    )
    _tagged_alone(made, TextPart, "text", "This version can't take such a part yet")
    _tagged_alone(made, WireTool, "function", "This server takes no such tool")
    _tagged_alone(made, FunctionChoice, "function", "This server takes no such tool")
    parts = "an array of content parts"
    _string_or(made, TextParts, list, tuple[TextPart, ...], parts)
    _string_or(made, AssistantContent, list, tuple[AssistantPart, ...], parts)
    _string_or(made, ToolContent, list, tuple[ToolPart, ...], parts)
    _string_or(made, str | tuple[str, ...], list, tuple[str, ...], "an array of strings")
    _string_or(made, WireChoice, dict, ObjectChoice, "an object")
    _string_or(made, OlderChoice, dict, NamedFunction, "an object")
    return made


def check_sendable(value: JsonObject) -> JsonObject:
    """JSON that can be sent on, which not all can that Python reads.

    Raises :class:`bridge.dialects.wire.Fault`.
    """
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Fault(
            "It holds a number that is too large, or half of a surrogate pair.", "invalid_value"
        ) from None
    return value


def _json_object(value: Any, _: object) -> JsonObject:
    if not isinstance(value, dict):
        mistyped("an object", value)
    return check_sendable(value)


def _tagged_alone(made: Converter, cls: type, tag: str, unknown: str) -> None:
    """Teach the converter a class that needs its ``type``, though no other has its place."""
    plain = type(cls.__name__, (cls,), {})  # without the hook that looks at the tag
    tagged(made, cls, "type", {tag: plain}, unknown, code="unsupported_parameter")


def _string_or(made: Converter, union: Any, kind: type, other: Any, expected: str) -> None:
    """Teach the converter a union of a string and what JSON writes as ``kind``."""

    def structure(value: Any, _: object) -> Any:
        if isinstance(value, str):
            return made.structure(value, str)
        if isinstance(value, kind):
            return made.structure(value, other)
        mistyped(f"a string or {expected}", value)

    made.register_structure_hook_func(lambda t: t == union, structure)
