"""One form for every way of writing the same conversation.

The CLI writes a user message as a string in one request and as a list of one text block in the
next, moves its cache markers, and adds lines of its own. The canonical form takes all that away:
two requests that ask the model the same thing have equal canonical forms.
"""

from typing import Any

_BILLING = "x-anthropic-billing-header"
_IDENTITY = "You are a Claude agent"


def canonical(body: object) -> dict[str, Any]:
    """The conversation in `body`, a parsed Messages API request.

    Returns `{"system": [text, …], "messages": [{"role", "content": [block, …]}, …], "tools": [tool,
    …]}`: no `cache_control` anywhere, string content as one text block, no messages of role system
    (the CLI's own reminders), none of the CLI's own first two system blocks. Never raises: what has
    not the shape of a request is left out, because refused requests are looked at too.
    """
    request = body if isinstance(body, dict) else {}
    return {
        "system": _system(request.get("system")),
        "messages": [
            {"role": message["role"], "content": blocks(message.get("content"))}
            for message in _dicts(request.get("messages"))
            if message.get("role") in {"user", "assistant"}
        ],
        "tools": [_bare(tool) for tool in _dicts(request.get("tools"))],
    }


def blocks(content: object) -> list[dict[str, Any]]:
    """A message's (or a tool result's) content as a list of blocks without cache markers."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_bare(block) for block in _dicts(content)]


def _bare(block: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in block.items() if key != "cache_control"}
    if kept.get("type") == "tool_result" and "content" in kept:
        kept["content"] = blocks(kept["content"])
    return kept


def _system(system: object) -> list[str]:
    if isinstance(system, str):
        return [system]
    texts = [text for block in _dicts(system) if isinstance(text := block.get("text"), str)]
    for own in (_BILLING, _IDENTITY):
        if texts and texts[0].startswith(own):
            del texts[0]
    return texts


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
