"""Methods, paths and bodies: what each does at every endpoint, and whose error it is if it fails."""

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator, Mapping

import pytest
from serving import Running, running
from sockets import (
    ANTHROPIC,
    CHAT,
    MESSAGES,
    Reply,
    asking,
    assert_common,
    checked_error,
    chunked,
    connected,
    read_head,
    read_reply,
    send,
)

from bridge.web import connection
from bridge.web.endpoints import table
from bridge.web.stream import Patience

KEY = "the-key-of-the-server"
LIMIT = 20_000

PATHS = sorted({path for endpoint in table() for path in endpoint.paths} | {"/static/style.css"})


@pytest.fixture(scope="module")
async def strict() -> AsyncIterator[Running]:
    """A server that wants a key and takes small bodies only."""
    async with running(pool_size=0, api_keys=(KEY,), max_request_size=LIMIT) as server:
        yield server


def allowed(path: str) -> set[str]:
    """The methods that the table has for a path; HEAD where there is GET, and OPTIONS."""
    methods = {
        endpoint.method
        for endpoint in table()
        if any(
            path == other or re.fullmatch(other.replace("{id:[^/]+}", "[^/{]+"), path)
            for other in endpoint.paths
        )
    } or {"GET"}
    return {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


def is_anthropic(path: str) -> bool:
    return path.removeprefix("/api").startswith("/v1/messages")


# -- every endpoint ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_the_methods_of_a_path(server: Running, path: str) -> None:
    """On one connection, which each of them leaves fit for the next."""
    target = path.replace("{id:[^/]+}", "no-such-id")
    methods = allowed(path)
    async with connected(server) as (reader, writer):
        for method in ("OPTIONS", "HEAD", "PATCH", "GET", "TRACE"):
            writer.write(asking(target, method=method))
            reply = await read_reply(reader, to_head=method == "HEAD")
            if method == "OPTIONS":
                assert (reply.status, "content-length" in reply.headers) == (204, False)
                assert_common(reply.headers)
            elif method == "HEAD":
                head = reply
            elif method not in methods:
                assert reply.status == 405
                assert method in checked_error(reply, anthropic=is_anthropic(path))
                assert reply.headers["allow"] == ", ".join(sorted(methods))
            elif "no-such-id" in target:
                assert reply.status == 404
                checked_error(reply, anthropic=False)
            else:
                assert reply.status == 200
                cache = "no-cache" if path.startswith("/static") else "no-store"
                assert_common(reply.headers, cache=cache)
                assert int(reply.headers["content-length"]) == len(reply.body)
            if method == "OPTIONS":
                assert reply.headers["allow"] == ", ".join(sorted(methods))
            if method == "GET":
                assert head.status == reply.status
                assert head.headers.keys() == reply.headers.keys()
                assert head.headers["content-type"] == reply.headers["content-type"]


@pytest.mark.parametrize(
    "path", [path for path in PATHS if "POST" in allowed(path) and "{id" not in path]
)
async def test_a_post_is_read_under_each_of_its_names(server: Running, path: str) -> None:
    reply = await send(server, asking(path, b"[]"))
    assert reply.status == 400
    checked_error(reply, anthropic=is_anthropic(path))


# -- paths ---------------------------------------------------------------------------------------

AWAY: dict[str, tuple[str, str, Mapping[str, str], int, bool]] = {
    # method, target, headers → status, whether the error is Anthropic's
    "nothing": ("GET", "/nothing", {}, 404, False),
    "nothing, by Anthropic's client": ("GET", "/nothing", ANTHROPIC, 404, True),
    "OPTIONS of nothing": ("OPTIONS", "/nothing", {}, 404, False),
    "OPTIONS of the server": ("OPTIONS", "*", {}, 404, False),
    "CONNECT": ("CONNECT", "localhost:80", {}, 404, False),
    "below messages": ("POST", "/v1/messages/batches", {}, 404, True),
    "below messages, with /api": ("POST", "/api/v1/messages/batches/", {}, 404, True),
    "like messages": ("POST", "/v1/messages-of-mine", {}, 404, False),
    "messages without /v1": ("POST", "/messages", {}, 404, False),
    "the same, by Anthropic's client": ("POST", "/messages", ANTHROPIC, 404, True),
    "GET of messages": ("GET", "/v1/messages", {}, 405, True),
    "GET of chat, by Anthropic's client": ("GET", CHAT, ANTHROPIC, 405, True),
    "two slashes": ("POST", "//v1/chat/completions", {}, 404, False),
    "two slashes inside": ("POST", "/v1//messages", ANTHROPIC, 404, True),
    "two slashes at the end": ("GET", "/v1/models//", {}, 404, False),
    "/v1 twice": ("POST", "/v1/v1/messages", ANTHROPIC, 404, True),
    "/api twice": ("GET", "/api/api/v1/models", {}, 404, False),
    "/api without /v1": ("GET", "/api/health", {}, 404, False),
    "upper case": ("GET", "/V1/MODELS", {}, 404, False),
    "an encoded slash": ("GET", "/v1%2Fmodels", {}, 404, False),
    "dots": ("GET", "/v1/x/../models", {}, 404, False),
    "encoded dots": ("GET", "/v1/x/%2e%2e/models", {}, 404, False),
    "broken encoding": ("GET", "/v1/%zz%ff", {}, 404, False),
    "markup": ("GET", "/<script>alert(1)</script>", {}, 404, False),
    "a file that is not there": ("GET", "/static/nothing.js", {}, 404, False),
    "the folder of the files": ("GET", "/static/", {}, 404, False),
    "a model that is not there": ("GET", "/v1/models/llama", {}, 404, False),
    "a model, by Anthropic's client": ("GET", "/v1/models/llama", ANTHROPIC, 404, True),
}


@pytest.mark.parametrize("case", AWAY)
async def test_what_is_not_there(server: Running, case: str) -> None:
    method, target, headers, status, anthropic = AWAY[case]
    reply = await send(server, asking(target, headers=headers, method=method))
    assert reply.status == status
    message = checked_error(reply, anthropic=anthropic)
    if "twice" in case and "v1" in case:
        assert "Leave /v1 out of the base URL" in message
    assert ("two slashes in a row" in message) == ("two slashes" in case)
    if anthropic:
        kind = {404: "not_found_error", 405: "invalid_request_error"}[status]
        assert reply.json["error"]["type"] == kind


@pytest.mark.parametrize(
    "target",
    ["http://localhost/health", "/health/?a=b", "/health?", "/%68ealth", "/v1/%6dodels"],
)
async def test_other_ways_to_write_a_path(server: Running, target: str) -> None:
    reply = await send(server, asking(target))
    assert reply.status == 200
    assert_common(reply.headers)


async def test_head_of_what_is_not_there_has_no_body(server: Running) -> None:
    async with connected(server) as (reader, writer):
        writer.write(asking("/nothing", method="HEAD") + asking("/health"))
        assert (await read_reply(reader, to_head=True)).status == 404
        assert (await read_reply(reader)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("OPTIONS", CHAT, 204),
        ("OPTIONS", "/v1/models", 204),
        ("PUT", CHAT, 405),
        ("GET", MESSAGES, 405),
        ("POST", "/v1/messages/batches", 404),
        ("GET", "/nothing", 404),
        ("HEAD", "/v1/models", 401),
        ("GET", "/v1/models", 401),
        ("POST", MESSAGES, 401),
        ("POST", "/v1/messages/count_tokens", 401),
    ],
)
async def test_without_a_key_only_the_shape_of_the_api_is_told(
    strict: Running, method: str, path: str, status: int
) -> None:
    async with connected(strict) as (reader, writer):
        writer.write(asking(path, method=method))
        reply = await read_reply(reader, to_head=method == "HEAD")
    assert reply.status == status
    assert_common(reply.headers)
    if reply.body:
        checked_error(reply, anthropic=is_anthropic(path))


# -- bodies --------------------------------------------------------------------------------------

BODY = json.dumps({"messages": "said"}).encode()
LONG = b" " * 1_000_000 + BODY


def deflated(body: bytes, window: int = 15) -> bytes:
    packer = zlib.compressobj(wbits=window)
    return packer.compress(body) + packer.flush()


BODIES: dict[str, tuple[bytes, Mapping[str, str], int, str]] = {
    # body, headers → status, words of the error
    "as it is": (BODY, {}, 400, "messages"),
    "gzip": (gzip.compress(BODY), {"Content-Encoding": "gzip"}, 400, "messages"),
    "GZIP": (gzip.compress(BODY), {"Content-Encoding": "GZIP"}, 400, "messages"),
    "deflate": (deflated(BODY), {"Content-Encoding": "deflate"}, 400, "messages"),
    "raw deflate": (deflated(BODY, -15), {"Content-Encoding": "deflate"}, 400, "messages"),
    "identity": (BODY, {"Content-Encoding": "identity"}, 400, "messages"),
    "nothing": (b"", {}, 400, "JSON"),
    "no length": (b"", {"Content-Length": ""}, 400, "JSON"),
    "no gzip": (BODY, {"Content-Encoding": "gzip"}, 400, "no gzip"),
    "half of gzip": (gzip.compress(BODY)[:-9], {"Content-Encoding": "gzip"}, 400, "not end"),
    "gzip and more": (gzip.compress(BODY) + b"x", {"Content-Encoding": "gzip"}, 400, "not end"),
    "no deflate": (BODY, {"Content-Encoding": "deflate"}, 400, "no deflate"),
    "brotli": (BODY, {"Content-Encoding": "br"}, 415, "'br'"),
    "zstd": (BODY, {"Content-Encoding": "zstd"}, 415, "'zstd'"),
    "twice": (BODY, {"Content-Encoding": "gzip, gzip"}, 415, "gzip, gzip"),
    "a form": (BODY, {"Content-Type": "application/x-www-form-urlencoded"}, 415, "form"),
    "no type": (BODY, {"Content-Type": ""}, 415, "Content-Type"),
    "a bomb": (gzip.compress(LONG), {"Content-Encoding": "gzip"}, 413, str(LIMIT)),
    "a deflated bomb": (deflated(LONG), {"Content-Encoding": "deflate"}, 413, str(LIMIT)),
    "too large": (LONG, {}, 413, str(LIMIT)),
    "too large, in chunks": (
        chunked(LONG, 5_000),
        {"Content-Length": "", "Transfer-Encoding": "chunked"},
        413,
        str(LIMIT),
    ),
    "a chunk that is none": (
        b"5\r\n{    \r\nzz\r\n",
        {"Content-Length": "", "Transfer-Encoding": "chunked"},
        400,
        "can't be read",
    ),
}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("case", BODIES)
async def test_a_body(strict: Running, path: str, case: str) -> None:
    body, headers, status, words = BODIES[case]
    request = asking(path, body, {"x-api-key": KEY, **headers})
    head, _, body = request.partition(b"\r\n\r\n")
    async with connected(strict) as (reader, writer):
        writer.write(head + b"\r\n\r\n" + body[:8])
        await writer.drain()
        writer.write(body[8:])
        reply = await read_reply(reader)
        assert reply.status == status
        if case != "a chunk that is none" or "request-id" in reply.headers:
            assert words in checked_error(reply, anthropic=is_anthropic(path))
        if case == "a chunk that is none":
            assert await reader.read() == b"", "one answer, and no more can be told apart"
    assert (await send(strict, asking("/health"))).status == 200


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_chunk_that_is_none_after_a_good_one(strict: Running, path: str) -> None:
    headers = {"x-api-key": KEY, "Content-Length": "", "Transfer-Encoding": "chunked"}
    async with connected(strict) as (reader, writer):
        writer.write(asking(path, b"", {**headers, "Expect": "100-continue"}))
        assert (await read_head(reader)).status == 100
        writer.write(b"5\r\n{    \r\nzz\r\n")
        reply = await read_reply(reader)
        assert reply.status == 400
        assert "can't be read" in checked_error(reply, anthropic=is_anthropic(path))
        assert reply.headers["connection"] == "close"
        assert await reader.read() == b""


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_body_that_is_cut_off(strict: Running, path: str) -> None:
    async with connected(strict) as (reader, writer):
        writer.write(asking(path, BODY, {"x-api-key": KEY})[:-5])
        writer.write_eof()
        reply = await read_reply(reader)
    assert reply.status == 400
    message = checked_error(reply, anthropic=is_anthropic(path))
    assert f"{len(BODY) - 5} of {len(BODY)} bytes" in message


# -- Expect --------------------------------------------------------------------------------------

UNINVITED: dict[str, tuple[str, Mapping[str, str], int]] = {
    "the wrong key": (CHAT, {"x-api-key": "another-key-than-that"}, 401),
    "the wrong key for messages": (MESSAGES, {"x-api-key": "another-key-than-that"}, 401),
    "too large": (CHAT, {"Content-Length": str(LIMIT + 1)}, 413),
    "too large for messages": (MESSAGES, {"Content-Length": str(LIMIT + 1)}, 413),
    "the wrong type": (MESSAGES, {"Content-Type": "text/plain"}, 415),
    "the wrong host": (CHAT, {"Host": "evil.example"}, 403),
}


@pytest.fixture(scope="module")
async def hurried() -> AsyncIterator[Running]:
    """A server that waits for a tenth of a second, not for a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "HEAD_SECONDS", 0.1)
        async with running(patience=Patience(stall=0.1)) as server:
            yield server


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["whole", "chunks"])
async def test_a_body_that_stops_in_the_middle(
    hurried: Running, path: str, in_chunks: bool
) -> None:
    whole = asking(path, b"{" + b" " * 99)
    if in_chunks:
        whole = re.sub(
            rb"Content-Length: \d+", b"Transfer-Encoding: chunked", whole, flags=re.IGNORECASE
        )
        whole = whole.partition(b"{")[0] + b"2\r\n{ \r\n  "
    async with connected(hurried) as (reader, writer):
        writer.write(whole[:-2])
        reply = await read_reply(reader)
        assert await reader.read() == b""
    assert reply.status == 408
    assert "nothing more came" in checked_error(reply, anthropic=is_anthropic(path))


@pytest.mark.parametrize("begun", [b"", b"GET /he", b"GET /health HTTP/1.1\r\nHost: "])
async def test_a_connection_that_asks_for_nothing_is_closed(hurried: Running, begun: bytes) -> None:
    async with connected(hurried) as (reader, writer):
        writer.write(begun)
        assert await reader.read() == b""


async def test_one_that_has_asked_may_ask_again_later(hurried: Running) -> None:
    async with connected(hurried) as (reader, writer):
        writer.write(asking("/health"))
        assert (await read_reply(reader)).status == 200
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        writer.write(asking("/health"))
        assert (await read_reply(reader)).status == 200


@pytest.mark.parametrize("case", UNINVITED)
async def test_a_body_that_would_be_refused_is_not_invited(strict: Running, case: str) -> None:
    path, headers, status = UNINVITED[case]
    expecting = {"x-api-key": KEY, "Expect": "100-continue", "Content-Length": "50", **headers}
    async with connected(strict) as (reader, writer):
        writer.write(asking(path, b"", expecting))
        reply = await read_reply(reader, head=await read_head(reader))
        assert reply.status == status
        checked_error(reply, anthropic=path == MESSAGES)
        assert reply.headers["connection"] == "close", "whether the body comes can't be known"


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/nothing", 400)])
async def test_what_else_is_expected(server: Running, path: str, status: int) -> None:
    reply = await send(server, asking(path, headers={"Expect": "miracles", **ANTHROPIC}))
    assert reply.status == status
    if status == 400:
        checked_error(reply, anthropic=True)


# -- what can't be read --------------------------------------------------------------------------

HEADS: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "no such version": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "a long line": (asking("/health?" + "a" * 9_000), 431),
    "a long header": (asking("/health", headers={"X": "a" * 9_000}), 431),
    "many headers": (asking("/health", headers={f"X-{i}": "a" for i in range(200)}), 431),
    "a length that is no number": (asking(CHAT, b"", {"Content-Length": "x"}), 400),
    "a length below nothing": (asking(CHAT, b"", {"Content-Length": "-5"}), 400),
    "two lengths": (asking(CHAT, b"", {"content-length": "5"}), 400),
    "a length and chunks": (asking(CHAT, b"", {"Transfer-Encoding": "chunked"}), 400),
    "chunks of another kind": (
        asking(CHAT, b"", {"Content-Length": "", "Transfer-Encoding": "gzip"}),
        400,
    ),
    "a header without a name": (asking("/health", headers={"": "a"}), 400),
    "a folded header": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
}


@pytest.mark.parametrize("case", HEADS)
async def test_a_head_that_can_not_be_read(server: Running, case: str) -> None:
    request, status = HEADS[case]
    async with connected(server) as (reader, writer):
        writer.write(request)
        reply: Reply = await read_reply(reader)
        assert reply.status == status
        message = checked_error(reply, anthropic=False)
        assert reply.json["error"]["code"] == ("bad_http" if status == 400 else "head_too_large")
        assert "aaaa" not in message, "a header may be a secret"
        assert await reader.read() == b""
