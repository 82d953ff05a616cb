"""The table of endpoints → an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html)."""

from collections.abc import Iterable, Sequence
from typing import Any

from bridge import __version__
from bridge.core import errors
from bridge.core.errors import BridgeError
from bridge.dialects.anthropic_messages import OVERLOADED, status_of
from bridge.dialects.schemas import Schema, plain_words, ref
from bridge.sessions.merging import Outcome
from bridge.web.endpoint import Endpoint, Operation, Parameter
from bridge.web.operations import GROUPS
from bridge.web.schemas import components

_OF_ANY = (errors.InvalidRequest, errors.Forbidden, errors.Internal)
_OF_A_BODY = (
    errors.InvalidRequest,
    errors.BodyTooSlow,
    errors.TooLarge,
    errors.UnsupportedMediaType,
)

_ABOUT = """\
OpenAI's API, answered by Claude through the official Claude Agent SDK.

What stands under `/v1` also answers under `/api/v1`; chat, completions and models without any \
prefix, too; and every path with a slash at its end. What answers `GET` answers `HEAD`. Every \
answer has an `x-request-id`: the request's own `X-Request-Id`, or one that is made up."""

_HEADERS = {
    "x-request-id": ("By which the server's log knows the request.", {"type": "string"}),
    "request-id": ("The same, as Anthropic's clients look for it.", {"type": "string"}),
    "x-session-id": (
        "The session that the answer belongs to, percent-encoded.",
        {"type": "string"},
    ),
    "x-bridge-session": (
        "What became of the session; `matched`: without one, in a process with its history.",
        {"enum": list(Outcome)},
    ),
    "x-bridge-ignored": ("The fields without an effect, with commas.", {"type": "string"}),
    "x-bridge-changed": ("The fields that had another effect.", {"type": "string"}),
    "retry-after": (
        "Seconds after which the same request may succeed.",
        {"type": "integer", "minimum": 0},
    ),
    "www-authenticate": ("How to send a key.", {"const": "Bearer"}),
}
_OF_ERRORS = {
    401: ("www-authenticate",),
    **dict.fromkeys((429, 503, OVERLOADED), ("retry-after",)),
}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document that describes these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bridge",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": name, "description": words} for name, words in GROUPS.items()],
        "paths": paths,
        "components": {
            "schemas": components(),
            "headers": {
                name: {"description": words, "schema": schema}
                for name, (words, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "One of the server's keys; none is asked for where it has none.",
                },
                "x-api-key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "The same, as Anthropic's clients send it.",
                },
            },
        },
        "security": [{"bearer": []}, {"x-api-key": []}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    told = endpoint.operation
    description: dict[str, Any] = {
        "operationId": endpoint.id,
        "tags": [told.group],
        "summary": endpoint.summary,
    }
    if told.description:
        description["description"] = told.description
    if told.parameters:
        description["parameters"] = [_parameter(parameter) for parameter in told.parameters]
    if told.request is not None:
        content: dict[str, Any] = {"schema": ref(told.request)}
        if told.example is not None:
            content["example"] = told.example
        description["requestBody"] = {
            "required": not told.may_be_empty,
            "content": {"application/json": content},
        }
    description["responses"] = _responses(endpoint)
    if endpoint.open:
        description["security"] = []
    return description


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.place == "path",
        "schema": parameter.schema,
    }
    return described if parameter.example is None else {**described, "example": parameter.example}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    told = endpoint.operation
    responses = {str(told.status): _success(told)}
    for status, kinds in sorted(faults(endpoint).items()):
        responses[str(status)] = {
            "description": " ".join(_words(kind) for kind in kinds),
            "headers": _headers(*_OF_ERRORS.get(status, ())),
            "content": {"application/json": {"schema": ref(told.error)}},
        }
    return responses


def _success(told: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if told.answer is None:
        content["text/html"] = {"schema": {"type": "string"}}
    else:
        content["application/json"] = {"schema": ref(told.answer)}
    if told.stream is not None:
        words = f"Server-sent events; the data of each is a `{told.stream}` as JSON."
        schema: Schema = {"type": "string", "description": words}
        content["text/event-stream"] = {"schema": schema, "x-event": ref(told.stream)}
    description = components()[told.answer]["description"] if told.answer else "A page."
    return {"description": description, "headers": _headers(*told.headers), "content": content}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def faults(endpoint: Endpoint) -> dict[int, Sequence[type[BridgeError]]]:
    """What can go wrong at an endpoint: the classes of errors, by the status that they give."""
    kinds: list[type[BridgeError]] = [*endpoint.operation.errors, *_OF_ANY]
    if not endpoint.open:
        kinds.append(errors.Unauthenticated)
    if endpoint.operation.request is not None:
        kinds += _OF_A_BODY
    by_status: dict[int, list[type[BridgeError]]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(_status(kind, endpoint.operation), []).append(kind)
    return {status: tuple(found) for status, found in by_status.items()}


def _status(kind: type[BridgeError], told: Operation) -> int:
    return status_of(kind("")) if told.error == "AnthropicError" else kind.status


def _words(kind: type[BridgeError]) -> str:
    words = plain_words(kind)
    return words if kind.default_code is None else f"{words[:-1]} (`{kind.default_code}`)."
