"""How much the model is to think: ``reasoning_effort``, ``thinking`` and the header's budget."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_bodies import HI, ask, seen

from bridge.core.conversation import Effort, Reasoning, ThinkingMode, Thought
from bridge.core.errors import InvalidRequest
from bridge.dialects.thinking import budget_in_header

OFF = Thought(mode=ThinkingMode.DISABLED)
ADAPTIVE = Thought(mode=ThinkingMode.ADAPTIVE)


def enabled(budget: int, **more: Any) -> Thought:
    return Thought(mode=ThinkingMode.ENABLED, budget=budget, **more)


# fields → what comes of them
HONOURED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{
        f"effort-{word}": ({"reasoning_effort": word}, {"effort": Effort(word)})
        for word in ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    },
    "effort-null": ({"reasoning_effort": None}, {}),
    "thinking-null": ({"thinking": None}, {}),
    "disabled": ({"thinking": {"type": "disabled"}}, {"thought": OFF}),
    "adaptive": ({"thinking": {"type": "adaptive"}}, {"thought": ADAPTIVE}),
    "between-tools": (
        {"thinking": {"type": "between_tools"}},
        {"thought": Thought(mode=ThinkingMode.BETWEEN_TOOLS)},
    ),
    "adaptive-as-null": (
        {"thinking": {"type": "adaptive", "budget_tokens": None, "display": None}},
        {"thought": ADAPTIVE},
    ),
    "the-least-budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thought": enabled(1024)},
    ),
    "a-budget-of-javascript": (
        {"thinking": {"type": "enabled", "budget_tokens": 2048.0}},
        {"thought": enabled(2048)},
    ),
    **{
        f"words-{display}": (
            {"thinking": {"type": "enabled", "budget_tokens": 5000, "display": display}},
            {"thought": enabled(5000, display=display)},
        )
        for display in ["summarized", "omitted"]
    },
    "adaptive-without-words": (
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"thought": Thought(mode=ThinkingMode.ADAPTIVE, display="omitted")},
    ),
    "effort-beside-thinking": (
        {"reasoning_effort": "high", "thinking": {"type": "disabled"}},
        {"effort": Effort.HIGH, "thought": OFF},
    ),
}


@pytest.mark.parametrize(("fields", "wanted"), HONOURED.values(), ids=HONOURED)
def test_honoured(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert seen(ask(HI, **fields)) == wanted


def test_every_word_of_the_core_has_a_row() -> None:
    efforts = {wanted.get("effort") for _, wanted in HONOURED.values()}
    modes = {wanted["thought"].mode for _, wanted in HONOURED.values() if "thought" in wanted}
    assert efforts - {None} == set(Effort)
    assert modes == set(ThinkingMode)


EFFORT, TYPE, BUDGET = "reasoning_effort", "thinking.type", "thinking.budget_tokens"
MODES = "'disabled', 'enabled', 'adaptive', 'between_tools'"
EFFORTS = "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'"

# fields → param, code, a piece of the message
REFUSED: dict[str, tuple[dict[str, Any], str, str, str]] = {
    **{
        f"effort-{word[:10]!r}": (
            {"reasoning_effort": word},
            EFFORT,
            "invalid_value",
            f"must be one of {EFFORTS}, but it is {word[:100]!r}.",
        )
        for word in ["", "None", "HIGH", "low ", "ultra", "adaptive", "x" * 100_000]
    },
    **{
        f"effort-{value!r}": ({"reasoning_effort": value}, EFFORT, "invalid_type", "a string")
        for value in [1, False, ["low"], {"effort": "low"}]
    },
    "effort-with-nul": ({"reasoning_effort": "low\0"}, EFFORT, "invalid_value", "NUL"),
    **{
        f"thinking-{value!r}": ({"thinking": value}, "thinking", "invalid_type", "an object")
        for value in [True, "enabled", [], 1024]
    },
    "thinking-without-a-type": (
        {"thinking": {"budget_tokens": 1024}},
        TYPE,
        "missing_required_parameter",
        "missing",
    ),
    "thinking-of-type-null": ({"thinking": {"type": None}}, TYPE, "invalid_type", "a string"),
    **{
        f"thinking-of-type-{word[:10]!r}": (
            {"thinking": {"type": word, "budget_tokens": 1024}},
            TYPE,
            "invalid_value",
            f"must be one of {MODES}, but it is {word[:100]!r}.",
        )
        for word in ["", "auto", "Enabled", "none", "x" * 100_000]
    },
    "enabled-without-a-budget": (
        {"thinking": {"type": "enabled"}},
        BUDGET,
        "missing_required_parameter",
        "thinking of the type 'enabled' has a budget",
    ),
    "enabled-with-null": (
        {"thinking": {"type": "enabled", "budget_tokens": None}},
        BUDGET,
        "missing_required_parameter",
        "has a budget",
    ),
    **{
        f"a-budget-of-{budget}": (
            {"thinking": {"type": "enabled", "budget_tokens": budget}},
            BUDGET,
            "invalid_value",
            f"at least 1024, but it is {budget}.",
        )
        for budget in [1023, 0, -1]
    },
    **{
        f"a-budget-of-{budget!r}": (
            {"thinking": {"type": "enabled", "budget_tokens": budget}},
            BUDGET,
            "invalid_type",
            "an integer",
        )
        for budget in ["1024", 1024.5, True, [1024]]
    },
    **{
        f"a-budget-beside-{mode}": (
            {"thinking": {"type": mode, "budget_tokens": 2048}},
            BUDGET,
            "invalid_value",
            "belongs to thinking of the type 'enabled'",
        )
        for mode in ["disabled", "adaptive", "between_tools"]
    },
    **{
        f"words-{word[:10]!r}": (
            {"thinking": {"type": "adaptive", "display": word}},
            "thinking.display",
            "invalid_value",
            "must be 'summarized' or 'omitted', but it is",
        )
        for word in ["", "full", "Omitted", "x" * 100_000]
    },
    "words-false": (
        {"thinking": {"type": "adaptive", "display": False}},
        "thinking.display",
        "invalid_type",
        "a string",
    ),
}


@pytest.mark.parametrize(("fields", "param", "code", "fragment"), REFUSED.values(), ids=REFUSED)
def test_refused(fields: dict[str, Any], param: str, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(HI, **fields)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message
    assert len(error.message) < 400


def test_a_plain_request_leaves_it_to_the_model() -> None:
    assert ask(HI).turn.reasoning == Reasoning()


# -- X-Claude-Max-Thinking-Tokens ----------------------------------------------------------------

BUDGETS = {
    "0": OFF,
    "000": OFF,
    "1024": enabled(1024),
    "01024": enabled(1024),
    "31999": enabled(31_999),
    "999999999": enabled(999_999_999),
}


@pytest.mark.parametrize(("value", "thought"), BUDGETS.items(), ids=BUDGETS)
def test_a_budget_in_the_header(value: str, thought: Thought) -> None:
    assert budget_in_header(value) == thought


NO_BUDGETS = {
    **dict.fromkeys(["1", "1023"], "must be at least 1024"),
    **dict.fromkeys(
        ["", " ", "-1", "+1024", "1024 ", " 1024", "1_024", "1e4", "1024.0", "0x400", "none"],
        "must be a number of tokens",
    ),
    **dict.fromkeys(["٢٠٤٨", "²", "1" * 10, "0" * 10, "9" * 100_000], "must be a number of tokens"),
}


@pytest.mark.parametrize(
    ("value", "fragment"), NO_BUDGETS.items(), ids=[ascii(value[:12]) for value in NO_BUDGETS]
)
def test_no_budget_in_the_header(value: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        budget_in_header(value)
    error = caught.value
    assert (error.status, error.param) == (400, "x-claude-max-thinking-tokens")
    assert error.code == "invalid_value"
    assert f"'X-Claude-Max-Thinking-Tokens' {fragment}" in error.message
    assert len(error.message) < 200


@settings(deadline=None, derandomize=True, database=None, max_examples=80)
@given(st.text(max_size=12) | st.text("0123456789", max_size=12))
def test_any_header_is_a_thought_or_a_fault(value: str) -> None:
    try:
        thought = budget_in_header(value)
    except InvalidRequest:
        return
    assert thought.budget is None or (thought.budget >= 1024 and thought.budget == int(value))
    assert (thought.mode is ThinkingMode.DISABLED) == (int(value) == 0)
