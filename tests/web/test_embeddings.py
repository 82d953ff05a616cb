"""POST /v1/embeddings, by the official client: from the model in this process, and forwarded."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from serving import Answer, Running, running
from vectors import BREAD, PARAPHRASE, STRANGER, nearness, needs_model

from bridge.core.embeddings import Texts
from bridge.core.errors import TurnTimeout
from bridge.embeddings.forward import ForwardEngine
from bridge.embeddings.local import LocalEngine
from bridge.settings import Settings
from bridge.web.runtime import StartupError, embeddings

MODEL = "text-embedding-3-small"
REAL = "wordllama-l2-supercat"
KEY = "key-of-a-client"
OWN_KEY = "sk-the-servers-own"


def client_of(server: Running, key: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{server.url}/v1",
        api_key=key,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    )


@pytest.fixture
async def client(server: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(server) as made:
        yield made


async def embed(
    server: Running, *, path: str = "/v1/embeddings", headers: Any = None, **fields: Any
) -> Answer:
    body = {"model": MODEL, "input": BREAD, **fields}
    async with server.post(path, body, **(headers or {})) as response:
        data = json.loads(await response.read())
        return Answer(status=response.status, headers=response.headers, data=data)


# -- the model in this process --------------------------------------------------------------------


@needs_model
async def test_the_client_finds_the_nearest(client: openai.AsyncOpenAI) -> None:
    made = await client.embeddings.create(model=MODEL, input=[BREAD, STRANGER, PARAPHRASE])
    assert (made.object, made.model) == ("list", REAL)
    assert [(e.object, e.index, len(e.embedding)) for e in made.data] == [
        ("embedding", index, 256) for index in range(3)
    ]
    bread, stranger, paraphrase = (e.embedding for e in made.data)
    assert nearness(bread, bread) == pytest.approx(1)
    assert nearness(bread, paraphrase) > nearness(bread, stranger) + 0.3
    assert made.usage.prompt_tokens == made.usage.total_tokens > 30


@needs_model
async def test_both_formats_hold_the_same_numbers(client: openai.AsyncOpenAI) -> None:
    unasked = await client.embeddings.create(model=MODEL, input=BREAD)
    written = await client.embeddings.create(model=MODEL, input=BREAD, encoding_format="float")
    encoded = await client.embeddings.create(model=MODEL, input=BREAD, encoding_format="base64")
    assert written.data[0].embedding == unasked.data[0].embedding
    assert isinstance(encoded.data[0].embedding, str), (
        "it is only decoded where it was not asked for"
    )


@needs_model
async def test_the_sync_client(server: Running) -> None:
    def ask() -> Any:
        with openai.OpenAI(
            base_url=f"{server.url}/v1",
            api_key="any",
            http_client=openai.DefaultHttpxClient(trust_env=False),
        ) as client:
            return client.embeddings.create(model=MODEL, input=["a", "b"], dimensions=64)

    made = await asyncio.to_thread(ask)
    assert [len(e.embedding) for e in made.data] == [64, 64]


@needs_model
@pytest.mark.parametrize("path", ["/v1/embeddings", "/api/v1/embeddings", "/embeddings"])
async def test_every_path_and_its_headers(server: Running, path: str) -> None:
    made = await embed(server, path=path, user="ada", input_type="query")
    assert made.status == 200
    assert made.headers["cache-control"] == "no-store"
    assert made.headers["content-type"].startswith("application/json")
    assert made.headers["x-bridge-ignored"] == "input_type, user"
    assert not server.upstream.requests, "no model of Anthropic's is asked"


@needs_model
async def test_a_large_request(server: Running) -> None:
    texts = [f"{number} {'word ' * 100}" for number in range(2048)]
    made = await embed(server, input=texts, encoding_format="base64")
    assert made.status == 200
    assert [item["index"] for item in made.data["data"]] == list(range(2048))
    alone = await embed(server, input=texts[2000], encoding_format="base64")
    assert made.data["data"][2000]["embedding"] == alone.data["data"][0]["embedding"]


@needs_model
@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({"input": ""}, 400, "input", "empty_string"),
        ({"input": []}, 400, "input", "empty_array"),
        ({"input": ["a"] * 2049}, 400, "input", "array_above_max_length"),
        ({"input": [15339, 1917]}, 400, "input", "unsupported_parameter"),
        ({"input": ["a", "hello " * 9000]}, 400, "input[1]", "context_length_exceeded"),
        ({"dimensions": 1536}, 400, "dimensions", "invalid_value"),
        ({"encoding_format": "hex"}, 400, "encoding_format", "invalid_value"),
        ({"model": None}, 400, "model", "invalid_type"),
        ({"model": "sonnet"}, 404, "model", "model_not_found"),
    ],
)
async def test_errors(
    server: Running, fields: dict[str, Any], status: int, param: str, code: str
) -> None:
    made = await embed(server, **fields)
    assert made.status == status
    assert made.error["type"] == "invalid_request_error"
    assert (made.error["param"], made.error["code"]) == (param, code)
    assert made.headers["cache-control"] == "no-store"


async def test_other_methods_and_types(server: Running) -> None:
    async with server.http.get(f"{server.url}/v1/embeddings") as response:
        assert (response.status, response.headers["allow"]) == (405, "OPTIONS, POST")
    async with server.http.post(f"{server.url}/v1/embeddings", data=b"{}") as response:
        assert response.status == 415


async def test_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    async with running(pool_size=0, max_request_size=2000) as server, client_of(server) as client:
        with pytest.raises(openai.InternalServerError, match="pip install wordllama") as caught:
            await client.embeddings.create(model=MODEL, input="a")
        assert caught.value.status_code == 501
        assert caught.value.code == "embeddings_not_provided"
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert (await embed(server, input="a" * 3000)).status == 413


# -- forwarded ------------------------------------------------------------------------------------


class Upstream:
    """A server with a model for embeddings."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, dict[str, Any]]] = []
        self.stall = False

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append((dict(request.headers), body))
        if self.stall:
            await asyncio.Event().wait()
        if body["model"] == "unknown":
            error = {"message": "no such model", "type": "x", "param": "model", "code": "nope"}
            return web.json_response({"error": error}, status=404)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [
            {"object": "embedding", "index": i, "embedding": [len(text), 0.5]}
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 9, "total_tokens": 9}
        return web.json_response(
            {"object": "list", "data": data, "model": "theirs", "usage": usage}
        )


@pytest.fixture(scope="module")
async def forwarding() -> AsyncIterator[tuple[Running, Upstream]]:
    upstream = Upstream()
    app = web.Application()
    app.router.add_post("/v1/embeddings", upstream.handle)
    async with (
        TestServer(app) as other,
        running(
            pool_size=0,
            api_keys=(KEY,),
            embeddings_base_url=str(other.make_url("/v1")),
            embeddings_api_key=OWN_KEY,
        ) as server,
    ):
        yield server, upstream


async def test_forwarded(forwarding: tuple[Running, Upstream]) -> None:
    server, upstream = forwarding
    upstream.asked.clear()
    async with client_of(server, KEY) as client:
        made = await client.embeddings.create(model="any", input=["a", "bb"], user="ada")
    assert [e.embedding for e in made.data] == [[1.0, 0.5], [2.0, 0.5]]
    assert (made.model, made.usage.prompt_tokens) == ("theirs", 9)
    ((headers, body),) = upstream.asked
    assert headers["Authorization"] == f"Bearer {OWN_KEY}"
    assert KEY not in json.dumps([headers, body]), "the client's key goes nowhere"
    async with server.http.get(f"{server.url}/v1/requests", headers={"x-api-key": KEY}) as response:
        entry = (await response.json())["data"][0]
    assert (entry["route"], entry["model"]) == ("/v1/embeddings", "theirs")
    assert (entry["input_tokens"], entry["output_tokens"], entry["cost_usd"]) == (9, 0, None)
    assert body == {
        "model": "any",
        "input": ["a", "bb"],
        "encoding_format": "base64",
        "user": "ada",
    }


async def test_forwarded_fields(forwarding: tuple[Running, Upstream]) -> None:
    made = await embed(forwarding[0], user="ada", input_type="q", headers={"x-api-key": KEY})
    assert made.headers["x-bridge-ignored"] == "input_type", "the user is told to the other server"
    assert made.data["data"][0]["embedding"] == [len(BREAD), 0.5]


async def test_an_error_of_the_other_server(forwarding: tuple[Running, Upstream]) -> None:
    made = await embed(forwarding[0], model="unknown", headers={"x-api-key": KEY})
    assert made.status == 404
    assert made.error == {
        "message": "no such model",
        "type": "invalid_request_error",
        "param": "model",
        "code": "nope",
    }


async def test_it_needs_a_key(forwarding: tuple[Running, Upstream]) -> None:
    forwarding[1].asked.clear()
    assert (await embed(forwarding[0])).status == 401
    assert forwarding[1].asked == []


async def test_the_other_server_stalls() -> None:
    upstream = Upstream()
    upstream.stall = True
    app = web.Application()
    app.router.add_post("/v1/embeddings", upstream.handle)
    async with TestServer(app, handler_cancellation=True) as other:
        url = str(other.make_url("/v1"))
        async with embeddings(Settings(embeddings_base_url=url, max_timeout=0.2)) as made:
            with pytest.raises(TurnTimeout, match="MAX_TIMEOUT"):
                await made.embed(Texts(model="m", texts=("a",)))
    assert len(upstream.asked) == 1


# -- which of them --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, LocalEngine),
        ({"demo": True}, LocalEngine),
        ({"embeddings_base_url": "https://example.com/v1"}, ForwardEngine),
        ({"embeddings_base_url": "https://example.com/v1", "demo": True}, LocalEngine),
        ({"embeddings_base_url": "http://127.0.0.1:1/v1", "demo": True}, ForwardEngine),
        ({"embeddings_base_url": "http://[::1]:1/v1", "demo": True}, ForwardEngine),
    ],
)
async def test_which_engine(settings: dict[str, Any], kind: type) -> None:
    async with embeddings(Settings(**settings)) as made:
        assert type(made.engine) is kind


@pytest.mark.parametrize("settings", [{"embeddings_api_key": "k"}, {"embeddings_model": "m"}])
async def test_settings_without_the_server_that_they_are_for(settings: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match="EMBEDDINGS_BASE_URL"):
        async with embeddings(Settings(**settings)):
            pass
