"""The list of models, as the clients of OpenAI and of Anthropic read it."""

import datetime as dt

import anthropic
import openai
import pytest
from anthropic_client import official
from serving import Running

from bridge.claude.names import ListedModel, Names

VERSION = {"anthropic-version": "2023-06-01"}


async def test_both_clients_see_the_same_models(server: Running) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1",
        api_key="any",
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as client:
        names = [model.id async for model in client.models.list()]
    async with official(server) as other:
        whole = [model async for model in other.models.list()]
        in_pages = [model async for model in other.models.list(limit=2)]
        last = whole[-1].id
        backwards = [model.id async for model in other.models.list(limit=2, before_id=last)]
        page = await other.models.list(limit=2, after_id=names[1])
        one = await other.models.retrieve("gpt-4o")
        with pytest.raises(anthropic.NotFoundError) as caught:
            await other.models.retrieve("no-such-model")
    assert [model.id for model in whole] == names == [model.id for model in in_pages]
    assert len(set(names)) == len(names) > 10
    # Each page is in the order of the list, and the pages come from its end.
    pairs = [names[:-1][max(0, end - 2) : end] for end in range(len(names) - 1, 0, -2)]
    assert backwards == [name for pair in pairs for name in pair]
    assert [model.id for model in page.data] == names[2:4]
    assert (page.first_id, page.last_id, page.has_more) == (names[2], names[3], True)
    assert one.display_name == "Claude Sonnet 5.5"
    assert isinstance(one.created_at, dt.datetime)
    assert (one.type, one.lifecycle) == ("model", "active")
    assert caught.value.type == "not_found_error"
    assert not any("Default" in model.display_name for model in whole)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=2.5", "limit"),
        ("limit=", "limit"),
        ("limit=%C2%B2", "limit"),
        (f"limit={'9' * 5_000}", "limit"),
        ("after_id=nobody", "after_id"),
        ("before_id=", "before_id"),
        ("after_id=opus&before_id=sonnet", "before_id"),
    ],
)
async def test_a_page_that_can_not_be(server: Running, query: str, name: str) -> None:
    url = f"{server.url}/v1/models?{query}"
    async with server.http.get(url) as response:
        document = await response.json()
    assert (response.status, document["error"]["param"]) == (400, name)
    async with server.http.get(url, headers=VERSION) as response:
        document = await response.json()
    assert (response.status, document["error"]["type"]) == (400, "invalid_request_error")
    assert name in document["error"]["message"]


async def test_an_empty_page_has_no_ends(server: Running) -> None:
    async with server.http.get(f"{server.url}/v1/models") as response:
        whole = await response.json()
    ends = {"first_id": whole["data"][0]["id"], "last_id": whole["data"][-1]["id"]}
    assert whole == {"object": "list", "data": whole["data"], **ends, "has_more": False}
    async with server.http.get(f"{server.url}/v1/models?after_id={ends['last_id']}") as response:
        empty = await response.json()
    assert empty == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5"),
        ("claude-opus-5-5", "Claude Opus 5.5"),
        ("claude-opus-5-5[1m]", "Claude Opus 5.5 (1M context)"),
        ("claude-sonnet-4-5@20250929", "Claude Sonnet 4.5"),
        ("claude-3-5-haiku-20241022", "Claude Haiku 3.5"),
        ("us.anthropic.claude-opus-5-5-v1:0", "us.anthropic.claude-opus-5-5-v1:0"),
    ],
)
def test_the_name_of_a_model(model: str, name: str) -> None:
    listed = ListedModel(value="x", resolved=model, display_name="Default (recommended)")
    assert {offer.display_name for offer in Names(listed=(listed,)).offered()} == {name}
