"""``GET /openapi.json``: valid, whole, and true of what the server answers."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from serving import Running, new_id, running

from bridge import __version__
from bridge.core import errors
from bridge.core.errors import BridgeError
from bridge.web.endpoint import NOT_TOLD, Endpoint
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


def check(value: Any, schema: dict[str, Any]) -> None:
    """A value meets a schema of the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


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


@contextlib.asynccontextmanager
async def ada(server: Running, endpoint: Endpoint) -> AsyncIterator[None]:
    """The session that the examples name, if the endpoint wants one."""
    if "/sessions/{id}" not in endpoint.path:
        yield
        return
    assert (await server.ask("Hello", session_id="ada")).status == 200
    yield
    for made in ("ada", "ada-2"):
        await server.rest("DELETE", f"/{made}")


# -- the document --------------------------------------------------------------------------------


async def test_the_document_is_valid_and_served_without_a_key(server: Running) -> None:
    _, served = await answer(server, "GET /openapi.json")
    assert served == json.loads(json.dumps(DOCUMENT))
    OpenAPIV31SpecValidator(served).validate()
    assert served["info"]["version"] == __version__
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


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
    elsewhere = {errors.MethodNotAllowed, errors.NotFound}  # of paths that are not in the table
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
    "a foreign host": ("GET /health", {"headers": {"Host": "evil.example"}}, "host_not_allowed"),
}


@pytest.mark.parametrize(("name", "sent", "code"), FAULTS.values(), ids=FAULTS)
async def test_errors_are_as_the_document_says(
    server: Running, name: str, sent: dict[str, Any], code: str
) -> None:
    if "data" in sent:
        sent = {**sent, "headers": {"Content-Type": "application/json", **sent["headers"]}}
    _, data = await answer(server, name, **sent)
    check(data, {"$ref": "#/components/schemas/Error"})
    assert not code or data["error"]["code"] == code


# -- answers -------------------------------------------------------------------------------------

WITH_EXAMPLE = [name for name, endpoint in ENDPOINTS.items() if endpoint.operation.example]


@pytest.mark.parametrize("name", WITH_EXAMPLE)
async def test_an_example_meets_its_schema_and_is_answered(server: Running, name: str) -> None:
    endpoint = ENDPOINTS[name]
    body = described(name)["requestBody"]["content"]["application/json"]
    check(body["example"], body["schema"])
    path = endpoint.path.replace("{id}", "ada")
    async with ada(server, endpoint):
        status, _ = await answer(server, name, path=path, json=body["example"])
    assert status == endpoint.operation.status


@pytest.mark.parametrize("name", [name for name in ENDPOINTS if name not in WITH_EXAMPLE])
async def test_the_others_answer_as_the_document_says(server: Running, name: str) -> None:
    endpoint = ENDPOINTS[name]
    path = endpoint.path
    for parameter in endpoint.operation.parameters:
        path = path.replace(f"{{{parameter.name}}}", str(parameter.example))
    async with ada(server, endpoint):
        status, _ = await answer(server, name, path=path)
    assert status == endpoint.operation.status


LOOK = {
    "name": "look",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}
CHATS: dict[str, dict[str, Any]] = {
    "plain": {},
    "reasoning": {"reasoning_effort": "low", "stream_options": {"include_usage": True}},
    "function": {"tools": [{"type": "function", "function": LOOK}], "tool_choice": "required"},
    "older function": {"functions": [LOOK], "function_call": {"name": "look"}},
    "JSON": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "look", "schema": LOOK["parameters"]},
        }
    },
}


@pytest.mark.parametrize("fields", CHATS.values(), ids=CHATS)
async def test_real_answers_meet_the_schemas(server: Running, fields: dict[str, Any]) -> None:
    """Whole, as a stream, and as a session tells them."""
    session = new_id()
    asked = {"session_id": session, **fields}
    sent = {"model": OLDER, "messages": [{"role": "user", "content": "Look at 7"}], **asked}
    check(sent, {"$ref": "#/components/schemas/ChatRequest"})
    whole = await server.ask("Look at 7", **asked)
    assert whole.status == 200, whole.data
    check(whole.data, {"$ref": "#/components/schemas/ChatCompletion"})
    _, told = await answer(
        server, "GET /v1/sessions/{id}/messages", path=f"/v1/sessions/{session}/messages"
    )
    assert told["total"] == 2
    stream = await server.ask("Look at 7", stream=True, **fields)
    assert stream.whole
    for event in stream.data[:-1]:
        check(json.loads(event), {"$ref": "#/components/schemas/ChatCompletionChunk"})


async def test_a_stream_of_a_text_meets_its_schema(server: Running) -> None:
    body = {"model": OLDER, "prompt": ["Once", "Twice"], "stream": True}
    for fields in ({}, {"stream_options": {"include_usage": True}, "echo": True}):
        async with server.post("/v1/completions", {**body, **fields}) as response:
            assert response.content_type == "text/event-stream"
            events = [line.removeprefix("data: ") for line in (await response.text()).splitlines()]
        *chunks, done = [event for event in events if event]
        assert done == "[DONE]"
        for chunk in chunks:
            check(json.loads(chunk), {"$ref": "#/components/schemas/CompletionChunk"})
