"""The parameters that every OpenAI request may have, and what becomes of each field."""

from attrs import frozen

from bridge.core.conversation import Effort, Reasoning, Sampling
from bridge.dialects.policy import invalid, listed, within
from bridge.dialects.thinking import WireThinking, thought_of
from bridge.dialects.wire import Fault

MAX_STOPS = 4


@frozen(kw_only=True)
class StreamOptions:
    """What comes with a stream."""

    include_usage: bool | None = None


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
    temperature = within(wire.temperature, 0, 2, "temperature")
    clamped = temperature is not None and temperature > 1
    limits = {"max_completion_tokens": max_completion_tokens, "max_tokens": wire.max_tokens}
    for name, value in limits.items():
        if value is not None and value < 1:
            raise invalid(f"'{name}' must be at least 1, but it is {value}.", name)
    asked = Sampling(
        temperature=1.0 if clamped else temperature,
        top_p=within(wire.top_p, 0, 1, "top_p"),
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
            f"'reasoning_effort' must be one of {listed(Effort)}, but it is {effort[:100]!r}.",
            "reasoning_effort",
        )
    return Reasoning(
        effort=None if effort is None else Effort(effort),
        thought=None if thinking is None else thought_of(thinking),
    )


def refuse_tokens(value: object, field: str, advice: str = "Send the text.") -> None:
    """Raises :class:`Fault` if there are tokens, or lists of them, where there should be texts."""
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, int | list) and not isinstance(first, bool):
        raise Fault(
            f"tokens are taken by nobody but the model that they were made for. {advice}",
            "unsupported_parameter",
            field,
        )


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
