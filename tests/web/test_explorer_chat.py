"""The explorer's chat in a real browser: what is sent, what is seen of an answer, and what is kept."""

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yarl
from axe_playwright_python.base import AXE_FILE_PATH
from browser import Tab, needs_chromium, tab_of
from playwright.async_api import Browser, Dialog, Error, Locator, Page, Route, expect
from serving import Running, heard, new_id

pytestmark = needs_chromium

MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>'
LONG = 1_000_000  # characters
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SOME_FUNCTION = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def tab(server: Running, browser: Browser) -> AsyncIterator[Tab]:
    """The chat, with nothing said yet; whatever is done, it asks nobody else and no script fails."""
    async with tab_of(browser, viewport={"width": 1280, "height": 900}) as opened:
        await opened.page.goto(f"{server.url}/#/chat")
        await begun(opened.page)
        yield opened
        assert opened.asked_only(server.url)
        assert opened.own_complaints == []


async def begun(page: Page) -> None:
    """Wait until the view's script runs."""
    await expect(page.locator("#chat-model optgroup")).not_to_have_count(0)


def message(page: Page) -> Locator:
    """Where the person writes."""
    return page.get_by_role("textbox", name="Message")


async def write(place: Locator, text: str) -> None:
    """Put it there. Of much text Playwright would make key strokes, for minutes."""
    await place.evaluate("(place, text) => { place.value = text }", text)
    await place.press("End")
    await place.dispatch_event("input")


async def say(page: Page, text: str) -> None:
    """Write it and send it with the keyboard."""
    await write(message(page), text)
    await message(page).press("Enter")


def answer(page: Page) -> Locator:
    """The last answer."""
    return page.locator(".turn.answer").last


async def whole(page: Page) -> Locator:
    """The last answer, when it has ended and is laid out."""
    last = answer(page)
    await expect(last.locator(".foot:not([hidden])")).to_be_attached(timeout=30_000)
    return last


async def asked(page: Page, text: str) -> Locator:
    """Say it; the answer, when it is whole."""
    before = await page.locator(".turn.answer").count()
    await say(page, text)
    await expect(page.locator(".turn.answer")).to_have_count(before + 1)
    return await whole(page)


def bodies(page: Page) -> list[dict[str, Any]]:
    """What is sent to the chat endpoint from now on."""
    sent: list[dict[str, Any]] = []
    page.on(
        "request",
        lambda one: one.url.endswith("/chat/completions") and sent.append(one.post_data_json),
    )
    return sent


async def holds(page: Page, expression: str) -> None:
    """Wait until it does. Playwright's own way makes functions of strings, which the page forbids."""
    async with asyncio.timeout(20):
        while not await page.evaluate(expression):
            pass


async def test_an_answer_comes_word_by_word_and_can_be_stopped(server: Running, tab: Tab) -> None:
    page = tab.page
    await say(page, "[[stall 2]] [[words 20]]")
    words = answer(page).locator(".words")
    await expect(words).to_have_text("word1 word2")
    await expect(page.locator("#chat-turns")).to_have_attribute("aria-busy", "true")
    await expect(page.locator("#live")).to_have_text("The answer begins.")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    await message(page).press("Escape")
    await expect(answer(page).get_by_text("Stopped here.")).to_be_visible()
    await expect(words).to_have_text("word1 word2")
    await expect(page.locator("#chat-turns")).to_have_attribute("aria-busy", "false")
    await expect(page.locator("#live")).to_have_text("The answer was stopped.")
    await expect(message(page)).to_be_focused()
    await expect(answer(page).get_by_role("list", name="What it took")).to_contain_text(" in")
    await asked(page, "[[say Well.]]")
    assert server.seen()[-1]["messages"] == heard(
        "[[stall 2]] [[words 20]]", "word1 word2", "[[say Well.]]"
    )
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)

    await page.get_by_label("Reasoning effort").select_option("high")
    await say(page, "[[think So and so.]] [[stall 3]] [[words 9]]")
    summary = answer(page).get_by_text("Thinking …").or_(answer(page).get_by_text("Thought for"))
    await expect(summary).to_be_visible()
    reasoning = answer(page).get_by_role("region", name="Reasoning")
    await expect(reasoning).to_be_hidden()
    await summary.click()
    await expect(reasoning).to_contain_text("So and")
    await page.keyboard.press("Escape")
    await expect(answer(page).get_by_text("Thought for")).to_be_visible()
    await expect(reasoning).to_be_visible()  # as the person left it


async def test_what_it_took_is_told_and_the_stream_can_be_seen(server: Running, tab: Tab) -> None:
    page = tab.page
    await page.get_by_label("Model", exact=True).select_option("haiku")
    await expect(page).to_have_url(f"{server.url}/#/chat?model=haiku")
    await page.goto(f"{server.url}/#/chat?model=sonnet")
    await page.get_by_label("Temperature").fill("1.5")
    last = await asked(page, "[[words 30]]")
    facts = last.get_by_role("list", name="What it took")
    for words in (
        "to the first token",
        "tokens/s",
        " in",
        "30 out",
        "claude-sonnet",
        "changed: temp",
    ):
        await expect(facts).to_contain_text(words)
    await expect(facts).to_contain_text("$0.")  # told after the answer
    await last.get_by_text("Raw stream").click()
    raw = last.get_by_role("region", name="The stream as it was sent")
    await expect(raw).to_contain_text("data: [DONE]")
    events = (await raw.inner_text()).split("\n\n")
    assert json.loads(events[0].removeprefix("data: "))["object"] == "chat.completion.chunk"
    await last.get_by_role("button", name="Copy the raw stream").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.count("data: ") == len([event for event in events if event])
    await last.get_by_role("button", name="Copy the answer").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("word1 word2")
    last = await asked(page, "[[cut 2]] [[words 9]]")
    await expect(last).to_contain_text("finish_reason length")
    await expect(last.get_by_role("list", name="What it took")).to_contain_text("2 out")
    await asked(page, "[[say More.]]")
    await expect(page.get_by_text("session matched")).to_have_count(0)


async def test_what_is_exported_runs(server: Running, tab: Tab, tmp_path: Path) -> None:
    page = tab.page
    await page.get_by_label("System prompt").fill('Say "\u202e" and \\ and\nso on.')
    await page.get_by_role("button", name="Insert an example of functions").click()
    await asked(page, "[[say First.]] None, true and 1e999")
    await asked(page, '[[say Second "words".]] [[call get_weather {"city": "Zo\u00eb"}]]')
    files = {}
    for name in ("Conversation", "Request", "Program"):
        await page.get_by_text("Export", exact=True).click()
        async with page.expect_download() as download:
            await page.get_by_role("button", name=re.compile(f"^{name} ")).click()
        got = await download.value
        files[name] = tmp_path / f"{name}-{got.suggested_filename}"
        await got.save_as(files[name])
    conversation = json.loads(files["Conversation"].read_text())
    roles = [one["role"] for one in conversation["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    request = json.loads(files["Request"].read_text())
    assert request == {**conversation, "messages": conversation["messages"][:-1]}
    async with server.post("/v1/chat/completions", request) as response:
        assert response.status == 200
    told = server.seen()[-1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(files["Program"])),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode().startswith('Second "words".\nget_weather (')
    assert out.decode().strip().endswith('{"city":"Zo\u00eb"}')
    assert server.seen()[-1] == told


async def test_calls_get_their_results_from_the_person(server: Running, tab: Tab) -> None:
    page = tab.page
    await page.get_by_role("button", name="Insert an example of functions").click()
    last = await asked(
        page, '[[call get_weather {"city": "Paris"}]] [[call get_weather {"city": "Oslo"}]]'
    )
    calls = last.get_by_role("region", name="Call of get_weather")
    await expect(calls).to_have_count(2)
    await expect(calls.first.get_by_role("region", name="Arguments")).to_have_text(
        '{\n  "city": "Paris"\n}'
    )
    results = last.get_by_role("textbox", name="Result")
    await expect(results.first).to_be_focused()
    send = last.get_by_role("button", name="Send the results")
    await expect(send).to_be_disabled()
    await say(page, "And Rome?")
    await expect(page.locator("#chat-fault")).to_have_text("The calls want their results first.")
    await message(page).fill("")
    await results.first.fill("21 degrees")
    await expect(send).to_be_disabled()
    await results.last.fill("rain")
    await send.click()
    await expect(page.locator(".turn.answer")).to_have_count(2)
    final = await whole(page)
    await expect(final.locator(".words")).to_contain_text("get_weather returned: 21 degrees")
    await expect(final.locator(".words")).to_contain_text("get_weather returned: rain")
    content = server.seen()[-1]["messages"][-1]["content"]
    assert [block["content"][0]["text"] for block in content] == ["21 degrees", "rain"]

    last = await asked(page, '[[call get_weather {"city": "Rome"}]]')
    await expect(last.get_by_role("button", name="Send the result")).to_be_disabled()
    sent = bodies(page)
    await last.get_by_role("button", name="It is empty").click()
    await last.get_by_role("button", name="Send the result").click()
    await expect(page.locator(".turn.answer")).to_have_count(4)
    await whole(page)
    assert sent[0]["messages"][-1]["content"] == ""


DROP = """([kind, bytes, name, type]) => {
  const file = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, {type});
  const data = new DataTransfer();
  data.items.add(file);
  const at = document.getElementById("chat-input");
  const event = kind === "paste"
    ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
  at.dispatchEvent(event);
}"""


async def test_pictures_and_files_are_dropped_pasted_and_chosen(server: Running, tab: Tab) -> None:
    page = tab.page
    attached = page.get_by_role("list", name="Attached").get_by_role("listitem")
    await page.evaluate(DROP, ["drop", PNG, "one.png", "image/png"])
    await expect(attached).to_have_count(1)
    await page.evaluate(DROP, ["paste", PNG, "two.png", "image/png"])
    await expect(attached).to_have_count(2)
    async with page.expect_file_chooser() as chosen:
        await page.get_by_role("button", name="Attach").click()
    chooser = await chosen.value
    await chooser.set_files([{"name": "notes.md", "mimeType": "", "buffer": b"# Notes"}])
    await expect(attached).to_have_count(3)
    await page.get_by_role("button", name="Remove one.png").click()
    await expect(attached).to_have_count(2)
    await page.evaluate(DROP, ["drop", "AAECAwQFgIGC", "x.zip", "application/zip"])
    await expect(page.locator("#chat-fault")).to_contain_text("x.zip can\u2019t be sent")
    last = await asked(page, "What is this?")
    await expect(last).to_contain_text("I see an image (image/png, 1x1 pixels)")
    await expect(last).to_contain_text("a text document of 7 characters")
    assert await page.evaluate(
        "[...document.querySelectorAll('.bubble img')].map((i) => i.naturalWidth)"
    ) == [1]
    await expect(attached).to_have_count(0)


async def test_a_setting_is_checked_before_anything_is_sent(server: Running, tab: Tab) -> None:
    page = tab.page
    sent = bodies(page)
    schema = page.get_by_label("Answer\u2019s schema")
    await schema.fill('{\n  "type": "object",\n  "required": [x]\n}')
    await say(page, "Tell me.")
    fault = page.locator("#chat-schema-fault")
    await expect(fault).to_have_text("Line 3, column 16: a value was expected.")
    await expect(schema).to_be_focused()
    await expect(message(page)).to_have_value("Tell me.")
    await schema.fill(
        '{"type": "object", "properties": {"name": {"const": "Ada"}}, "required": ["name"]}'
    )
    await expect(fault).to_be_hidden()
    functions = page.get_by_role("textbox", name="Functions")
    await functions.fill("{}")
    await message(page).press("Enter")
    await expect(page.locator("#chat-tools-fault")).to_contain_text("An array of functions")
    await functions.fill("")
    assert sent == []
    last = await asked(page, "Tell me.")
    assert json.loads(await last.locator(".words").inner_text()) == {"name": "Ada"}
    assert sent[0]["response_format"]["json_schema"]["schema"]["required"] == ["name"]


async def test_what_fails_says_why_and_can_be_tried_again(server: Running, tab: Tab) -> None:
    page = tab.page
    await page.get_by_label("Tool choice").select_option("required")
    await page.get_by_role("textbox", name="Functions").fill(json.dumps([SOME_FUNCTION] * 2))
    last = await asked(page, "[[say Here I am.]]")
    problem = last.get_by_role("alert")
    await expect(problem).to_contain_text("HTTP 400")
    await expect(problem).to_contain_text("tools[1]")
    await page.get_by_role("textbox", name="Functions").fill("")
    await page.get_by_role("button", name="Try again").click()
    await expect((await whole(page)).locator(".words")).to_have_text("Here I am.")
    await expect(page.locator(".turn")).to_have_count(2)

    last = await asked(page, "[[stream-error 2]] [[words 9]]")
    await expect(last.locator(".words")).to_have_text("word1 word2")
    await expect(last.get_by_role("alert")).to_contain_text("overloaded")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


@contextlib.asynccontextmanager
async def wire(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Another address of the server, and what cuts all connections to it."""
    ends: list[asyncio.StreamWriter] = []

    async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                to.write(data)
                await to.drain()
        to.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", yarl.URL(url).port)
        ends.extend((writer, back))
        await asyncio.gather(carry(reader, back), carry(there, writer))

    def cut() -> None:
        for end in ends:
            end.transport.abort()

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as proxy:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", cut
        cut()


async def test_what_came_before_the_connection_broke_stays(
    server: Running, browser: Browser
) -> None:
    async with wire(server.url) as (url, cut), tab_of(browser) as tab:
        page = tab.page
        await page.goto(f"{url}/#/chat")
        await begun(page)
        await say(page, "[[stall 2]] [[words 9]]")
        words = answer(page).locator(".words")
        await expect(words).to_have_text("word1 word2")
        cut()
        await expect(answer(page)).to_contain_text("The connection broke here")
        await expect(words).to_have_text("word1 word2")
        await expect(page.get_by_role("button", name="Try again")).to_be_visible()
        assert tab.own_complaints == []


async def test_a_link_opens_a_session_and_goes_on_with_it(server: Running, tab: Tab) -> None:
    page = tab.page
    id_ = f"{new_id()}/{MARKUP}"
    await server.ask("[[say One.]]", session_id=id_)
    await asked(page, "[[say Without one.]]")
    await page.evaluate(
        "(id) => { location.hash = '#/chat?session=' + encodeURIComponent(id) }", id_
    )
    await expect(page.locator(".turn.user .bubble")).to_have_text("[[say One.]]")
    await expect(answer(page).locator(".words")).to_have_text("One.")
    await expect(page.get_by_label("Session", exact=True)).to_have_value(id_)
    sent = bodies(page)
    last = await asked(page, "[[say Two.]]")
    await expect(last).to_contain_text("session continued")
    assert [body["messages"] for body in sent] == [[{"role": "user", "content": "[[say Two.]]"}]]
    assert sent[0]["session_id"] == id_
    assert len(await server.messages(id_)) == 4

    await page.get_by_role("button", name="Edit").click()
    await expect(message(page)).to_have_value("[[say Two.]]")
    await say(page, "[[say Three.]]")
    await expect(answer(page).locator(".words")).to_have_text("Three.")
    await expect(await whole(page)).to_contain_text("session replaced")
    assert [one["content"] for one in await server.messages(id_)] == [
        "[[say One.]]",
        "One.",
        "[[say Three.]]",
        "Three.",
    ]

    await page.get_by_label("System prompt").fill("Be brief.")
    await page.get_by_role("link", name="Sessions", exact=True).click()
    await page.get_by_role("link", name="Chat", exact=True).click()
    await expect(page.locator(".turn")).to_have_count(4)
    await expect(page.get_by_label("System prompt")).to_have_value("Be brief.")
    await expect(page).to_have_url(re.compile("session="))
    await page.get_by_role("link", name="Chat", exact=True).click()
    await expect(answer(page).locator(".words")).to_have_text("Without one.")
    await expect(page).not_to_have_url(re.compile("session="))
    await page.get_by_role("button", name="New chat").click()
    dialog = page.get_by_role("dialog", name="Begin a new chat?")
    await dialog.get_by_role("button", name="New chat").click()
    await expect(page.locator(".turn")).to_have_count(0)


async def test_a_chat_without_a_session_is_found_again(server: Running, tab: Tab) -> None:
    page = tab.page
    id_ = f"{new_id()}\u202e"
    await server.ask("[[say One.]]", session_id=id_)
    words = answer(page).locator(".words")
    await asked(page, "[[say Without one.]]")
    release = asyncio.Event()

    async def late(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await page.route("**/v1/sessions/*/messages", late)
    await page.get_by_role("link", name="Sessions", exact=True).click()
    await page.evaluate(
        "(id) => { location.hash = '#/chat?session=' + encodeURIComponent(id) }", id_
    )
    await expect(page.locator("#chat-loading")).to_be_visible()
    await expect(page.get_by_text("Ask anything")).to_be_hidden()
    release.set()
    await expect(words).to_have_text("One.")
    await expect(page.locator("#chat-where-name")).to_have_text(f"{id_[:-1]}\\u202E")

    await page.go_back()
    await expect(page.locator("#view-sessions")).to_be_visible()
    await page.go_back()
    await expect(words).to_have_text("Without one.")
    await expect(page).to_have_url(f"{server.url}/#/chat")
    await page.go_forward()
    await page.go_forward()
    await expect(words).to_have_text("One.")
    back = page.get_by_role("button", name="Back to the chat without a session")
    await back.click()
    await expect(words).to_have_text("Without one.")
    await expect(back).to_be_hidden()
    await expect(page.locator("#chat-where")).to_be_hidden()
    await expect(message(page)).to_be_focused()
    await page.go_back()
    await expect(words).to_have_text("One.")
    await page.get_by_label("Session", exact=True).fill("")
    await page.get_by_label("Session", exact=True).press("Tab")
    await expect(words).to_have_text("Without one.")


async def test_what_another_tab_said_in_the_session_is_seen(server: Running, tab: Tab) -> None:
    page = tab.page
    id_ = new_id()
    await page.goto(f"{server.url}/#/chat?session={id_}")
    await asked(page, "[[say First.]]")
    await expect(page.locator(".facts")).to_contain_text("to the first token")
    other = await page.context.new_page()
    await other.goto(f"{server.url}/#/chat?session={id_}")
    await expect(answer(other).locator(".words")).to_have_text("First.")
    await asked(other, "[[say Second.]]")
    await say(page, "[[say Third.]]")
    words = page.locator(".turn.answer .words")
    await expect(words).to_have_text(["First.", "Second.", "Third."])
    await whole(page)
    elsewhere = page.locator("#chat-elsewhere")
    await expect(elsewhere).to_contain_text("The session went on elsewhere")
    await expect(page.locator(".facts").first).to_contain_text("to the first token")
    await asked(page, "[[say Fourth.]]")
    await expect(elsewhere).to_have_text("")
    await other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(other.locator(".turn.answer")).to_have_count(4)
    await expect(other.locator(".turn.user")).to_have_count(4)
    await expect(other.locator("#chat-elsewhere")).to_contain_text("went on elsewhere")
    await other.get_by_role("button", name="Edit").click()
    await asked(page, "[[say Fifth.]]")
    await message(other).press("Enter")
    await expect(other.locator("#chat-fault")).to_contain_text("your message was not sent")
    await expect(answer(other).locator(".words")).to_have_text("Fifth.")
    assert len(await server.messages(id_)) == 10


async def leaves(page: Page) -> bool:
    """Reload the page; whether it did so without asking. Where it asks, it stays."""
    asked_first = []

    async def stay(dialog: Dialog) -> None:
        asked_first.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.evaluate("setTimeout(() => location.reload()); window.stays = true")
    async with asyncio.timeout(20):
        while not asked_first:
            with contextlib.suppress(Error):  # it is just being left
                if await page.evaluate("window.stays === undefined"):
                    break
    page.remove_listener("dialog", stay)
    assert asked_first in ([], ["beforeunload"])
    return not asked_first


async def test_the_page_asks_before_it_loses_a_chat(server: Running, tab: Tab) -> None:
    page = tab.page
    await message(page).click()  # a page that nobody touched may not ask
    assert await leaves(page)
    await begun(page)
    await asked(page, "[[say Kept nowhere.]]")
    assert not await leaves(page)
    await expect(page.locator(".turn")).to_have_count(2)
    await page.get_by_text("Export", exact=True).click()
    async with page.expect_download():
        await page.get_by_role("button", name=re.compile("^Conversation ")).click()
    assert await leaves(page)

    await page.goto(f"{server.url}/#/chat?session={new_id()}")
    await begun(page)
    await say(page, "[[stall 2]] [[words 9]]")
    await expect(answer(page).locator(".words")).to_have_text("word1 word2")
    assert not await leaves(page)
    await message(page).press("Escape")
    await asked(page, "[[say Kept.]]")
    assert await leaves(page)


async def test_the_first_message_of_a_session_is_edited_by_beginning_it_anew(
    server: Running, tab: Tab
) -> None:
    page = tab.page
    id_ = new_id()
    await page.get_by_label("Session", exact=True).fill(id_)
    await page.get_by_label("Session", exact=True).press("Tab")
    await expect(page.get_by_text(f"There is no session {id_} yet")).to_be_visible()
    await asked(page, "[[say One.]]")
    await page.get_by_role("button", name="Edit").click()
    await say(page, "[[say Two.]]")
    await page.get_by_role("button", name="Delete and send").click()
    await expect(answer(page).locator(".words")).to_have_text("Two.")
    await whole(page)
    assert [one["content"] for one in await server.messages(id_)] == ["[[say Two.]]", "Two."]


async def test_the_page_follows_only_a_reader_at_its_end(server: Running, tab: Tab) -> None:
    page = tab.page
    at_end = "document.scrollingElement.scrollHeight - scrollY - innerHeight < 5"
    text = "\n\n".join(f"Line {number}" for number in range(60))
    await asked(page, f"[[say {text}]]")
    await holds(page, at_end)
    await say(page, f"[[stall 40]] [[say {text}]]")
    await expect(answer(page)).to_contain_text("Line 10")
    await holds(page, at_end)
    await page.mouse.move(300, 300)
    await page.mouse.wheel(0, -400)
    await holds(page, "document.scrollingElement.scrollHeight - scrollY - innerHeight > 200")
    top = await page.evaluate("scrollY")
    await message(page).press("Escape")
    await whole(page)
    assert await page.evaluate("scrollY") == top


HIDDEN = """() => {
  const { top, bottom } = document.activeElement.getBoundingClientRect();
  const above = document.querySelector(".bar").getBoundingClientRect().bottom;
  const below = document.getElementById("chat-form").getBoundingClientRect().top;
  const inTurns = document.activeElement.closest("#chat-turns") !== null;
  return inTurns && (bottom <= above || top >= below);
}"""


async def test_what_has_the_focus_is_not_under_the_bar_or_the_composer(tab: Tab) -> None:
    page = tab.page
    links = "\n\n".join(f"[Link {number}](https://a.example/{number})" for number in range(40))
    await asked(page, f"[[say {links}]]")
    for key in ("Shift+Tab", "Tab"):
        for _ in range(42):
            await page.keyboard.press(key)
            assert not await page.evaluate(HIDDEN), key


def stream(*deltas: dict[str, Any], finish: str) -> str:
    """An answer of the server's, as one text."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": finish}
    chunks = [{"model": MARKUP, "choices": [choice]} for choice in (*choices, last)]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def call(arguments: str, **first: str) -> dict[str, Any]:
    """A piece of a call."""
    function = {"arguments": arguments, **({"name": MARKUP} if first else {})}
    return {"tool_calls": [{"index": 0, **first, "function": function}]}


NOTHING = """() => ({
  title: document.title,
  made: document.querySelectorAll("#chat-turns :is(img, script, b, iframe, style, svg)").length,
})"""
WATCH = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
  }).observe({ type: "longtask" });
}"""
TEXT = "(element) => element.textContent"


async def test_markup_of_a_model_is_text(server: Running, tab: Tab) -> None:
    page = tab.page
    nothing = {"title": await page.title(), "made": 0}
    await page.get_by_label("Reasoning effort").select_option("high")
    await page.get_by_role("textbox", name="Functions").fill(json.dumps([SOME_FUNCTION]))
    last = await asked(
        page, f"[[think {MARKUP}]] [[say {MARKUP}]] [[call look {json.dumps({MARKUP: MARKUP})}]]"
    )
    assert await last.locator(".words").evaluate(TEXT) == MARKUP
    given = last.get_by_role("region", name="Arguments")
    assert json.loads(await given.evaluate(TEXT)) == {MARKUP: MARKUP}
    await last.get_by_text("Thought for").click()
    assert await last.get_by_role("region", name="Reasoning").evaluate(TEXT) == MARKUP
    await write(last.get_by_role("textbox", name="Result"), MARKUP)
    await last.get_by_role("button", name="Send the result").click()
    await expect(page.locator(".turn.answer")).to_have_count(2)
    assert MARKUP in await (await whole(page)).locator(".words").evaluate(TEXT)
    last = await asked(page, f"[[fail 400 {MARKUP}]]")
    await expect(last.get_by_role("alert")).to_contain_text(MARKUP)
    assert await page.evaluate(NOTHING) == nothing


async def test_a_million_characters_hold_nothing_up_and_are_all_there(tab: Tab) -> None:
    """The answers are made here: the server needs a minute for so much."""
    page = tab.page
    text = (f"{MARKUP} **[[" * LONG)[:LONG]
    pieces = [text[at : at + 200] for at in range(0, LONG, 200)]
    answers = [
        stream(*({"content": piece} for piece in pieces), finish="stop"),
        stream(
            *({"reasoning_content": piece} for piece in pieces), {"content": "."}, finish="stop"
        ),
        stream(call("", id=MARKUP), *(call(piece) for piece in pieces), finish="tool_calls"),
        stream(call("{}", id=MARKUP), finish="tool_calls"),
        f"data: {json.dumps({'error': {'message': text, 'code': MARKUP}})}\n\n",
    ]
    headers = {"content-type": "text/event-stream", "x-bridge-ignored": "<b>bold</b>"}

    async def answered(route: Route) -> None:
        await route.fulfill(body=answers.pop(0), headers=headers)

    await page.route("**/v1/chat/completions", answered)
    nothing = {"title": await page.title(), "made": 0}
    await page.evaluate(WATCH)
    assert await (await asked(page, "?")).locator(".words pre").evaluate(TEXT) == text
    last = await asked(page, "?")
    await last.get_by_text("Thought for").click()
    assert await last.get_by_role("region", name="Reasoning").evaluate(TEXT) == text
    last = await asked(page, "?")
    assert await last.get_by_role("region", name="Arguments").evaluate(TEXT) == text
    last = await asked(page, "?")
    await write(last.get_by_role("textbox", name="Result"), text)
    await last.get_by_role("button", name="Send the result").click()
    await expect(page.locator(".turn.answer")).to_have_count(5)
    assert await (await whole(page)).get_by_role("alert").locator("p").first.evaluate(TEXT) == text
    assert await page.evaluate(NOTHING) == nothing
    assert await page.evaluate("window.longest") < 3_000


RENDER = """async (texts) => {
  const { Markdown } = await import("/static/explorer/markdown.js");
  const plain = (element) => element.innerHTML.replace(/chat-code-\\d+/g, "");
  return texts.map((text) => {
    const [whole, grown] = [document.createElement("div"), document.createElement("div")];
    const all = new Markdown(whole);
    const began = performance.now();
    while (all.show(text, true));
    const took = performance.now() - began;
    const growing = new Markdown(grown);
    let first = null;
    let kept = true;
    if (text.length < 5000) {
      for (let end = 1; end <= text.length; end += 1) {
        while (growing.show(text.slice(0, end), end === text.length));
        if (grown.children.length > 2) first ??= grown.firstChild;
        kept &&= !first || first === grown.firstChild;
      }
    }
    return {
      took,
      kept,
      same: text.length >= 5000 || plain(whole) === plain(grown),
      text: whole.textContent,
      tags: [...new Set([...whole.querySelectorAll("*")].map((one) => one.localName))],
      links: [...whole.querySelectorAll("a")].map((one) => [one.href, one.rel, one.target, one.textContent]),
    };
  });
}"""

RICH = """# A bridge

A **suspension bridge** hangs from *cables*, see [this](https://example.org/a?b&amp;c) &mdash; or `<b>`.
Second line\\
third ~~line~~

| Part | kN |
|:--|--:|
| Cable | `1|2` |

1. first
2. second

   - nested
     ```py
     x = "<b>"
     ```
3. third

- [x] done

~~~~js title
```
const a = 1;
~~~~
> A quotation
> > of another

Setext
------

    indented

***
<details><summary>x</summary></details>

[r]: https://example.org/r
The end &#x1F309; &unknown; &lt;b&gt; ``a ` b``
```
never closed
  it is
"""
BAD_LINKS = (
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](/v1/sessions)",
    "[x](#/sessions)",
    "[x](blob:x)",
    "[x](file:///etc/passwd)",
    "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
    "![x](/static/favicon.svg)",
    "<javascript:alert(1)>",
    '<a href="https://evil.example">x</a>',
    '<img src="https://evil.example/x.png">',
    "<svg/onload=alert(1)>",
    "<!-- x -->",
)
SLOW = (
    "a*",
    "*a",
    "> a\nb\n",
    "- ",
    ">",
    "[",
    "![",
    "- a\n\n",
    "1. a\n",
    "a  \n",
    "<",
    "`a",
    "|",
    "[a](",
    "a\n=\n",
    "```\n",
    "\n",
    "&",
    "a" * 50 + "\n\n",
)


async def test_markdown_becomes_elements_that_can_do_nothing(tab: Tab) -> None:
    good = [
        "<https://a.example>",
        "mailto:a@b.example [m](mailto:x@y.example)",
        "![alt](https://c.example/p.png)",
    ]
    texts = [RICH, *BAD_LINKS, *good]
    rich, *others = await tab.page.evaluate(RENDER, texts)
    assert rich["same"]
    assert rich["kept"]
    assert set(rich["tags"]) >= {
        "h3",
        "strong",
        "em",
        "a",
        "table",
        "ol",
        "ul",
        "code",
        "blockquote",
        "hr",
    }
    assert "The end \U0001f309 &unknown; <b> a ` b" in rich["text"]
    assert "<details><summary>x</summary></details>" in rich["text"]
    assert rich["links"][0] == [
        "https://example.org/a?b&c",
        "noreferrer noopener",
        "_blank",
        "this",
    ]
    for text, got in zip(BAD_LINKS, others, strict=False):
        assert got["links"] == []
        assert set(got["tags"]) <= {"p"}
        assert got["text"] == text
    links = [link[0] for got in others[len(BAD_LINKS) :] for link in got["links"]]
    assert links == [
        "https://a.example/",
        "mailto:a@b.example",
        "mailto:x@y.example",
        "https://c.example/p.png",
    ]
    slow = await tab.page.evaluate(RENDER, [(text * 60_000)[:60_000] for text in SLOW])
    took = {text: round(got["took"]) for text, got in zip(SLOW, slow, strict=True)}
    assert max(took.values()) < 10_000, took


async def test_it_fits_a_phone_and_everybody(server: Running, browser: Browser) -> None:
    async with tab_of(
        browser,
        viewport={"width": 390, "height": 844},
        color_scheme="light",
        reduced_motion="reduce",
    ) as tab:
        page = tab.page
        await page.goto(f"{server.url}/#/chat?session={new_id()}{'x' * 200}")
        await begun(page)
        await page.get_by_text("Settings", exact=True).click()
        await page.get_by_role("textbox", name="Functions").fill(json.dumps([SOME_FUNCTION]))
        wide = f"{'W' * 300}\n\n| {'T' * 90} | {'u' * 90} |\n|--|--|\n| 1 | 2 |\n\n```{'x' * 90}\n{'c' * 300}\n```"
        last = await asked(page, f"[[say {wide}]] [[call look {json.dumps({'a': 'A' * 300})}]]")
        await last.get_by_text("Raw stream").click()
        for width in (320, 390, 1280):
            await page.set_viewport_size({"width": width, "height": 844})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        await page.evaluate(AXE_FILE_PATH.read_text())
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found = await page.evaluate("axe.run({resultTypes: ['violations']})")
            assert [
                (one["id"], [n["html"] for n in one["nodes"]]) for one in found["violations"]
            ] == []
