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
| `[[call NAME {"a": 1}]]`      | calls the function NAME with this JSON object                    |
| `[[call NAME]]`               | the same, the arguments made up from the schema ({} without one) |
| `[[call-raw NAME text]]`      | the same, the arguments streamed as this text, be it JSON or not |
| `[[json text]]`               | the same for `StructuredOutput`; a plain text if it isn't offered|
| `[[think exact text]]`        | thinks exactly that first, if the request lets it think          |
| `[[redacted]]`                | the same, but what it thinks is a `redacted_thinking` block      |

When several faults are given, the waits come first and the first other one decides.

Several calls are made in parallel, in this order, after the text that is asked for beside them.
NAME need not be a function of the request. `tool_choice` still counts: `none` lets no call through,
`tool` that function alone, `disable_parallel_tool_use` the first. The text of `call-raw` and `json`
goes as far as a JSON object does, or to the last two of the next brackets that close: `]]`. Where
the answer is not streamed, text that is no JSON object becomes {}.

Several thoughts come in this order, before any answer, `refuse` and `empty` too. Whether their text
is told is for `display` to say; a budget of tokens cuts it.

Directives stand in the last user message. If they lay no answer down, `say`, `call` and `call-raw`
in the results of functions that came with it do: so a loop goes on for as many rounds as they say.
The results may also say `think` and `redacted`, which count where the message has neither.
"""

import re
from collections.abc import Callable, Collection
from typing import Any

import attrs

from bridge.demo.faults import Fault
from bridge.demo.parsing import read_object

IN_RESULTS = frozenset({"say", "call", "call-raw", "think", "redacted"})
"""What may be asked for in the results of functions."""

_DIRECTIVE = re.compile(r"\[\[\s*([a-z-]+)(?:\s+(.*?))?\s*\]\]", re.DOTALL)
_FAIL = re.compile(r"([45]\d\d)(?:\s+retry-after\s+(\d{1,6}(?:\.\d+)?))?(?:\s+(.+))?", re.DOTALL)
_NAME = re.compile(r"\s+([\w.:/-]{1,256})(?=[\s{]|\]\])\s*")
_CLOSING = re.compile(r"\s*\]\]")
_LAST_CLOSING = re.compile(r"\]\](?!\])")
_NUMBER = re.compile(r"\d{1,6}")
_SECONDS = re.compile(r"\d{1,4}(?:\.\d{1,6})?|\.\d{1,6}")
_WORDS_MAX = 100_000
_SLOW_MAX = 3_600.0


@attrs.frozen
class Call:
    """A call that is asked for.

    `input` is an object, the text that is streamed for one, or None: made up from the schema.
    """

    name: str
    input: dict[str, Any] | str | None = None


@attrs.frozen
class Thought:
    """A thinking block that is asked for; without a text it is a redacted one."""

    text: str | None = None


@attrs.frozen(kw_only=True)
class Directives:
    """What a user message asks of the demo, and the message without the asking.

    At most one of `say`, `words`, `echo` and `json` shapes the answer, the first of them given;
    `calls` and `thoughts` may stand beside it.
    """

    faults: tuple[Fault, ...] = ()
    say: str | None = None
    words: int | None = None
    echo: bool = False
    json: str | None = None
    calls: tuple[Call, ...] = ()
    thoughts: tuple[Thought, ...] = ()
    text: str = ""

    @property
    def shapes(self) -> bool:
        """Whether the answer itself is laid down."""
        texts = (self.say, self.json)
        return (
            any(text is not None for text in (*texts, self.words)) or self.echo or bool(self.calls)
        )


def parse(text: str, known: Collection[str] | None = None) -> Directives:
    """Reads the directives in `text`, of `known` words alone (None: all).

    What is not well formed stays in the text.
    """
    faults: list[Fault] = []
    calls: list[Call] = []
    thoughts: list[Thought] = []
    shape: Directives | None = None
    left: list[str] = []
    at = 0
    while match := _DIRECTIVE.search(text, at):
        found, end = (None, match.end()) if known and match[1] not in known else _read(match)
        left.append(text[at : match.start() if found else end])
        at = end
        match found:
            case Fault():
                faults.append(found)
            case Call():
                calls.append(found)
            case Thought():
                thoughts.append(found)
            case Directives():
                shape = shape or found
    said = "".join([*left, text[at:]]).strip()
    return attrs.evolve(
        shape or Directives(),
        faults=tuple(faults),
        calls=tuple(calls),
        thoughts=tuple(thoughts),
        text=said,
    )


def _read(match: re.Match[str]) -> tuple[Fault | Call | Thought | Directives | None, int]:
    """What a directive asks for and where it ends; None when it is not well formed."""
    word, rest = match[1], match[2] or ""
    if word in {"call", "call-raw"}:
        name = _NAME.match(match.string, match.end(1))
        if name and (given := _input(match.string, name.end(), raw=word == "call-raw")):
            return Call(name[1], given[0]), given[1]
    elif word == "json" and rest:
        said, end = _raw(match.string, match.start(2))
        return Directives(json=said), end
    return _thought(word, rest) or _shape(word, rest) or _fault(word, rest), match.end()


def _thought(word: str, rest: str) -> Thought | None:
    if word == "think" and rest:
        return Thought(rest)
    return Thought() if word == "redacted" and not rest else None


def _input(text: str, start: int, *, raw: bool) -> tuple[dict[str, Any] | str | None, int] | None:
    """A call's arguments from `start` on, and where the directive ends; None when malformed."""
    if raw:
        return _raw(text, start)
    if closing := _CLOSING.match(text, start):
        return None, closing.end()
    return _object(text, start)


def _object(text: str, start: int) -> tuple[dict[str, Any], int] | None:
    try:
        value, end = read_object(text, start)
    except ValueError:
        return None
    closing = _CLOSING.match(text, end)
    return (value, closing.end()) if closing else None


def _raw(text: str, start: int) -> tuple[str, int]:
    """The text from `start` on, of a directive that is known to be closed, and where it ends."""
    if found := _object(text, start):
        end = found[1]
    else:
        closing = _LAST_CLOSING.search(text, start)
        end = closing.end() if closing else len(text)
    return text[start : end - 2].rstrip(), end


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
