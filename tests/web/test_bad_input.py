"""Bad input: a 4xx in our shape that names the field, and a server that goes on."""

import asyncio
import gzip
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from serving import Running, running, until

CHAT = "/v1/chat/completions"
GOOD = {"model": "sonnet", "messages": [{"role": "user", "content": "[[say fine]]"}]}


def error_of(body: str) -> dict[str, Any]:
    """The error of an answer, checked for its shape."""
    document = json.loads(body)
    assert set(document) == {"error"}
    assert set(document["error"]) == {"message", "type", "param", "code"}
    assert document["error"]["message"]
    assert "Traceback" not in body
    error: dict[str, Any] = document["error"]
    return error


async def send(
    server: Running, body: bytes, *, path: str = CHAT, method: str = "POST", **headers: str
) -> tuple[int, dict[str, Any]]:
    """A request with any body; the status and the error."""
    all_headers = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with server.http.request(
        method, server.url + path, data=io.BytesIO(body), headers=all_headers
    ) as response:
        assert response.headers["x-request-id"]
        return response.status, error_of(await response.text())


def message(content: Any, **more: Any) -> bytes:
    return json.dumps(
        {"model": "sonnet", "messages": [{"role": "user", "content": content, **more}]}
    ).encode()


BODIES: dict[str, tuple[bytes, str | None]] = {
    # body → param
    "nothing": (b"", None),
    "not JSON": (b"hello", None),
    "half of it": (b'{"messages": [', None),
    "not UTF-8": (b'{"messages": "\xff"}', None),
    "an array": (b"[]", None),
    "a string": (b'"hi"', None),
    "NaN": (b'{"temperature": NaN}', None),
    "no messages": (b"{}", "messages"),
    "empty messages": (b'{"messages": []}', "messages"),
    "messages of the wrong type": (b'{"messages": "hi"}', "messages"),
    "a message of the wrong type": (b'{"messages": ["hi"]}', "messages[0]"),
    "an unknown role": (b'{"messages": [{"role": "king", "content": "x"}]}', "messages[0].role"),
    "no role": (b'{"messages": [{"content": "x"}]}', "messages[0].role"),
    "content of the wrong type": (message(5), "messages[0].content"),
    "a part of the wrong type": (message(["hi"]), "messages[0].content[0]"),
    "a part that nobody hears": (
        message([{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]),
        "messages[0].content[0].type",
    ),
    "a picture that is none": (
        message([{"type": "image_url", "image_url": {"url": "data:"}}]),
        "messages[0].content[0].image_url.url",
    ),
    "NUL": (message("a\0b"), "messages[0].content"),
    "half of a surrogate pair": (
        b'{"messages": [{"role": "user", "content": "a\\ud800"}]}',
        "messages[0].content",
    ),
    "deep nesting": (b'{"messages": ' + b"[" * 5000 + b"]" * 5000 + b"}", None),
    "very deep nesting": (b"[" * 1_000_000, None),
    "an unknown model": (
        b'{"model": "llama", "messages": [{"role": "user", "content": "x"}]}',
        "model",
    ),
    "a model of the wrong type": (
        b'{"model": 5, "messages": [{"role": "user", "content": "x"}]}',
        "model",
    ),
    "a function without a name": (
        json.dumps({**GOOD, "tools": [{"type": "function", "function": {}}]}).encode(),
        "tools[0].function.name",
    ),
    "a function whose parameters are no schema": (
        json.dumps(
            {
                **GOOD,
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "parameters": {"required": "a"}},
                    }
                ],
            }
        ).encode(),
        "tools[0].function.parameters.required",
    ),
    "a session without a name": (json.dumps({**GOOD, "session_id": ""}).encode(), "session_id"),
    "a session of the wrong type": (json.dumps({**GOOD, "session_id": 5}).encode(), "session_id"),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_bad_body(server: Running, kind: str) -> None:
    body, param = BODIES[kind]
    status, error = await send(server, body)
    assert 400 <= status < 500
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert len(server.upstream.requests) == 0


async def test_a_body_of_30_mb(server: Running) -> None:
    status, error = await send(server, message("x" * 30_000_000))
    assert (status, error["param"], error["code"]) == (413, "body", "request_too_large")


async def test_a_chunked_body_of_30_mb(server: Running) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 1_000_000

    async with server.http.post(
        server.url + CHAT, data=pieces(), headers={"Content-Type": "application/json"}
    ) as response:
        assert response.status == 413
        assert error_of(await response.text())["code"] == "request_too_large"


async def test_a_body_that_unpacks_to_30_mb(server: Running) -> None:
    body = gzip.compress(message("x" * 30_000_000))
    status, _ = await send(server, body, Content_Encoding="gzip")
    assert status == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
async def test_a_body_that_says_it_is_something_else(server: Running, kind: str) -> None:
    status, error = await send(server, json.dumps(GOOD).encode(), Content_Type=kind)
    assert (status, error["param"]) == (415, "content-type")


async def raw(server: Running, request: bytes) -> bytes:
    """Bytes to the socket; all bytes of the answer."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (b"X-Request-Id: a\x01b", "x-request-id"),
        (b"X-Request-Id: a\x00b", "x-request-id"),
        (b"X-Session-Id: a\x7fb", "x-session-id"),
        (b"Authorization: Bearer a\x0bb", "authorization"),
        (b"X-Request-Id: a\r\rSet-Cookie: b", "x-request-id"),
    ],
)
async def test_a_control_character_in_a_header(server: Running, header: bytes, named: str) -> None:
    answer = await raw(
        server, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 400 ", head), answer
    assert b"set-cookie" not in head.lower()
    error = error_of(body.decode())
    assert (error["code"], error["param"]) == ("bad_http", named)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ],
    ids=["no HTTP", "HTTP/9.9", "TLS", "a negative length"],
)
async def test_what_is_not_http(server: Running, request_bytes: bytes) -> None:
    answer = await raw(server, request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 400 ", head), answer
    assert error_of(body.decode())["type"] == "invalid_request_error"


@pytest.mark.parametrize("given", ["a b", "x" * 129, "é", "a;b", "<script>"])
async def test_a_request_id_is_echoed_only_if_it_is_safe(server: Running, given: str) -> None:
    async with server.http.get(server.url + "/health", headers={"X-Request-Id": given}) as response:
        assert re.fullmatch(r"req_[0-9a-f]{32}", response.headers["x-request-id"])


async def test_a_safe_request_id_is_echoed(server: Running) -> None:
    async with server.http.get(
        server.url + "/health", headers={"X-Request-Id": "a-1:2"}
    ) as response:
        assert response.headers["x-request-id"] == "a-1:2"


async def test_names_of_ignored_fields_cannot_break_the_headers(server: Running) -> None:
    fields = {"a\r\nSet-Cookie: x": 1, "é\ud800": 2, "x" * 500: 3} | {f"f{i}": i for i in range(50)}
    async with server.post(CHAT, {**GOOD, **fields}) as response:
        assert response.status == 200
        assert "Set-Cookie" not in response.headers
        assert len(response.headers["x-bridge-ignored"]) < 2000


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "unknown_route"),
        ("POST", "/v1/responses", 404, "unknown_route"),
        ("GET", "/v1/models/%2e%2e/%2e%2e/etc", 404, "unknown_route"),
        ("GET", "/static/../setup.cfg", 404, "unknown_route"),
        ("GET", "/static/%2e%2e/setup.cfg", 404, "unknown_route"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_a_path_that_is_not_there(
    server: Running, method: str, path: str, status: int, code: str
) -> None:
    got, error = await send(server, b"", path=path, method=method)
    assert (got, error["code"]) == (status, code)


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_v1_path_answers_with_its_variants(
    server: Running, prefix: str, slash: str
) -> None:
    async with server.http.get(f"{server.url}{prefix}/v1/models{slash}") as response:
        assert response.status == 200
    async with server.post(f"{prefix}{CHAT}{slash}", GOOD) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("127.0.0.1.nip.io", 403),
        ("ours.example", 200),
        ("LOCALHOST.", 200),
        ('localhost:"><script>', 403),
        ("localhost:123456", 403),
        ("[::1", 403),
        ("user@localhost", 403),
    ],
)
async def test_another_host_is_refused(named_server: Running, host: str, status: int) -> None:
    async with named_server.http.get(
        named_server.url + "/health", headers={"Host": host}
    ) as response:
        assert response.status == status
        if status == 403:
            error = error_of(await response.text())
            assert (error["code"], error["param"]) == ("host_not_allowed", "host")


@pytest.fixture(scope="module")
async def named_server() -> AsyncIterator[Running]:
    async with running(pool_size=0, allowed_hosts=("ours.example",)) as server:
        yield server


async def test_the_server_is_unharmed(server: Running) -> None:
    for body, _ in BODIES.values():
        await send(server, body)
    status, answer = await server.chat("[[say fine]]")
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "fine")


KEYS = ("first-key-123", "second-key-456")


@pytest.fixture(scope="module")
async def locked_server() -> AsyncIterator[Running]:
    async with running(pool_size=0, api_keys=KEYS) as server:
        yield server


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong-key-123"}, 401),
        ({"Authorization": "Bearer first-key-12"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Basic first-key-123"}, 401),
        ({"x-api-key": "first-key-1234"}, 401),
        ({"Authorization": "Bearer first-key-123"}, 200),
        ({"Authorization": "bearer  second-key-456 "}, 200),
        ({"x-api-key": "second-key-456"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/models/", "/version"])
async def test_a_key_is_needed_where_one_is_set(
    locked_server: Running, headers: dict[str, str], status: int, path: str
) -> None:
    async with locked_server.http.get(locked_server.url + path, headers=headers) as response:
        assert response.status == status
        if status == 401:
            error = error_of(await response.text())
            assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
            assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/", "/health", "/static/style.css"])
async def test_open_paths_need_no_key(locked_server: Running, path: str) -> None:
    async with locked_server.http.get(locked_server.url + path) as response:
        assert response.status == 200


async def test_the_log_tells_whose_key_it_was_and_what_was_wrong(locked_server: Running) -> None:
    with structlog.testing.capture_logs() as lines:
        for headers in ({}, {"x-api-key": KEYS[0]}, {"x-api-key": KEYS[1]}):
            url = f"{locked_server.url}/v1/nothing-here" if not headers else locked_server.url
            path = "" if not headers else "/v1/models"
            async with locked_server.http.get(url + path, headers=headers):
                pass
        async with locked_server.http.get(f"{locked_server.url}/v1/models"):
            pass
        await until(lambda: len(lines) >= 4)
    keys = [line["key"] for line in lines]
    assert keys[0] is None
    assert keys[1] != keys[2]
    assert all(key.startswith("key_") for key in keys[1:3])
    assert (keys[3], lines[3]["status"], lines[3]["error"]) == (None, 401, "invalid_api_key")
    assert not [key for key in KEYS if key in str(lines)]


async def test_any_key_will_do_where_none_is_set(server: Running) -> None:
    async with server.http.get(
        server.url + "/v1/models", headers={"Authorization": "Bearer whatever"}
    ) as response:
        assert response.status == 200
