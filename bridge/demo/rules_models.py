"""What one model takes and another refuses: thinking, effort, sampling, a forced call.

The words are the API's: documented, or told by those who were refused.
"""

from typing import Any

from bridge.demo.checks import mapping, one_of, only
from bridge.demo.errors import ApiError, invalid
from bridge.demo.generations import EFFORTS, Generation
from bridge.demo.rules_thinking import FORCED, UNTHINKING, kind_of, kind_of_choice

_TOP_P_LEAST = 0.95  # beside thinking
_TOP_P_KEPT = 0.99  # documented: what newer models still take, for old clients
_ABOVE_HIGH = frozenset({"xhigh", "max"})
_INSTEAD = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
_BETWEEN_TOOLS = (
    'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of '
    '{"type": "disabled"}. The model does not think before responding. The short updates it writes '
    "between tool calls come back as thinking blocks."
)
_SET_TO_ONE = "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
_UNSET = "`top_k` must be unset when thinking is enabled or in adaptive mode."
_NEAR_ONE = (
    "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in "
    "adaptive mode."
)


def check_model(request: dict[str, Any], model: Generation) -> None:
    """A request of the right shape, by what `model` takes."""
    _thinking(request, model)
    _effort((request.get("output_config") or {}).get("effort"), request, model)
    _sampling(request, model)
    if kind_of_choice(request) in FORCED and not model.can_be_forced:
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')


def check_efforts(request: dict[str, Any], model: Generation) -> None:
    """The efforts that messages of role system set; `messages` are known to be such."""
    current = (request.get("output_config") or {}).get("effort") or model.default_effort
    for index, message in enumerate(request["messages"]):
        if message.get("output_config") is None:
            continue
        path = f"messages.{index}.output_config"
        config = mapping(message["output_config"], path)
        only(config, path, {"effort"})
        if config.get("effort") is None:
            continue
        effort = one_of(config["effort"], f"{path}.effort", EFFORTS)
        if not model.takes_effort_by_message:
            raise invalid(
                "output_config.effort requires a model that supports per-turn effort; this model "
                "does not"
            )
        _effort(effort, request, model)
        if effort != current and _keeps_effort(request, model):
            raise invalid(
                f"messages.{index}: output_config.effort '{effort}' differs from the '{current}' "
                "in effect before it; effort cannot change when thinking is disabled on this "
                f"model. Use effort '{current}', or enable thinking."
            )
        current = effort


def _keeps_effort(request: dict[str, Any], model: Generation) -> bool:
    return model.keeps_effort_without_thinking and kind_of(request) in UNTHINKING


def _thinking(request: dict[str, Any], model: Generation) -> None:
    kind = kind_of(request)
    if kind in {"enabled", "adaptive"} and not model.thinks:
        raise invalid(f"'{request['model']}' does not support thinking.")
    match kind:
        case "enabled" if not model.takes_budget:
            raise _unsupported(kind, _INSTEAD)
        case "adaptive" if not model.adapts:
            raise invalid("adaptive thinking is not supported on this model")
        case "between_tools" if not model.thinks_between_tools:
            raise _unsupported(kind)
        case "disabled" if model.thinks_between_tools:
            raise invalid(_BETWEEN_TOOLS)
        case "disabled" if model.always_thinks:
            raise _unsupported(kind, _INSTEAD)


def _unsupported(kind: str, instead: str = "") -> ApiError:
    return invalid(f'"thinking.type.{kind}" is not supported for this model. {instead}'.strip())


def _effort(effort: str | None, request: dict[str, Any], model: Generation) -> None:
    if effort is None:
        return
    if not model.efforts:
        raise invalid("This model does not support the effort parameter.")
    if effort not in model.efforts:
        raise invalid(
            f"This model does not support effort level '{effort}'. Supported levels: "
            f"{', '.join(sorted(model.efforts))}."
        )
    off = kind_of(request) in UNTHINKING
    if off and effort in _ABOVE_HIGH and model.needs_thinking_above_high:
        raise invalid(
            f"output_config.effort '{effort}' is not supported when thinking is disabled on this "
            "model. Use effort 'high' or below, or enable thinking."
        )


def _sampling(request: dict[str, Any], model: Generation) -> None:
    """Only the first one at fault is told of."""
    temperature, top_p, top_k = (request.get(key) for key in ("temperature", "top_p", "top_k"))
    told_to_think = kind_of(request) in {"enabled", "adaptive"}
    if told_to_think and temperature not in {None, 1}:
        raise invalid(_SET_TO_ONE)
    if not model.samples:
        if temperature not in {None, 1}:
            raise _deprecated("temperature")
        if top_p is not None and top_p < _TOP_P_KEPT:
            raise _deprecated("top_p")
        if top_k is not None:
            raise _deprecated("top_k")
        return
    if temperature is not None and top_p is not None and not model.samples_both_ways:
        raise invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one."
        )
    if told_to_think and top_k is not None:
        raise invalid(_UNSET)
    if told_to_think and top_p is not None and top_p < _TOP_P_LEAST:
        raise invalid(_NEAR_ONE)


def _deprecated(key: str) -> ApiError:
    return invalid(f"`{key}` is deprecated for this model.")
