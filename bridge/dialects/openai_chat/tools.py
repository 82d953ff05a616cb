"""The functions that a request offers, the choice among them, and the JSON that it wants back."""

from collections.abc import Iterable, Mapping, Sized

from attrs import evolve, frozen

from bridge.core.conversation import JsonOutput, Tool, ToolChoice
from bridge.core.errors import InvalidRequest
from bridge.core.rules import check_tool_choice
from bridge.dialects.functions import check_name, object_schema
from bridge.dialects.openai_chat.models import (
    AllowedChoice,
    FunctionChoice,
    FunctionMessage,
    JsonSchemaFormat,
    OlderChoice,
    TextFormat,
    WireChoice,
    WireFormat,
    WireFunction,
    WireRequest,
)

MAX_TOOLS = 128
"""Most functions of a request: OpenAI's own limit, as that of their names is."""

_CHOICES = {
    "none": ToolChoice(names=()),
    "auto": ToolChoice(),
    "required": ToolChoice(required=True),
}
_OLDER_CHOICES = {word: _CHOICES[word] for word in ("none", "auto")}
_MODES = {word: _CHOICES[word] for word in ("auto", "required")}


@frozen(kw_only=True)
class Offer:
    """The functions that the model may call, and how.

    ``legacy`` says that the request has the older form of them.
    """

    tools: tuple[Tool, ...]
    choice: ToolChoice
    legacy: bool


def offer(wire: WireRequest, *, continues: bool) -> Offer:
    """What a request offers. One that ``continues`` a session may mean the functions of that one.

    Raises :class:`InvalidRequest`.
    """
    _refuse_mixed(wire)
    tools = _tools(wire)
    legacy = _is_legacy(wire)
    if legacy:
        choice = evolve(_older_choice(wire.function_call), parallel=False)
    else:
        choice = evolve(_choice(wire.tool_choice), parallel=wire.parallel_tool_calls is not False)
    if not continues:
        _check_choice(tools, choice, legacy=legacy)
    return Offer(tools=tools, choice=choice, legacy=legacy)


def json_output(wire: WireFormat | None) -> JsonOutput | None:
    """What the answer must be.

    Raises :class:`InvalidRequest`.
    """
    if wire is None or isinstance(wire, TextFormat):
        return None
    if not isinstance(wire, JsonSchemaFormat):
        return JsonOutput()
    asked, path = wire.json_schema, "response_format.json_schema"
    check_name(asked.name, f"{path}.name")
    schema = None
    if asked.schema:
        schema = object_schema(asked.schema, f"{path}.schema", code="invalid_json_schema")
    return JsonOutput(schema=schema, description=asked.description or None)


# -- functions -----------------------------------------------------------------------------------


def _refuse_mixed(wire: WireRequest) -> None:
    older, newer = (
        [name for name in names if getattr(wire, name) not in (None, ())]
        for names in (("functions", "function_call"), ("tools", "tool_choice"))
    )
    if older and newer:
        raise InvalidRequest(
            f"'{older[0]}' belongs to the older form of function calling, '{newer[0]}' to the "
            "newer one. Send 'tools' and 'tool_choice' alone.",
            param=older[0],
            code="invalid_value",
        )


def _is_legacy(wire: WireRequest) -> bool:
    if wire.functions or wire.function_call is not None:
        return True
    # in a session the functions may stay those of an earlier request
    newer = wire.tools or wire.tool_choice is not None
    return not newer and any(isinstance(message, FunctionMessage) for message in wire.messages)


def _tools(wire: WireRequest) -> tuple[Tool, ...]:
    _check_count(wire.tools, "tools")
    _check_count(wire.functions, "functions")
    tools: dict[str, Tool] = {}
    for path, function in _functions(wire):
        check_name(function.name, f"{path}.name")
        if function.name in tools:
            raise InvalidRequest(
                f"'{path}.name': there is another function {function.name!r} before it. Give every "
                "function a name of its own.",
                param=f"{path}.name",
                code="invalid_value",
            )
        tools[function.name] = Tool(
            name=function.name,
            schema=object_schema(
                function.parameters or {"type": "object", "properties": {}},
                f"{path}.parameters",
                code="invalid_function_parameters",
            ),
            description=function.description or None,
            strict=bool(function.strict),
        )
    return tuple(tools.values())


def _functions(wire: WireRequest) -> Iterable[tuple[str, WireFunction]]:
    """All functions, each with its path."""
    for index, tool in enumerate(wire.tools or ()):
        yield f"tools[{index}].function", tool.function
    for index, function in enumerate(wire.functions or ()):
        yield f"functions[{index}]", function


def _check_count(items: Sized | None, path: str) -> None:
    if items is not None and len(items) > MAX_TOOLS:
        raise InvalidRequest(
            f"'{path}' takes up to {MAX_TOOLS} functions, but there are {len(items)}.",
            param=path,
            code="invalid_value",
        )


# -- the choice among them -----------------------------------------------------------------------


def _choice(wire: WireChoice | None) -> ToolChoice:
    if wire is None:
        return ToolChoice()
    if isinstance(wire, FunctionChoice):
        return ToolChoice(names=(wire.function.name,), required=True)
    if isinstance(wire, AllowedChoice):
        allowed, path = wire.allowed_tools, "tool_choice.allowed_tools"
        _check_count(allowed.tools, f"{path}.tools")
        return evolve(
            _of_word(allowed.mode, f"{path}.mode", _MODES),
            names=tuple(tool.function.name for tool in allowed.tools),
        )
    return _of_word(wire, "tool_choice", _CHOICES)


def _older_choice(wire: OlderChoice | None) -> ToolChoice:
    if wire is None:
        return ToolChoice()
    if isinstance(wire, str):
        return _of_word(wire, "function_call", _OLDER_CHOICES)
    return ToolChoice(names=(wire.name,), required=True)


def _of_word(word: str, path: str, known: Mapping[str, ToolChoice]) -> ToolChoice:
    if word not in known:
        listed = ", ".join(f"'{name}'" for name in known)
        raise InvalidRequest(
            f"'{path}': there is no {word[:100]!r} here. Known are {listed}.",
            param=path,
            code="invalid_value",
        )
    return known[word]


def _check_choice(tools: tuple[Tool, ...], choice: ToolChoice, *, legacy: bool) -> None:
    try:
        check_tool_choice(tools, choice)
    except InvalidRequest:
        if not legacy:
            raise
        named = "".join(choice.names or ())  # only a named function can be missing
        raise InvalidRequest(
            f"'function_call': there is no function {named[:100]!r} in 'functions'.",
            param="function_call",
            code="invalid_value",
        ) from None
