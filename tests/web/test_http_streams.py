"""Answers on the wire: the same frames whichever way they are asked for, carried and read."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from serving import Running, new_id
from sockets import (
    CHAT,
    MESSAGES,
    Reply,
    asking,
    assert_common,
    chunked,
    connected,
    read_head,
    read_reply,
    send,
)

from bridge.web import connection

COMPLETIONS = "/v1/completions"
WORDS = 40

Frames = list[tuple[str | None, str]]
"""The name and the data of each event, without what differs from answer to answer."""


def body_of(path: str, *, stream: bool = True, words: int = WORDS, session: str = "") -> bytes:
    said = f"[[words {words}]]"
    body = {"model": "sonnet", "max_tokens": 9_000, "stream": stream}
    body |= (
        {"prompt": said}
        if path == COMPLETIONS
        else {"messages": [{"role": "user", "content": said}]}
    )
    return json.dumps(body | ({"session_id": session} if session else {})).encode()


def frames_of(body: bytes) -> Frames:
    """The frames of a stream, each of which is one whole event."""
    assert body.endswith(b"\n\n")
    frames: Frames = []
    for frame in body.decode().removesuffix("\n\n").split("\n\n"):
        if frame.startswith((":", "event: ping")):
            continue
        found = re.fullmatch(r"(?:event: (\w+)\n)?data: (.*)", frame)
        assert found, frame
        if found[2] == "[DONE]":
            frames.append((None, found[2]))
            continue
        document = json.loads(found[2])
        message = document.get("message", document)
        for name in ("id", "created", "usage"):
            message.pop(name, None)
        frames.append((found[1], json.dumps(document)))
    return frames


def text_of(frames: Frames) -> str:
    return "".join(re.findall(r'"(?:content|text)": "([^"]*)"', str(frames)))


def assert_stream(reply: Reply) -> None:
    """The head of every stream."""
    assert reply.status == 200
    assert_common(reply.headers)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reply.headers
    assert ("transfer-encoding" in reply.headers) == (reply.version == "1.1")


@pytest.fixture(scope="module", params=[CHAT, MESSAGES], ids=["chat", "messages"])
def path(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def session(path: str) -> str:
    """One conversation for all that is asked, whose process goes on from answer to answer."""
    return new_id()


@pytest.fixture(scope="module")
async def expected(shared_server: Running, path: str, session: str) -> Frames:
    reply = await send(shared_server, asking(path, body_of(path, session=session)))
    assert_stream(reply)
    frames = frames_of(reply.body)
    assert len(frames) > WORDS / 2
    last = frames[-1]
    assert last == (None, "[DONE]") if path == CHAT else last[0] == "message_stop"
    return frames


# -- ways to ask ---------------------------------------------------------------------------------


async def plainly(server: Running, path: str, body: bytes) -> Reply:
    return await send(server, asking(path, body))


async def with_encodings(server: Running, path: str, body: bytes) -> Reply:
    return await send(server, asking(path, body, {"Accept-Encoding": "gzip, deflate, br, zstd"}))


async def by_http_1_0(server: Running, path: str, body: bytes) -> Reply:
    async with connected(server) as (reader, writer):
        writer.write(asking(path, body, version="1.0"))
        reply = await read_reply(reader)
        assert await reader.read() == b"", "the connection is closed"
    assert (reply.version, reply.headers.get("connection", "close")) == ("1.0", "close")
    return reply


async def by_http_1_0_kept_alive(server: Running, path: str, body: bytes) -> Reply:
    """Only an answer with a length can be followed by another."""
    async with connected(server) as (reader, writer):
        writer.write(asking(path, body, {"Connection": "keep-alive"}, version="1.0"))
        reply = await read_reply(reader)
        kept = reply.headers.get("connection") == "keep-alive"
        assert kept == ("content-length" in reply.headers)
        if not kept:
            assert await reader.read() == b""
    return reply


async def in_chunks(server: Running, path: str, body: bytes) -> Reply:
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    request = asking(path, b"", headers)
    return await send(server, request + chunked(body, 7))


async def byte_by_byte(server: Running, path: str, body: bytes) -> Reply:
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    async with connected(server) as (reader, writer):
        for byte in asking(path, b"", headers) + chunked(body, 50):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        return await read_reply(reader)


async def after_an_invitation(server: Running, path: str, body: bytes) -> Reply:
    headers = {"Expect": "100-continue", "Content-Length": str(len(body))}
    async with connected(server) as (reader, writer):
        writer.write(asking(path, b"", headers))
        invitation = await read_head(reader)
        assert (invitation.status, invitation.headers) == (100, {})
        writer.write(body)
        head = await read_head(reader)
        assert head.status == 200
        return await read_reply(reader, head=head)


async def by_http_1_0_with_expect(server: Running, path: str, body: bytes) -> Reply:
    """Which has no such thing."""
    async with connected(server) as (reader, writer):
        writer.write(asking(path, body, {"Expect": "100-continue"}, version="1.0"))
        return await read_reply(reader, head=await read_head(reader))


async def with_an_upgrade(server: Running, path: str, body: bytes) -> Reply:
    """As Java's own client asks whether it may speak HTTP/2."""
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEA"}
    return await send(server, asking(path, body, headers))


async def half_closed(server: Running, path: str, body: bytes) -> Reply:
    """As ``nc`` does at the end of its input."""
    async with connected(server) as (reader, writer):
        writer.write(asking(path, body))
        writer.write_eof()
        reply = await read_reply(reader)
        assert await reader.read() == b"", "the connection is closed"
        return reply


async def half_closed_by_http_1_0(server: Running, path: str, body: bytes) -> Reply:
    async with connected(server) as (reader, writer):
        writer.write(asking(path, body, version="1.0"))
        writer.write_eof()
        return await read_reply(reader, head=await read_head(reader))


Way = Callable[[Running, str, bytes], Awaitable[Reply]]
WAYS: list[Way] = [
    plainly,
    with_encodings,
    by_http_1_0,
    by_http_1_0_kept_alive,
    in_chunks,
    byte_by_byte,
    after_an_invitation,
    by_http_1_0_with_expect,
    with_an_upgrade,
    half_closed,
    half_closed_by_http_1_0,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_stream(
    server: Running, path: str, session: str, expected: Frames, way: Way
) -> None:
    reply = await way(server, path, body_of(path, session=session))
    assert_stream(reply)
    assert frames_of(reply.body) == expected


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_document(server: Running, path: str, session: str, way: Way) -> None:
    reply = await way(server, path, body_of(path, session=session, stream=False))
    assert reply.status == 200
    assert_common(reply.headers)
    assert reply.headers["content-type"].startswith("application/json")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert "transfer-encoding" not in reply.headers
    assert "word1 word2 word3" in str(reply.json)


# -- ways to read --------------------------------------------------------------------------------


async def test_a_slow_reader_gets_all_of_it_and_holds_up_nobody(
    server: Running, path: str, session: str
) -> None:
    """Its stream is larger than what fits between it and the server."""
    words = 800
    async with connected(server, receive_buffer=2_048) as (reader, writer):
        writer.write(asking(path, body_of(path, words=words), version="1.0"))
        head = await read_head(reader)
        other = await plainly(server, path, body_of(path, session=session, stream=False))
        assert other.status == 200
        body = b"".join([await reader.read(1) for _ in range(300)])
        while piece := await reader.read(1_000):
            body += piece
    assert_stream(head)
    assert text_of(frames_of(body)) == " ".join(f"word{i}" for i in range(1, words + 1))


@pytest.fixture
async def proxy(server: Running) -> AsyncIterator[tuple[str, bytearray]]:
    """A reverse proxy that cuts the stream into pieces of its own, and keeps a copy of it."""
    tee = bytearray()

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k != "Transfer-Encoding"}
        url = server.url + request.path
        async with server.http.post(url, data=await request.read(), headers=headers) as upstream:
            response = web.StreamResponse(status=upstream.status)
            hop_by_hop = {"Transfer-Encoding", "Connection"}
            for name, value in upstream.headers.items():
                if name not in hop_by_hop:
                    response.headers[name] = value
            await response.prepare(request)
            async for piece in upstream.content.iter_any():
                tee.extend(piece)
                for at in range(0, len(piece), 7):
                    await response.write(piece[at : at + 7])
            return response

    app = web.Application()
    app.router.add_post("/{path:.*}", forward)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}", tee
    finally:
        await runner.cleanup()


async def test_a_proxy_and_a_tee(
    server: Running,
    path: str,
    session: str,
    expected: Frames,
    proxy: tuple[str, bytearray],
) -> None:
    url, tee = proxy
    body = body_of(path, session=session)
    async with (
        aiohttp.ClientSession() as http,
        http.post(url + path, data=body, headers={"Content-Type": "application/json"}) as response,
    ):
        assert response.headers["x-accel-buffering"] == "no"
        got = await response.read()
    assert got == bytes(tee)
    assert frames_of(got) == expected


async def test_requests_in_a_pipeline_are_answered_in_their_order(
    server: Running, path: str, session: str, expected: Frames
) -> None:
    async with connected(server) as (reader, writer):
        writer.write(
            asking("/health")
            + asking(path, body_of(path, session=session))
            + asking("/nothing", method="DELETE")
            + asking(path, b"[]")
            + asking("/version")
        )
        health = await read_reply(reader)
        stream = await read_reply(reader)
        rest = [await read_reply(reader) for _ in range(3)]
    assert health.json["service"] == "bridge"
    assert_stream(stream)
    assert frames_of(stream.body) == expected
    assert [reply.status for reply in rest] == [404, 400, 200]


async def test_the_older_endpoint(server: Running) -> None:
    for version in ("1.1", "1.0"):
        reply = await send(server, asking(COMPLETIONS, body_of(COMPLETIONS), version=version))
        assert_stream(reply)
        frames = frames_of(reply.body)
        assert frames[-1] == (None, "[DONE]")
        assert text_of(frames) == " ".join(f"word{i}" for i in range(1, WORDS + 1))


# -- clients that leave --------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_a_client_that_leaves_before_the_answer_ends_the_turn(
    server: Running,
    path: str,
    version: str,
    stream: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "AT_ONCE_SECONDS", 0.0)  # it leaves later than that
    body = json.dumps(
        {
            **json.loads(body_of(path, stream=stream)),
            "messages": [{"role": "user", "content": "[[stall]]"}],
        }
    ).encode()
    async with server.next_request() as arrival, connected(server) as (_, writer):
        writer.write(asking(path, body, version=version))
        received = await arrival
    async with asyncio.timeout(10):
        await received.ended_event.wait()
    assert received.state == "aborted"
