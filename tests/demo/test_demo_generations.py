"""What each model takes and another refuses, a row for each: thinking, and how much effort."""

from typing import Any

import pytest
from demo_bodies import ADAPTIVE, BETWEEN, DISABLED, ENABLED, refusal, too_much

from bridge.demo.generations import EFFORTS, generation_of

NEWEST = (99, 0)
IDS: list[tuple[str, str, tuple[int, int]]] = [
    ("claude-opus-5-5", "opus", (5, 5)),
    ("claude-haiku-5-5-20261007", "haiku", (5, 5)),
    ("claude-sonnet-5", "sonnet", (5, 0)),
    ("claude-sonnet-5-20260630", "sonnet", (5, 0)),
    ("claude-fable-5-2", "fable", (5, 2)),
    ("claude-mythos-5-1", "mythos", (5, 1)),
    ("claude-mythos-preview", "mythos", NEWEST),
    ("claude-opus-4-1-20250805", "opus", (4, 1)),
    ("claude-opus-4-20250514", "opus", (4, 0)),
    ("claude-sonnet-4-0", "sonnet", (4, 0)),
    ("claude-opus-4-6[1m]", "opus", (4, 6)),
    ("claude-sonnet-4-5@20250929", "sonnet", (4, 5)),
    ("claude-3-7-sonnet-20250219", "sonnet", (3, 7)),
    ("claude-3-7-sonnet-latest", "sonnet", (3, 7)),
    ("claude-3-haiku-20240307", "haiku", (3, 0)),
    ("claude-2.1", "", (2, 1)),
    ("claude-instant-1.2", "", (1, 2)),
    ("claude-opus-10-12", "opus", (10, 12)),
    ("claude-opus", "opus", NEWEST),
    ("claude-jupiter-v1-p", "", NEWEST),
    ("claude-zephyr-1", "", NEWEST),
    ("claude-", "", NEWEST),
    ("claude-²", "", NEWEST),
]


@pytest.mark.parametrize(("model", "family", "version"), IDS, ids=[row[0] for row in IDS])
def test_ids_tell_family_and_version(model: str, family: str, version: tuple[int, int]) -> None:
    found = generation_of(model)
    assert (found.family, found.version) == (family, version)


USE = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
NO_BUDGET = f'"thinking.type.enabled" is not supported for this model. {USE}'
NO_OFF = f'"thinking.type.disabled" is not supported for this model. {USE}'
NO_BETWEEN = '"thinking.type.between_tools" is not supported for this model.'
NO_ADAPTING = "adaptive thinking is not supported on this model"
TO_BETWEEN = (
    'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of '
    '{"type": "disabled"}. The model does not think before responding. The short updates it writes '
    "between tool calls come back as thinking blocks."
)

# enabled, adaptive, disabled, between_tools
THINKING: dict[str, tuple[str, str, str, str]] = {
    "claude-3-7-sonnet-20250219": ("", NO_ADAPTING, "", NO_BETWEEN),
    "claude-sonnet-4-20250514": ("", NO_ADAPTING, "", NO_BETWEEN),
    "claude-opus-4-1": ("", NO_ADAPTING, "", NO_BETWEEN),
    "claude-haiku-4-5": ("", NO_ADAPTING, "", NO_BETWEEN),
    "claude-sonnet-4-5": ("", NO_ADAPTING, "", NO_BETWEEN),
    "claude-opus-4-5-20251101": ("", NO_ADAPTING, "", NO_BETWEEN),
    "claude-opus-4-6": ("", "", "", NO_BETWEEN),
    "claude-sonnet-4-6": ("", "", "", NO_BETWEEN),
    "claude-opus-4-7": (NO_BUDGET, "", "", NO_BETWEEN),
    "claude-opus-4-8": (NO_BUDGET, "", "", NO_BETWEEN),
    "claude-opus-5": (NO_BUDGET, "", "", NO_BETWEEN),
    "claude-sonnet-5": (NO_BUDGET, "", "", NO_BETWEEN),
    "claude-haiku-5-5": (NO_BUDGET, "", "", NO_BETWEEN),
    "claude-sonnet-5-5": (NO_BUDGET, "", TO_BETWEEN, ""),
    "claude-opus-5-5": (NO_BUDGET, "", NO_OFF, NO_BETWEEN),
    "claude-fable-5": (NO_BUDGET, "", NO_OFF, NO_BETWEEN),
    "claude-mythos-5-1": (NO_BUDGET, "", NO_OFF, NO_BETWEEN),
    "claude-haiku-6": (NO_BUDGET, "", "", NO_BETWEEN),
    "claude-sonnet-7-1": (NO_BUDGET, "", TO_BETWEEN, ""),
    "claude-next": (NO_BUDGET, "", NO_OFF, NO_BETWEEN),
}


@pytest.mark.parametrize("model", THINKING)
def test_modes_of_thinking(model: str) -> None:
    modes = (ENABLED, ADAPTIVE, DISABLED, BETWEEN)
    assert tuple(refusal(model, thinking=mode) for mode in modes) == THINKING[model]
    assert refusal(model) == refusal(model, thinking=None) == ""


def test_a_model_without_thinking() -> None:
    model = "claude-3-5-sonnet-20241022"
    words = f"'{model}' does not support thinking."
    modes = (ENABLED, ADAPTIVE, DISABLED, BETWEEN)
    said = [refusal(model, thinking=mode) for mode in modes]
    assert said == [words, words, "", NO_BETWEEN]


NO_EFFORT = "This model does not support the effort parameter."


def no_level(level: str, supported: str) -> str:
    return f"This model does not support effort level '{level}'. Supported levels: {supported}."


UP_TO_HIGH = {level: no_level(level, "high, low, medium") for level in ("xhigh", "max")}
NOT_XHIGH = {"xhigh": no_level("xhigh", "high, low, max, medium")}
LEVELS: list[tuple[str, dict[str, str]]] = [
    *[
        (model, dict.fromkeys(EFFORTS, NO_EFFORT))
        for model in (
            *("claude-3-7-sonnet-latest", "claude-opus-4-1", "claude-sonnet-4-5"),
            "claude-haiku-4-5",
        )
    ],
    ("claude-opus-4-5", UP_TO_HIGH),
    ("claude-opus-4-6", NOT_XHIGH),
    ("claude-sonnet-4-6", NOT_XHIGH),
    *[
        (model, {})
        for model in (
            *("claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5"),
            *("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2"),
            *("claude-mythos-5", "claude-next"),
        )
    ],
]


@pytest.mark.parametrize(("model", "refused"), LEVELS)
def test_levels_of_effort(model: str, refused: dict[str, str]) -> None:
    said = {level: refusal(model, output_config={"effort": level}) for level in EFFORTS}
    assert {level: words for level, words in said.items() if words} == refused


CAPPED = {level: too_much(level) for level in ("xhigh", "max")}
UNTHINKING: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("claude-opus-5", DISABLED, CAPPED),
    ("claude-haiku-5-5", DISABLED, CAPPED),
    ("claude-sonnet-5-5", BETWEEN, CAPPED),
    ("claude-haiku-6", DISABLED, CAPPED),
    ("claude-sonnet-5", DISABLED, {}),
    ("claude-opus-4-8", DISABLED, {}),
    ("claude-opus-4-7", DISABLED, {}),
    ("claude-opus-4-6", DISABLED, NOT_XHIGH),
    ("claude-opus-5", ADAPTIVE, {}),
    ("claude-haiku-5-5", ADAPTIVE, {}),
    ("claude-sonnet-5-5", ADAPTIVE, {}),
]


@pytest.mark.parametrize(("model", "thinking", "refused"), UNTHINKING)
def test_effort_without_thinking(model: str, thinking: Any, refused: dict[str, str]) -> None:
    said = {
        level: refusal(model, thinking=thinking, output_config={"effort": level})
        for level in EFFORTS
    }
    assert {level: words for level, words in said.items() if words} == refused
