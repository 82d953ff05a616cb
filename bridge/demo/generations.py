"""What a model takes, told by the family and the version in its id.

Sources: the documented tables of thinking, effort and sampling by model (Troubleshooting thinking,
Thinking, Effort, the Messages API reference, "What's new" of each model), as of late 2026. An id
without a version, or of a family that is not known, is like the newest.
"""

import re

import attrs

EFFORTS = ("low", "medium", "high", "xhigh", "max")

_NEWEST = (99, 0)
_ALWAYS = frozenset({"fable", "mythos"})
_FAMILIES = frozenset({"opus", "sonnet", "haiku", *_ALWAYS})
_PART = re.compile(r"[^a-z0-9]+")
_NUMBER = re.compile(r"\d{1,2}")  # a longer one is a date


@attrs.frozen
class Generation:
    """A model's family ("" when its id has none) and version."""

    family: str
    version: tuple[int, int]

    @property
    def thinks(self) -> bool:
        """Whether it can think at all."""
        return self.version >= (3, 7)

    @property
    def takes_budget(self) -> bool:
        """Whether it thinks with `budget_tokens`: 4.6 is the last that does."""
        return (3, 7) <= self.version < (4, 7)

    @property
    def adapts(self) -> bool:
        """Whether it thinks as it sees fit."""
        return self.version >= (4, 6)

    @property
    def thinks_unasked(self) -> bool:
        """Whether it does so when the request has no `thinking`."""
        return self.version >= (5, 0)

    @property
    def always_thinks(self) -> bool:
        """Whether it can't be told not to."""
        return self.family in _ALWAYS or (
            self.version >= (5, 5) and self.family not in {"sonnet", "haiku"}
        )

    @property
    def thinks_between_tools(self) -> bool:
        """Whether it has `between_tools` instead of "disabled"."""
        return self.family == "sonnet" and self.version >= (5, 5)

    @property
    def needs_thinking_above_high(self) -> bool:
        """Whether it takes no effort above high while it is told not to think."""
        return self.version >= (5, 5) or (self.version >= (5, 0) and self.family != "sonnet")

    @property
    def keeps_effort_without_thinking(self) -> bool:
        """Whether its effort can't change from message to message while it does not think."""
        return self.version >= (5, 5) and self.family in {"sonnet", "haiku"}

    @property
    def shows_thinking(self) -> bool:
        """Whether its thinking is readable when the request has no `display`."""
        return self.version < (4, 7)

    @property
    def efforts(self) -> tuple[str, ...]:
        """The levels of effort it takes."""
        if self.version >= (4, 7):
            return EFFORTS
        if self.version == (4, 6):
            return ("low", "medium", "high", "max")
        return ("low", "medium", "high") if self.family == "opus" and self.version >= (4, 5) else ()

    @property
    def default_effort(self) -> str:
        """The level it works at unless told."""
        return "medium" if self.version >= (5, 5) and self.family in {"opus", "haiku"} else "high"

    @property
    def takes_effort_by_message(self) -> bool:
        """Whether a message of role system may change the effort."""
        least = {"fable": (5, 1), "mythos": (5, 1), "sonnet": (5, 5), "haiku": (5, 5)}
        return self.version >= least.get(self.family, (5, 0))

    @property
    def samples(self) -> bool:
        """Whether it takes values of temperature, top_p and top_k."""
        return self.version < (4, 7)

    @property
    def samples_both_ways(self) -> bool:
        """Whether it takes temperature and top_p in one request: Opus 4.1 is the first not to."""
        return self.version < (4, 1)

    @property
    def can_be_forced(self) -> bool:
        """Whether `tool_choice` may force it to call a function."""
        return self.family == "haiku" or self.version < (
            (5, 1) if self.family in _ALWAYS else (5, 5)
        )

    @property
    def takes_prefill(self) -> bool:
        """Whether it continues a last assistant message."""
        return self.version < (4, 6)


def generation_of(model: str) -> Generation:
    """Reads the id of a model: `claude-opus-4-1-20250805`, `claude-3-7-sonnet-latest`, …"""
    parts = [part for part in _PART.split(model.lower().removeprefix("claude-")) if part]
    named = next((part for part in parts if not part.isdecimal()), "")
    family = next((part for part in parts if part in _FAMILIES), "")
    start = next((at for at, part in enumerate(parts) if _NUMBER.fullmatch(part)), None)
    if start is None or (not family and named not in {"", "instant"}):
        return Generation(family, _NEWEST)
    minor = parts[start + 1] if start + 1 < len(parts) else ""
    return Generation(family, (int(parts[start]), int(minor) if _NUMBER.fullmatch(minor) else 0))
