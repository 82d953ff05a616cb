"""Which of the caller's functions fit, and with what input.

A function fits when the user names it or shares a word with its name or description; the best fit
comes first, in the order given when equal.
"""

import hashlib
import re
from typing import Any

import attrs

from bridge.demo import tokens
from bridge.demo.conversation import Block, Conversation
from bridge.demo.schema_fill import fill, hints

STRUCTURED = "StructuredOutput"  # the CLI's own tool for JSON schemas

_WORD = re.compile(r"[a-z0-9]{3,40}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PARALLEL = re.compile(r"\b(?:two|both|parallel)\b", re.IGNORECASE)
_GENERIC = re.compile(r"\b(?:tools?|functions?)\b", re.IGNORECASE)
_COMMON_WORDS = (
    "about and any are ask but call can current data did does final for from function get give "
    "given had has have how into its just like make may must name need new not now one our out "
    "please provide return returns run say set should some tell that the their them then there "
    "these they this tool two use used user using want was were what when where which who why will "
    "with would you your hello hey both parallel exactly once end value values"
)
_COMMON = frozenset(_COMMON_WORDS.split())


@attrs.frozen
class _Fit:
    """How well a tool answers to a text; 0 is not at all."""

    tool: Block
    score: int


def calls(conversation: Conversation) -> list[Block]:
    """The tool_use blocks the model answers with; empty when it answers in words.

    Follows `tool_choice`: `any` and `tool` always call, `none` never, `auto` when something fits
    and no results have just come in. `StructuredOutput` is called when nothing else fits.
    """
    usable = [tool for tool in conversation.canonical["tools"] if _is_function(tool)]
    choice = conversation.body.get("tool_choice") or {"type": "auto"}
    if not usable or choice["type"] == "none":
        return []
    chosen = _chosen(conversation, usable, choice)
    digest = _digest(conversation)
    return [
        {
            "type": "tool_use",
            "id": f"toolu_{digest[:22]}{number:02d}",
            "name": tool["name"],
            "input": _input(tool, conversation.last, number),
        }
        for number, tool in enumerate(chosen)
    ]


def _chosen(conversation: Conversation, usable: list[Block], choice: dict[str, Any]) -> list[Block]:
    if choice["type"] == "tool":
        return [tool for tool in usable if tool["name"] == choice["name"]]
    own = [tool for tool in usable if tool["name"] == STRUCTURED]
    others = [tool for tool in usable if tool["name"] != STRUCTURED]
    forced = choice["type"] == "any"
    if conversation.results and not forced:
        # The results are in: only the final structured answer is still owed, and only once.
        return [] if STRUCTURED in _answered(conversation) else own
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
    name, description = tool["name"], tool.get("description")
    named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None
    in_name = said & _words(_CAMEL.sub(" ", name).replace("_", " "))
    in_description = said & _words(description if isinstance(description, str) else "")
    return 100 * named + 10 * len(in_name) + len(in_description)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def _input(tool: Block, text: str, number: int) -> dict[str, Any]:
    found = fill(tool["input_schema"], hints(text, skip=number))
    return found if isinstance(found, dict) else {}


def _answered(conversation: Conversation) -> set[str]:
    ids = {str(block.get("tool_use_id")) for block in conversation.results}
    return {conversation.calls[id_]["name"] for id_ in ids if id_ in conversation.calls}


def _digest(conversation: Conversation) -> str:
    text = tokens.compact(conversation.canonical["messages"])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_function(tool: Block) -> bool:
    """Whether the caller runs this tool; the API's own server tools have another `type`."""
    return tool.get("type") in {None, "custom"} and isinstance(tool.get("input_schema"), dict)
