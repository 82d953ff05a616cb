"""What a model takes: thinking and how much of it, sampling, calls that it is forced to make.

It is told by the version in a model's id, by Anthropic's documentation of thinking, effort and its
newer models, and by the CLI's own list of the models that this login may use. Whatever is asked of
a model that it does not take, the Messages API refuses.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from bridge.core.conversation import Effort

_UP_TO_HIGH = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
_ALL = (*_UP_TO_HIGH, Effort.XHIGH, Effort.MAX)
_FAMILY = "opus|sonnet|haiku|fable|mythos|instant"
_ID = re.compile(
    rf"claude-(?:(?P<family>{_FAMILY})-)?(?P<major>\d{{1,2}})(?:[.-](?P<minor>\d{{1,2}}))?"
    rf"(?:-(?P<after>{_FAMILY}))?(?!\d)"
)


@frozen(kw_only=True)
class Abilities:
    """What a model takes.

    ``quiet`` is the thinking that keeps it from thinking, None if nothing does. ``adapts``: it
    takes adaptive thinking; ``has_budget``: thinking with a budget of tokens. ``efforts`` are the
    levels of effort, none if it takes no such thing. ``thinks_unasked``: it does so when a request
    says nothing of thinking. ``samples``: it takes ``temperature``, ``top_p`` and ``top_k``.
    ``can_be_forced``: it can be forced to call a function.

    The defaults are those of a model that nothing is known of.
    """

    quiet: str | None = None
    adapts: bool = True
    has_budget: bool = False
    efforts: tuple[Effort, ...] = _ALL
    thinks_unasked: bool = True
    samples: bool = False
    can_be_forced: bool = False


def abilities_of(model: str) -> Abilities:
    """The abilities that a model's id tells of."""
    found = _ID.search(model)
    if found is None:
        return Abilities()
    family = found["family"] or found["after"] or ""
    version = (int(found["major"]), int(found["minor"] or 0))
    return Abilities(
        quiet=_quiet(family, version),
        adapts=version >= (4, 6),
        has_budget=(3, 7) <= version <= (4, 6),
        efforts=_efforts(family, version),
        thinks_unasked=version >= (5, 0),
        samples=version < (4, 7),
        can_be_forced=version <= _LAST_FORCED.get(family, (4, 8)),
    )


_LAST_FORCED = {"opus": (5, 4), "sonnet": (5, 4), "haiku": (5, 5), "fable": (5, 0)}
"""The last version of each family that is known to take a forced call."""


def _quiet(family: str, version: tuple[int, int]) -> str | None:
    if family in {"fable", "mythos"} or version > (5, 5):
        return None
    if version < (5, 5) or family == "haiku":
        return "disabled"
    return "between_tools" if family == "sonnet" else None


def _efforts(family: str, version: tuple[int, int]) -> tuple[Effort, ...]:
    if version >= (4, 7):
        return _ALL
    if version == (4, 6):
        return (*_UP_TO_HIGH, Effort.MAX)
    return _UP_TO_HIGH if family == "opus" and version == (4, 5) else ()


def listed_abilities(described: Mapping[str, Any]) -> Abilities:
    """The same of a model in the CLI's own list, which tells some of them.

    That thinking can't be switched off is what the CLI can't; the API may be able to.
    """
    known = abilities_of(described.get("resolvedModel") or described["value"])
    levels = described.get("supportedEffortLevels") or ()
    switched_off = described.get("supportsThinkingOff") is True
    return evolve(
        known,
        quiet=known.quiet or ("disabled" if switched_off else None),
        adapts=described.get("supportsAdaptiveThinking", known.adapts),
        efforts=tuple(Effort(level) for level in levels if level in list(Effort)) or known.efforts,
        can_be_forced=known.can_be_forced or switched_off,
    )
