"""Tokens, counted by the model's side: what it is asked, once, and what becomes of its answers."""

import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from attrs import define, field
from claude_turns import asking, assistant, call, result, tool, user

from bridge.claude.asked import AskedTurn
from bridge.claude.counting import count_tokens
from bridge.claude.login import Login
from bridge.claude.names import Names
from bridge.core import errors
from bridge.core.conversation import Reasoning, Sampling, Turn

KEY = "sk-ant-made-up-for-this-test"
API_KEY = Login(logged_in=True, method="api_key")
MODEL = "claude-sonnet-4-5"


@define
class Upstream:
    """What answers, and what it was asked."""

    url: str = ""
    answer: Callable[[], web.Response] = lambda: web.json_response({"input_tokens": 42})
    asked: list[tuple[str, dict[str, str], Any]] = field(factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.raw_path, headers, await request.json()))
        return self.answer()


@contextlib.asynccontextmanager
async def listening(handle: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    async with listening(made.handle) as made.url:
        yield made


async def counted(turn: Turn, url: str, login: Login = API_KEY, **environ: str) -> int:
    asked = AskedTurn.of(turn, MODEL, Names(), lenient=False)
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url, **environ}
    return await count_tokens(asked, login, environment)


async def test_what_is_asked_is_the_prompt_and_nothing_else(upstream: Upstream) -> None:
    turn = asking(
        "look",
        assistant("Looking.", call("c1", "look", a=1)),
        user(result("c1", "seen")),
        user("and now?"),
        system=("Be brief.", "Be kind."),
        tools=(tool("look"),),
        sampling=Sampling(temperature=0.5, max_tokens=9, stop=("X",)),
        reasoning=Reasoning(exact=True),
        end_user="somebody",
        session="s",
    )
    assert await counted(turn, upstream.url + "/") == 42
    ((path, headers, body),) = upstream.asked
    assert path == "/v1/messages/count_tokens"
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert body == {
        "model": MODEL,
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "look"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "content": [{"type": "text", "text": "seen"}],
                    },
                    {"type": "text", "text": "and now?"},
                ],
            },
        ],
    }


@pytest.mark.parametrize(
    "login",
    [
        Login(logged_in=True, method="oauth_token"),
        Login(logged_in=True, method="claude.ai"),
        Login(logged_in=True, method="third_party", provider="bedrock"),
        Login(logged_in=True, method="api_key", provider="vertex"),
    ],
)
async def test_a_login_that_allows_no_such_call_is_not_tried(
    upstream: Upstream, login: Login
) -> None:
    with pytest.raises(errors.NotProvided, match="ANTHROPIC_API_KEY"):
        await counted(asking(), upstream.url, login)
    assert upstream.asked == []


def failure(status: int, kind: str = "x", words: str = "the moon is wrong", **headers: str) -> Any:
    document = {"type": "error", "error": {"type": kind, "message": words}}
    return lambda: web.json_response(document, status=status, headers=headers)


FAILURES: dict[str, tuple[Callable[[], web.Response], type[errors.BridgeError], str]] = {
    "400": (failure(400), errors.InvalidRequest, "the moon is wrong"),
    "too long": (
        failure(400, words="prompt is too long: 9 tokens > 5"),
        *(errors.ContextLengthExceeded, "too long"),
    ),
    "401": (failure(401), errors.UpstreamRefusedLogin, "API key"),
    "404": (failure(404), errors.ModelNotFound, "no such model"),
    "429": (failure(429), errors.RateLimited, "limits the rate"),
    "500": (failure(500), errors.UpstreamFault, r"\(500\)"),
    "529": (failure(529), errors.Unavailable, r"\(529\)"),
    "500, not JSON": (
        lambda: web.Response(status=500, text="<html>" + "x" * 10_000),
        *(errors.UpstreamFault, r"\(500\)"),
    ),
    "401, nothing": (lambda: web.Response(status=401), errors.UpstreamRefusedLogin, "API key"),
    "too deep": (
        lambda: web.Response(text="[" * 100_000),
        errors.UpstreamFault,
        "did not tell a count",
    ),
    "not JSON": (lambda: web.Response(text="fine"), errors.UpstreamFault, "did not tell a count"),
    "not UTF-8": (lambda: web.Response(body=b"\xff\xfe"), errors.UpstreamFault, "did not tell"),
    "no count": (lambda: web.json_response({"tokens": 3}), errors.UpstreamFault, "did not tell"),
    "a count in words": (
        lambda: web.json_response({"input_tokens": "3"}),
        *(errors.UpstreamFault, "did not tell"),
    ),
    "a redirection": (
        lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
        *(errors.UpstreamFault, "did not tell"),
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_what_is_not_a_count_is_an_error(
    upstream: Upstream, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.answer, kind, words = FAILURES[case]
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.BridgeError, match=words) as caught:
        await counted(asking(), upstream.url)
    assert type(caught.value) is kind
    assert len(upstream.asked) == 1
    assert KEY not in str(caught.value) + caplog.text
    assert len(caught.value.message) < 1_000


async def test_a_rate_limit_tells_when_to_come_back(upstream: Upstream) -> None:
    upstream.answer = failure(429, **{"retry-after": "7"})
    with pytest.raises(errors.RateLimited) as caught:
        await counted(asking(), upstream.url)
    assert caught.value.retry_after == 7


async def test_nobody_there() -> None:
    with socket.socket() as taken:  # bound, and never listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(errors.UpstreamFault, match="could not be reached") as caught:
            await counted(asking(), f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert KEY not in str(caught.value)


async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.claude.counting.SECONDS", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(errors.UpstreamFault, match="could not be reached"):
            await counted(asking(), f"http://127.0.0.1:{silent.getsockname()[1]}")


async def test_a_conversation_that_can_not_be_is_not_asked_about(upstream: Upstream) -> None:
    with pytest.raises(errors.InvalidRequest):
        await counted(asking("hi", assistant(call("c1")), "and?"), upstream.url)
    assert upstream.asked == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
async def test_a_proxy_is_used_as_claude_code_uses_it(upstream: Upstream, name: str) -> None:
    proxied: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        proxied.append(request.raw_path)
        return web.json_response({"input_tokens": 7})

    async with listening(proxy) as url:
        assert await counted(asking(), "http://model.invalid", **{name: url}) == 7
        assert proxied == ["http://model.invalid/v1/messages/count_tokens"]
        left_out = {name: url, "NO_PROXY": "example.com,127.0.0.1"}
        assert await counted(asking(), upstream.url, **left_out) == 42
        other = {name.replace("http", "https").replace("HTTP", "HTTPS"): url}
        assert await counted(asking(), upstream.url, **other) == 42
    assert (len(proxied), len(upstream.asked)) == (1, 2)
    assert json.dumps(proxied).count(KEY) == 0
