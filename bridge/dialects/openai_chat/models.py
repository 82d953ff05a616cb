"""The request on the wire, as attrs classes, and what becomes of each of its fields."""

from collections.abc import Mapping

from attrs import frozen
from cattrs import Converter

from bridge.dialects.blocks import (
    MEDIA,
    MediaBlock,
    RedactedBlock,
    ThinkingBlock,
    ToolUseBlock,
    teach_media,
)
from bridge.dialects.openai.parameters import WireParameters
from bridge.dialects.policy import AsksNothing, JsonObject, Policy
from bridge.dialects.thinking import WireThinking
from bridge.dialects.wire import (
    hardened_converter,
    string_or,
    tagged,
    tagged_alone,
)


@frozen(kw_only=True)
class TextPart:
    """``{"type": "text", "text": …}``"""

    text: str | None


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
    """``{"type": "image_url", "image_url": {"url": …}}``; some clients send the URL alone."""

    image_url: str | ImageUrl


@frozen(kw_only=True)
class FileData:
    """A file as a data URL, or the URL of a PDF; ``file_id`` would be one that was sent before.

    ``context`` is no field of OpenAI's: what the model is told of the file beside its words.
    """

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None
    context: str | None = None


@frozen(kw_only=True)
class FilePart:
    """``{"type": "file", "file": {"file_data": …, "filename": …}}``"""

    file: FileData


TextParts = str | tuple[TextPart, ...]
ToolPart = TextPart | ImagePart | FilePart | MediaBlock
ToolContent = str | tuple[ToolPart, ...]


@frozen(kw_only=True)
class ToolResultPart:
    """Anthropic's own form of a result, in a user's content."""

    tool_use_id: str
    content: ToolContent | None = None
    is_error: bool | None = None


ThoughtPart = ThinkingBlock | RedactedBlock
UserPart = TextPart | ImagePart | FilePart | MediaBlock | ToolResultPart
UserContent = str | tuple[UserPart, ...]
AssistantPart = TextPart | RefusalPart | ToolUseBlock | ThinkingBlock | RedactedBlock
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

    content: TextParts | None


@frozen(kw_only=True)
class UserMessage:
    """Role ``user``."""

    content: UserContent | None


@frozen(kw_only=True)
class AssistantMessage:
    """Role ``assistant``: words, calls, a refusal, or several of them.

    ``thinking_blocks`` is LiteLLM's place for the reasoning of Claude models.
    """

    content: AssistantContent | None = None
    refusal: str | None = None
    tool_calls: tuple[WireToolCall, ...] | None = None
    function_call: FunctionCall | None = None
    audio: JsonObject | None = None
    thinking_blocks: tuple[ThoughtPart, ...] | None = None


@frozen(kw_only=True)
class ToolMessage:
    """Role ``tool``: what the call gave back; ``is_error`` is no field of OpenAI's."""

    tool_call_id: str
    content: ToolContent | None
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
class WireRequest(WireParameters):
    """The fields that are honoured. All others: :data:`POLICY`."""

    messages: tuple[WireMessage, ...]
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = None
    thinking: WireThinking | None = None
    tools: tuple[WireTool, ...] | None = None
    tool_choice: WireChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: tuple[WireFunction, ...] | None = None
    function_call: OlderChoice | None = None
    response_format: WireFormat | None = None


POLICY = Policy(
    refused={
        "n": AsksNothing((1,)),
        "logprobs": AsksNothing((False,)),
        "top_logprobs": AsksNothing((0,)),
        "logit_bias": AsksNothing(({},)),
        "modalities": AsksNothing((["text"],)),
        "audio": AsksNothing(({},)),
        "prediction": AsksNothing(({},)),
        "moderation": AsksNothing(),
        "web_search_options": AsksNothing(),
        "enable_tools": AsksNothing((False,)),
    },
    ignored={
        "seed": AsksNothing(),
        "presence_penalty": AsksNothing((0,)),
        "frequency_penalty": AsksNothing((0,)),
        "user": AsksNothing(),
        "metadata": AsksNothing(({},)),
        "store": AsksNothing((False,)),
        "service_tier": AsksNothing(("auto", "default")),
        "prompt_cache_key": AsksNothing(),
        "prompt_cache_options": AsksNothing(({},)),
        "prompt_cache_retention": AsksNothing(),
        "safety_identifier": AsksNothing(),
        "verbosity": AsksNothing(("medium",)),
        "stream_options.include_obfuscation": AsksNothing((False,)),
        "messages[].name": AsksNothing(("",)),
        "messages[].annotations": AsksNothing(([],)),
        "messages[].content[].image_url.detail": AsksNothing(("auto",)),
    },
)
"""What becomes of the fields that are not honoured."""


def converter() -> Converter:
    """The converter that structures :class:`WireRequest`."""
    made = hardened_converter()
    tagged(made, WireMessage, "role", ROLES, "There is no such role")
    teach_media(made)
    read = {"text": TextPart, "image_url": ImagePart, "file": FilePart, **MEDIA}
    thought = {"thinking": ThinkingBlock, "redacted_thinking": RedactedBlock}
    said = {"text": TextPart, "refusal": RefusalPart, "tool_use": ToolUseBlock, **thought}
    for union, whose, parts in (
        (UserPart, "A user's", {**read, "tool_result": ToolResultPart}),
        (AssistantPart, "An assistant's", said),
        (ToolPart, "A tool's", read),
        (ThoughtPart, "An assistant's", thought),
    ):
        tagged(
            made,
            union,
            "type",
            parts,
            f"{whose} message can't hold such a part",
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
    tagged_alone(made, TextPart, "type", "text", "Such a message can hold text alone")
    tagged_alone(made, WireTool, "type", "function", "This server takes no such tool")
    tagged_alone(made, FunctionChoice, "type", "function", "This server takes no such tool")
    in_parts = "an array of content parts"
    string_or(made, TextParts, list, tuple[TextPart, ...], in_parts)
    string_or(made, UserContent, list, tuple[UserPart, ...], in_parts)
    string_or(made, AssistantContent, list, tuple[AssistantPart, ...], in_parts)
    string_or(made, ToolContent, list, tuple[ToolPart, ...], in_parts)
    string_or(made, str | ImageUrl, dict, ImageUrl, "an object")
    string_or(made, str | tuple[str, ...], list, tuple[str, ...], "an array of strings")
    string_or(made, WireChoice, dict, ObjectChoice, "an object")
    string_or(made, OlderChoice, dict, NamedFunction, "an object")
    return made
