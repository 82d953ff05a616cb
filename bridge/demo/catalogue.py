"""The models the demo claims to have, in the shape of `GET /v1/models`."""

from typing import Any

import attrs


@attrs.frozen
class _Entry:
    """One line of the catalogue; `created` is a date, `output` the largest max_tokens."""

    id: str
    name: str
    created: str
    output: int


_ENTRIES = (
    _Entry("claude-opus-5-5", "Claude Opus 5.5", "2026-09-15", 128_000),
    _Entry("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-08-20", 128_000),
    _Entry("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-01", 64_000),
    _Entry("claude-fable-5-2", "Claude Fable 5.2", "2026-06-10", 64_000),
    _Entry("claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29", 64_000),
    _Entry("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15", 64_000),
)


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
