"""``GET /openapi.json``: valid, whole, and true of what the server answers."""

import functools
import json
from typing import Any

import jsonschema_rs
import pytest
from attrs import evolve
from openapi_spec_validator import OpenAPIV31SpecValidator
from serving import Running, new_id, running

from bridge import __version__
from bridge.core import errors
from bridge.core.errors import BridgeError
from bridge.web.endpoint import NOT_TOLD
from bridge.web.endpoints import table
from bridge.web.openapi import document, faults
from bridge.web.operations import GROUPS

DOCUMENT = document(table())
ENDPOINTS = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in table()}
OLDER = "claude-sonnet-4-5"


def described(name: str) -> dict[str, Any]:
    """The operation of an endpoint, by its method and path."""
    method, path = name.split()
    operation: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return operation


def within(value: Any) -> list[dict[str, Any]]:
    """Every object inside a value."""
    if isinstance(value, dict):
        return [value, *(found for inner in value.values() for found in within(inner))]
    if isinstance(value, list):
        return [found for inner in value for found in within(inner)]
    return []


@functools.cache
def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def check(value: Any, schema: dict[str, Any]) -> None:
    """A value meets a schema of the document."""
    validator(json.dumps(schema)).validate(value)


async def answer(server: Running, name: str, *, path: str = "", **sent: Any) -> tuple[int, Any]:
    """Call an endpoint; its answer, which is one that the document tells of in every way."""
    method, called = name.split()
    url = server.url + (path or called)
    async with server.http.request(method, url, **sent) as response:
        told = described(name)["responses"][str(response.status)]
        schema = told["content"][response.content_type]["schema"]
        for header in told["headers"]:
            if header in {"x-request-id", "www-authenticate"}:
                assert header in response.headers
        text = await response.text()
        data = json.loads(text) if response.content_type == "application/json" else text
        check(data, schema)
        return response.status, data


# -- the document --------------------------------------------------------------------------------


async def test_the_document_is_valid_and_served_without_a_key(server: Running) -> None:
    _, served = await answer(server, "GET /openapi.json")
    assert served == json.loads(json.dumps(DOCUMENT))
    OpenAPIV31SpecValidator(served).validate()
    assert served["info"]["version"] == __version__
    for schema in served["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_every_endpoint_is_in_it_and_nothing_else() -> None:
    there = [
        f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    ]
    assert sorted(there) == sorted(ENDPOINTS)
    assert len(there) == len(table())


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_endpoint_tells_of_itself(name: str) -> None:
    endpoint = ENDPOINTS[name]
    assert endpoint.operation is not NOT_TOLD, "give its row an operation"
    assert endpoint.operation.group in GROUPS
    assert endpoint.summary
    assert (endpoint.operation.request is None) == (endpoint.operation.example is None)
    in_path = {p.name for p in endpoint.operation.parameters if p.place == "path"}
    assert in_path == ({"id"} if "{id}" in endpoint.path else set())
    assert endpoint.operation.answer or endpoint.path in {"/", "/docs"}
    assert described(name)["operationId"]


def test_an_endpoint_that_says_nothing_is_in_it_all_the_same() -> None:
    silent = evolve(table()[-1], operation=NOT_TOLD)
    assert document([silent])["paths"][silent.path]["get"]["summary"] == silent.summary


def test_ids_are_those_of_one_operation_each() -> None:
    ids = [described(name)["operationId"] for name in ENDPOINTS]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    named = {o["$ref"] for o in within(DOCUMENT) if isinstance(o.get("$ref"), str)}
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers")
        for name in DOCUMENT["components"][kind]
    }
    assert named == there


# -- statuses ------------------------------------------------------------------------------------


def all_errors(kind: type[BridgeError] = BridgeError) -> list[type[BridgeError]]:
    return [found for sub in kind.__subclasses__() for found in (sub, *all_errors(sub))]


def test_every_error_is_declared_where_it_can_happen() -> None:
    declared = {
        kind for endpoint in table() for kinds in faults(endpoint).values() for kind in kinds
    }
    # of paths that are not in the table, and of what can't be read
    elsewhere = {errors.MethodNotAllowed, errors.NotFound, errors.HeadTooLarge}
    assert declared == set(all_errors()) - elsewhere


@pytest.mark.parametrize("name", ENDPOINTS)
def test_what_can_happen_to_any_request_is_declared(name: str) -> None:
    statuses = set(described(name)["responses"])
    endpoint = ENDPOINTS[name]
    assert statuses >= {"400", "403", "500"}
    assert ("401" in statuses) is not endpoint.open
    assert ({"413", "415"} <= statuses) is (endpoint.operation.request is not None)
    assert described(name).get("security") == ([] if endpoint.open else None)


async def test_a_key_is_needed_just_where_the_document_says_so() -> None:
    async with running(api_keys=("a-key-of-this-test",), pool_size=0) as server:
        for name, endpoint in ENDPOINTS.items():
            path = endpoint.path.replace("{id}", "a")
            status, _ = await answer(server, name, path=path)
            assert (status == 401) is not endpoint.open, name


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    # an endpoint; what is sent; the error's code
    "no JSON": ("POST /v1/chat/completions", {"data": b"{", "headers": {}}, "invalid_json"),
    "no type": ("POST /v1/completions", {"data": b"{}", "headers": {"Content-Type": "a/b"}}, ""),
    "no model": (
        "POST /v1/chat/completions",
        {"json": {"model": "nobody", "messages": [{"role": "user", "content": "hi"}]}},
        "model_not_found",
    ),
    "upstream": (
        "POST /v1/chat/completions",
        {"json": {"model": OLDER, "messages": [{"role": "user", "content": "[[fail 429]]"}]}},
        "",
    ),
    "no JSON of Anthropic's": (
        "POST /v1/messages",
        {"data": b"{", "headers": {}},
        "invalid_request_error",
    ),
    "overloaded, of Anthropic's": (
        "POST /v1/messages",
        {
            "json": {
                "model": OLDER,
                "max_tokens": 9,
                "messages": [{"role": "user", "content": "[[fail 529]]"}],
            }
        },
        "overloaded_error",
    ),
    "a foreign version": (
        "POST /v1/messages/count_tokens",
        {"json": {}, "headers": {"anthropic-version": "1"}},
        "invalid_request_error",
    ),
    "Anthropic's client": (
        "GET /v1/models",
        {"params": {"limit": "0"}, "headers": {"anthropic-version": "2023-06-01"}},
        "invalid_request_error",
    ),
    "a foreign host": ("GET /health", {"headers": {"Host": "evil.example"}}, "host_not_allowed"),
}


@pytest.mark.parametrize(("name", "sent", "code"), FAULTS.values(), ids=FAULTS)
async def test_errors_are_as_the_document_says(
    server: Running, name: str, sent: dict[str, Any], code: str
) -> None:
    if "data" in sent:
        sent = {**sent, "headers": {"Content-Type": "application/json", **sent["headers"]}}
    _, data = await answer(server, name, **sent)
    assert not code or code in {data["error"].get("code"), data["error"]["type"]}


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_example_meets_its_schema(name: str) -> None:
    body = described(name).get("requestBody")
    if body is not None:
        content = body["content"]["application/json"]
        check(content["example"], content["schema"])


async def test_every_endpoint_answers_its_example_as_the_document_says(server: Running) -> None:
    """In the order of the table, which reads a session before it deletes it."""
    named = {"X-Request-Id": "req_hello"}
    assert (await server.ask("Hello", session_id="ada", headers=named)).status == 200
    for name, endpoint in ENDPOINTS.items():
        told, path = endpoint.operation, endpoint.path
        for parameter in told.parameters:
            path = path.replace(f"{{{parameter.name}}}", str(parameter.example))
        status, _ = await answer(server, name, path=path, json=told.example)
        assert status in {told.status, 501}, f"{name}: only what is not set up may be refused"


LOOK = {
    "name": "look",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}
CHATS: dict[str, dict[str, Any]] = {
    "function": {
        "tools": [{"type": "function", "function": LOOK}],
        "tool_choice": "required",
        "stream_options": {"include_usage": True},
        "stream": True,
    },
    "reasoning": {"reasoning_effort": "low"},
}


@pytest.mark.parametrize("fields", CHATS.values(), ids=CHATS)
async def test_real_answers_meet_the_schemas(server: Running, fields: dict[str, Any]) -> None:
    """As they come, and as a session tells them."""
    asked = {"session_id": new_id(), **fields}
    sent = {"model": OLDER, "messages": [{"role": "user", "content": "Look at 7"}], **asked}
    check(sent, {"$ref": "#/components/schemas/ChatRequest"})
    got = await server.ask("Look at 7", **asked)
    assert got.whole
    if isinstance(got.data, dict):
        check(got.data, {"$ref": "#/components/schemas/ChatCompletion"})
    else:
        for event in got.data[:-1]:
            check(json.loads(event), {"$ref": "#/components/schemas/ChatCompletionChunk"})
    path = f"/v1/sessions/{asked['session_id']}/messages"
    _, told = await answer(server, "GET /v1/sessions/{id}/messages", path=path)
    assert told["total"] == 2


async def test_a_stream_of_a_text_meets_its_schema(server: Running) -> None:
    body = {"model": OLDER, "prompt": "Once", "stream": True, "echo": True}
    async with server.post("/v1/completions", body) as response:
        assert response.content_type == "text/event-stream"
        events = [line.removeprefix("data: ") for line in (await response.text()).splitlines()]
    *chunks, done = [event for event in events if event]
    assert done == "[DONE]"
    for chunk in chunks:
        check(json.loads(chunk), {"$ref": "#/components/schemas/CompletionChunk"})


TOOL = {"name": "look", "input_schema": LOOK["parameters"]}
MESSAGES: dict[str, dict[str, Any]] = {
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096},
    "tool": {"tools": [TOOL], "tool_choice": {"type": "any"}, "stream": True},
    "failing": {"messages": [{"role": "user", "content": "[[stream-error 2]]"}], "stream": True},
}


@pytest.mark.parametrize("fields", MESSAGES.values(), ids=MESSAGES)
async def test_real_messages_meet_the_schemas(server: Running, fields: dict[str, Any]) -> None:
    body = {
        "model": OLDER,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "Look at 7"}],
        **fields,
    }
    check(body, {"$ref": "#/components/schemas/MessagesRequest"})
    _, told = await answer(server, "POST /v1/messages", json=body)
    if isinstance(told, str):
        lines = [line for line in told.splitlines() if line.startswith("data:")]
        assert len(lines) > 3
        for line in lines:
            check(json.loads(line[5:]), {"$ref": "#/components/schemas/MessageEvent"})
