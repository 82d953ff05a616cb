"""Every request of the table, sent from the page; and as programs, which do the same."""

import ast
import asyncio
import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import define, field, frozen
from axe_playwright_python.base import AXE_FILE_PATH
from browser import Tab, needs_chromium, tab_of
from playwright.async_api import Browser, Locator, Page, expect
from serving import Running, new_id, running

from bridge.web.endpoint import Endpoint
from bridge.web.endpoints import table

pytestmark = needs_chromium

MODULES = Path(__file__).parents[2] / "examples" / "node_modules"
LANGUAGES = ("curl", "python", "node")
TABS = {"curl": "curl", "python": "Python", "node": "Node.js"}
STREAMS = ("chat_completions", "messages")
KEY = "key'of\"this$test`"
HOSTILE = 'it\'s "$HOME" `id` \\n !x {{7*7}} </script> \u202e\u2028 \U0001f600'

PYTHON = """
import contextlib, io, json, sys
results = {}
for name, program in json.load(sys.stdin).items():
    printed, space, fault = io.StringIO(), {}, None
    try:
        with contextlib.redirect_stdout(printed):
            exec(program, space)
    except Exception as error:
        fault = repr(error)
    given = space.get("answer")
    if hasattr(given, "to_dict"):
        given = given.to_dict(mode="json")
    given = given if isinstance(given, (dict, list, str, type(None))) else None
    results[name] = {"given": given, "printed": printed.getvalue(), "fault": fault}
print(json.dumps(results))
"""

NODE = """
import { readdirSync } from "node:fs";
const results = {};
const [log, write] = [console.log, process.stdout.write];
for (const file of readdirSync("programs").sort()) {
  let printed = "";
  globalThis.given = null;
  console.log = (...words) => { printed += `${words.join(" ")}\\n`; };
  process.stdout.write = (words) => { printed += words; return true; };
  let fault = null;
  try {
    await import(`./programs/${file}`);
  } catch (error) {
    fault = String(error);
  }
  [console.log, process.stdout.write] = [log, write];
  results[file.slice(3, -4)] = { given: globalThis.given, printed, fault };
}
write.call(process.stdout, JSON.stringify(results));
"""


WHOLE = ".response:not([aria-busy]) .figures:not(.old):has-text(' in all')"
FORGET = "document.querySelector('.figures')?.classList.add('old')"
PROGRAMS = """[...document.querySelectorAll('#try-panel [role=tab]')].map(
  (tab) => (tab.click(), document.getElementById('try-program').textContent))"""


@frozen
class Told:
    """What a program was given, what it printed, and how it failed, if it did."""

    given: Any
    printed: str
    fault: str | None


async def output_of(*command: str, cwd: Path, given: str = "") -> str:
    """The standard output of a program that knows no proxy and no other key."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and not name.startswith(("OPENAI_", "ANTHROPIC_"))
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def run_python(programs: Mapping[str, str], folder: Path) -> dict[str, Told]:
    told = await output_of(sys.executable, "-c", PYTHON, cwd=folder, given=json.dumps(programs))
    return {name: Told(**one) for name, one in json.loads(told).items()}


async def run_node(programs: Mapping[str, str], folder: Path) -> dict[str, Told]:
    (folder / "programs").mkdir()
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "run.mjs").write_text(NODE)
    keeps = '\nglobalThis.given = typeof answer === "undefined" ? null : (answer.body ?? answer);\n'
    for index, (name, program) in enumerate(programs.items()):
        (folder / "programs" / f"{index:02}-{name}.mjs").write_text(program + keeps)
    told = await output_of("node", "run.mjs", cwd=folder)
    return {name: Told(**one) for name, one in json.loads(told).items()}


async def run_curl(programs: Mapping[str, str], folder: Path) -> dict[str, Told]:
    told = {}
    for name, program in programs.items():
        out = await output_of("bash", "-c", program, cwd=folder)
        told[name] = Told(json.loads(out) if out.startswith(("{", "[")) else out, out, None)
    return told


RUN = {"curl": run_curl, "python": run_python, "node": run_node}


def can_run(language: str) -> bool:
    match language:
        case "curl":
            return shutil.which("curl") is not None
        case "node":
            packages = all((MODULES / name).is_dir() for name in ("openai", "@anthropic-ai/sdk"))
            return shutil.which("node") is not None and packages
        case _:
            return True


def shape(value: Any) -> Any:
    """A JSON document without what is another at each time: its names, and the kinds of its values."""
    match value:
        case dict():
            return {name: shape(one) for name, one in value.items()}
        case list():
            return [shape(one) for one in value[:1]]
        case int() | float():
            return "number" if not isinstance(value, bool) else "bool"
        case _:
            return type(value).__name__


# -- the page --------------------------------------------------------------------------------------


@define
class Trying(Tab):
    """A tab with this view in it."""

    url: str = ""
    panel: Locator = field(init=False)
    response: Locator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.panel = self.page.locator("#try-panel")
        self.response = self.panel.locator(".response")

    async def open(self, operation: str, query: str = "") -> None:
        await self.page.goto(f"{self.url}/#/try/{operation}{query}")
        await expect(self.panel.locator(f"[href='/docs#{operation}']").first).to_be_visible()

    async def send(self) -> str:
        """Sends it, and gives the status as it is shown when the answer is whole."""
        await self.page.evaluate(FORGET)
        await self.panel.get_by_role("button", name="Send").click()
        confirm = self.page.locator("#confirm")
        if await confirm.is_visible():
            await confirm.get_by_role("button", name="Delete").click()
        return await self.answered()

    async def answered(self) -> str:
        await self.page.wait_for_selector(WHOLE)
        return await self.response.locator(".figures strong").inner_text()

    async def text(self) -> str:
        return await self.response.locator("#try-response-body").text_content() or ""

    async def program(self, language: str) -> str:
        await self.panel.get_by_role("tab", name=TABS[language]).click()
        return await self.panel.locator("#try-program").text_content() or ""

    async def programs(self) -> dict[str, str]:
        texts = await self.page.evaluate(PROGRAMS)
        return dict(zip(LANGUAGES, texts, strict=True))

    async def write(self, body: Any) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        await self.panel.get_by_role("textbox", name="Body").fill(text)


def trying(tab: Tab, url: str) -> Trying:
    return Trying(page=tab.page, requested=tab.requested, complaints=tab.complaints, url=url)


@pytest.fixture
async def tried(server: Running, browser: Browser) -> AsyncIterator[Trying]:
    async with tab_of(browser, reduced_motion="reduce") as tab:
        yield trying(tab, server.url)
        assert tab.asked_only(server.url)
        assert tab.own_complaints == []


def expected_status(endpoint: Endpoint) -> int:
    if endpoint.id == "embeddings" and importlib.util.find_spec("wordllama") is None:
        return 501
    return endpoint.operation.status


async def test_every_request_can_be_sent_and_its_programs_are_given_the_same(
    server: Running, tried: Trying, tmp_path: Path
) -> None:
    await new_ada(server)
    shown: dict[str, str] = {}
    programs: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    await tried.page.goto(f"{server.url}/#/try")
    links = tried.page.get_by_role("navigation", name="Requests").get_by_role("link")
    await expect(links).to_have_count(len(table()))
    for endpoint in table():
        link = tried.page.locator(f"[data-operation={endpoint.id}]")
        await link.click()
        await expect(link).to_have_attribute("aria-current", "page")
        name = f"{endpoint.method} {endpoint.path}"
        await expect(tried.panel.get_by_role("heading", name=name, exact=True)).to_be_focused()
        await expect(tried.panel).to_contain_text(endpoint.summary)
        status = await tried.send()
        assert status.split()[0] == str(expected_status(endpoint)), name
        if expected_status(endpoint) >= 400:
            continue
        shown[endpoint.id] = await tried.text()
        for language, program in (await tried.programs()).items():
            programs[language][endpoint.id] = program
    for operation in STREAMS:
        await tried.open(operation)
        await tried.panel.get_by_label("stream", exact=True).check()
        assert (await tried.send()).startswith("200")
        shown[f"{operation} stream"] = await tried.response.locator(".joined").inner_text()
        for language, program in (await tried.programs()).items():
            programs[language][f"{operation} stream"] = program

    for language in filter(can_run, LANGUAGES):
        await server.rest("DELETE", "")
        await new_ada(server)
        folder = tmp_path / language
        folder.mkdir()
        told = await RUN[language](programs[language], folder)
        assert told.keys() == shown.keys()
        for name, seen in shown.items():
            check_program(language, name, told[name], seen)


def check_program(language: str, name: str, told: Told, seen: str) -> None:
    where = (language, name, told)
    assert told.fault is None, where
    if name.endswith(" stream"):
        if language == "curl":
            assert told.printed.startswith(("data: ", "event: ")), where
        else:
            assert told.printed == seen, where
    elif seen.startswith("<!doctype"):
        assert told.given.strip() == seen.strip(), where
    else:
        page, program = json.loads(seen), told.given
        assert program["data"] if name == "list_models" else program, where
        if name == "list_models":
            page, program = page["data"], program["data"]
        assert shape(program) == shape(page), where
        if name in {*STREAMS, "completions"} and language != "curl":
            assert told.printed.strip(), where
            assert told.printed.strip() in seen.replace('\\"', '"'), where


async def new_ada(server: Running) -> None:
    assert (await server.ask("[[words 3]]", session_id="ada")).status == 200


async def test_a_deletion_asks_first(server: Running, tried: Trying) -> None:
    id_ = f"{new_id()} {HOSTILE}"
    assert (await server.ask("[[words 3]]", session_id=id_)).status == 200
    await tried.open("delete_session")
    await tried.panel.get_by_role("combobox", name="id").fill(id_)
    await tried.panel.get_by_role("button", name="Send").click()
    dialog = tried.page.get_by_role("dialog", name="Delete a session?")
    await expect(dialog).to_contain_text(f"/v1/sessions/{id_}")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    await expect(tried.response).to_be_hidden()
    assert (await server.rest("GET", f"/{quote(id_, safe='')}")).status == 200
    assert (await tried.send()).startswith("200")
    assert (await tried.send()) == "404 Not Found"
    problem = tried.response.get_by_role("alert")
    await expect(problem).to_contain_text("There is no session")
    await expect(problem).to_contain_text("HTTP 404 · session_not_found · param session_id · req_")


async def test_a_stream_comes_event_by_event_and_is_stopped(server: Running, tried: Trying) -> None:
    await tried.open("chat_completions")
    await tried.write(asking(f"[[say a{HOSTILE}b c d e f]] [[stall 4]]"))
    box = tried.panel.get_by_label("stream", exact=True)
    await expect(box).not_to_be_checked()
    await box.check()
    await expect(tried.panel.get_by_role("textbox", name="Body")).to_have_value(
        re.compile('"stream": true')
    )
    async with server.next_request():
        await tried.panel.get_by_role("button", name="Send").click()
    await expect(tried.response.locator(".joined")).not_to_be_empty()
    assert await tried.response.locator(".events li").count() > 1
    await expect(tried.response).to_have_attribute("aria-busy", "true")
    await expect(tried.response.locator(".figures strong")).to_have_text("200 OK")
    await tried.panel.get_by_role("button", name="Stop").click()
    await expect(tried.response.locator(".figures")).to_contain_text("stopped after")
    await expect(tried.panel.get_by_role("button", name="Send")).to_be_focused()
    await asyncio.wait_for(server.upstream.requests[-1].ended_event.wait(), 60)
    await box.uncheck()
    await tried.write(asking(f"[[say {HOSTILE}]]"))
    assert await tried.send() == "200 OK"
    assert json.loads(await tried.text())["choices"][0]["message"]["content"] == HOSTILE
    await tried.write(asking("[[words 5]] [[stream-error 2]]", stream=True))
    assert await tried.send() == "200 OK"
    await expect(tried.response.get_by_role("alert")).to_be_visible()
    await tried.page.evaluate(AXE_FILE_PATH.read_text())
    found = await tried.page.evaluate("axe.run({resultTypes: ['violations']})")
    assert found["violations"] == []


def asking(words: str, **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "messages": [{"role": "user", "content": words}], **fields}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "Line 1, column 1: a value was expected, but the text ends."),
        ('{\n  "model": "sonnet",\n}', "Line 3, column 1: a name in double quotes was expected."),
    ],
)
async def test_a_body_that_is_no_json_is_not_sent(tried: Trying, body: str, told: str) -> None:
    await tried.open("chat_completions")
    await tried.write(body)
    box = tried.panel.get_by_role("textbox", name="Body")
    await expect(box).to_have_attribute("aria-invalid", "true")
    await expect(box).to_have_accessible_description(told)
    asked = len(tried.requested)
    await tried.panel.get_by_role("button", name="Send").click()
    await expect(box).to_be_focused()
    await expect(tried.response).to_be_hidden()
    assert not [url for url in tried.requested[asked:] if url.endswith("/v1/chat/completions")]
    await expect(tried.panel.get_by_role("tabpanel")).to_be_hidden()
    await tried.panel.get_by_role("button", name="Reset to the example").click()
    await expect(box).not_to_have_attribute("aria-invalid", "true")
    await tried.write({"model": "sonnet"})
    await box.press("Control+Enter")
    assert await tried.answered() == "400 Bad Request"
    await expect(tried.response.get_by_role("alert")).to_contain_text("param messages")


async def test_what_is_typed_stays_and_the_url_says_what_is_seen(
    server: Running, tried: Trying
) -> None:
    await tried.open("fork_session", "?lang=node")
    await tried.write({"session_id": HOSTILE})
    tabs = tried.panel.get_by_role("tab")
    await expect(tried.panel.get_by_role("tab", name="Node.js")).to_have_attribute(
        "aria-selected", "true"
    )
    await tabs.last.press("ArrowRight")
    await expect(tabs.first).to_be_focused()
    await tabs.first.press("ArrowRight")
    assert tried.page.url == f"{server.url}/#/try/fork_session?lang=python"
    await tried.page.get_by_role("link", name="/v1/sessions/stats").click()
    await expect(tried.panel.locator("#try-program")).to_contain_text("from openai import")
    assert tried.page.url == f"{server.url}/#/try/session_stats?lang=python"
    await tried.page.get_by_role("link", name="POST /v1/chat/completions").click()
    await tried.panel.get_by_text("Headers that may be sent").click()
    name = tried.panel.get_by_role("combobox", name="X-Session-Id")
    await name.fill("\u00e9\u20ac")
    await tried.panel.get_by_text("Headers: 1 is sent").click()
    await tried.panel.get_by_role("button", name="Send").click()
    await expect(name).to_be_focused()
    await expect(name).to_have_accessible_description(re.compile("A header can't carry this"))
    await expect(tried.response).to_be_hidden()
    await tried.page.go_back()
    await tried.page.go_back()
    body = tried.panel.get_by_role("textbox", name="Body")
    await expect(body).to_have_value(json.dumps({"session_id": HOSTILE}))
    await tried.page.goto(f"{server.url}/#/try/no-such-request")
    await expect(tried.panel).to_contain_text("There is no request called no-such-request")


async def test_on_a_phone_the_list_gives_way(server: Running, tried: Trying) -> None:
    await tried.page.set_viewport_size({"width": 390, "height": 800})
    await tried.page.goto(f"{server.url}/#/try")
    catalogue = tried.page.get_by_role("navigation", name="Requests")
    link = catalogue.get_by_role("link", name="GET /version")
    await link.click()
    await expect(catalogue).to_be_hidden()
    await expect(tried.panel.get_by_role("heading", name="GET /version")).to_be_focused()
    await tried.panel.get_by_role("link", name="All requests").click()
    await expect(tried.panel).to_be_hidden()
    await expect(link).to_be_focused()


async def test_a_large_answer_is_cut_and_can_be_had_whole(
    server: Running, tried: Trying, tmp_path: Path
) -> None:
    pytest.importorskip("wordllama", reason="without wordllama there are no embeddings")
    await tried.open("embeddings")
    await tried.write({"model": "text-embedding-3-small", "input": [str(n) for n in range(500)]})
    assert await tried.send() == "200 OK"
    assert len(await tried.text()) == 2_000_000
    async with tried.page.expect_download() as downloading:
        await tried.response.get_by_role("link", name="Download all of it").click()
    download = await downloading.value
    assert download.suggested_filename == "embeddings.json"
    await download.save_as(tmp_path / "all.json")
    whole = (tmp_path / "all.json").read_bytes()
    assert len(whole) > 2_000_000
    assert len(json.loads(whole)["data"]) == 500


async def test_a_key_is_sent_and_copied_but_not_shown(browser: Browser, tmp_path: Path) -> None:
    async with tab_of(browser) as tab:
        async with running(api_keys=(KEY,)) as server:
            tried = trying(tab, server.url)
            await tried.page.goto(server.url)
            await type_key(tried.page, "wrong")
            await tried.page.get_by_role("button", name="Cancel").click()
            await tried.open("version")
            assert "YOUR_KEY" in await tried.program("curl")
            assert await tried.send() == "401 Unauthorized"
            await expect(tried.response.get_by_role("alert")).to_contain_text("invalid_api_key")
            await tried.response.get_by_role("button", name="Type the key").click()
            await type_key(tried.page, KEY)
            await expect(tried.page.locator("#key-dialog")).to_be_hidden()
            assert await tried.send() == "200 OK"
            shown = await tried.text()
            for language in filter(can_run, LANGUAGES):
                assert KEY not in await tried.program(language)
                await tried.page.get_by_role(
                    "button", name=re.compile("curl command|program")
                ).click()
                await expect(tried.page.locator("#copy-status")).to_have_text(
                    "Copied to the clipboard"
                )
                copied = await tried.page.evaluate("navigator.clipboard.readText()")
                folder = tmp_path / language
                folder.mkdir()
                told = (await RUN[language]({"version": copied}, folder))["version"]
                assert told.given == json.loads(shown), told
        await tried.panel.get_by_role("button", name="Send").click()
        await expect(tried.response.get_by_role("alert")).to_contain_text(
            "The server does not answer"
        )
        await expect(tried.response.locator("strong")).to_have_text("No answer")
        assert tab.asked_only(server.url)
        assert tab.own_complaints == []


async def type_key(page: Page, key: str) -> None:
    dialog = page.locator("#key-dialog")
    await dialog.get_by_label("Key").fill(key)
    await dialog.get_by_role("button", name="Use it").click()


# -- what programs send, whatever was typed --------------------------------------------------------

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


async def test_what_is_typed_arrives_as_it_is(
    server: Running, tried: Trying, tmp_path: Path
) -> None:
    app = web.Application()
    witness = Witness()
    app.router.add_route("*", "/{path:.*}", witness.answer)
    methods = {endpoint.id: (endpoint.method, endpoint.path) for endpoint in table()}
    await tried.page.goto(server.url)
    async with TestServer(app) as elsewhere:
        origin = f"http://127.0.0.1:{elsewhere.port}"
        cases = [
            [id_, values, json.dumps(body, ensure_ascii=index % 2 == 0) if body else ""]
            for index, (id_, values, body) in enumerate(BODIES)
        ]
        written = await tried.page.evaluate(
            SNIPPETS, {"cases": cases, "origin": origin, "key": KEY}
        )
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
async def test_a_text_is_quoted(server: Running, quoting: Page, tmp_path: Path, words: str) -> None:
    quoted = "(await import('/static/explorer/snippets.js')).quoted(JSON.parse(text))"
    in_shell = quoted.replace(".quoted", ".shellQuoted")
    literal = await quoting.evaluate(f"async (text) => {quoted}", json.dumps(words))
    assert literal.isprintable()
    assert ast.literal_eval(literal) == words
    same = await quoting.evaluate(f"(text) => {literal} === JSON.parse(text)", json.dumps(words))
    assert same
    if (not words.isprintable() and "\n" not in words) or "\ud800" in words:
        return  # no argument of a program can hold it, or it has no UTF-8
    word = await quoting.evaluate(f"async (text) => {in_shell}", json.dumps(words))
    assert await output_of("bash", "-c", f"printf %s {word}", cwd=tmp_path) == words


@pytest.fixture(scope="module")
async def quoting(shared_server: Running, browser: Browser) -> AsyncIterator[Page]:
    async with tab_of(browser) as tab:
        await tab.page.goto(shared_server.url)
        yield tab.page
