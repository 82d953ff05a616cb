"""What of a turn is put into the request to the model as it is.

The CLI merges ``CLAUDE_CODE_EXTRA_BODY`` into every Messages API request, over its own fields.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve, frozen

from bridge.claude.abilities import Abilities
from bridge.claude.history import fit_name
from bridge.claude.strict import can_be_strict
from bridge.claude.thinking import asked_of
from bridge.core.conversation import JsonOutput, Message, Sampling, Tool, ToolCall, Turn

JSON_ANSWER = "StructuredOutput"
"""The function whose arguments are the answer, when that must be JSON."""

_HOW_TO_ANSWER = (
    "Gives the final answer to the user. Call this function once, when everything else is done, "
    "with the whole answer as its arguments; write nothing beside it."
)
SAMPLING = ("temperature", "top_p", "top_k")
_UNFORCED = "In this answer, one of the functions must be called: do not answer in words."


@frozen(kw_only=True)
class Request:
    """The extra fields of one request, and what its answer is to be.

    ``json_answer`` names the function whose arguments are the answer, ``None`` if it is in words.
    ``calls`` says that functions must be called. ``changed`` and ``ignored`` name the parameters
    that have another effect than asked, or none.

    ``taken_to_think``: the CLI must take the model to be thinking, whether it is or not. Else it
    adds a ``temperature`` of 1 for models up to 4.6, which the API refuses beside ``top_p``, and
    lowers an effort above high for some. ``clears``: it must not be let to ask then that reasoning
    be cleared, which the API refuses where there is none.
    """

    fields: dict[str, Any]
    json_answer: str | None = None
    calls: bool = False
    changed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    taken_to_think: bool = False
    clears: bool = True


def request_of(turn: Turn, abilities: Abilities, *, lenient: bool = False) -> Request:
    """What a turn asks of a model with these abilities.

    A model that thinks with a budget can't be forced to call a function, nor can the newest that
    always think: they are told in the functions' descriptions instead. If the server is
    ``lenient``, sampling is not asked of models that would refuse it.
    """
    thinking = asked_of(turn.reasoning, turn.sampling.max_tokens, abilities)
    sampled = _sampling(turn.sampling)
    dropped = SAMPLING if lenient and not abilities.samples else ()
    fields = {name: value for name, value in sampled.items() if name not in dropped}
    bare = abilities.samples and "top_p" in fields and "temperature" not in fields
    if turn.end_user is not None:
        fields["metadata"] = {"user_id": turn.end_user}
    if bare:
        fields["thinking"] = {"type": "disabled"}  # or the CLI would have it think
    asked = _asked(turn, forces=abilities.can_be_forced and not thinking.has_budget)
    return evolve(
        asked,
        fields={**fields, **thinking.fields, **asked.fields},
        changed=thinking.changed,
        ignored=tuple(name for name in dropped if name in sampled),
        taken_to_think=bare or (abilities.quiet == "disabled" and thinking.is_above_high),
        clears=not bare,
    )


def _asked(turn: Turn, *, forces: bool) -> Request:
    """What it asks for but for sampling and thinking."""
    choice = turn.tool_choice
    allowed = [tool for tool in turn.tools if choice.names is None or tool.name in choice.names]
    if turn.output is not None and not (allowed and choice.required):
        return _json_request(turn, allowed, turn.output, forces=forces)
    fields: dict[str, Any] = {}
    if allowed:
        fields |= _offered(
            [_definition(tool) for tool in allowed],
            required=choice.required,
            parallel=choice.parallel,
            forces=forces,
        )
    elif tools := [_definition(tool) for tool in turn.tools] or _called_before(turn.messages):
        fields |= {"tools": tools, "tool_choice": {"type": "none"}}
    return Request(fields=fields, calls=choice.required)


def _json_request(
    turn: Turn, allowed: Sequence[Tool], output: JsonOutput, *, forces: bool
) -> Request:
    name = JSON_ANSWER
    while any(tool.name == name for tool in turn.tools):
        name += "_"
    described = " ".join(text for text in (output.description, _HOW_TO_ANSWER) if text)
    answer = Tool(name=name, description=described, schema=output.schema or {"type": "object"})
    offered = _offered(
        [_definition(tool) for tool in (*allowed, answer)],
        required=True,
        parallel=bool(allowed) and turn.tool_choice.parallel,
        forces=forces,
    )
    return Request(fields=offered, json_answer=name)


def _offered(
    tools: list[dict[str, Any]], *, required: bool, parallel: bool, forces: bool
) -> dict[str, Any]:
    choice: dict[str, Any] = {"type": "auto"}
    if required and forces:
        names = [tool["name"] for tool in tools]
        choice = {"type": "any"} if len(names) > 1 else {"type": "tool", "name": names[0]}
    elif required:
        tools = [
            {**tool, "description": " ".join(filter(None, (tool.get("description"), _UNFORCED)))}
            for tool in tools
        ]
    if not parallel:
        choice["disable_parallel_tool_use"] = True
    return {"tools": tools, **({} if choice == {"type": "auto"} else {"tool_choice": choice})}


def _definition(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        **({} if tool.description is None else {"description": tool.description}),
        "input_schema": dict(tool.schema),
        **({"strict": True} if tool.strict and can_be_strict(tool.schema) else {}),
    }


def _called_before(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The functions of earlier calls: the model's side wants to know those that it reads of."""
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCall)]
    names = dict.fromkeys(fit_name(call.name) for call in calls)
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def _sampling(sampling: Sampling) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if sampling.temperature is not None:
        fields["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        fields["top_p"] = sampling.top_p
    if sampling.top_k is not None:
        fields["top_k"] = sampling.top_k
    if sampling.max_tokens is not None:
        fields["max_tokens"] = sampling.max_tokens
    if sampling.stop:
        fields["stop_sequences"] = list(sampling.stop)
    return fields
