"""What the API refuses in one content block, each as a 400 that names the block's path."""

import re
from collections.abc import Callable
from typing import Any

from bridge.demo import media
from bridge.demo.checks import array, boolean, mapping, one_of, only, required, string, tag
from bridge.demo.errors import invalid
from bridge.demo.signature import is_valid

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_IMAGE_MAX = 5 * 1024 * 1024  # of base64 text, as the API counts it

# Made by the API's own servers, so the demo never sees one it made; taken as they are.
_SERVER_BLOCKS = (
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "advisor_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
    "mcp_tool_listing",
    "container_upload",
    "compaction",
    "fallback",
)
_RESULT_PARTS = ("text", "image", "document", "search_result", "tool_reference", "browser_state")
_SYSTEM_PARTS = ("text", "tool_addition", "tool_removal")
_NO_CACHE = frozenset({"thinking", "redacted_thinking"})


def check_content(content: object, role: str, path: str) -> None:
    """A message's content: a string or a list of the blocks this role may have."""
    if isinstance(content, str):
        if content and not content.strip() and role != "system":
            raise invalid("messages: text content blocks must contain non-whitespace text")
        return
    if not isinstance(content, list):
        raise invalid(f"{path}: Input should be a valid string or list")
    for index, block in enumerate(content):
        at = f"{path}.{index}"
        kind = _block(block, at, _SYSTEM_PARTS if role == "system" else _KINDS)
        if kind in _ASSISTANT_ONLY and role != "assistant":
            raise invalid(f"{at}: `{kind}` blocks can only be in `assistant` messages")
        if kind == "tool_result" and role != "user":
            raise invalid(f"{at}: `tool_result` blocks can only be in `user` messages")
        if kind == "text" and role != "system" and not block["text"].strip():
            raise invalid("messages: text content blocks must contain non-whitespace text")


def check_text(block: object, path: str) -> None:
    """A text block on its own, as in the system prompt."""
    _block(block, path, ("text",))


def check_cache(value: object, path: str) -> None:
    """A `cache_control` value; null is none."""
    if value is not None:
        control = mapping(value, path)
        only(control, path, {"type", "ttl", "scope"})
        tag(control, path, ("ephemeral",))
        if control.get("ttl") is not None:
            one_of(control["ttl"], f"{path}.ttl", ("5m", "1h"))


def _block(value: object, path: str, known: tuple[str, ...]) -> str:
    block = mapping(value, path)
    kind = tag(block, path, known)
    at = f"{path}.{kind}"
    if block.get("cache_control") is not None:
        if kind in _NO_CACHE:
            raise invalid(f"{at}.cache_control: Extra inputs are not permitted")
        check_cache(block["cache_control"], f"{at}.cache_control")
    if check := _CHECKS.get(kind):
        check(block, at)
    return kind


def _text(block: dict[str, Any], at: str) -> None:
    only(block, at, {"type", "text", "cache_control", "citations"})
    if not string(required(block, at, "text"), f"{at}.text"):
        if block.get("cache_control") is not None:
            raise invalid(f"{at}: cache_control cannot be set for empty text blocks")
        raise invalid(f"{at}: text content blocks must be non-empty")


def _image(block: dict[str, Any], at: str) -> None:
    only(block, at, {"type", "source", "cache_control", "transformations"})
    at = f"{at}.source"
    source = mapping(required(block, at.removesuffix(".source"), "source"), at)
    kind = tag(source, at, ("base64", "url", "file"))
    if kind != "base64":
        _elsewhere(source, at, kind)
        return
    at = f"{at}.base64"
    only(source, at, {"type", "media_type", "data"})
    claimed = one_of(required(source, at, "media_type"), f"{at}.media_type", media.IMAGE_TYPES)
    data = string(required(source, at, "data"), f"{at}.data")
    if len(data) > _IMAGE_MAX:
        raise invalid(f"{at}: image exceeds 5 MB maximum: {len(data)} bytes > {_IMAGE_MAX} bytes")
    found = media.picture(_base64(data, f"{at}.data"))
    if found is None:
        raise invalid(f"{at}.data: Could not process image")
    if found.media_type != claimed:
        raise invalid(f"{at}.data: Image does not match the provided media type {claimed}")


def _document(block: dict[str, Any], at: str) -> None:
    only(block, at, {"type", "source", "cache_control", "citations", "context", "title"})
    source = mapping(required(block, at, "source"), f"{at}.source")
    kind = tag(source, f"{at}.source", ("base64", "text", "content", "url", "file"))
    at = f"{at}.source.{kind}"
    match kind:
        case "base64":
            one_of(required(source, at, "media_type"), f"{at}.media_type", ("application/pdf",))
            data = string(required(source, at, "data"), f"{at}.data")
            if not _base64(data, f"{at}.data").startswith(b"%PDF"):
                raise invalid(f"{at}.data: The PDF specified was not valid.")
        case "text":
            one_of(required(source, at, "media_type"), f"{at}.media_type", ("text/plain",))
            if not string(required(source, at, "data"), f"{at}.data"):
                raise invalid(f"{at}.data: text content blocks must be non-empty")
        case "content":
            parts = required(source, at, "content")
            if not isinstance(parts, str):
                for index, part in enumerate(array(parts, f"{at}.content")):
                    _block(part, f"{at}.content.{index}", ("text", "image"))
        case _:
            _elsewhere(source, f"{at}".removesuffix(f".{kind}"), kind)


def _elsewhere(source: dict[str, Any], at: str, kind: str) -> None:
    key = "url" if kind == "url" else "file_id"
    found = string(required(source, f"{at}.{kind}", key), f"{at}.{kind}.{key}")
    if kind == "url" and not found.startswith(("https://", "http://")):
        raise invalid(f"{at}.url.url: Only HTTPS URLs are supported.")


def _base64(data: str, path: str) -> bytes:
    raw = media.decode(data)
    if not raw:
        raise invalid(f"{path}: invalid base64 data")
    return raw


def _thinking(block: dict[str, Any], at: str) -> None:
    only(block, at, {"type", "thinking", "signature"})
    thought = string(required(block, at, "thinking"), f"{at}.thinking")
    signature = string(required(block, at, "signature"), f"{at}.signature")
    if not is_valid(signature, thought):
        raise invalid(f"{at.removesuffix('.thinking')}: Invalid `signature` in `thinking` block")


def _redacted(block: dict[str, Any], at: str) -> None:
    only(block, at, {"type", "data"})
    if not is_valid(string(required(block, at, "data"), f"{at}.data"), ""):
        at = at.removesuffix(".redacted_thinking")
        raise invalid(f"{at}: Invalid `data` in `redacted_thinking` block")


def _tool_use(block: dict[str, Any], at: str) -> None:
    only(block, at, {"type", "id", "name", "input", "cache_control", "caller", "toolset_name"})
    _matches(string(required(block, at, "id"), f"{at}.id"), f"{at}.id")
    if not string(required(block, at, "name"), f"{at}.name"):
        raise invalid(f"{at}.name: String should have at least 1 character")
    mapping(required(block, at, "input"), f"{at}.input")


def _tool_result(block: dict[str, Any], at: str) -> None:
    known = {"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"}
    only(block, at, known)
    _matches(string(required(block, at, "tool_use_id"), f"{at}.tool_use_id"), f"{at}.tool_use_id")
    if block.get("is_error") is not None:
        boolean(block["is_error"], f"{at}.is_error")
    content = block.get("content")
    if content is not None and not isinstance(content, str):
        for index, part in enumerate(array(content, f"{at}.content")):
            _block(part, f"{at}.content.{index}", _RESULT_PARTS)


def _matches(value: str, path: str) -> None:
    if not _ID.fullmatch(value):
        raise invalid(f"{path}: String should match pattern '^[a-zA-Z0-9_-]+$'")


_CHECKS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}
_ASSISTANT_ONLY = frozenset({"tool_use", "thinking", "redacted_thinking", "server_tool_use"})
_KINDS = (*_CHECKS, "search_result", *_SERVER_BLOCKS)
