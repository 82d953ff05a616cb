"""The parameters that every OpenAI request may have, and what becomes of each field."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from bridge.core.conversation import (
    LEAST_BUDGET,
    Effort,
    Reasoning,
    Sampling,
    ThinkingMode,
    Thought,
)
from bridge.core.errors import InvalidRequest, UnsupportedParameter

JsonObject = dict[str, Any]
"""Any JSON object that can be sent on: see :func:`bridge.dialects.wire.check_sendable`."""

MAX_STOPS = 4


@frozen
class AsksNothing:
    """The values of a field that ask for nothing; null is always one of them."""

    values: tuple[object, ...] = ()

    def __call__(self, value: object) -> bool:
        """Whether this is one of them; ``true`` is not 1."""
        return value is None or any(
            value == known and isinstance(value, bool) == isinstance(known, bool)
            for known in self.values
        )

    def __str__(self) -> str:
        """The values as JSON, in words."""
        return ", ".join(f"`{json.dumps(value)}`" for value in self.values)


@frozen(kw_only=True)
class Policy:
    """What becomes of the fields of a request that are not honoured.

    ``refused`` would change the answer and can't be honoured: they are accepted where they ask for
    nothing and refused by name otherwise. ``ignored`` have no effect: like unknown ones they are
    named to the client, unless they ask for nothing.
    """

    refused: Mapping[str, AsksNothing]
    ignored: Mapping[str, AsksNothing]

    def check(self, raw: Mapping[str, Any]) -> None:
        """Raises :class:`UnsupportedParameter` for the first field that can't be honoured."""
        for name, asks_nothing in self.refused.items():
            if not asks_nothing(raw.get(name)):
                raise UnsupportedParameter(
                    f"'{name}' can't be honoured by this server, and to leave it out would change "
                    "the answer. Remove it from the request.",
                    param=name,
                )

    def names_ignored(self, unread: Iterable[tuple[str, object]]) -> tuple[str, ...]:
        """Of the fields that nobody read, those that asked for something; each once."""
        named: dict[str, None] = {}
        for path, value in unread:
            if path not in self.refused and not self.ignored.get(path, AsksNothing())(value):
                named[path] = None
        return tuple(named)


@frozen(kw_only=True)
class StreamOptions:
    """What comes with a stream."""

    include_usage: bool | None = None


@frozen(kw_only=True)
class WireThinking:
    """Anthropic's ``thinking``, as its own OpenAI-compatible API takes it in ``extra_body``."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


@frozen(kw_only=True)
class WireParameters:
    """The fields that all OpenAI endpoints which answer have in common."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: str | tuple[str, ...] | None = None
    session_id: str | None = None


def sampling(
    wire: WireParameters, *, max_completion_tokens: int | None = None
) -> tuple[Sampling, tuple[str, ...]]:
    """How the model is to sample, and the names of the fields that were clamped.

    Raises :class:`InvalidRequest`.
    """
    temperature = _within(wire.temperature, 0, 2, "temperature")
    clamped = temperature is not None and temperature > 1
    limits = {"max_completion_tokens": max_completion_tokens, "max_tokens": wire.max_tokens}
    for name, value in limits.items():
        if value is not None and value < 1:
            raise invalid(f"'{name}' must be at least 1, but it is {value}.", name)
    asked = Sampling(
        temperature=1.0 if clamped else temperature,
        top_p=_within(wire.top_p, 0, 1, "top_p"),
        max_tokens=max_completion_tokens or wire.max_tokens,
        stop=_stop(wire.stop),
    )
    return asked, ("temperature",) if clamped else ()


def reasoning(effort: str | None, thinking: WireThinking | None) -> Reasoning:
    """How much the model is to think, by ``reasoning_effort`` and ``thinking``.

    Raises :class:`InvalidRequest`.
    """
    if effort is not None and effort not in list(Effort):
        raise invalid(
            f"'reasoning_effort' must be one of {_listed(Effort)}, but it is {effort[:100]!r}.",
            "reasoning_effort",
        )
    return Reasoning(
        effort=None if effort is None else Effort(effort),
        thought=None if thinking is None else _thought(thinking),
    )


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


def only_session(named: str | None, in_body: str | None) -> str | None:
    """The session that a request names, in its header or its body.

    Raises :class:`InvalidRequest` if they differ.
    """
    if named is not None and in_body not in (None, named):
        raise invalid(
            "'session_id' and the header X-Session-Id name different sessions: send one of them.",
            "session_id",
        )
    return in_body if named is None else named


def invalid(message: str, param: str) -> InvalidRequest:
    """The error for a value that can't be."""
    return InvalidRequest(message, param=param, code="invalid_value")


def _thought(wire: WireThinking) -> Thought:
    if wire.type not in list(ThinkingMode):
        raise invalid(
            f"'thinking.type' must be one of {_listed(ThinkingMode)}, but it is "
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


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _within(value: float | None, low: float, high: float, name: str) -> float | None:
    if value is not None and not low <= value <= high:
        raise invalid(f"'{name}' must be between {low:g} and {high:g}, but it is {value:g}.", name)
    return value


def _stop(stop: str | tuple[str, ...] | None) -> tuple[str, ...]:
    sequences = (stop,) if isinstance(stop, str) else stop or ()
    if len(sequences) > MAX_STOPS:
        raise invalid(
            f"'stop' takes up to {MAX_STOPS} sequences, but there are {len(sequences)}.", "stop"
        )
    for index, sequence in enumerate(sequences):
        if not sequence.strip():  # the Messages API refuses them
            where = "stop" if isinstance(stop, str) else f"stop[{index}]"
            raise invalid(f"'{where}': a stop sequence must hold more than white space.", where)
    return sequences
