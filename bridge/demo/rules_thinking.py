"""What the API refuses in `thinking` and beside it, whichever the model is."""

from collections.abc import Collection
from typing import Any

from bridge.demo.checks import integer, mapping, only, required, tag
from bridge.demo.errors import invalid

FORCED = frozenset({"any", "tool"})
"""The types of `tool_choice` that force a call."""

UNTHINKING = frozenset({"disabled", "between_tools"})
"""The types of `thinking` with which a model does not think before it answers."""

THOUGHTS = frozenset({"thinking", "redacted_thinking"})
"""The blocks that hold thinking."""

_KEYS = {
    "enabled": {"type", "budget_tokens", "display"},
    "disabled": {"type"},
    "adaptive": {"type", "display"},
    "between_tools": {"type"},
}
_DISPLAYS = ("summarized", "omitted")
_UPDATES = "thinking-display-updates-2026-08-18"
_BINDING = "thinking-binding-controls-2026-08-01"
_BUDGET_LEAST = 1_024


def check_thinking(request: dict[str, Any], betas: Collection[str]) -> None:
    """The shape of `thinking`; `betas` are the values of the `anthropic-beta` header."""
    if request.get("thinking") is None:
        return
    thinking = mapping(request["thinking"], "thinking")
    kind = tag(thinking, "thinking", tuple(_KEYS))
    path = f"thinking.{kind}"
    bound = {"block_binding"} if _BINDING in betas and "display" in _KEYS[kind] else set()
    only(thinking, path, _KEYS[kind] | bound)
    _display(thinking.get("display"), f"{path}.display", betas)
    if kind == "enabled":
        _budget(request, required(thinking, path, "budget_tokens"))
        if kind_of_choice(request) in FORCED:
            raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def check_prefill(request: dict[str, Any]) -> None:
    """A last assistant message beside a budget, of `messages` that are known to be such."""
    spoken = [entry for entry in enumerate(request["messages"]) if entry[1]["role"] != "system"]
    index, message = spoken[-1]
    if kind_of(request) != "enabled" or message["role"] == "user" or not message["content"]:
        return
    content = message["content"]
    found = "text" if isinstance(content, str) else content[0]["type"]
    if found not in THOUGHTS:
        raise invalid(
            f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but "
            f"found `{found}`. When `thinking` is enabled, a final `assistant` message must start "
            "with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` "
            "blocks). We recommend you include thinking blocks from previous turns. To avoid this "
            "requirement, disable `thinking`."
        )


def kind_of(request: dict[str, Any]) -> str | None:
    """The type of `thinking` that a request asks for, if it does."""
    kind: str | None = (request.get("thinking") or {}).get("type")
    return kind


def kind_of_choice(request: dict[str, Any]) -> str:
    """The type of `tool_choice`."""
    kind: str = (request.get("tool_choice") or {}).get("type", "auto")
    return kind


def _display(display: object, path: str, betas: Collection[str]) -> None:
    # A value without its beta is refused just as an unknown one.
    known = (*_DISPLAYS, "updates") if _UPDATES in betas else _DISPLAYS
    if display is not None and display not in known:
        told = ", ".join(f"'{name}'" for name in known)
        raise invalid(f"{path}: Input should be {told}")


def _budget(request: dict[str, Any], value: object) -> None:
    budget = integer(value, "thinking.enabled.budget_tokens", least=_BUDGET_LEAST)
    if request.get("max_tokens") is not None and request["max_tokens"] <= budget:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")
