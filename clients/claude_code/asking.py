"""Words for the demo model, and what came of them."""

import json
from typing import Any

MODEL = "claude-sonnet-4-5"


def asked(name: str, **arguments: Any) -> str:
    """Words that make the demo model call a tool."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def blocks(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """All content blocks of a type, in the order they came."""
    contents = [
        line["message"]["content"] for line in lines if line["type"] in ("assistant", "user")
    ]
    return [
        block
        for content in contents
        if isinstance(content, list)
        for block in content
        if block["type"] == kind
    ]
