"""What would become of a turn, without running it."""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from bridge.claude.abilities import Abilities
from bridge.claude.body import SAMPLING, request_of
from bridge.claude.names import Names
from bridge.core.conversation import ThinkingMode, Turn


@frozen(kw_only=True)
class Preview:
    """The ``model`` that a turn would go to (None: the CLI's default, which is not known yet).

    ``changed`` and ``ignored`` name the parameters that would have another effect than asked, or
    none; ``may_refuse`` those that this model is known to refuse, alone or beside others.
    """

    model: str | None
    changed: tuple[str, ...]
    ignored: tuple[str, ...]
    may_refuse: tuple[str, ...]


def preview_of(turn: Turn, names: Names, *, lenient: bool) -> Preview:
    """Raises :class:`bridge.core.errors.ModelNotFound`."""
    model = names.resolve(turn.model)
    abilities = names.abilities(model)
    request = request_of(turn, abilities, lenient=lenient)
    return Preview(
        model=model or names.default_model,
        changed=request.changed,
        ignored=request.ignored,
        may_refuse=tuple(_at_risk(turn, request.fields, abilities)),
    )


def _at_risk(turn: Turn, fields: Mapping[str, Any], abilities: Abilities) -> Iterator[str]:
    sampled = [name for name in SAMPLING if name in fields]
    thinks = fields.get("thinking", {}).get("type") in ("enabled", "adaptive")
    both = {"temperature", "top_p"} <= set(sampled)
    if not abilities.samples or thinks or both:
        yield from sampled
    thought = turn.reasoning.thought
    if thought is not None and not _takes(abilities, thought.mode):
        yield "thinking"


def _takes(abilities: Abilities, mode: ThinkingMode) -> bool:
    match mode:
        case ThinkingMode.ENABLED:
            return abilities.has_budget
        case ThinkingMode.ADAPTIVE:
            return abilities.adapts
        case _:
            return abilities.quiet == mode.value
