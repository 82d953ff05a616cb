"""What the core passes on are values: equal by what they hold, and frozen."""

import attrs
import pytest

from bridge.core import conversation, events, fold
from bridge.core.events import TextDelta, ThinkingDelta, Usage

USAGES = {
    "nothing": (Usage(), 0),
    "plain": (Usage(input_tokens=7, output_tokens=100), 7),
    "cached-tokens-count": (
        Usage(input_tokens=1, cache_read_tokens=20, cache_write_tokens=300),
        321,
    ),
    "what-is-kept-for-an-hour-counts-once": (
        Usage(input_tokens=1, cache_write_tokens=300, hour_cache_write_tokens=200),
        301,
    ),
    "output-does-not": (Usage(input_tokens=1, output_tokens=5, reasoning_tokens=4), 1),
}


@pytest.mark.parametrize(("usage", "prompt_tokens"), USAGES.values(), ids=USAGES)
def test_prompt_tokens(usage: Usage, prompt_tokens: int) -> None:
    assert usage.prompt_tokens == prompt_tokens


SUMS = {
    "nothing": (Usage(), Usage(), Usage()),
    "all-counts": (
        Usage(input_tokens=1, cache_read_tokens=2, cache_write_tokens=3, output_tokens=4, reasoning_tokens=5),
        Usage(input_tokens=10, cache_read_tokens=20, cache_write_tokens=30, output_tokens=40, reasoning_tokens=50),
        Usage(input_tokens=11, cache_read_tokens=22, cache_write_tokens=33, output_tokens=44, reasoning_tokens=55),
    ),
    "what-is-kept-for-an-hour": (
        Usage(cache_write_tokens=3, hour_cache_write_tokens=2),
        Usage(cache_write_tokens=30, hour_cache_write_tokens=30),
        Usage(cache_write_tokens=33, hour_cache_write_tokens=32),
    ),
    "reasoning-untold-by-one": (
        Usage(output_tokens=4, reasoning_tokens=3),
        Usage(output_tokens=5, reasoning_tokens=None),
        Usage(output_tokens=9, reasoning_tokens=None),
    ),
    "reasoning-untold-by-both": (
        Usage(reasoning_tokens=None),
        Usage(reasoning_tokens=None),
        Usage(reasoning_tokens=None),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other", "both"), SUMS.values(), ids=SUMS)
def test_what_both_took_together(one: Usage, other: Usage, both: Usage) -> None:
    assert one + other == both
    assert other + one == both


LIVING = {fold.Folder, fold._Open}
VALUES = [
    cls
    for module in (events, conversation, fold)
    for cls in vars(module).values()
    if attrs.has(cls) and cls.__module__ == module.__name__ and cls not in LIVING
]


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_value_is_frozen_and_made_by_name(cls: type[attrs.AttrsInstance]) -> None:
    fields = attrs.fields(cls)
    assert all(field.kw_only for field in fields)
    value = cls(**{field.name: None for field in fields})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, fields[0].name, 1)


def test_kinds_of_delta_are_told_apart() -> None:
    assert TextDelta(index=0, text="a") == TextDelta(index=0, text="a")
    assert TextDelta(index=0, text="a") != ThinkingDelta(index=0, text="a")
