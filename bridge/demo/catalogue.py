"""The models the demo claims to have, in the shape of `GET /v1/models`."""

import re
from typing import Any

import attrs


@attrs.frozen
class _Entry:
    """One line of the catalogue; `created` is a date, `output` the largest max_tokens.

    `thinks` says that the model always does: it can't be told not to, nor forced to call a
    function, which would skip it.
    """

    id: str
    name: str
    created: str
    output: int
    thinks: bool = False


_ENTRIES = (
    _Entry("claude-opus-5-5", "Claude Opus 5.5", "2026-09-15", 128_000, thinks=True),
    _Entry("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-08-20", 128_000, thinks=True),
    _Entry("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-01", 64_000),
    _Entry("claude-fable-5-2", "Claude Fable 5.2", "2026-06-10", 64_000, thinks=True),
    _Entry("claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29", 64_000),
    _Entry("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15", 64_000),
)

_FIVE = re.compile(r"^claude-[a-z]+-([5-9]|\d{2})(-|$)")


def models(context_tokens: int) -> list[dict[str, Any]]:
    """Every model's document, newest line first; `context_tokens` is the size of the window."""
    return [
        {
            "type": "model",
            "id": entry.id,
            "display_name": entry.name,
            "created_at": f"{entry.created}T00:00:00Z",
            "lifecycle": "active",
            "max_input_tokens": context_tokens,
            "max_tokens": entry.output,
        }
        for entry in _ENTRIES
    ]


def is_known(model: str) -> bool:
    """Whether a message may be asked of `model`: any Claude, so that new names need no release."""
    return model.startswith("claude-")


def always_thinks(model: str) -> bool:
    """Whether `model` refuses to go without thinking: documented of Opus 5.5, Sonnet 5.5 and Fable
    5.1, while Haiku 5.5 and what is older take both settings."""
    return any(entry.thinks and entry.id == model for entry in _ENTRIES)


def takes_prefill(model: str) -> bool:
    """Whether `model` continues a last assistant message: the 4 line and older do, 5 does not."""
    return _FIVE.match(model) is None
