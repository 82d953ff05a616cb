"""Bytes of a Messages request → a turn, or an error that names the field."""

from typing import Any

from attrs import evolve, frozen

from bridge.core.conversation import (
    Effort,
    JsonOutput,
    Message,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
    ToolResult,
    Turn,
)
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.core.rules import check_tool_choice
from bridge.dialects.anthropic_messages.encode import THREAD_UNSUPPORTED
from bridge.dialects.anthropic_messages.messages import conversation, texts
from bridge.dialects.anthropic_messages.models import (
    POLICY,
    AnyChoice,
    NamedChoice,
    NoChoice,
    OutputConfig,
    WireChoice,
    WireConversation,
    WireRequest,
    WireTool,
    converter,
)
from bridge.dialects.functions import check_name, object_schema
from bridge.dialects.policy import invalid, listed, only_session, within
from bridge.dialects.thinking import thought_of
from bridge.dialects.wire import Fault, load_object, unread

VERSIONS = ("2023-06-01", "2026-10-21")
"""The versions of the API, as ``anthropic-version`` names them; the newer is the stricter one.

Source: https://platform.claude.com/docs/en/api/versioning.
"""

UPDATES = "thinking-display-updates-2026-08-18"
"""The beta with which thoughts stay hidden, and words between calls of tools do not."""

MAX_TOOLS = 1_000
MAX_NAME = 128
"""Longest name of a tool, in characters: the API's own limit."""

_SAMPLING = ("temperature", "top_p", "top_k")
_EFFORTS = (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH, Effort.MAX)
_CONVERTER = converter()


@frozen(kw_only=True)
class MessagesRequest:
    """A decoded request; ``ignored`` names the fields that had no effect."""

    turn: Turn
    stream: bool
    ignored: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Its one turn."""
        return (self.turn,)


def decode(
    body: bytes, *, session: str | None = None, version: str | None = None, betas: str | None = None
) -> MessagesRequest:
    """Decode a request; ``session`` is the one that it was sent to by other means than its body.

    ``version`` and ``betas`` are the headers ``anthropic-version`` and ``anthropic-beta``. The
    messages to a session need not be a whole conversation, and a choice may be one among its tools.
    Raises :class:`bridge.core.errors.InvalidRequest` or its kin, with ``param`` set to the path of
    the field at fault.
    """
    raw = load_object(body)
    wire: WireRequest = _structure(raw, WireRequest, _version(version))
    wire, changed = _without_updates(wire, betas)
    turn = _turn(wire, session)
    user = wire.metadata.user_id if wire.metadata else None
    return MessagesRequest(
        turn=evolve(turn, sampling=_sampling(wire), end_user=user or None),
        stream=bool(wire.stream),
        ignored=_ignored(raw, wire, betas),
        changed=changed,
    )


def decode_count(
    body: bytes, *, session: str | None = None, version: str | None = None, betas: str | None = None
) -> MessagesRequest:
    """Decode a request of ``count_tokens``, which has none of the answer's parameters."""
    raw = load_object(body)
    wire: WireConversation = _structure(raw, WireConversation, _version(version))
    wire, changed = _without_updates(wire, betas)
    return MessagesRequest(
        turn=_turn(wire, session),
        stream=False,
        ignored=_ignored(raw, wire, betas),
        changed=changed,
    )


def _structure(raw: dict[str, Any], kind: Any, version: str) -> Any:
    POLICY.check(raw)
    _refuse_thread(raw.get("thread"))
    _refuse_foreign_tools(raw.get("tools"))
    if version != VERSIONS[0]:
        _refuse_older(raw)
    try:
        return _CONVERTER.structure(raw, kind)
    except Fault as fault:
        raise fault.as_error() from None


def _version(given: str | None) -> str:
    """The version that a request is of; without a word it is the older one, which takes more."""
    if given is None:
        return VERSIONS[0]
    if given not in VERSIONS:
        raise InvalidRequest(
            f"'anthropic-version' must be one of {listed(VERSIONS)}, but it is {given[:100]!r}.",
            param="anthropic-version",
            code="invalid_value",
        )
    return given


def _refuse_older(raw: dict[str, Any]) -> None:
    """What the newer version of the API does not take any more."""
    for name in _SAMPLING:
        if name in raw:
            raise InvalidRequest(
                f"'{name}': extra inputs are not permitted. Version {VERSIONS[1]} of the API has "
                f"no sampling parameters; send 'anthropic-version: {VERSIONS[0]}' to use them.",
                param=name,
                code="unknown_parameter",
            )
    messages = raw.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for place, block in enumerate(content if isinstance(content, list) else ()):
            cites = isinstance(block, dict) and block.get("type") == "text"
            if cites and block.get("citations") and message.get("role") == "user":
                where = f"messages[{index}].content[{place}].citations"
                raise invalid(
                    f"'{where}': version {VERSIONS[1]} of the API takes no citations in a message "
                    "of the user.",
                    where,
                )


def _refuse_thread(thread: object) -> None:
    """The tool runners of the official clients ask for one, and go on without after this error."""
    if thread is not None:
        raise UnsupportedParameter(
            "'thread': this server holds no threads. Send the whole conversation without it, or "
            "name a session with 'session_id'.",
            param="thread",
            code=THREAD_UNSUPPORTED,
        )


def _refuse_foreign_tools(tools: object) -> None:
    """Tools that Anthropic runs, or defines: only the client's own can be offered."""
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(kind, str) and kind != "custom":
            raise UnsupportedParameter(
                f"'tools[{index}]': the tool {kind[:100]!r} can't be offered by this server, which "
                "takes tools of the client's own alone (those of the type 'custom', with an "
                "'input_schema'). Leave it out.",
                param=f"tools[{index}].type",
            )


def _without_updates(wire: Any, betas: str | None) -> tuple[Any, tuple[str, ...]]:
    """The request with the display that is nearest to the one of a beta, and what was changed.

    Claude Code asks for it where it streams, and after a refusal twice more before it does without.
    """
    thinking = wire.thinking
    if thinking is None or thinking.display != "updates" or UPDATES not in (betas or ""):
        return wire, ()
    return evolve(wire, thinking=evolve(thinking, display="omitted")), ("thinking.display",)


def _ignored(raw: dict[str, Any], wire: WireConversation, betas: str | None) -> tuple[str, ...]:
    named = POLICY.names_ignored(unread(raw, wire))
    return (*named, "anthropic-beta") if betas and betas.strip() else named


def _turn(wire: WireConversation, named: str | None) -> Turn:
    session = only_session(named, wire.session_id)
    tools = _tools(wire.tools or ())
    choice = _choice(wire.tool_choice)
    if session is None:
        check_tool_choice(tools, choice)
    config = wire.output_config or OutputConfig()
    messages = conversation(wire.messages, continues=session is not None)
    if config.format is not None and any(map(_is_cited, messages)):
        where = "output_config.format"
        raise invalid(f"'{where}': JSON can't be asked for together with citations.", where)
    return Turn(
        messages=messages,
        system=texts(wire.system),
        model=wire.model or None,
        session=session,
        reasoning=Reasoning(
            effort=_effort(config.effort),
            thought=None if wire.thinking is None else thought_of(wire.thinking),
            exact=True,
        ),
        tools=tools,
        tool_choice=choice,
        output=_output(config),
    )


def _is_cited(message: Message) -> bool:
    pieces = [*message.parts]
    pieces += [p for part in message.parts if isinstance(part, ToolResult) for p in part.content]
    return any(getattr(piece, "cited", False) for piece in pieces)


def _effort(effort: str | None) -> Effort | None:
    if effort is not None and effort not in _EFFORTS:
        where = "output_config.effort"
        raise invalid(
            f"'{where}' must be one of {listed(_EFFORTS)}, but it is {effort[:100]!r}.", where
        )
    return None if effort is None else Effort(effort)


def _output(config: OutputConfig) -> JsonOutput | None:
    if config.format is None:
        return None
    path = "output_config.format.schema"
    return JsonOutput(schema=object_schema(config.format.schema, path, code="invalid_json_schema"))


def _tools(wire: tuple[WireTool, ...]) -> tuple[Tool, ...]:
    if len(wire) > MAX_TOOLS:
        raise invalid(f"'tools' takes up to {MAX_TOOLS} tools, but there are {len(wire)}.", "tools")
    tools: dict[str, Tool] = {}
    for index, tool in enumerate(wire):
        path = f"tools[{index}]"
        check_name(tool.name, f"{path}.name", MAX_NAME)
        if tool.name in tools:
            raise invalid(
                f"'{path}.name': there is another tool {tool.name!r} before it. Tool names must be "
                "unique.",
                f"{path}.name",
            )
        schema = object_schema(
            tool.input_schema, f"{path}.input_schema", code="invalid_function_parameters"
        )
        tools[tool.name] = Tool(
            name=tool.name,
            schema=schema,
            description=tool.description or None,
            strict=bool(tool.strict),
        )
    return tuple(tools.values())


def _choice(wire: WireChoice | None) -> ToolChoice:
    match wire:
        case None:
            return ToolChoice()
        case NoChoice():
            return ToolChoice(names=())
        case NamedChoice(name=name):
            choice = ToolChoice(names=(name,), required=True)
        case _:
            choice = ToolChoice(required=isinstance(wire, AnyChoice))
    return evolve(choice, parallel=not wire.disable_parallel_tool_use)


def _sampling(wire: WireRequest) -> Sampling:
    for name, value, least in (("max_tokens", wire.max_tokens, 1), ("top_k", wire.top_k, 0)):
        if value is not None and value < least:
            raise invalid(f"'{name}' must be at least {least}, but it is {value}.", name)
    for index, sequence in enumerate(wire.stop_sequences or ()):
        if not sequence.strip():
            where = f"stop_sequences[{index}]"
            raise invalid(f"'{where}': a stop sequence must hold more than white space.", where)
    return Sampling(
        temperature=within(wire.temperature, 0, 1, "temperature"),
        top_p=within(wire.top_p, 0, 1, "top_p"),
        top_k=wire.top_k,
        max_tokens=wire.max_tokens,
        stop=wire.stop_sequences or (),
    )
