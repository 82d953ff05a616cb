"""Every request of the table, sent from the page; and as programs, which do the same."""

import asyncio
import importlib.util
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from attrs import define, field
from axe_playwright_python.base import AXE_FILE_PATH
from browser import Tab, needs_chromium, tab_of
from playwright.async_api import Browser, Locator, Page, expect
from programs import HOSTILE, KEY, LANGUAGES, RUN, Told, can_run, tell_what_was_not_run
from serving import Running, new_id, running

from bridge.web.endpoint import Endpoint
from bridge.web.endpoints import table

pytestmark = needs_chromium

TABS = {"curl": "curl", "python": "Python", "node": "Node.js"}
STREAMS = ("chat_completions", "messages")
WHOLE = ".response:not([aria-busy]) .figures:not(.old):has-text(' in all')"
FORGET = "document.querySelector('.figures')?.classList.add('old')"
PROGRAMS = """[...document.querySelectorAll('#try-panel [role=tab]')].map(
  (tab) => (tab.click(), document.getElementById('try-program').textContent))"""


def alike(one: Any, other: Any) -> bool:
    """Whether two documents differ only in what is another each time: figures, times, what is null."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
        case list(), list():
            return bool(one) == bool(other) and all(
                alike(a, b) for a, b in zip(one, other, strict=False)
            )
        case (dict() | list(), _) | (_, dict() | list()):
            return one is None or other is None
        case (bool(), _) | (_, bool()) | (str(), _) | (_, str()):
            return one is None or other is None or type(one) is type(other)
        case _:
            return True


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


@pytest.mark.clients
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
        if endpoint.id == "get_request":
            async with server.http.get(f"{server.url}/v1/requests") as response:
                newest = (await response.json())["data"][0]["id"]
            await tried.panel.get_by_role("combobox", name="id").fill(newest)
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
    tell_what_was_not_run()


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
        assert alike(program, page), (*where, page)
        if name in {*STREAMS, "completions"} and language != "curl":
            assert told.printed.strip(), where
            assert told.printed.strip() in seen.replace('\\"', '"'), where


async def new_ada(server: Running) -> None:
    assert (await server.ask("[[words 3]]", session_id="ada")).status == 200


async def test_a_deletion_asks_first(server: Running, tried: Trying) -> None:
    id_ = f"{new_id()} {HOSTILE}"
    assert (await server.ask("[[words 3]]", session_id=id_)).status == 200
    await server.rest("DELETE", "/ada")
    await tried.open("get_session")
    there = tried.panel.get_by_role("combobox", name="id")
    await expect(there).to_have_value(id_)  # the example is not there, and gives way to what is
    await tried.open("delete_session")
    await expect(there).to_have_value("ada")
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
    await expect(tried.page).to_have_url(f"{server.url}/#/try/fork_session?lang=python")
    await tried.page.get_by_role("link", name="/v1/sessions/stats").click()
    await expect(tried.page).to_have_url(f"{server.url}/#/try/session_stats?lang=python")
    await expect(tried.panel.locator("#try-program")).to_contain_text("from openai import")
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
