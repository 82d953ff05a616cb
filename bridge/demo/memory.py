"""What a person has told the model, read off the history it was sent and nothing else.

This makes the demo a witness: it knows a name only if the conversation really reached it.
"""

import re

import attrs

_END = r"(?=[.!?;,](?:\s|$)|\s+and\s+(?:my|i)\b|\n|$)"
_NAME = re.compile(
    r"(?:\b(?i:my name is|my name's|i am called|i'm called)\s+([\w'-]+(?: [A-Z][\w'-]*){0,2})"
    r"|\b(?i:call me)\s+([A-Z][\w'-]*(?: [A-Z][\w'-]*){0,2}))"
)
_FACT = re.compile(
    rf"\bmy ((?:[\w'-]{{1,30}} ){{0,3}}?[\w'-]{{1,30}}) (?:is|are|was) (.{{1,200}}?){_END}",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"(?<!you )\bremember(?: that\b|:)? +([^\n]{1,300}?)(?=[.!?](?:\s|$)|\n|$)", re.IGNORECASE
)
_ASKS = re.compile(r"\b(?:what|who|which|when|where|do you|can you|did i)\b", re.IGNORECASE)
_ASKS_MY = re.compile(
    r"\b(?:what(?:'s| is| are| was| were)?|who(?:'s| is| are)?|which(?: is)?|when is|where is|"
    r"do you (?:know|remember|recall)(?: what)?)\s+my ((?:[\w'-]{1,30} ?){1,4})",
    re.IGNORECASE,
)
_ASKS_THE = re.compile(
    r"\bwhat(?:'s| is| are| was| were) the ((?:[\w'-]{1,30} ?){1,3})", re.IGNORECASE
)
_ASKS_SAID = re.compile(
    r"\b(?:did|have) i\b[^?]{0,20}\b(?:tell|told|say|said|ask|asked|give|given|gave|mention|"
    r"mentioned|write|wrote|written|call)\b|\bdo you (?:still )?remember\b|"
    r"\bwhat do you (?:know|remember)\b|\bi (?:told|asked|gave) you\b",
    re.IGNORECASE,
)
_FIRST_LAST = re.compile(r"\b(first|last)\b", re.IGNORECASE)
_MESSAGE = re.compile(r"\b(?:message|say|said|tell|told|ask|asked|write|wrote)\b", re.IGNORECASE)
_SPELLING = (("favorite", "favourite"), ("color", "colour"))
_TAIL = re.compile(r"\s+(?:is|are|was|were|again|please|now|then)$")


@attrs.frozen(kw_only=True)
class Memory:
    """`facts` maps what is the person's ("name", "favourite colour") to its last value."""

    facts: dict[str, str]
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.facts or self.notes)

    def told(self) -> str:
        """All of it in a sentence."""
        parts = [f"your {key} is {value}" for key, value in self.facts.items()]
        parts += [f"to remember {note}" for note in self.notes]
        return "You told me: " + "; ".join(parts) + "."


def learn(texts: tuple[str, ...]) -> Memory:
    """What the user said of themselves in `texts`, oldest first; questions teach nothing."""
    facts: dict[str, str] = {}
    notes: list[str] = []
    for text in texts:
        for match in _FACT.finditer(text):
            if text[match.end() : match.end() + 1] != "?" and not _ASKS.search(match[2]):
                facts[_key(match[1])] = match[2].strip()
        for match in _NAME.finditer(text):
            facts["name"] = (match[1] or match[2]).strip()
        notes += [match[1].strip() for match in _NOTE.finditer(text)]
    return Memory(facts=facts, notes=tuple(dict.fromkeys(notes)))


def answer(question: str, earlier: tuple[str, ...]) -> str | None:
    """The answer to a question about the history, or None when it is not such a question."""
    if not _ASKS.search(question):
        return None
    memory = learn(earlier)
    if asked := _ASKS_MY.search(question):
        key = _key(asked[1])
        if key in memory.facts:
            return f"Your {key} is {memory.facts[key]}."
        if not (_FIRST_LAST.search(key) and _MESSAGE.search(key)):
            return f"You have not told me your {key} in this conversation."
    place = _FIRST_LAST.search(question)
    if place and _MESSAGE.search(question) and re.search(r"\b(?:i|my)\b", question, re.IGNORECASE):
        return _said(place[1].lower(), earlier)
    if asked := _ASKS_THE.search(question):
        key = _key(asked[1])
        known = next((note for note in reversed(memory.notes) if key in note.lower()), None)
        if known:
            return f"You told me to remember {known}."
    if _ASKS_SAID.search(question):
        return memory.told() if memory else _said("last", earlier)
    return None


def thanks(text: str) -> str | None:
    """What to say to a person who has just told something, or None when `text` tells nothing."""
    new = learn((text,))
    if not new:
        return None
    if name := new.facts.get("name"):
        return f"Nice to meet you, {name}! I will remember that."
    return "Thank you, I will remember that."


def _said(place: str, earlier: tuple[str, ...]) -> str:
    if not earlier:
        return "This is the first thing you have said in this conversation."
    text = earlier[0] if place == "first" else earlier[-1]
    return f'The {place} thing you said before this was: "{text[:200]}"'


def _key(text: str) -> str:
    key = " ".join(text.lower().split())
    for one, other in _SPELLING:
        key = re.sub(rf"\b{one}\b", other, key)
    return _TAIL.sub("", key)
