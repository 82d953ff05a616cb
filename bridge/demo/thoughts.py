"""What the model thinks before its answer, as far as the request lets it.

It thinks when thinking is enabled, or when it may and the user says "think". What directives ask
for comes instead. With `between_tools`, with a call that is forced, and after results of calls
that were made without a thought (where a budget is given), it does not think; the API is silent
about that too.
"""

import re
from typing import Any

from bridge.demo import reply, tokens
from bridge.demo.conversation import Block, Conversation
from bridge.demo.generations import generation_of
from bridge.demo.rules_thinking import FORCED, THOUGHTS, UNTHINKING, kind_of, kind_of_choice

_THINK = re.compile(r"\bthink", re.IGNORECASE)
_QUOTE = 200


def thoughts(conversation: Conversation, *, own: bool = True) -> tuple[Block, ...]:
    """The blocks before the answer: those asked for, or else (with `own`) one of the model's."""
    if not may_think(conversation):
        return ()
    said = [thought.text for thought in conversation.directives.thoughts]
    wants = kind_of(conversation.body) == "enabled" or _THINK.search(conversation.last)
    if not said and own and wants:
        said = [_own(conversation)]
    return tuple(
        reply.redacted() if text is None else _thought(text, conversation.body) for text in said
    )


def may_think(conversation: Conversation) -> bool:
    """Whether the request lets the model think before this answer."""
    body = conversation.body
    kind = kind_of(body)
    if kind in UNTHINKING or kind_of_choice(body) in FORCED:
        return False
    if kind is None:
        return generation_of(body["model"]).thinks_unasked
    return kind == "adaptive" or not _began_without(conversation)


def omits(body: dict[str, Any]) -> bool:
    """Whether the text of thinking is left out of the answer; "updates" leave out reasoning."""
    display = (body.get("thinking") or {}).get("display")
    if display is None:
        return not generation_of(body["model"]).shows_thinking
    return bool(display != "summarized")


def _began_without(conversation: Conversation) -> bool:
    """Whether the results that came in are of a turn that began without a thought."""
    first: Block = {}
    for message in reversed(conversation.canonical["messages"]):
        content = message["content"]
        if message["role"] == "assistant":
            first = content[0] if content else first
        elif first and all(block.get("type") != "tool_result" for block in content):
            break
    return bool(conversation.results) and first.get("type") not in THOUGHTS


def _own(conversation: Conversation) -> str:
    said = f'The user said "{conversation.last[:_QUOTE]}". ' if conversation.last else ""
    return (
        f"{said}The number of earlier turns to bear in mind is {conversation.turns}. "
        "A short and friendly answer will do."
    )


def _thought(text: str, body: dict[str, Any]) -> Block:
    budget = (body.get("thinking") or {}).get("budget_tokens")
    return reply.thinking(text if budget is None else tokens.cut(text, budget))
