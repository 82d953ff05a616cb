"""``thinking``, in the Messages API's own terms, which OpenAI's clients may send as well."""

from attrs import frozen

from bridge.core.conversation import LEAST_BUDGET, ThinkingMode, Thought
from bridge.core.errors import InvalidRequest
from bridge.dialects.policy import invalid, listed


@frozen(kw_only=True)
class WireThinking:
    """Anthropic's ``thinking``; its own OpenAI-compatible API takes it in ``extra_body``."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


def thought_of(wire: WireThinking) -> Thought:
    """How the model is to think. Raises :class:`InvalidRequest`."""
    if wire.type not in list(ThinkingMode):
        raise invalid(
            f"'thinking.type' must be one of {listed(ThinkingMode)}, but it is "
            f"{wire.type[:100]!r}.",
            "thinking.type",
        )
    if wire.display not in (None, "summarized", "omitted"):
        raise invalid(
            f"'thinking.display' must be 'summarized' or 'omitted', but it is "
            f"{wire.display[:100]!r}.",
            "thinking.display",
        )
    mode, where = ThinkingMode(wire.type), "thinking.budget_tokens"
    if mode is ThinkingMode.ENABLED:
        if wire.budget_tokens is None:
            raise InvalidRequest(
                f"'{where}' is missing: thinking of the type 'enabled' has a budget.",
                param=where,
                code="missing_required_parameter",
            )
        _check_budget(wire.budget_tokens, where, where)
    elif wire.budget_tokens is not None:
        raise invalid(f"'{where}' belongs to thinking of the type 'enabled'.", where)
    return Thought(mode=mode, budget=wire.budget_tokens, display=wire.display)


def _check_budget(budget: int, name: str, param: str) -> None:
    if budget < LEAST_BUDGET:
        raise invalid(f"'{name}' must be at least {LEAST_BUDGET}, but it is {budget}.", param)


def budget_in_header(value: str) -> Thought:
    """``X-Claude-Max-Thinking-Tokens``: the most that the model may think with, 0 for not at all.

    Raises :class:`InvalidRequest`.
    """
    name = "X-Claude-Max-Thinking-Tokens"
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise invalid(f"'{name}' must be a number of tokens, 0 or more.", name.lower())
    budget = int(value)
    if budget == 0:
        return Thought(mode=ThinkingMode.DISABLED)
    _check_budget(budget, name, name.lower())
    return Thought(mode=ThinkingMode.ENABLED, budget=budget)
