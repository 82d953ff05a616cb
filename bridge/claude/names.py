"""The names that clients use → the models that the CLI knows.

Resolved before the CLI sees a name: it would map some old ids to others by itself, and send
anything else upstream as it is.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from bridge.claude.abilities import Abilities, abilities_of, listed_abilities
from bridge.core.errors import ModelNotFound

FAMILIES = ("opus", "sonnet", "haiku", "fable")

ALIASES: Mapping[str, str] = {
    **{family: family for family in FAMILIES},
    **{f"claude-{family}": family for family in FAMILIES},
    **{f"claude-{family}-latest": family for family in FAMILIES},
    "claude": "sonnet",
    "claude-3-opus": "opus",
    "claude-3-sonnet": "sonnet",
    "claude-3-haiku": "haiku",
    "claude-3.5-sonnet": "sonnet",
    "claude-3.5-haiku": "haiku",
    "claude-3.7-sonnet": "sonnet",
    "claude-3-5-sonnet-latest": "sonnet",
    "claude-3-5-haiku-latest": "haiku",
    "claude-3-7-sonnet-latest": "sonnet",
    "claude-3-opus-latest": "opus",
}

OPENAI_NAMES: Mapping[str, str] = {
    "gpt-4": "opus",
    "gpt-4o": "sonnet",
    "gpt-4-turbo": "sonnet",
    "gpt-4o-mini": "haiku",
    "gpt-3.5-turbo": "haiku",
}

_CLAUDE_ID = re.compile(
    r"""
    (arn:aws[\w-]*:bedrock:[\w:/.-]+          # an inference profile of Bedrock
    |([a-z]{2,6}\.)?anthropic\.claude[\w.:-]+  # a Bedrock model id, with its region or without
    |claude-[a-z0-9][\w.-]*(@[\w-]+)?          # Anthropic's own ids, and Vertex's
    )(\[1m\])?
    """,
    re.VERBOSE | re.ASCII,
)


@frozen(kw_only=True)
class ListedModel:
    """A model that this login may use, as the CLI lists it: its short name and the full id."""

    value: str
    resolved: str
    display_name: str = ""
    description: str = ""
    abilities: Abilities = Abilities()


@frozen(kw_only=True)
class Offer:
    """A name that a client may use, and the ``model`` that answers to it."""

    name: str
    model: str
    display_name: str


@frozen(kw_only=True)
class Names:
    """How names are resolved: the person's map, the CLI's own list, the default."""

    model_map: Mapping[str, str] = field(factory=dict)
    default: str | None = None
    listed: tuple[ListedModel, ...] = ()

    def resolve(self, name: str | None) -> str | None:
        """The model to ask for; None leaves it to the CLI's own default.

        A default of the person's own may be a name that only the CLI knows: it is asked for as it
        is. Raises :class:`bridge.core.errors.ModelNotFound`.
        """
        asked = name or self.default
        if asked is None or asked == "default":
            return None
        target = self.model_map.get(asked) or OPENAI_NAMES.get(asked) or asked
        target = ALIASES.get(target, target)
        for model in self.listed:
            if target == model.value:
                return model.resolved
        if not name or target in FAMILIES or _CLAUDE_ID.fullmatch(target):
            return target
        raise ModelNotFound(
            f"The model {asked[:200]!r} does not exist here. GET /v1/models lists the ones that "
            "this login may use; MODEL_MAP adds names.",
            param="model",
        )

    @property
    def default_model(self) -> str | None:
        """The CLI's own default, once its list is known."""
        return next((m.resolved for m in self.listed if m.value == "default"), None)

    def abilities(self, resolved: str | None) -> Abilities:
        """What a model takes (None: the CLI's default); an unlisted one is judged by its id."""
        for model in self.listed:
            if resolved == model.resolved or (resolved is None and model.value == "default"):
                return model.abilities
        return abilities_of(resolved or "")

    def offered(self) -> tuple[Offer, ...]:
        """Every name that a client can be offered; those that are full ids come first."""
        offered = {m.resolved: m for m in self.listed}
        offered |= {m.value: m for m in self.listed if m.value != "default"}
        by_value = {m.value: m for m in self.listed}
        for name, target in {**ALIASES, **OPENAI_NAMES, **self.model_map}.items():
            model = by_value.get(ALIASES.get(target, target))
            if model is not None:
                offered.setdefault(name, model)
        return tuple(
            Offer(name=name, model=model.resolved, display_name=_display_name(model.resolved))
            for name, model in offered.items()
        )


def _display_name(model: str) -> str:
    """``claude-sonnet-4-5-20250929`` is called Claude Sonnet 4.5; the CLI's own names of models
    say what they are to Claude Code ("Default (recommended)")."""
    if not model.startswith("claude-"):
        return model
    plain, long, _ = model.partition("[1m]")
    words = [word for word in re.split(r"[-@]", plain) if not re.fullmatch(r"20\d{6}", word)]
    numbers = ".".join(word for word in words if word.isdigit())
    named = " ".join(word.capitalize() for word in words if not word.isdigit())
    return f"{named} {numbers}".strip() + (" (1M context)" if long else "")


def listed_models(described: Iterable[Mapping[str, Any]]) -> tuple[ListedModel, ...]:
    """The ``models`` of the CLI's initialize reply."""
    return tuple(
        ListedModel(
            value=model["value"],
            resolved=model.get("resolvedModel") or model["value"],
            display_name=model.get("displayName", ""),
            description=model.get("description", ""),
            abilities=listed_abilities(model),
        )
        for model in described
    )
