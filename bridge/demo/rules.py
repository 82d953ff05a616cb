"""What the documented API refuses in a request, as 400 `invalid_request_error` naming the path.

The wording follows the API's own messages, so that code which reads them can be tried here.
"""

import re
from collections.abc import Collection
from typing import Any

from bridge.demo.catalogue import is_known
from bridge.demo.checks import (
    array,
    boolean,
    integer,
    mapping,
    one_of,
    only,
    required,
    share,
    string,
    tag,
)
from bridge.demo.errors import ApiError, invalid
from bridge.demo.generations import EFFORTS, generation_of
from bridge.demo.rules_blocks import check_cache, check_text
from bridge.demo.rules_models import check_efforts, check_model
from bridge.demo.rules_thinking import check_prefill, check_thinking
from bridge.demo.rules_turns import check_messages

_FIELD_NAMES = (
    "model max_tokens messages system metadata stop_sequences stream temperature top_p top_k tools "
    "tool_choice thinking output_config context_management container mcp_servers service_tier "
    "betas inference_geo speed cache_control fallback_credit fallback_credit_token fallbacks "
    "diagnostics user_profile_id billing_policy compaction thread workspace_id"
)
_FIELDS = frozenset(_FIELD_NAMES.split())
_CHOICES = ("auto", "any", "tool", "none")
_BREAKPOINTS = 4
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_SERVER_TOOL = re.compile(r"[a-z][a-z0-9_]{0,80}_20\d{6}|mcp_toolset")
_TOOL_KEY_NAMES = (
    "type name description input_schema cache_control strict eager_input_streaming defer_loading "
    "allowed_callers input_examples"
)
_TOOL_KEYS = frozenset(_TOOL_KEY_NAMES.split())


def check(body: object, *, counting: bool = False, betas: Collection[str] = ()) -> dict[str, Any]:
    """The request itself when the API takes it; raises ApiError (400, or 404 for the model).

    `counting` is for `/v1/messages/count_tokens`, which needs no max_tokens. `betas` are the values
    of the `anthropic-beta` header.
    """
    request = mapping(body, "body")
    only(request, "", _FIELDS)
    model = string(required(request, "", "model"), "model")
    if not model:
        raise invalid("model: String should have at least 1 character")
    required(request, "", "messages")
    if not counting:
        required(request, "", "max_tokens")
    if request.get("max_tokens") is not None or not counting:
        integer(request["max_tokens"], "max_tokens", least=1)
    _simple(request)
    _sampling(request)
    _system(request.get("system"))
    tools = _tools(request.get("tools"))
    _choice(request.get("tool_choice"), tools)
    check_thinking(request, betas)
    if not is_known(model):
        raise ApiError.of(404, f"model: {model}")
    generation = generation_of(model)
    check_model(request, generation)
    check_messages(request["messages"], generation)
    check_prefill(request)
    check_efforts(request, generation)
    _breakpoints(request)
    return request


def check_length(tokens: int, context_tokens: int) -> None:
    """Refuses a prompt of more `tokens` than the model's window."""
    if tokens > context_tokens:
        raise invalid(f"prompt is too long: {tokens} tokens > {context_tokens} maximum")


def _simple(request: dict[str, Any]) -> None:
    if request.get("stream") is not None:
        boolean(request["stream"], "stream")
    if request.get("metadata") is not None:
        metadata = mapping(request["metadata"], "metadata")
        only(metadata, "metadata", {"user_id"})
        if metadata.get("user_id") is not None:
            string(metadata["user_id"], "metadata.user_id")
    if request.get("service_tier") is not None:
        one_of(request["service_tier"], "service_tier", ("auto", "standard_only"))
    if request.get("context_management") is not None:
        managed = mapping(request["context_management"], "context_management")
        for index, edit in enumerate(array(managed.get("edits", []), "context_management.edits")):
            path = f"context_management.edits.{index}"
            string(required(mapping(edit, path), path, "type"), f"{path}.type")
    if request.get("output_config") is not None:
        _output(mapping(request["output_config"], "output_config"))
    check_cache(request.get("cache_control"), "cache_control")


def _output(config: dict[str, Any]) -> None:
    only(config, "output_config", {"effort", "format", "task_budget"})
    if config.get("effort") is not None:
        one_of(config["effort"], "output_config.effort", EFFORTS)
    if config.get("format") is not None:
        path = "output_config.format"
        form = mapping(config["format"], path)
        tag(form, path, ("json_schema",))
        mapping(required(form, path, "schema"), f"{path}.schema")


def _sampling(request: dict[str, Any]) -> None:
    for key in ("temperature", "top_p"):
        if request.get(key) is not None:
            share(request[key], key)
    if request.get("top_k") is not None:
        integer(request["top_k"], "top_k", least=0)
    if request.get("stop_sequences") is not None:
        for index, stop in enumerate(array(request["stop_sequences"], "stop_sequences")):
            if not string(stop, f"stop_sequences.{index}").strip():
                raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def _system(system: object) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    for index, block in enumerate(system):
        check_text(block, f"system.{index}")


def _tools(value: object) -> list[dict[str, Any]]:
    tools = array(value, "tools") if value is not None else []
    names: set[str] = set()
    for index, tool in enumerate(tools):
        name = _tool(mapping(tool, f"tools.{index}"), f"tools.{index}")
        if name in names:
            raise invalid("tools: Tool names must be unique.")
        if name is not None:
            names.add(name)
    return tools


def _tool(tool: dict[str, Any], path: str) -> str | None:
    kind = tool.get("type")
    check_cache(tool.get("cache_control"), f"{path}.cache_control")
    if isinstance(kind, str) and _SERVER_TOOL.fullmatch(kind):
        name = tool.get("name")
        return None if name is None else string(name, f"{path}.name")
    if kind is not None:
        tag(tool, path, ("custom",))
    at = f"{path}.custom"
    only(tool, at, _TOOL_KEYS)
    name = string(required(tool, at, "name"), f"{at}.name")
    if not _TOOL_NAME.fullmatch(name):
        raise invalid(f"{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if tool.get("description") is not None:
        string(tool["description"], f"{at}.description")
    schema = mapping(required(tool, at, "input_schema"), f"{at}.input_schema")
    at = f"{at}.input_schema"
    one_of(required(schema, at, "type"), f"{at}.type", ("object",))
    if any(key in schema for key in ("oneOf", "allOf", "anyOf")):
        raise invalid(
            f"{at}: input_schema does not support oneOf, allOf, or anyOf at the top level"
        )
    return name


def _choice(value: object, tools: list[dict[str, Any]]) -> None:
    if value is None:
        return
    choice = mapping(value, "tool_choice")
    kind = tag(choice, "tool_choice", _CHOICES)
    path = f"tool_choice.{kind}"
    keys = {"type", "disable_parallel_tool_use"} if kind != "none" else {"type"}
    only(choice, path, {*keys, "name"} if kind == "tool" else keys)
    if choice.get("disable_parallel_tool_use") is not None:
        boolean(choice["disable_parallel_tool_use"], f"{path}.disable_parallel_tool_use")
    if not tools:
        raise invalid("tool_choice: tool_choice may only be specified while providing tools")
    if kind == "tool":
        name = string(required(choice, path, "name"), f"{path}.name")
        if all(tool.get("name") != name for tool in tools):
            raise invalid(f"tool_choice: Tool '{name}' not found in provided tools")


def _breakpoints(request: dict[str, Any]) -> None:
    system = request.get("system")
    holders = [*(request.get("tools") or []), *(system if isinstance(system, list) else [])]
    for message in request["messages"]:
        content = message["content"]
        holders += content if isinstance(content, list) else []
    inner = [
        part
        for block in holders
        if isinstance(block.get("content"), list)
        for part in block["content"]
        if isinstance(part, dict)
    ]
    found = sum(block.get("cache_control") is not None for block in [*holders, *inner, request])
    if found > _BREAKPOINTS:
        raise invalid(
            f"A maximum of {_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."
        )
