"""Another server that speaks OpenAI's API: what it is sent, and what becomes of what it says."""

import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from attrs import define, field
from vectors import numbers

from bridge.core.embeddings import Texts
from bridge.core.errors import (
    BridgeError,
    InvalidRequest,
    NotFound,
    RateLimited,
    TooLarge,
    TurnTimeout,
    Unavailable,
    UnsupportedParameter,
    UpstreamFault,
    UpstreamRefusedLogin,
)
from bridge.embeddings import forward
from bridge.embeddings.forward import ForwardEngine

KEY = "sk-the-servers-own"
ASKED = Texts(model="m", texts=("one", "two"))
VECTORS = [[0.5, -0.25], [1.0, 0.0]]


def answer(*items: Any, **fields: Any) -> dict[str, Any]:
    """A good answer, with other fields where they are given."""
    data = [
        {"object": "embedding", "index": i, "embedding": item}
        for i, item in enumerate(items or VECTORS)
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": "real-model", "usage": usage, **fields}


@define
class Upstream:
    """A server that answers what it is told to, and remembers what it was asked."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(factory=dict)
    asked: list[tuple[web.BaseRequest, dict[str, Any]]] = field(factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request, await request.json()))
        body = answer() if self.body is None else self.body
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(
            status=self.status, body=raw, headers=self.headers, content_type="application/json"
        )


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    behaviour = Upstream()
    app = web.Application()
    app.router.add_route("*", "/v1/{rest:.*}", behaviour.handle)
    async with TestServer(app) as server:
        yield behaviour, str(server.make_url("/v1"))


@pytest.fixture
async def engine(upstream: tuple[Upstream, str]) -> AsyncIterator[ForwardEngine]:
    made = ForwardEngine(base_url=upstream[1], key=KEY, model=None, at_once=4)
    yield made
    await made.aclose()


async def test_what_it_is_asked(upstream: tuple[Upstream, str], engine: ForwardEngine) -> None:
    await engine.embed(Texts(model="m", texts=("one", "two"), dimensions=2, user="ada"))
    await engine.embed(ASKED)
    upstream[0].body = answer([1])
    await engine.embed(Texts(model="m", texts=("one",), listed=False))
    (request, full), (_, plain), (_, single) = upstream[0].asked
    assert (request.method, request.path) == ("POST", "/v1/embeddings")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("bridge/")
    assert plain == {"model": "m", "input": ["one", "two"], "encoding_format": "base64"}
    assert full == {**plain, "dimensions": 2, "user": "ada"}
    assert single == {**plain, "input": "one"}


async def test_a_model_of_its_own_and_no_key(upstream: tuple[Upstream, str]) -> None:
    engine = ForwardEngine(base_url=upstream[1], key=None, model="nomic", at_once=1)
    made = await engine.embed(ASKED)
    await engine.aclose()
    ((request, body),) = upstream[0].asked
    assert body["model"] == "nomic"
    assert "Authorization" not in request.headers
    assert made.model == "real-model", "the one that its answer names"


def test_the_key_is_never_shown() -> None:
    names = {a.name: a.repr for a in ForwardEngine.__attrs_attrs__}  # type: ignore[attr-defined]
    assert names["key"] is False
    assert names["_http"] is False, "its headers hold the key"


@pytest.mark.parametrize("encoded", [False, True])
async def test_its_vectors_in_either_format(
    upstream: tuple[Upstream, str], engine: ForwardEngine, encoded: bool
) -> None:
    items = [base64.b64encode(struct.pack("<2f", *v)).decode() for v in VECTORS]
    upstream[0].body = answer(*(items if encoded else VECTORS))
    made = await engine.embed(ASKED)
    assert [list(numbers(vector)) for vector in made.vectors] == VECTORS
    assert (made.model, made.tokens, made.ignored) == ("real-model", 5, ())


async def test_its_vectors_are_put_into_order(
    upstream: tuple[Upstream, str], engine: ForwardEngine
) -> None:
    upstream[0].body = answer(data=list(reversed(answer()["data"])))
    made = await engine.embed(ASKED)
    assert [list(numbers(vector)) for vector in made.vectors] == VECTORS


def item(index: Any = 0, embedding: Any = (1.0,)) -> dict[str, Any]:
    return {
        "index": index,
        "embedding": list(embedding) if isinstance(embedding, tuple) else embedding,
    }


def one(**fields: Any) -> dict[str, Any]:
    """An answer whose first item has such fields, and whose second is good."""
    return answer(data=[{**item(), **fields}, item(1)])


NAN = base64.b64encode(struct.pack("<f", float("nan"))).decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b"\xff",
        [],
        {},
        answer(data=None),
        answer(data=[]),
        answer(data=[1, 2]),
        answer([1.0]),
        answer([1.0], [1.0], [1.0]),
        answer([1.0], [1.0, 2.0]),
        answer([], []),
        answer(data=[item(0), item(0)]),
        answer(data=[item(0), item(2)]),
        answer(data=[item(0), item(1), item(1)]),
        one(index=True),
        one(index=None),
        one(embedding=None),
        one(embedding="not base64!"),
        one(embedding="AAA="),
        one(embedding=NAN),
        one(embedding=["1.0"]),
        one(embedding=[1e300]),
        one(embedding=[[1.0]]),
        answer(model=None),
        answer(model=""),
        answer(usage=None),
        answer(usage={}),
        answer(usage={"prompt_tokens": -1}),
        answer(usage={"prompt_tokens": 1.5}),
        answer(usage={"prompt_tokens": True}),
    ],
    ids=lambda body: str(body)[:60],
)
async def test_an_answer_that_is_none_is_not_passed_on(
    upstream: tuple[Upstream, str], engine: ForwardEngine, body: Any
) -> None:
    upstream[0].body = body
    with pytest.raises(UpstreamFault) as caught:
        await engine.embed(ASKED)
    assert (caught.value.status, caught.value.code) == (502, "wrong_answer")


async def test_other_dimensions_than_were_asked_for(
    upstream: tuple[Upstream, str], engine: ForwardEngine
) -> None:
    with pytest.raises(UnsupportedParameter, match="makes vectors of 2 dimensions") as caught:
        await engine.embed(Texts(model="m", texts=("one", "two"), dimensions=64))
    assert caught.value.param == "dimensions"


async def test_an_endless_answer(
    upstream: tuple[Upstream, str], engine: ForwardEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "MAX_ANSWER", 50)
    with pytest.raises(UpstreamFault, match="more than 50 bytes"):
        await engine.embed(ASKED)


def fault(message: str = "its words", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "t", "param": None, "code": None, **fields}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "words"),
    [
        (400, fault(param="input", code="bad"), InvalidRequest, "bad", "its words"),
        (400, fault(), InvalidRequest, None, "its words"),
        (400, {"object": "error", "message": "flat"}, InvalidRequest, None, "flat"),
        (400, {"error": "plain"}, InvalidRequest, None, "plain"),
        (400, b"no json", InvalidRequest, None, "no reason given"),
        (400, fault("x" * 5000), InvalidRequest, None, "x" * 1000),
        (400, fault(code=5, param=[1]), InvalidRequest, None, "its words"),
        (400, fault(f"bad key {KEY}"), InvalidRequest, None, "bad key …"),
        (422, {"detail": []}, InvalidRequest, None, "no reason given"),
        (404, fault(code="model_not_found"), NotFound, "model_not_found", "its words"),
        (404, fault("model nope"), NotFound, "model_not_found", "model nope"),
        (404, b"404 page not found", UpstreamFault, "upstream_error", "OpenAI-compatible"),
        (405, b"", UpstreamFault, "upstream_error", "OpenAI-compatible"),
        (413, fault(), TooLarge, "request_too_large", "its words"),
        (401, fault(f"{KEY}?"), UpstreamRefusedLogin, "upstream_authentication", "own EMBEDD"),
        (403, fault(), UpstreamRefusedLogin, "upstream_authentication", "own EMBEDDINGS_API_KEY"),
        (429, fault(code="slow"), RateLimited, "slow", "answered 429: its words"),
        (500, b"oops", Unavailable, "overloaded", "answered 500"),
        (503, fault(), Unavailable, "overloaded", "its words"),
        (504, b"", TurnTimeout, "timeout", "504"),
        (204, b"", UpstreamFault, "upstream_error", "204"),
    ],
)
async def test_its_errors(
    upstream: tuple[Upstream, str],
    engine: ForwardEngine,
    status: int,
    body: Any,
    kind: type[BridgeError],
    code: str | None,
    words: str,
) -> None:
    upstream[0].status, upstream[0].body = status, body
    with pytest.raises(BridgeError) as caught:
        await engine.embed(ASKED)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert words in caught.value.message
    assert KEY not in caught.value.message
    assert len(caught.value.message) < 1200


async def test_a_key_that_is_missing(upstream: tuple[Upstream, str]) -> None:
    upstream[0].status = 401
    engine = ForwardEngine(base_url=upstream[1], key=None, model=None, at_once=1)
    with pytest.raises(UpstreamRefusedLogin, match="set EMBEDDINGS_API_KEY"):
        await engine.embed(ASKED)
    await engine.aclose()


@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7), ("999999", 3600), ("soon", None), ("٣", None)]
)
async def test_its_retry_after(
    upstream: tuple[Upstream, str], engine: ForwardEngine, told: str, seconds: int | None
) -> None:
    upstream[0].status, upstream[0].headers = 429, {"Retry-After": told}
    with pytest.raises(RateLimited) as caught:
        await engine.embed(ASKED)
    assert caught.value.retry_after == seconds


async def test_no_redirect_is_followed(
    upstream: tuple[Upstream, str], engine: ForwardEngine
) -> None:
    upstream[0].status, upstream[0].headers = 307, {"Location": f"{upstream[1]}/elsewhere"}
    with pytest.raises(UpstreamFault, match="leads elsewhere"):
        await engine.embed(ASKED)
    assert len(upstream[0].asked) == 1


async def test_no_cookie_is_kept(upstream: tuple[Upstream, str], engine: ForwardEngine) -> None:
    upstream[0].headers = {"Set-Cookie": "a=b"}
    for _ in range(2):
        await engine.embed(ASKED)
    assert "Cookie" not in upstream[0].asked[1][0].headers


async def test_nobody_is_there() -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    engine = ForwardEngine(base_url=url, key=KEY, model=None, at_once=1)
    with pytest.raises(UpstreamFault, match="could not be reached") as caught:
        await engine.embed(ASKED)
    assert caught.value.code == "upstream_error"
    await engine.aclose()


async def test_nobody_takes_the_call(
    engine: ForwardEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*_: Any, **__: Any) -> None:
        raise aiohttp.ConnectionTimeoutError

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    with pytest.raises(TurnTimeout, match="within 10 seconds"):
        await engine.embed(ASKED)


async def test_it_breaks_off() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"data": [')
        assert request.transport is not None
        request.transport.abort()
        return response

    app = web.Application()
    app.router.add_post("/v1/embeddings", handle)
    async with TestServer(app) as server:
        url = str(server.make_url("/v1"))
        engine = ForwardEngine(base_url=url, key=None, model=None, at_once=1)
        with pytest.raises(UpstreamFault, match="broke off"):
            await engine.embed(ASKED)
        await engine.aclose()
