"""Faults and answers asked for in words, in the last user message.

Every concurrent request can so have its own. A directive stands in double square brackets anywhere
in a text block; several may be given; what is not in this table is left alone as ordinary text.

| directive                     | what happens                                                     |
|-------------------------------|------------------------------------------------------------------|
| `[[fail 529]]`                | HTTP 529 in the API's error shape (400-599)                      |
| `[[fail 429 retry-after 7]]`  | the same with a `retry-after: 7` header                          |
| `[[fail 400 some message]]`   | the same with this message                                       |
| `[[break 3]]`                 | 3 deltas, then the connection is dropped (3 when no number)      |
| `[[stall]]`                   | no answer at all until the client leaves                         |
| `[[stall 2]]`                 | 2 deltas, then nothing more                                      |
| `[[stream-error 3]]`          | 3 deltas, then an SSE error event (3 when no number)             |
| `[[refuse]]`                  | stop_reason "refusal"                                            |
| `[[empty]]`                   | no content blocks, stop_reason "end_turn"                        |
| `[[cut 5]]`                   | 5 deltas, then stop_reason "max_tokens" (5 when no number)       |
| `[[slow 0.2]]`                | 0.2 seconds before the first byte (at most an hour)              |
| `[[say exact text]]`          | answers exactly that text                                        |
| `[[words 500]]`               | answers `word1 word2 … word500`, one delta each (at most 100,000)|
| `[[echo]]`                    | answers the JSON of the canonical conversation it was sent       |

When several faults are given, the waits come first and the first other one decides.
"""

import re
from collections.abc import Callable

import attrs

from bridge.demo.faults import Fault

_DIRECTIVE = re.compile(r"\[\[\s*([a-z-]+)(?:\s+(.*?))?\s*\]\]", re.DOTALL)
_FAIL = re.compile(r"([45]\d\d)(?:\s+retry-after\s+(\d{1,6}(?:\.\d+)?))?(?:\s+(.+))?", re.DOTALL)
_NUMBER = re.compile(r"\d{1,6}")
_SECONDS = re.compile(r"\d{1,4}(?:\.\d{1,6})?")
_WORDS_MAX = 100_000
_SLOW_MAX = 3_600.0


@attrs.frozen(kw_only=True)
class Directives:
    """What a user message asks of the demo, and the message without the asking.

    At most one of `say`, `words` and `echo` shapes the answer, the first of them given.
    """

    faults: tuple[Fault, ...] = ()
    say: str | None = None
    words: int | None = None
    echo: bool = False
    text: str = ""

    @property
    def shapes(self) -> bool:
        """Whether the answer itself is laid down."""
        return self.say is not None or self.words is not None or self.echo


def parse(text: str) -> Directives:
    """Reads the directives in `text`; what is not well formed stays in the text."""
    faults: list[Fault] = []
    shape: Directives | None = None

    def take(match: re.Match[str]) -> str:
        nonlocal shape
        word, rest = match[1], match[2] or ""
        found = _shape(word, rest) or _fault(word, rest)
        if found is None:
            return match[0]
        if isinstance(found, Fault):
            faults.append(found)
        else:
            shape = shape or found
        return ""

    left = _DIRECTIVE.sub(take, text) if "[[" in text else text
    return attrs.evolve(shape or Directives(), faults=tuple(faults), text=left.strip())


def _shape(word: str, rest: str) -> Directives | None:
    if word == "say" and rest:
        return Directives(say=rest)
    if word == "words" and _NUMBER.fullmatch(rest):
        return Directives(words=min(int(rest), _WORDS_MAX))
    if word == "echo" and not rest:
        return Directives(echo=True)
    return None


def _fault(word: str, rest: str) -> Fault | None:
    match word:
        case "fail":
            return _error(rest)
        case "refuse" if not rest:
            return Fault.refusal()
        case "empty" if not rest:
            return Fault.empty()
        case "stall" if not rest:
            return Fault.stall()
        case "slow" if _SECONDS.fullmatch(rest):
            return Fault.slow(min(float(rest), _SLOW_MAX))
        case _ if word in _COUNTED and (not rest or _NUMBER.fullmatch(rest)):
            make, default = _COUNTED[word]
            return make(int(rest) if rest else default)
        case _:
            return None


def _error(rest: str) -> Fault | None:
    found = _FAIL.fullmatch(rest)
    if found is None:
        return None
    status, after, message = found.groups()
    return Fault.error(int(status), message, retry_after=float(after) if after else None)


_COUNTED: dict[str, tuple[Callable[[int], Fault], int]] = {
    "break": (Fault.break_stream, 3),
    "stall": (Fault.stall, 0),
    "stream-error": (Fault.stream_error, 3),
    "cut": (Fault.cut, 5),
}
