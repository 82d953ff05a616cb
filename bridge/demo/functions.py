"""Which of the caller's functions fit, and with what input.

A function fits when the user names it or shares a word with its name or description; the best fit
comes first, in the order given when equal. A sentence of the description in which something "must
be called" is no part of that: it is an order, for models that `tool_choice` can't force.
"""

import hashlib
import re
from typing import Any

import attrs

from bridge.demo import tokens
from bridge.demo.conversation import Block, Conversation
from bridge.demo.directives import Call
from bridge.demo.schema_fill import fill, hints

STRUCTURED = "StructuredOutput"  # whose input is the answer; "_" follows if the name was taken

_WORD = re.compile(r"[a-z0-9]{3,40}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PARALLEL = re.compile(r"\b(?:two|both|parallel)\b", re.IGNORECASE)
_QUOTED = re.compile(r"['\"`](\w{1,40})['\"`]")
_KEYS = re.compile(
    r"((?:['\"`]\w{1,40}['\"`](?:,| and|, and)? ?){1,20})(?:keys?|fields?)\b", re.IGNORECASE
)
_GENERIC = re.compile(r"\b(?:tools?|functions?)\b", re.IGNORECASE)
_ORDER = re.compile(r"must be called", re.IGNORECASE)
_END = re.compile(r"[.!?]")
_COMMON_WORDS = (
    "about and any are ask but call can current data did does final for from function get give "
    "given had has have how into its just like make may must name need new not now one our out "
    "please provide return returns run say set should some tell that the their them then there "
    "these they this tool two use used user using want was were what when where which who why will "
    "with would you your hello hey both parallel exactly once end value values"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_FREE: dict[str, Any] = {
    "type": "object",
    "properties": {},
    "required": [],
    "additionalProperties": True,
}
_NOTES = frozenset({"$schema", "title", "description"})


@attrs.frozen
class _Fit:
    """How well a tool answers to a text; 0 is not at all."""

    tool: Block
    score: int


def asked(conversation: Conversation) -> list[Block]:
    """The tool_use blocks that directives ask for, as far as `tool_choice` lets them through."""
    choice = _choice(conversation)
    given = conversation.directives
    wanted = list(given.calls)
    own = answers_json(conversation)
    if given.json is not None and own:
        wanted.append(Call(own["name"], given.json))
    if choice["type"] == "none":
        return []
    if choice["type"] == "tool":
        wanted = [call for call in wanted if call.name == choice["name"]]
    if choice.get("disable_parallel_tool_use"):
        wanted = wanted[:1]
    return _blocks(conversation, wanted)


def answers_json(conversation: Conversation) -> Block | None:
    """`StructuredOutput`, when it is offered and `tool_choice` lets it be called."""
    choice = _choice(conversation)
    own = _own(_usable(conversation))
    if own is None or choice["type"] == "none" or choice.get("name") not in {None, own["name"]}:
        return None
    return own


def calls(conversation: Conversation, said: str) -> list[Block]:
    """The tool_use blocks the model answers with of itself; empty when it answers in words.

    Follows `tool_choice`: `any` and `tool` always call, `none` never, `auto` when something fits
    and no results have just come in. Under `auto`, functions of which the description says that one
    "must be called" are as good as `any` of them. `StructuredOutput` is called when nothing else
    fits, and after results. `said` is what the model would answer in words.
    """
    usable = _usable(conversation)
    choice = _choice(conversation)
    if not usable or choice["type"] == "none":
        return []
    chosen = _chosen(conversation, usable, choice)
    return _blocks(conversation, [_call(tool, said, conversation.last) for tool in chosen])


def _call(tool: Block, said: str, asked: str) -> Call:
    schema = tool["input_schema"]
    free = all(key in _NOTES or _FREE.get(key) == value for key, value in schema.items())
    return Call(tool["name"], _object(said, asked) if free and _is_own(tool) else None)


def _object(said: str, asked: str) -> dict[str, str]:
    """Any object: with the keys that were asked for in quotes, or what would be said in words."""
    named = _KEYS.search(asked)
    keys = _QUOTED.findall(named[1]) if named else []
    return {key: f"example {key}" for key in keys} or {"answer": said}


def _blocks(conversation: Conversation, wanted: list[Call]) -> list[Block]:
    tools = {tool["name"]: tool for tool in _usable(conversation)}
    digest = _digest(conversation)
    return [
        {
            "type": "tool_use",
            "id": f"toolu_{digest[:22]}{number:02d}",
            "name": call.name,
            "input": (
                _input(tools.get(call.name), conversation.last, number)
                if call.input is None
                else call.input
            ),
        }
        for number, call in enumerate(wanted)
    ]


def _chosen(conversation: Conversation, usable: list[Block], choice: dict[str, Any]) -> list[Block]:
    if choice["type"] == "tool":
        return [tool for tool in usable if tool["name"] == choice["name"]]
    ordered = [tool for tool in usable if _ORDER.search(_description(tool))]
    if choice["type"] == "auto" and ordered:
        usable = ordered
    forced = choice["type"] == "any" or usable is ordered
    own = [tool for tool in usable if tool is _own(usable)]
    others = [tool for tool in usable if tool not in own]
    if conversation.results:
        # The results are in: only the final structured answer is still owed, and only once.
        if own and (choice["type"] == "any" or own[0]["name"] not in _answered(conversation)):
            return own
        if own or not forced:
            return []
    fits = _fits(others, conversation.last)
    several = len(others) > 1 and _PARALLEL.search(conversation.last) is not None
    if several and not fits and _GENERIC.search(conversation.last):
        fits = others
    if not fits:
        return own[:1] or (others[:1] if forced else [])
    if several and not choice.get("disable_parallel_tool_use"):
        return [*fits, *(tool for tool in others if tool not in fits)][:2]
    return fits[:1]


def _fits(tools: list[Block], text: str) -> list[Block]:
    said = _words(text)
    scored = [_Fit(tool, _score(tool, text, said)) for tool in tools]
    best = sorted((fit for fit in scored if fit.score), key=lambda fit: -fit.score)
    return [fit.tool for fit in best]


def _score(tool: Block, text: str, said: frozenset[str]) -> int:
    name, sentences = tool["name"], _END.split(_description(tool))
    description = " ".join(sentence for sentence in sentences if not _ORDER.search(sentence))
    named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None
    in_name = said & _words(_CAMEL.sub(" ", name).replace("_", " "))
    in_description = said & _words(description)
    return 100 * named + 10 * len(in_name) + len(in_description)


def _description(tool: Block) -> str:
    return tool.get("description") or ""


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def _input(tool: Block | None, text: str, number: int) -> dict[str, Any]:
    found = fill(tool["input_schema"], hints(text, skip=number)) if tool else {}
    return found if isinstance(found, dict) else {}


def _usable(conversation: Conversation) -> list[Block]:
    return [tool for tool in conversation.canonical["tools"] if _is_function(tool)]


def _choice(conversation: Conversation) -> dict[str, Any]:
    return conversation.body.get("tool_choice") or {"type": "auto"}


def _own(tools: list[Block]) -> Block | None:
    """The longest, where the caller has a function of that name too."""
    return max(filter(_is_own, tools), key=lambda tool: len(tool["name"]), default=None)


def _is_own(tool: Block) -> bool:
    return bool(tool["name"].rstrip("_") == STRUCTURED)


def _answered(conversation: Conversation) -> set[str]:
    ids = {str(block.get("tool_use_id")) for block in conversation.results}
    return {conversation.calls[id_]["name"] for id_ in ids if id_ in conversation.calls}


def _digest(conversation: Conversation) -> str:
    text = tokens.compact(conversation.canonical["messages"])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_function(tool: Block) -> bool:
    """Whether the caller runs this tool; the API's own server tools have another `type`."""
    return tool.get("type") in {None, "custom"} and isinstance(tool.get("input_schema"), dict)
