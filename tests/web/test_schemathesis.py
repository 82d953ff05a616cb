"""Any request of the document, and any that it forbids, gets an answer that the document tells of."""

import asyncio
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from serving import Running

from bridge.web.endpoints import table
from bridge.web.openapi import document

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi import checks as of_openapi

CHECKS = [
    of_openapi.status_code_conformance,
    of_openapi.content_type_conformance,
    of_openapi.response_headers_conformance,
    of_openapi.response_schema_conformance,
    of_openapi.negative_data_rejection,
]
EXAMPLES = {"chat_completions": 3, "completions": 2, "messages": 3, "count_tokens": 3}
"""How many requests are made of an endpoint where it is not the usual number: they take time."""

SCHEMA = schemathesis.openapi.from_dict(document(table()))
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())
}
CAN_BE_WRONG = [
    name
    for name, operation in OPERATIONS.items()
    if operation.definition.raw.keys() & {"parameters", "requestBody"}
]


def explore(operation: Any, mode: GenerationMode, url: str, examples: int) -> set[int]:
    """Send so many requests; the statuses of their answers."""
    seen: set[int] = set()

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        if isinstance(case.body, dict) and isinstance(case.body.get("prompt"), list):
            case.body["prompt"] = case.body["prompt"][:2]  # each is a turn of its own
        response = case.call(base_url=url, timeout=60)  # a busy machine is not a fault
        seen.add(response.status_code)
        assert response.status_code < 500 or response.status_code == 501, response.content
        case.validate_response(response, checks=CHECKS)

    holds()
    return seen


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_the_document_allows(server: Running, name: str) -> None:
    seen = await asyncio.to_thread(
        explore, OPERATIONS[name], GenerationMode.POSITIVE, server.url, EXAMPLES.get(name, 5)
    )
    assert seen & {200, 201, 400, 404}, seen  # a schema can't say which conversations there can be


@pytest.mark.parametrize("name", CAN_BE_WRONG)
async def test_what_the_document_forbids(server: Running, name: str) -> None:
    seen = await asyncio.to_thread(
        explore, OPERATIONS[name], GenerationMode.NEGATIVE, server.url, 4
    )
    assert seen & {400, 404, 415}, seen
