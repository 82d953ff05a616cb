"""What each model takes beside its thinking: sampling, force, prefill; and the shapes of it."""

from typing import Any

import pytest
from demo_bodies import (
    ADAPTIVE,
    BETWEEN,
    DISABLED,
    ENABLED,
    SCHEMA,
    assistant,
    call,
    refusal,
    result,
    text,
    too_much,
    user,
)


def deprecated(key: str) -> str:
    return f"`{key}` is deprecated for this model."


BOTH = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
ONE = "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
UNSET = "`top_k` must be unset when thinking is enabled or in adaptive mode."
NEAR_ONE = (
    "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in "
    "adaptive mode."
)
RETIRED = (
    *("claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5", "claude-fable-5"),
    *("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-mythos-5", "claude-next"),
)
SAMPLING: list[tuple[str, dict[str, Any], str]] = [
    *[
        (model, fields, words)
        for model in RETIRED
        for fields, words in (
            ({"temperature": 0.7}, deprecated("temperature")),
            ({"temperature": 0, "top_p": 0.5, "top_k": 5}, deprecated("temperature")),
            ({"temperature": 0.7, "thinking": ADAPTIVE}, ONE),
            ({"top_p": 0.98}, deprecated("top_p")),
            ({"top_p": 0.98, "thinking": ADAPTIVE}, deprecated("top_p")),
            ({"top_k": 5}, deprecated("top_k")),
            ({"top_k": 0}, deprecated("top_k")),
            ({"temperature": 1}, ""),
            ({"temperature": 1.0, "thinking": ADAPTIVE}, ""),
            ({"top_p": 0.99, "temperature": 1}, ""),
            ({"temperature": None, "top_p": None, "top_k": None}, ""),
        )
    ],
    *[
        (model, {"temperature": temperature, "top_p": 1}, BOTH)
        for model in (
            *("claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5"),
            *("claude-opus-4-6", "claude-sonnet-4-6"),
        )
        for temperature in (0.5, 1)
    ],
    *[
        (model, {"temperature": 0.5, "top_p": 0.5, "top_k": 5}, "")
        for model in ("claude-opus-4-0", "claude-sonnet-4-20250514", "claude-3-7-sonnet-latest")
    ],
    ("claude-sonnet-4-5", {"temperature": 0.5, "top_k": 5}, ""),
    ("claude-sonnet-4-5", {"top_p": 0.5, "temperature": None}, ""),
    ("claude-sonnet-4-5", {"temperature": 0.5, "thinking": DISABLED}, ""),
    ("claude-sonnet-4-6", {"temperature": 0.7}, ""),
    *[
        (model, {"thinking": thinking, **fields}, words)
        for model, thinking in (
            ("claude-3-7-sonnet-latest", ENABLED),
            ("claude-sonnet-4-5", ENABLED),
            ("claude-opus-4-6", ENABLED),
            ("claude-opus-4-6", ADAPTIVE),
        )
        for fields, words in (
            ({"temperature": 0.5}, ONE),
            ({"top_k": 5}, UNSET),
            ({"top_p": 0.94}, NEAR_ONE),
            ({"temperature": 1}, ""),
            ({"top_p": 0.95}, ""),
        )
    ],
]


@pytest.mark.parametrize(("model", "fields", "words"), SAMPLING)
def test_sampling(model: str, fields: dict[str, Any], words: str) -> None:
    assert refusal(model, **fields) == words


TOOLS = [{"name": "f", "input_schema": SCHEMA}]
NO_FORCE = 'tool_choice: type "tool" and "any" are not supported for this model.'
NO_FORCED_THINKING = "Thinking may not be enabled when tool_choice forces tool use."
FORCE: list[tuple[str, Any, str]] = [
    *[
        (model, thinking, NO_FORCE)
        for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-next")
        for thinking in (None, ADAPTIVE)
    ],
    ("claude-sonnet-5-5", BETWEEN, NO_FORCE),
    ("claude-mythos-5-1", None, NO_FORCE),
    ("claude-haiku-5-5", None, ""),
    ("claude-haiku-5-5", ADAPTIVE, ""),
    ("claude-haiku-5-5", DISABLED, ""),
    ("claude-fable-5", ADAPTIVE, ""),
    ("claude-opus-5", None, ""),
    ("claude-sonnet-5", ADAPTIVE, ""),
    ("claude-opus-4-7", ADAPTIVE, ""),
    ("claude-opus-4-6", ADAPTIVE, ""),
    ("claude-opus-4-6", ENABLED, NO_FORCED_THINKING),
    ("claude-sonnet-4-5", ENABLED, NO_FORCED_THINKING),
    ("claude-sonnet-4-5", None, ""),
    ("claude-haiku-4-5", DISABLED, ""),
]


@pytest.mark.parametrize(("model", "thinking", "words"), FORCE)
def test_forced_calls(model: str, thinking: Any, words: str) -> None:
    for choice in ({"type": "any"}, {"type": "tool", "name": "f"}):
        assert refusal(model, thinking=thinking, tools=TOOLS, tool_choice=choice) == words
    for kind in ("auto", "none"):
        assert refusal(model, thinking=thinking, tools=TOOLS, tool_choice={"type": kind}) == ""


NO_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user "
    "message."
)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("claude-3-haiku-20240307", ""),
        ("claude-sonnet-4-5", ""),
        ("claude-opus-4-5", ""),
        ("claude-sonnet-4-6", NO_PREFILL),
        ("claude-opus-4-7", NO_PREFILL),
        ("claude-haiku-5-5", NO_PREFILL),
        ("claude-next", NO_PREFILL),
    ],
)
def test_prefill(model: str, words: str) -> None:
    assert refusal(model, messages=[user("hi"), assistant("The answer")]) == words


def test_prefill_beside_a_budget() -> None:
    def said(*content: Any) -> str:
        messages = [user("hi"), *map(assistant, content)]
        return refusal("claude-sonnet-4-5", messages=messages, thinking=ENABLED)

    for content in ("The answer", [text("The answer")]):
        assert said(content).startswith("messages.1.content.0.type: Expected `thinking` or `redac")
        assert "but found `text`" in said(content)
    assert said("") == ""


SHAPES: list[tuple[dict[str, Any], str]] = [
    ({"type": "deep"}, "thinking: Input tag 'deep'"),
    ({}, "thinking.type: Field required"),
    ({"type": "enabled"}, "thinking.enabled.budget_tokens: Field required"),
    ({"type": "enabled", "budget_tokens": 1023}, "should be greater than or equal to 1024"),
    ({"type": "enabled", "budget_tokens": 4000}, "`max_tokens` must be greater than `thinking.bu"),
    ({"type": "enabled", "budget_tokens": "2"}, "budget_tokens: Input should be a valid integer"),
    ({**ADAPTIVE, "budget_tokens": 2000}, "thinking.adaptive.budget_tokens: Extra inputs are not"),
    ({**DISABLED, "display": "omitted"}, "thinking.disabled.display: Extra inputs are not permit"),
    ({**BETWEEN, "display": "omitted"}, "thinking.between_tools.display: Extra inputs are not"),
    ({**ADAPTIVE, "display": "raw"}, "thinking.adaptive.display: Input should be 'summarized', 'o"),
    ({**ADAPTIVE, "display": []}, "thinking.adaptive.display: Input should be 'summarized', 'omi"),
    ({**ADAPTIVE, "display": "updates"}, "display: Input should be 'summarized', 'omitted'"),
    ({**ADAPTIVE, "block_binding": {}}, "thinking.adaptive.block_binding: Extra inputs are not"),
]


@pytest.mark.parametrize(("thinking", "words"), SHAPES, ids=[row[1] for row in SHAPES])
def test_shapes_of_thinking(thinking: dict[str, Any], words: str) -> None:
    assert words in refusal("claude-opus-4-6", thinking=thinking)


def test_shapes_that_need_a_beta() -> None:
    betas = ("thinking-display-updates-2026-08-18", "thinking-binding-controls-2026-08-01")
    asked = {"display": "updates", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    for mode in (ADAPTIVE, ENABLED):
        assert refusal("claude-opus-4-6", thinking={**mode, **asked}, betas=betas) == ""
    unknown = refusal("claude-opus-4-6", thinking={**ADAPTIVE, "display": "raw"}, betas=betas)
    assert (
        unknown == "thinking.adaptive.display: Input should be 'summarized', 'omitted', 'updates'"
    )
    off = refusal("claude-opus-4-6", thinking={**DISABLED, "block_binding": {}}, betas=betas)
    assert off == "thinking.disabled.block_binding: Extra inputs are not permitted"


def change(effort: Any) -> dict[str, Any]:
    return {"role": "system", "content": [], "output_config": effort}


NO_TURNS = (
    "output_config.effort requires a model that supports per-turn effort; this model does not"
)


def differs(new: str, old: str) -> str:
    return (
        f"messages.1: output_config.effort '{new}' differs from the '{old}' in effect before it; "
        "effort cannot change when thinking is disabled on this model. Use effort "
        f"'{old}', or enable thinking."
    )


TURNS: list[tuple[str, dict[str, Any], Any, str]] = [
    *[
        (model, {}, {"effort": "low"}, "")
        for model in (
            *("claude-opus-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
            *("claude-fable-5-1", "claude-mythos-5-1", "claude-next"),
        )
    ],
    *[
        (model, {}, {"effort": "low"}, NO_TURNS)
        for model in ("claude-fable-5", "claude-sonnet-5", "claude-opus-4-8", "claude-sonnet-4-5")
    ],
    ("claude-opus-5", {}, {"effort": "none"}, "messages.1.output_config.effort: Input should be"),
    ("claude-opus-5", {}, {"effort": 5}, "messages.1.output_config.effort: Input should be"),
    ("claude-opus-5", {}, {"x": 5}, "messages.1.output_config.x: Extra inputs are not permitted"),
    ("claude-opus-5", {}, 5, "messages.1.output_config: Input should be an object"),
    ("claude-opus-5", {}, {"effort": None}, ""),
    ("claude-opus-5", {"thinking": DISABLED}, {"effort": "low"}, ""),
    ("claude-opus-5", {"thinking": DISABLED}, {"effort": "max"}, too_much("max")),
    ("claude-haiku-5-5", {"thinking": DISABLED}, {"effort": "low"}, differs("low", "medium")),
    ("claude-haiku-5-5", {"thinking": DISABLED}, {"effort": "medium"}, ""),
    ("claude-sonnet-5-5", {"thinking": BETWEEN}, {"effort": "low"}, differs("low", "high")),
    ("claude-sonnet-5-5", {"thinking": BETWEEN}, {"effort": "high"}, ""),
    (
        "claude-haiku-5-5",
        {"thinking": DISABLED, "output_config": {"effort": "low"}},
        {"effort": "high"},
        differs("high", "low"),
    ),
]


@pytest.mark.parametrize(("model", "fields", "effort", "words"), TURNS)
def test_effort_from_message_to_message(
    model: str, fields: dict[str, Any], effort: Any, words: str
) -> None:
    said = refusal(model, **fields, messages=[user("hi"), change(effort), user("go on")])
    assert said.startswith(words)
    assert bool(said) == bool(words)


CLI: list[dict[str, Any]] = [
    *[
        {"model": model, "thinking": ADAPTIVE, "output_config": {"effort": "medium"}}
        for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
    ],
    *[
        {"model": model, "thinking": DISABLED, "temperature": 1}
        for model in ("claude-sonnet-4-5", "claude-haiku-4-5")
    ],
    {"model": "claude-opus-4-7", "thinking": DISABLED, "output_config": {"effort": "xhigh"}},
    {
        "model": "claude-opus-4-6",
        "thinking": DISABLED,
        "output_config": {"effort": "high"},
        "temperature": 1,
    },
    {
        "model": "claude-opus-5-5",
        "thinking": {**ADAPTIVE, "display": "updates"},
        "betas": ("thinking-display-updates-2026-08-18", "context-management-2025-06-27"),
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    },
]


@pytest.mark.parametrize("fields", CLI, ids=[row["model"] for row in CLI])
def test_what_claude_code_sends_is_taken(fields: dict[str, Any]) -> None:
    assert refusal(**fields) == ""


def test_calls_made_without_a_thought_may_be_answered_with_thinking_on() -> None:
    messages = [user("hi"), assistant([call()]), user([result()])]
    assert refusal("claude-sonnet-4-5", thinking=ENABLED, messages=messages) == ""
    assert refusal("claude-opus-5-5", thinking=ADAPTIVE, messages=messages) == ""
