"""How much a model is to think → the fields of the request that ask for it."""

from typing import Any

from attrs import frozen

from bridge.claude.abilities import Abilities
from bridge.core.conversation import LEAST_BUDGET, Effort, Reasoning, ThinkingMode, Thought

BUDGETS = {
    Effort.MINIMAL: 1_024,
    Effort.LOW: 2_048,
    Effort.MEDIUM: 8_192,
    Effort.HIGH: 16_384,
    Effort.XHIGH: 24_576,
    Effort.MAX: 30_720,
}
"""What an effort is worth, in tokens, to a model that knows budgets alone: less than the 32,000 of
a whole answer that the CLI asks such a model for."""

_SHARE = 8
"""The most of an answer's tokens, in tenths, that may go into thinking where they are limited."""

_ORDER = list(Effort)
_ABOVE_HIGH = ("xhigh", "max")

EFFORT = "output_config.effort"
"""The name of an effort in the Messages API's own terms."""


@frozen(kw_only=True)
class ThinkingFields:
    """The ``fields`` of the request, and what was asked for and could not be had just so.

    ``has_budget`` says that the model was told to think with a budget.
    """

    fields: dict[str, Any]
    changed: tuple[str, ...] = ()
    has_budget: bool = False

    @property
    def has_effort(self) -> bool:
        """Whether an effort is asked for."""
        return "output_config" in self.fields

    @property
    def is_above_high(self) -> bool:
        """Whether an effort above high is asked for."""
        return self.fields.get("output_config", {}).get("effort") in _ABOVE_HIGH


def asked_of(reasoning: Reasoning, max_tokens: int | None, abilities: Abilities) -> ThinkingFields:
    """What to ask of a model with these abilities; ``max_tokens`` are those of the whole answer.

    Unless it is asked for exactly, an effort is fitted to what the model takes. Thinking in the
    API's own terms is asked for as it is, and refused by the API if the model does not take it.
    """
    effort, thought = reasoning.effort, reasoning.thought
    asked = ThinkingFields(fields={})
    if reasoning.exact:
        asked = _as_it_is(effort, abilities)
    elif effort is not None:
        asked = _by_effort(effort, max_tokens, abilities)
    if thought is None:
        return asked
    return ThinkingFields(
        fields={**asked.fields, "thinking": _in_terms_of_the_api(thought)},
        changed=asked.changed if reasoning.exact or asked.has_effort else _unused(effort),
        has_budget=thought.mode is ThinkingMode.ENABLED,
    )


def _as_it_is(effort: Effort | None, abilities: Abilities) -> ThinkingFields:
    """Without a word about thinking the CLI would forbid it, or ask for it with an effort above
    high; an effort that the model does not take it leaves out, where the API would refuse it."""
    fields: dict[str, Any] = {}
    if effort in abilities.efforts:
        fields["output_config"] = {"effort": effort.value}
    if abilities.thinks_unasked:
        fields["thinking"] = {"type": "adaptive"}
    elif effort in _ABOVE_HIGH:
        fields["thinking"] = {"type": "disabled"}
    dropped = effort is not None and effort not in abilities.efforts
    return ThinkingFields(fields=fields, changed=(EFFORT,) if dropped else ())


def _by_effort(effort: Effort, max_tokens: int | None, abilities: Abilities) -> ThinkingFields:
    level = _nearest(effort, abilities.efforts)
    fields: dict[str, Any] = {} if level is None else {"output_config": {"effort": level.value}}
    changed = () if level is effort else _unused(effort)
    if effort is Effort.NONE:
        if abilities.quiet is None:
            return ThinkingFields(fields=fields, changed=_unused(effort))
        return ThinkingFields(fields={"thinking": {"type": abilities.quiet}})
    if abilities.adapts:
        fields["thinking"] = {"type": "adaptive", "display": "summarized"}
        return ThinkingFields(fields=fields, changed=changed)
    budget = _budget(effort, max_tokens) if abilities.has_budget else None
    if budget is None:
        fields["thinking"] = {"type": "disabled"}
        return ThinkingFields(fields=fields, changed=_unused(effort))
    fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return ThinkingFields(fields=fields, has_budget=True)


def _budget(effort: Effort, max_tokens: int | None) -> int | None:
    """The budget of an effort; None when the answer may not be long enough for any."""
    if max_tokens is None:
        return BUDGETS[effort]
    if max_tokens <= LEAST_BUDGET:
        return None
    return max(LEAST_BUDGET, min(BUDGETS[effort], max_tokens * _SHARE // 10))


def _nearest(effort: Effort, known: tuple[Effort, ...]) -> Effort | None:
    """The highest known level that is not above it, else the lowest one."""
    below = [level for level in known if _ORDER.index(level) <= _ORDER.index(effort)]
    return next(iter(below[-1:] or known[:1]), None)


def _in_terms_of_the_api(thought: Thought) -> dict[str, Any]:
    return {
        "type": thought.mode.value,
        **({} if thought.budget is None else {"budget_tokens": thought.budget}),
        **({} if thought.display is None else {"display": thought.display}),
    }


def _unused(effort: Effort | None) -> tuple[str, ...]:
    return () if effort is None else ("reasoning_effort",)
