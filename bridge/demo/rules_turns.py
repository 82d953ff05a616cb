"""What the API refuses in the order of messages: whose turn it is, and which result is whose."""

from typing import Any

from bridge.demo.checks import array, mapping, only, required, string
from bridge.demo.errors import invalid
from bridge.demo.generations import Generation
from bridge.demo.rules_blocks import check_content

_ROLES = ("user", "assistant", "system")
_KEYS = {"role", "content"}
_SYSTEM_KEYS = {*_KEYS, "output_config", "clear_at"}

Message = dict[str, Any]


def check_messages(value: object, model: Generation) -> None:
    """All of `messages`: each on its own, then their order, then the pairs of calls and results."""
    messages = array(value, "messages")
    if not messages:
        raise invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        _message(message, f"messages.{index}")
    if messages[0]["role"] != "user":
        raise invalid('messages.0: first message must use the "user" role')
    spoken = [
        (index, message) for index, message in enumerate(messages) if message["role"] != "system"
    ]
    _empty(spoken)
    _last(spoken[-1][1], model)
    _pairs(_turns(spoken))


def _message(value: object, path: str) -> None:
    message = mapping(value, path)
    role = string(required(message, path, "role"), f"{path}.role")
    if role not in _ROLES:
        raise invalid(f"{path}.role: Input should be 'user', 'assistant' or 'system'")
    only(message, path, _SYSTEM_KEYS if role == "system" else _KEYS)
    check_content(required(message, path, "content"), role, f"{path}.content")


def _empty(spoken: list[tuple[int, Message]]) -> None:
    last = spoken[-1][0]
    for index, message in spoken:
        if not message["content"] and (message["role"] == "user" or index != last):
            raise invalid(
                f"messages.{index}.content: all messages must have non-empty content except for "
                "the optional final assistant message"
            )


def _last(message: Message, model: Generation) -> None:
    if message["role"] == "user":
        return
    if not model.takes_prefill:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message."
        )
    content = message["content"]
    if isinstance(content, list):
        last = content[-1] if content else {}
        content = last["text"] if last.get("type") == "text" else ""
    if content != content.rstrip():
        raise invalid("messages: final assistant content cannot end with trailing whitespace")


def _turns(spoken: list[tuple[int, Message]]) -> list[tuple[int, str, list[tuple[str, Message]]]]:
    """Messages of one role in a row are one turn: (index of its first, role, blocks with paths)."""
    turns: list[tuple[int, str, list[tuple[str, Message]]]] = []
    for index, message in spoken:
        if not turns or turns[-1][1] != message["role"]:
            turns.append((index, message["role"], []))
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}] if content else []
        turns[-1][2].extend(
            (f"messages.{index}.content.{at}", block) for at, block in enumerate(content)
        )
    return turns


def _pairs(turns: list[tuple[int, str, list[tuple[str, Message]]]]) -> None:
    seen: set[str] = set()
    waiting: list[str] = []
    asked = 0
    for index, role, content in turns:
        if role == "user":
            _results(content, waiting, asked)
            waiting = []
            continue
        waiting, asked = _calls(content, seen), index
    if waiting:
        raise _unanswered(asked, waiting)


def _calls(content: list[tuple[str, Message]], seen: set[str]) -> list[str]:
    found: list[str] = []
    for path, block in content:
        if block["type"] == "tool_use":
            if block["id"] in seen:
                raise invalid(f"{path}: `tool_use` ids must be unique")
            seen.add(block["id"])
            found.append(block["id"])
    return found


def _results(content: list[tuple[str, Message]], waiting: list[str], asked: int) -> None:
    answered: set[str] = set()
    leading = True
    early: set[str] = set()
    for path, block in content:
        if block["type"] != "tool_result":
            leading = False
            continue
        id_ = block["tool_use_id"]
        if id_ not in waiting:
            raise invalid(
                f"{path}: unexpected tool_use_id found in tool_result blocks: {id_}. Each "
                "tool_result block must have a corresponding tool_use block in the previous "
                "message."
            )
        if id_ in answered:
            raise invalid(
                f"{path}: each tool_use must have a single result. Found multiple `tool_result` "
                f"blocks with id: {id_}"
            )
        answered.add(id_)
        if leading:
            early.add(id_)
    # Documented: results come before any text, or they are not "immediately after".
    missing = [id_ for id_ in waiting if id_ not in early]
    if missing:
        raise _unanswered(asked, missing)


def _unanswered(index: int, ids: list[str]) -> Exception:
    return invalid(
        f"messages.{index}: tool_use ids were found without tool_result blocks immediately after: "
        f"{', '.join(ids)}. Each tool_use block must have a corresponding tool_result block in the "
        "next message."
    )
