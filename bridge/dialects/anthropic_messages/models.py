"""The request on the wire, as attrs classes, and what becomes of each of its fields."""

from collections.abc import Mapping

from attrs import frozen
from cattrs import Converter

from bridge.dialects.blocks import (
    MEDIA,
    MediaBlock,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    teach_media,
)
from bridge.dialects.policy import AsksNothing, JsonObject, Policy
from bridge.dialects.thinking import WireThinking
from bridge.dialects.wire import hardened_converter, string_or, tagged, tagged_alone

ResultBlock = TextBlock | MediaBlock
ResultContent = str | tuple[ResultBlock, ...]


@frozen(kw_only=True)
class ToolResultBlock:
    """What a call gave back."""

    tool_use_id: str
    content: ResultContent | None = None
    is_error: bool | None = None


UserBlock = TextBlock | MediaBlock | ToolResultBlock
AssistantBlock = TextBlock | ToolUseBlock | ThinkingBlock | RedactedBlock
UserContent = str | tuple[UserBlock, ...]
AssistantContent = str | tuple[AssistantBlock, ...]
TextContent = str | tuple[TextBlock, ...]


@frozen(kw_only=True)
class UserMessage:
    """Role ``user``: words, media, and the results of calls."""

    content: UserContent


@frozen(kw_only=True)
class AssistantMessage:
    """Role ``assistant``: an answer of the model's, as it came."""

    content: AssistantContent


@frozen(kw_only=True)
class SystemMessage:
    """Role ``system``: an instruction that stands later than the system prompt."""

    content: TextContent


WireMessage = UserMessage | AssistantMessage | SystemMessage


@frozen(kw_only=True)
class WireTool:
    """A tool that the client runs; those that Anthropic runs have another ``type``."""

    name: str
    input_schema: JsonObject
    description: str | None = None
    strict: bool | None = None
    type: str | None = None


@frozen(kw_only=True)
class AutoChoice:
    """``{"type": "auto"}``: the model decides."""

    disable_parallel_tool_use: bool | None = None


@frozen(kw_only=True)
class AnyChoice:
    """``{"type": "any"}``: some tool must be called."""

    disable_parallel_tool_use: bool | None = None


@frozen(kw_only=True)
class NamedChoice:
    """``{"type": "tool", "name": …}``: this one must be called."""

    name: str
    disable_parallel_tool_use: bool | None = None


@frozen(kw_only=True)
class NoChoice:
    """``{"type": "none"}``: none may be called."""


WireChoice = AutoChoice | AnyChoice | NamedChoice | NoChoice


@frozen(kw_only=True)
class JsonFormat:
    """``{"type": "json_schema", "schema": …}``: the answer is to be JSON that meets the schema."""

    schema: JsonObject


WireFormat = JsonFormat


@frozen(kw_only=True)
class OutputConfig:
    """How hard the model is to try, and what its answer must be."""

    effort: str | None = None
    format: WireFormat | None = None


@frozen(kw_only=True)
class Metadata:
    """``user_id`` is the client's own id of the person who asks."""

    user_id: str | None = None


@frozen(kw_only=True)
class WireConversation:
    """The fields that count towards the prompt: all that ``count_tokens`` takes."""

    messages: tuple[WireMessage, ...]
    model: str | None = None
    system: TextContent | None = None
    tools: tuple[WireTool, ...] | None = None
    tool_choice: WireChoice | None = None
    thinking: WireThinking | None = None
    output_config: OutputConfig | None = None
    session_id: str | None = None


@frozen(kw_only=True)
class WireRequest(WireConversation):
    """The fields that are honoured. All others: :data:`POLICY`."""

    max_tokens: int
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    metadata: Metadata | None = None


POLICY = Policy(
    refused={
        "billing_policy": AsksNothing(({"bill_to": "self"},)),
        "compaction": AsksNothing(),
        "container": AsksNothing(),
        "mcp_servers": AsksNothing(([],)),
        "inference_geo": AsksNothing(),
        "speed": AsksNothing(("standard",)),
        "output_format": AsksNothing(),
        "enable_tools": AsksNothing((False,)),
    },
    ignored={
        "cache_control": AsksNothing(),
        "context_management": AsksNothing(({}, {"edits": []})),
        "diagnostics": AsksNothing(({},)),
        "service_tier": AsksNothing(("auto",)),
        "user_profile_id": AsksNothing(),
        "workspace_id": AsksNothing(),
        "messages[].content[].citations": AsksNothing(([],)),
        "messages[].content[].caller": AsksNothing(({"type": "direct"},)),
        "tools[].allowed_callers": AsksNothing((["direct"],)),
        "tools[].defer_loading": AsksNothing((False,)),
        "tools[].eager_input_streaming": AsksNothing((False,)),
        "tools[].input_examples": AsksNothing(([],)),
    },
)
"""What becomes of the fields that are not honoured. Prompts are cached by Claude Code itself."""


def converter() -> Converter:
    """The converter that structures the requests."""
    made = hardened_converter()
    roles: Mapping[str, type] = {
        "user": UserMessage,
        "assistant": AssistantMessage,
        "system": SystemMessage,
    }
    tagged(made, WireMessage, "role", roles, "There is no such role")
    teach_media(made)
    read = {"text": TextBlock, **MEDIA}
    answered = {
        "text": TextBlock,
        "tool_use": ToolUseBlock,
        "thinking": ThinkingBlock,
        "redacted_thinking": RedactedBlock,
    }
    for union, whose, members in (
        (ResultBlock, "A result can't hold such a block", read),
        (
            UserBlock,
            "A user's message can't hold such a block",
            {**read, "tool_result": ToolResultBlock},
        ),
        (AssistantBlock, "An assistant's message can't hold such a block", answered),
        (
            WireChoice,
            "There is no such choice",
            {"auto": AutoChoice, "any": AnyChoice, "tool": NamedChoice, "none": NoChoice},
        ),
    ):
        tagged(made, union, "type", members, whose, code="unsupported_parameter")
    tagged_alone(made, JsonFormat, "type", "json_schema", "There is no such format")
    blocks = "an array of content blocks"
    string_or(made, TextContent, list, tuple[TextBlock, ...], blocks)
    string_or(made, ResultContent, list, tuple[ResultBlock, ...], blocks)
    string_or(made, UserContent, list, tuple[UserBlock, ...], blocks)
    string_or(made, AssistantContent, list, tuple[AssistantBlock, ...], blocks)
    return made
