"""HTTP by hand over a socket, for what no client library would send or let be seen."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

from attrs import frozen
from serving import Running

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
ANTHROPIC = {"anthropic-version": "2023-06-01"}


@frozen(kw_only=True)
class Reply:
    """One answer as it came: its head, and its body out of whatever carried it."""

    version: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(server: Running, *, receive_buffer: int = 0) -> AsyncIterator[Connected]:
    """A connection, with a minute for all that is done on it."""
    host, port = server.url.removeprefix("http://").split(":")
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    reader, writer = await asyncio.open_connection(
        sock=sock, limit=2**12 if receive_buffer else 2**16
    )
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def asking(
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str | None = None,
    version: str = "1.1",
) -> bytes:
    """A request as bytes: a POST of JSON with its length if it has a body, else a GET."""
    fields = {"Host": "localhost"}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= headers or {}
    method = method or ("GET" if body is None else "POST")
    lines = [f"{method} {target} HTTP/{version}", *(f"{k}: {v}" for k, v in fields.items() if v)]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of this size."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in [*pieces, b""])


async def read_head(reader: asyncio.StreamReader) -> Reply:
    """The head of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    found = re.match(r"HTTP/(\d\.\d) (\d{3}) ", head)
    assert found, head
    pairs = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), "a header came twice"
    return Reply(version=found[1], status=int(found[2]), headers=headers, body=b"")


async def read_reply(
    reader: asyncio.StreamReader, *, head: Reply | None = None, to_head: bool = False
) -> Reply:
    """The next final answer; those before it are skipped, as every client has to."""
    while head is None or head.status < 200:
        head = await read_head(reader)
    body = b""
    if to_head or head.status in {204, 304}:
        pass
    elif "transfer-encoding" in head.headers:
        assert head.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in head.headers
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
    elif "content-length" in head.headers:
        body = await reader.readexactly(int(head.headers["content-length"]))
    else:
        body = await reader.read()
    return Reply(version=head.version, status=head.status, headers=head.headers, body=body)


async def send(server: Running, request: bytes) -> Reply:
    """One request and its answer."""
    async with connected(server) as (reader, writer):
        writer.write(request)
        return await read_reply(reader)


def checked_error(reply: Reply, *, anthropic: bool) -> str:
    """The error's message, after all that an error must be in its dialect was looked at."""
    assert_common(reply.headers)
    assert reply.headers["content-type"].startswith("application/json")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert b"Traceback" not in reply.body
    document, request_id = reply.json, reply.headers["x-request-id"]
    if anthropic:
        assert set(document) == {"type", "error", "request_id"}
        assert set(document["error"]) == {"type", "message"}
        assert (document["type"], document["request_id"]) == ("error", request_id)
        assert reply.headers["request-id"] == request_id
    else:
        assert set(document) == {"error"}
        assert set(document["error"]) == {"message", "type", "param", "code"}
        assert "request-id" not in reply.headers
    message: str = document["error"]["message"]
    assert message
    return message


def assert_common(headers: Mapping[str, str], *, cache: str = "no-store") -> None:
    """The headers of every answer."""
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["server"] == "bridge"
    assert headers["x-request-id"]
    assert headers["cache-control"] == cache
    assert "content-encoding" not in headers
