"""What the explorer's programs send, whatever was typed into the page."""

import ast
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import define, field
from browser import needs_chromium, tab_of
from playwright.async_api import Browser, Page
from programs import HOSTILE, KEY, LANGUAGES, RUN, can_run, output_of, tell_what_was_not_run
from serving import Running

from bridge.web.endpoints import table

pytestmark = [needs_chromium, pytest.mark.clients]


def asking(words: str, **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "messages": [{"role": "user", "content": words}], **fields}


BODIES: list[tuple[str, dict[str, str], Any]] = [
    ("chat_completions", {}, asking(HOSTILE, session_id=HOSTILE, seed=None, stream=False, top_p=1.0)),
    ("chat_completions", {"X-Session-Id": "it's%20\"$me\""}, {"messages": [{"role": "user", "content": "'"}]}),
    ("chat_completions", {}, asking("", __proto__={"a b": [1e300, -0.5]}, constructor={}, extra_body={})),
    ("chat_completions", {}, asking("", tools=[{"type": "function", "function": {"name": "f"}}], timeout=1)),
    ("completions", {}, {"model": HOSTILE, "prompt": "\t\b\f\r\n\x00\x7f\x85\u200b\ufeff", "best": [[], {}, [[1]], {"": ""}]}),
    ("messages", {}, {**asking(HOSTILE), "max_tokens": 100_000, "temperature": 0.5, "top_k": 3, "system": "a\\'b"}),
    ("messages", {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b'"}, {**asking("x" * 300), "max_tokens": 5}),
    ("messages", {}, asking("no max_tokens")),
    ("count_tokens", {}, {**asking("x"), "session_id": HOSTILE, "tools": []}),
    ("embeddings", {}, {"model": "m", "input": [[1, 2], [3]], "encoding_format": "float", "x": True}),
    ("compatibility", {}, {HOSTILE: HOSTILE, "default": 1, "a-b": {"if": None}}),
    ("fork_session", {"id": f"/{HOSTILE}?#%41+&"}, {"session_id": "a'b"}),
    ("fork_session", {"id": "a b"}, None),
    ("delete_session", {"id": "it's"}, None),
    ("get_model", {"id": "opus[1m]"}, None),
    ("get_model", {"id": "claude-opus-4.1"}, None),
    ("list_models", {"limit": "5", "after_id": HOSTILE}, None),
    ("health", {}, None),
]  # fmt: skip

SNIPPETS = """async ({ cases, origin, key }) => {
  const { operationsOf } = await import("/static/explorer/try-operations.js");
  const writers = await import("/static/explorer/snippets.js");
  const operations = operationsOf(await (await fetch("/openapi.json")).json());
  return cases.map(([id, values, body]) =>
    ["curl", "python", "node"].map((language) => writers[language]({ operation: operations.get(id), values, body, origin, key })));
}"""

ANSWERS: dict[str, Any] = {
    "/v1/chat/completions": {"choices": [{"message": {"content": "x"}}]},
    "/v1/completions": {"choices": [{"text": "x"}]},
    "/v1/messages": {"content": [{"type": "text", "text": "x"}]},
    "/v1/embeddings": {"data": [{"index": 0, "embedding": [0.5]}]},
    "/v1/models": {"data": [{"id": "x"}]},
}


@define
class Witness:
    """A server that only keeps what it was sent: method, address, headers, body."""

    seen: list[tuple[str, str, dict[str, str], Any]] = field(factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        document = json.loads(body) if body else None
        self.seen.append((request.method, request.raw_path, headers, document))
        return web.json_response(ANSWERS.get(request.path, {}))


async def test_what_is_typed_arrives_as_it_is(page: Page, tmp_path: Path) -> None:
    app = web.Application()
    witness = Witness()
    app.router.add_route("*", "/{path:.*}", witness.answer)
    methods = {endpoint.id: (endpoint.method, endpoint.path) for endpoint in table()}
    async with TestServer(app) as elsewhere:
        origin = f"http://127.0.0.1:{elsewhere.port}"
        cases = [
            [id_, values, json.dumps(body, ensure_ascii=index % 2 == 0) if body else ""]
            for index, (id_, values, body) in enumerate(BODIES)
        ]
        written = await page.evaluate(SNIPPETS, {"cases": cases, "origin": origin, "key": KEY})
        for language, programs in zip(LANGUAGES, zip(*written, strict=True), strict=True):
            if not can_run(language):
                continue
            witness.seen.clear()
            folder = tmp_path / language
            folder.mkdir()
            told = await RUN[language]({str(n): one for n, one in enumerate(programs)}, folder)
            assert {one.fault for one in told.values()} == {None}, told
            assert len(witness.seen) == len(BODIES)
            for (id_, values, body), seen in zip(BODIES, witness.seen, strict=True):
                check_arrived(methods[id_], values, body, seen, where=(language, id_))
    tell_what_was_not_run()


def check_arrived(
    endpoint: tuple[str, str],
    values: dict[str, str],
    body: Any,
    seen: tuple[str, str, dict[str, str], Any],
    *,
    where: tuple[str, str],
) -> None:
    method, path = endpoint
    came_method, came_path, headers, document = seen
    url, _, query = came_path.partition("?")
    assert came_method == method, where
    assert unquote(url) == path.replace("{id}", values.get("id", "")), where
    assert url.count("/") == path.count("/"), where
    sent = {name: value for name, value in values.items() if name.lower() in headers}
    asked = dict(parse_qsl(query))
    assert {**sent, **asked} == {n: v for n, v in values.items() if n != "id"}, where
    assert all(headers[name.lower()] == value for name, value in sent.items()), where
    assert KEY in (headers.get("x-api-key"), headers.get("authorization", "")[len("Bearer ") :])
    if body and "top_k" in body and where[0] != "curl":  # the packages' own is of an API without it
        assert headers["anthropic-version"] == "2023-06-01", where
    if where[1] == "embeddings" and document:
        document.pop("encoding_format", None)
        body = {name: value for name, value in body.items() if name != "encoding_format"}
    assert document == body, where


@pytest.mark.parametrize(
    "words",
    ["", "'", "''", '"', "\\", "\\'\"", "$(id) `id` $HOME !!", "-n", "~", "*", "a\nb\n", "\x00\x1b[31m", "\ud800", "\U0001f600\ud83d", HOSTILE],
)  # fmt: skip
async def test_a_text_is_quoted(server: Running, page: Page, tmp_path: Path, words: str) -> None:
    quoted = "(await import('/static/explorer/snippets.js')).quoted(JSON.parse(text))"
    in_shell = quoted.replace(".quoted", ".shellQuoted")
    literal = await page.evaluate(f"async (text) => {quoted}", json.dumps(words))
    assert literal.isprintable()
    assert ast.literal_eval(literal) == words
    same = await page.evaluate(f"(text) => {literal} === JSON.parse(text)", json.dumps(words))
    assert same
    if (not words.isprintable() and "\n" not in words) or "\ud800" in words:
        return  # no argument of a program can hold it, or it has no UTF-8
    word = await page.evaluate(f"async (text) => {in_shell}", json.dumps(words))
    assert await output_of("bash", "-c", f"printf %s {word}", cwd=tmp_path) == words


@pytest.fixture(scope="module")
async def page(shared_server: Running, browser: Browser) -> AsyncIterator[Page]:
    async with tab_of(browser) as tab:
        await tab.page.goto(shared_server.url)
        yield tab.page
