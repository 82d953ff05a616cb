"""The demo's model: a pure function of a conversation, with no real model behind it.

In this order it does what a directive says (`directives.py`), calls a function that fits
(`functions.py`), fills a JSON schema (`output_config.format`), obeys "answer only with X" in the
system prompt, tells what its tools returned, remembers what it was told (`memory.py`), says what it
is when greeted, and otherwise quotes what the user said. It cites the documents that ask for it
(`citations.py`), and may think first (`thoughts.py`). A turn, in "I see 2 earlier turns", is one
user or assistant message before the last user message.
"""

import re

import attrs

from bridge.demo import functions, media, memory, reply, tokens
from bridge.demo.citations import citations
from bridge.demo.conversation import Block, Conversation
from bridge.demo.reply import Reply
from bridge.demo.schema_fill import fill, hints
from bridge.demo.thoughts import omits, thoughts

_GREETING = re.compile(
    r"\s*(?:hi|hello|hey|greetings|good (?:morning|day|afternoon|evening))\b|"
    r".*\b(?:who|what) are you\b",
    re.IGNORECASE,
)
_UPPER = re.compile(
    r"\b(?:answer|reply|respond|write|speak)\b[^.\n]{0,40}\b(?:upper[ -]?case|all caps|capitals)\b",
    re.IGNORECASE,
)
_ONLY = re.compile(
    r"\b(?:(?:answer|reply|respond|say) only|only (?:answer|reply|respond|say))\b"
    r"(?: with)?:?\s+(?:\"([^\"\n]+)\"|“([^”\n]+)”|'([^'\n]+)'|([^\n]+?)(?=[.!]?\s*$|[.!]\s))",
    re.IGNORECASE | re.MULTILINE,
)
_REMINDED = re.compile(
    r"\s*<system-reminder>(?:(?!<system-reminder>).)*</system-reminder>\s*$", re.DOTALL
)
_QUOTE = 200
_RESULT = 500


def respond(conversation: Conversation, instead: Reply | None = None) -> Reply:
    """The whole answer to a valid request, within its max_tokens and stop_sequences.

    `instead` is what is answered in its place, whole, after the thoughts that are asked for.
    """
    body = conversation.body
    if instead is not None:
        before = thoughts(conversation, own=False)
        return attrs.evolve(instead, blocks=(*before, *instead.blocks), omits=omits(body))
    answer = reply.stopped(_answer(conversation), body.get("stop_sequences") or [])
    blocks = (*thoughts(conversation), *answer.blocks)
    whole = attrs.evolve(answer, blocks=blocks, omits=omits(body))
    return reply.limited(whole, body["max_tokens"])


def _answer(conversation: Conversation) -> Reply:
    laid_down = _shaped(conversation)
    calls = functions.asked(conversation)
    if laid_down is None and not calls:
        calls = functions.calls(conversation, _said(conversation))
    if calls:
        blocks = _text(laid_down or "").blocks
        return Reply(blocks=(*blocks, *calls), stop_reason="tool_use")
    if laid_down is not None:
        return _text(laid_down)
    asked = (conversation.body.get("output_config") or {}).get("format")
    if asked:
        words = hints(conversation.last)
        return _text(tokens.compact(fill(asked.get("schema"), words)))
    quoted = citations(conversation.media)
    return Reply(blocks=(*quoted, *_text(_said(conversation)).blocks))


def _said(conversation: Conversation) -> str:
    said = _ordered(conversation) or _prose(conversation)
    return said.upper() if _UPPER.search(conversation.system) else said


def _text(said: str) -> Reply:
    return Reply(blocks=(reply.text(said),) if said else ())


def _shaped(conversation: Conversation) -> str | None:
    """The words that a directive lays down, None when none does."""
    asked = conversation.directives
    if asked.say is not None:
        return asked.say
    if asked.words is not None:
        return " ".join(f"word{number}" for number in range(1, asked.words + 1))
    if asked.echo:
        return tokens.compact(conversation.canonical)
    return None if functions.answers_json(conversation) else asked.json


def _ordered(conversation: Conversation) -> str | None:
    found = _ONLY.search(conversation.system)
    return next(filter(None, found.groups())).strip() if found else None


def _prose(conversation: Conversation) -> str:
    if conversation.results:
        told = "\n".join(_told(result, conversation) for result in conversation.results)
        return f"{told}\n{_quote(conversation.last)}".strip()
    if recalled := memory.answer(conversation.last, conversation.earlier):
        return recalled
    said = [
        memory.thanks(conversation.last),
        _greeting(conversation),
        " ".join(f"I see {describe(block)}." for block in conversation.media),
        _quote(conversation.last),
        _around(conversation),
    ]
    return " ".join(part for part in said if part)


def _greeting(conversation: Conversation) -> str:
    text = conversation.last
    if len(text) > _QUOTE or not _GREETING.match(text):
        return ""
    name = memory.learn(conversation.earlier).facts.get("name")
    return (
        f"Hello{', ' + name if name else ''}! I am the bridge's demo model: a small, deterministic "
        "program that stands in for Claude. There is no real model behind me, but everything "
        "between us is real."
    )


def _quote(text: str) -> str:
    if not text:
        return ""
    return f'You said: "{text[:_QUOTE]}{"…" if len(text) > _QUOTE else ""}".'


def _around(conversation: Conversation) -> str:
    turns = conversation.turns
    seen = f"{turns or 'no'} earlier turn{'' if turns == 1 else 's'}"
    prompt = "a system prompt was given" if conversation.system else "no system prompt was given"
    return f"This is the demo model. I see {seen} in this conversation, and {prompt}."


def _told(result: Block, conversation: Conversation) -> str:
    call = conversation.calls.get(str(result.get("tool_use_id")), {})
    parts = [
        part["text"] if part.get("type") == "text" else f"[{describe(part)}]"
        for part in result.get("content") or []
    ]
    said = _REMINDED.sub("", "\n".join(parts)) or "nothing"
    if len(said) > _RESULT:
        said = f"{said[:_RESULT]}… ({len(said)} characters in all)"
    return f"{call.get('name')} {'failed' if result.get('is_error') else 'returned'}: {said}"


def describe(block: Block) -> str:
    """An image, document or search result in a few words: what it is, and its size."""
    source = block.get("source") or {}
    kind = block.get("type")
    if kind == "search_result":
        return f"a search result called {block['title']}"
    if kind == "image":
        seen = media.image(source)
        if seen:
            return f"an image ({seen.media_type}, {seen.width}x{seen.height} pixels)"
    elif kind == "document" and source.get("type") == "text":
        return f"a text document of {len(source['data'])} characters"
    elif kind == "document" and source.get("type") == "base64":
        return f"a PDF document of {len(media.decode(source['data']) or b'')} bytes"
    where = source.get("url") or source.get("file_id")
    return f"a {kind} block" + (f" at {where}" if where else "")
