"""What a model takes, by the CLI's list and by its id; and what is asked of it then."""

from typing import Any

import pytest
from attrs import evolve

from bridge.claude.abilities import Abilities, abilities_of
from bridge.claude.names import ListedModel, Names, listed_models
from bridge.claude.thinking import BUDGETS, asked_of
from bridge.core.conversation import LEAST_BUDGET, Effort, Reasoning, ThinkingMode, Thought

THINKER = Abilities(quiet=None, can_be_forced=False)
FREE = Abilities(quiet="disabled", can_be_forced=True)

LISTED = (
    ListedModel(value="default", resolved="claude-opus-9", abilities=THINKER),
    ListedModel(value="opus", resolved="claude-opus-9", abilities=THINKER),
    ListedModel(value="haiku", resolved="claude-haiku-9", abilities=FREE),
    ListedModel(value="old", resolved="claude-sonnet-4-5", abilities=THINKER),
)

FORCED: list[tuple[tuple[ListedModel, ...], str | None, bool]] = [
    # what the CLI lists, the model as resolved, whether it can be forced
    (LISTED, "claude-opus-9", False),
    (LISTED, "claude-haiku-9", True),
    (LISTED, "claude-sonnet-4-5", False),  # the list knows better than the name
    (LISTED, None, False),
    (LISTED[1:], None, False),  # no default is listed
    ((), None, False),
    *[
        ((), name, True)
        for name in (
            "claude-2.1",
            "claude-instant-1",
            "claude-3-opus-20240229",
            "claude-3-5-sonnet-20241022",
            "claude-3-7-sonnet-latest",
            "claude-3.5-haiku",
            "claude-sonnet-4",
            "claude-sonnet-4-20250514",
            "claude-sonnet-4-5",
            "claude-sonnet-4-5-20250929[1m]",
            "claude-opus-4-1-20250805",
            "claude-opus-4@20250514",
            "claude-opus-4-8",
            "claude-opus-5",
            "claude-sonnet-5-4-1",
            "claude-haiku-5-5@20261001",
            "claude-fable-5",
            "anthropic.claude-3-haiku-20240307-v1:0",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        )
    ],
    *[
        ((), name, False)
        for name in (
            "claude-opus-5-5",
            "claude-sonnet-5-5-1",
            "claude-haiku-6",
            "claude-fable-5-1",
            "claude-mythos-5",
            "claude-10-opus",
            "claude-opus-10",
            "claude-sonnet-45",
            "claude-sonnet-20250929",
            "us.anthropic.claude-opus-5-5-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x4",
            "opus",
            "default",
            "anything-4",
        )
    ],
]


@pytest.mark.parametrize(("listed", "resolved", "can"), FORCED)
def test_which_models_can_be_forced_to_call(
    listed: tuple[ListedModel, ...], resolved: str | None, can: bool
) -> None:
    assert Names(listed=listed).abilities(resolved).can_be_forced is can


LOW = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
ALL = (*LOW, Effort.XHIGH, Effort.MAX)

BY_ID: dict[str, tuple[str | None, bool, bool, tuple[Effort, ...], bool]] = {
    # what keeps it from thinking; adaptive, with a budget, efforts, takes sampling
    "claude-3-5-haiku-20241022": ("disabled", False, False, (), True),
    "claude-3-opus-20240229": ("disabled", False, False, (), True),
    "claude-3-7-sonnet-20250219": ("disabled", False, True, (), True),
    "claude-sonnet-4-20250514": ("disabled", False, True, (), True),
    "claude-opus-4-1-20250805": ("disabled", False, True, (), True),
    "claude-sonnet-4-5-20250929": ("disabled", False, True, (), True),
    "claude-haiku-4-5": ("disabled", False, True, (), True),
    "claude-opus-4-5-20251101": ("disabled", False, True, LOW, True),
    "claude-opus-4-6": ("disabled", True, True, (*LOW, Effort.MAX), True),
    "us.anthropic.claude-sonnet-4-6-v1:0": ("disabled", True, True, (*LOW, Effort.MAX), True),
    "claude-opus-4-7": ("disabled", True, False, ALL, False),
    "claude-opus-4-8": ("disabled", True, False, ALL, False),
    "claude-opus-5": ("disabled", True, False, ALL, False),
    "claude-sonnet-5[1m]": ("disabled", True, False, ALL, False),
    "claude-opus-5-5": (None, True, False, ALL, False),
    "claude-sonnet-5-5": ("between_tools", True, False, ALL, False),
    "claude-haiku-5-5": ("disabled", True, False, ALL, False),
    "claude-fable-5": (None, True, False, ALL, False),
    "claude-mythos-preview": (None, True, False, ALL, False),
    "claude-opus-12": (None, True, False, ALL, False),
    "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x": (None, True, False, ALL, False),
    "": (None, True, False, ALL, False),
}


@pytest.mark.parametrize("model", BY_ID)
def test_what_an_id_tells(model: str) -> None:
    found = abilities_of(model)
    assert BY_ID[model] == (
        found.quiet,
        found.adapts,
        found.has_budget,
        found.efforts,
        found.samples,
    )


@pytest.mark.parametrize(
    ("model", "described", "expected"),
    [
        ("claude-sonnet-4-5", {}, {}),
        ("claude-sonnet-4-5", {"supportsAdaptiveThinking": True}, {"adapts": True}),
        ("claude-opus-4-6", {"supportsAdaptiveThinking": False}, {"adapts": False}),
        (
            "claude-opus-5",
            {"supportedEffortLevels": ["low", "ultra", "max"]},
            {"efforts": (Effort.LOW, Effort.MAX)},
        ),
        ("claude-opus-5", {"supportedEffortLevels": []}, {}),
        ("claude-haiku-5-5", {"supportsThinkingOff": False}, {}),  # what the CLI can't, the API can
        ("claude-opus-9", {"supportsThinkingOff": False}, {}),
        ("claude-opus-9", {"supportsThinkingOff": None}, {}),
        (
            "claude-opus-9",
            {"supportsThinkingOff": True},
            {"quiet": "disabled", "can_be_forced": True},
        ),
    ],
)
def test_the_list_adds_to_what_the_id_tells(
    model: str, described: dict[str, Any], expected: dict[str, Any]
) -> None:
    (listed,) = listed_models([{"value": "m", "resolvedModel": model, **described}])
    assert listed == ListedModel(
        value="m", resolved=model, abilities=evolve(abilities_of(model), **expected)
    )


ADAPTIVE = {"type": "adaptive", "display": "summarized"}
OFF = {"type": "disabled"}
CHANGED = ("reasoning_effort",)

Expected = tuple[dict[str, Any] | None, str | None, tuple[str, ...]]

EFFORTS: dict[str, dict[Effort, Expected]] = {
    # thinking, effort, changed
    "claude-opus-5-5": {
        Effort.NONE: (None, "low", CHANGED),
        Effort.MINIMAL: (ADAPTIVE, "low", CHANGED),
        **{effort: (ADAPTIVE, effort.value, ()) for effort in ALL},
    },
    "claude-sonnet-5-5": {Effort.NONE: ({"type": "between_tools"}, None, ())},
    "claude-haiku-5-5": {Effort.NONE: (OFF, None, ())},
    "claude-opus-4-7": {
        Effort.NONE: (OFF, None, ()),
        **{effort: (ADAPTIVE, effort.value, ()) for effort in ALL},
    },
    "claude-opus-4-6": {
        Effort.XHIGH: (ADAPTIVE, "high", CHANGED),
        Effort.MAX: (ADAPTIVE, "max", ()),
    },
    "claude-opus-4-5": {
        Effort.NONE: (OFF, None, ()),
        Effort.LOW: ({"type": "enabled", "budget_tokens": 2_048}, "low", ()),
        Effort.MAX: ({"type": "enabled", "budget_tokens": 30_720}, "high", ()),
    },
    "claude-sonnet-4-5": {
        Effort.NONE: (OFF, None, ()),
        **{
            effort: ({"type": "enabled", "budget_tokens": budget}, None, ())
            for effort, budget in BUDGETS.items()
        },
    },
    "claude-3-5-haiku-20241022": {
        Effort.NONE: (OFF, None, ()),
        Effort.HIGH: (OFF, None, CHANGED),
    },
}


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [(model, effort, row) for model, rows in EFFORTS.items() for effort, row in rows.items()],
)
def test_an_effort_is_fitted_to_the_model(model: str, effort: Effort, expected: Expected) -> None:
    asked = asked_of(Reasoning(effort=effort), None, abilities_of(model))
    thinking, level, changed = expected
    assert asked.fields == {
        **({} if thinking is None else {"thinking": thinking}),
        **({} if level is None else {"output_config": {"effort": level}}),
    }
    assert asked.changed == changed
    assert asked.has_budget is ("budget_tokens" in (thinking or {}))


@pytest.mark.parametrize(
    ("max_tokens", "budget"),
    [(None, 16_384), (100_000, 16_384), (20_000, 16_000), (1_281, 1_024), (1_025, 1_024)],
)
def test_a_budget_leaves_room_for_the_answer(max_tokens: int | None, budget: int) -> None:
    known = abilities_of("claude-sonnet-4-5")
    asked = asked_of(Reasoning(effort=Effort.HIGH), max_tokens, known)
    assert asked.fields["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert max_tokens is None or LEAST_BUDGET <= budget < max_tokens
    assert asked.changed == ()


@pytest.mark.parametrize("max_tokens", [1, LEAST_BUDGET])
def test_an_answer_too_short_to_think_before_is_not_thought_about_and_says_so(
    max_tokens: int,
) -> None:
    known = abilities_of("claude-sonnet-4-5")
    asked = asked_of(Reasoning(effort=Effort.HIGH), max_tokens, known)
    assert (asked.fields, asked.changed, asked.has_budget) == ({"thinking": OFF}, CHANGED, False)


THOUGHTS = [
    (Thought(mode=ThinkingMode.DISABLED), OFF, False),
    (Thought(mode=ThinkingMode.BETWEEN_TOOLS), {"type": "between_tools"}, False),
    (Thought(mode=ThinkingMode.ADAPTIVE), {"type": "adaptive"}, False),
    (
        Thought(mode=ThinkingMode.ADAPTIVE, display="omitted"),
        {"type": "adaptive", "display": "omitted"},
        False,
    ),
    (
        Thought(mode=ThinkingMode.ENABLED, budget=5_000),
        {"type": "enabled", "budget_tokens": 5_000},
        True,
    ),
]


@pytest.mark.parametrize(
    "model", ["claude-opus-5-5", "claude-sonnet-4-5", "claude-3-opus-20240229"]
)
@pytest.mark.parametrize(("thought", "field", "budget"), THOUGHTS)
def test_thinking_in_the_apis_own_terms_is_asked_for_as_it_is(
    thought: Thought, field: dict[str, Any], budget: bool, model: str
) -> None:
    asked = asked_of(Reasoning(thought=thought), 10, abilities_of(model))
    assert (asked.fields, asked.changed, asked.has_budget) == ({"thinking": field}, (), budget)


def test_with_both_the_effort_is_an_effort_alone() -> None:
    both = Reasoning(effort=Effort.HIGH, thought=THOUGHTS[4][0])
    newer = asked_of(both, None, abilities_of("claude-opus-4-6"))
    assert newer.fields == {"output_config": {"effort": "high"}, "thinking": THOUGHTS[4][1]}
    assert newer.changed == ()
    older = asked_of(both, None, abilities_of("claude-sonnet-4-5"))
    assert (older.fields, older.changed) == ({"thinking": THOUGHTS[4][1]}, CHANGED)


def test_nothing_asked_is_nothing_said() -> None:
    assert asked_of(Reasoning(), 10, THINKER).fields == {}


OWN = {"type": "adaptive"}
"""What keeps the CLI from forbidding it to models that think by themselves."""


@pytest.mark.parametrize("effort", [None, Effort.LOW, Effort.XHIGH, Effort.MAX])
@pytest.mark.parametrize("model", BY_ID)
def test_what_is_asked_for_exactly_is_asked_for_as_it_is(model: str, effort: Effort | None) -> None:
    known = abilities_of(model)
    asked = asked_of(Reasoning(effort=effort, exact=True), 10, known)
    quiet = {"thinking": {"type": "disabled"}} if effort in (Effort.XHIGH, Effort.MAX) else {}
    assert asked.fields == {
        **level(effort, model),
        **({"thinking": OWN} if known.thinks_unasked else quiet),
    }
    assert (asked.changed, asked.has_budget) == (dropped(effort, model), False)


def level(effort: Effort | None, model: str) -> dict[str, Any]:
    """An effort, where the model takes it."""
    known = effort is not None and effort in abilities_of(model).efforts
    return {"output_config": {"effort": effort.value}} if known else {}


def dropped(effort: Effort | None, model: str) -> tuple[str, ...]:
    """The CLI leaves out an effort that the model does not take, so the client is told."""
    known = effort is None or effort in abilities_of(model).efforts
    return () if known else ("output_config.effort",)


@pytest.mark.parametrize("effort", [None, Effort.MAX])
@pytest.mark.parametrize("model", BY_ID)
@pytest.mark.parametrize(("thought", "field", "budget"), THOUGHTS)
def test_thinking_that_is_asked_for_exactly(
    thought: Thought, field: dict[str, Any], budget: bool, model: str, effort: Effort | None
) -> None:
    reasoning = Reasoning(effort=effort, thought=thought, exact=True)
    asked = asked_of(reasoning, 10, abilities_of(model))
    assert asked.fields == {**level(effort, model), "thinking": field}
    assert (asked.changed, asked.has_budget) == (dropped(effort, model), budget)


THINKS = {"claude-opus-5", "claude-sonnet-5[1m]", "claude-haiku-5-5", "claude-fable-5", ""}


def test_which_models_think_unasked() -> None:
    thinking = {model for model in BY_ID if abilities_of(model).thinks_unasked}
    assert thinking >= THINKS
    assert not [model for model in thinking if "claude-3" in model or "-4-" in model]
