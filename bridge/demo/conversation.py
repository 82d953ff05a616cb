"""A request as the model sees it: the canonical conversation, with the handy questions answered."""

import re
from typing import Any

import attrs

from bridge.demo.canonical import canonical
from bridge.demo.directives import IN_RESULTS, Directives, parse

_REMINDER = re.compile(r"\s*<system-reminder>.*</system-reminder>\s*", re.DOTALL)

_MEDIA = {"image", "document", "search_result"}

Block = dict[str, Any]


@attrs.frozen(kw_only=True)
class Conversation:
    """A valid request, read once.

    `last` is the text of the last user message without its directives, `earlier` that of every
    earlier one, `turns` the number of user and assistant messages before the last user message.
    `directives` are that message's, or else those of its results. `results` are the tool results
    given since the assistant last spoke, `media` the images, documents and search results of the
    last user message. The CLI's `<system-reminder>` texts are in none of them.
    """

    body: dict[str, Any] = attrs.field(repr=False)
    canonical: dict[str, Any] = attrs.field(repr=False)
    system: str
    directives: Directives
    earlier: tuple[str, ...]
    turns: int
    results: tuple[Block, ...]
    media: tuple[Block, ...]
    calls: dict[str, Block] = attrs.field(repr=False)

    @property
    def last(self) -> str:
        """What the user said last."""
        return self.directives.text


def read(body: dict[str, Any]) -> Conversation:
    """Reads a request that the rules have let through."""
    form = canonical(body)
    messages = form["messages"]
    users = [at for at, message in enumerate(messages) if message["role"] == "user"]
    at = users[-1] if users else 0
    spoken = [m for m, message in enumerate(messages) if message["role"] == "assistant"]
    # A prefill is the model's own unfinished answer, not a turn that tool results follow.
    since = max((m for m in spoken if m < at), default=-1)
    last = messages[at]["content"] if users else []
    results = tuple(
        block
        for message in messages[since + 1 : at + 1]
        for block in message["content"]
        if block.get("type") == "tool_result"
    )
    return Conversation(
        body=body,
        canonical=form,
        system="\n".join(form["system"]).strip(),
        directives=_directives(text_of(last), results),
        earlier=tuple(parse(text_of(messages[user]["content"])).text for user in users[:-1]),
        turns=at,
        results=results,
        media=tuple(block for block in last if block.get("type") in _MEDIA),
        calls={
            str(block.get("id")): block
            for m in spoken
            for block in messages[m]["content"]
            if block.get("type") == "tool_use"
        },
    )


def _directives(text: str, results: tuple[Block, ...]) -> Directives:
    own = parse(text)
    if own.shapes:
        return own
    given = "\n".join(text_of(result.get("content") or []) for result in results)
    asked = parse(given, IN_RESULTS)
    thoughts = own.thoughts or asked.thoughts
    return attrs.evolve(own, say=asked.say, calls=asked.calls, thoughts=thoughts)


def text_of(content: list[Block]) -> str:
    """The user's own text in a message: its text blocks, joined by newlines."""
    return "\n".join(
        block["text"]
        for block in content
        if block.get("type") == "text" and not _REMINDER.fullmatch(block["text"])
    )
