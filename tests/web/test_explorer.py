"""The explorer's frame in a real browser: its views, the key, the colours, a server that goes."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from browser import Tab, needs_chromium, tab_of
from playwright.async_api import Browser, Page, expect
from serving import Running, new_id, running

from bridge.settings import Settings
from bridge.web.app import build_app
from bridge.web.lifecycle import bind, listen

pytestmark = needs_chromium

VIEWS = {
    "overview": "OpenAI\u2019s API, answered by Claude",
    "try": "Try it",
    "chat": "Chat",
    "sessions": "Sessions",
    "usage": "Usage",
    "requests": "Requests",
}
FIRST_VIEW = 100_000  # bytes
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> {{ 7*7 }} \u202e'
KEY = "a-key-of-this-test"


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    async with tab_of(browser) as opened:
        yield opened


async def settled(page: Page) -> None:
    await page.wait_for_load_state("networkidle")


async def test_each_view_has_a_link_that_opens_it(server: Running, tab: Tab) -> None:
    views = tab.page.get_by_role("navigation", name="Views")
    await tab.page.goto(server.url)
    for name, title in VIEWS.items():
        await views.locator(f"[data-view={name}]").click()
        heading = tab.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text(title)  # those of the others are hidden
        await expect(views.locator("[aria-current=page]")).to_have_count(1)
        await expect(tab.page).to_have_url(f"{server.url}/#/{name}")
        if name != "overview":
            await expect(heading).to_be_focused()
            assert (await tab.page.title()).startswith(f"{title} · ")
        await settled(tab.page)
    await tab.page.go_back()
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Usage")
    await tab.page.goto(f"{server.url}/#/no-such-view")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(VIEWS["overview"])
    assert tab.asked_only(server.url)
    assert tab.complaints == []


async def test_the_project_tells_of_itself(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.get_by_role("link", name="About the project").click()
    await expect(tab.page).to_have_url(f"{server.url}/#/about")
    await expect(tab.page.get_by_role("heading", level=1)).to_be_focused()
    readme = tab.page.locator("#about-words")
    await expect(readme.get_by_role("heading", name="Two commands")).to_be_visible()
    assert not re.search(r"\]\(|^#|!\w|\| |\.png", await readme.inner_text(), re.MULTILINE)
    licence = tab.page.get_by_role("link", name="MIT licence")
    for path in (await licence.get_attribute("href"), "/static/README.txt"):
        async with server.http.get(f"{server.url}{path}") as got:
            assert (got.status, got.content_type) == (200, "text/plain")
    await settled(tab.page)
    assert tab.complaints == []


async def test_the_first_view_is_small(server: Running, tab: Tab) -> None:
    sizes: list[int] = []

    async def weigh(url: str) -> None:
        async with server.http.get(url) as response:
            sizes.append(len(await response.read()))

    await tab.page.goto(server.url, wait_until="networkidle")
    asked = list(dict.fromkeys(tab.requested))
    await asyncio.gather(*(weigh(url) for url in asked))
    assert len(asked) > 10
    assert sum(sizes) < FIRST_VIEW, dict(zip(asked, sizes, strict=True))


async def test_axe_finds_nothing_serious(server: Running, browser: Browser) -> None:
    id_ = new_id()
    assert (await server.ask("[[words 5]]", session_id=id_)).status == 200
    paths = (*(f"#/{view}" for view in (*VIEWS, "about")), f"#/sessions/{id_}", "#/try/messages")
    async with tab_of(browser, color_scheme="light", reduced_motion="reduce") as tab:
        for path in paths:
            await tab.page.goto(f"{server.url}/{path}", wait_until="networkidle")
            await tab.page.evaluate(AXE_FILE_PATH.read_text())
            assert await serious(tab.page, "{resultTypes: ['violations']}") == [], path
            await tab.page.emulate_media(color_scheme="dark")
            assert await serious(tab.page, "{runOnly: ['color-contrast']}") == [], path
            await tab.page.emulate_media(color_scheme="light")


async def serious(page: Page, options: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds that keeps people out."""
    found = await page.evaluate(f"axe.run({options})")
    return [
        (one["help"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


async def test_no_view_runs_out_at_the_side_even_at_twice_the_size(
    server: Running, browser: Browser
) -> None:
    id_ = f"{new_id()}-{'x' * 200}"
    assert (await server.ask("[[words 5]]", session_id=id_)).status == 200
    async with tab_of(browser) as tab:
        paths = (
            *(f"#/{view}" for view in (*VIEWS, "about")),
            f"#/sessions/{id_}",
            "#/try/messages",
        )
        for path in paths:
            await tab.page.goto(f"{server.url}/{path}", wait_until="networkidle")
            for width in (320, 390, 768, 1920):  # 320 is a phone's 640 at 200 %
                await tab.page.set_viewport_size({"width": width, "height": 800})
                fits = "document.documentElement.scrollWidth <= innerWidth"
                assert await tab.page.evaluate(fits), (path, width)


async def test_the_colours_are_chosen_and_remembered(server: Running, browser: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    async with tab_of(browser, color_scheme="light") as tab:
        await tab.page.goto(server.url)
        light = await tab.page.evaluate(ground)
        button = tab.page.get_by_role("button", name="Colours")
        await button.click()
        await expect(button).to_have_accessible_name("Light: colours light")
        assert await tab.page.evaluate(ground) == light
        await button.click()
        await expect(button).to_have_accessible_name("Dark: colours dark")
        dark = await tab.page.evaluate(ground)
        assert dark != light
        await tab.page.goto(f"{server.url}/docs")
        assert await tab.page.evaluate(ground) == dark
        await tab.page.goto(server.url)
        await expect(button).to_have_accessible_name("Dark: colours dark")
        await button.click()
        await expect(button).to_have_accessible_name("Auto: colours as the system has them")
        assert await tab.page.evaluate(ground) == light
        await tab.page.emulate_media(color_scheme="dark")
        assert await tab.page.evaluate(ground) == dark


async def test_it_is_used_with_the_keyboard_alone(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_role("link", name="To the content")).to_be_focused()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("#main")).to_be_focused()
    await tab.page.goto(f"{server.url}/#/overview")
    links = tab.page.get_by_role("navigation", name="Views").get_by_role("link")
    await links.first.focus()
    for _ in range(3):
        await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Sessions")


async def test_what_is_seen_follows_the_server_without_being_told(
    server: Running, tab: Tab
) -> None:
    await tab.page.clock.install()
    await tab.page.goto(server.url)
    requests = tab.page.locator("#glance-requests")
    await settled(tab.page)
    before = int((await requests.inner_text()).replace(",", ""))
    assert (await server.ask("[[words 5]]", session_id=new_id())).status == 200
    await tab.page.clock.run_for(6_000)
    await expect(requests).to_have_text(f"{before + 1:,}")
    await expect(tab.page.locator("#glance-models")).to_have_text("4")
    await expect(tab.page.locator("#glance-tokens")).not_to_have_text("0")


async def test_the_plan_is_told_when_the_model_s_side_has(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url, wait_until="networkidle")
    plan = tab.page.get_by_role("list", name="The plan\u2019s quota")
    await expect(plan).to_be_hidden()
    told = {
        "status": "allowed_warning",
        "rateLimitType": "five_hour",
        "utilization": 0.81,
        "resetsAt": int(time.time()) + 3_600,
    }
    server.engine.meter.hear(told)  # only a Claude account has one
    try:
        await tab.page.reload()
        await expect(plan).to_contain_text("Five hours")
        await expect(plan).to_contain_text("81 % used, close to the limit")
        await expect(plan.get_by_role("meter")).to_have_accessible_name("Five hours: 81 % used")
    finally:
        server.engine.meter.quotas.clear()
    assert tab.complaints == []


async def test_a_server_that_goes_and_comes_back(browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with tab_of(browser) as tab:
        async with running(port=port) as server:
            await tab.page.goto(f"{server.url}/#/sessions", wait_until="networkidle")
            await expect(tab.page.get_by_text("No sessions yet")).to_be_visible()
        gone = tab.page.get_by_role("alert").filter(has_text="The server does not answer")
        await expect(gone).to_be_visible()
        async with running(port=port) as server:
            await expect(gone).to_be_hidden()
            id_ = new_id()
            assert (await server.ask("[[words 5]]", session_id=id_)).status == 200
            await expect(tab.page.get_by_role("link", name=id_)).to_be_visible()
        assert tab.own_complaints == []


async def test_a_key_is_asked_for_and_a_wrong_one_explains_itself(browser: Browser) -> None:
    async with running(api_keys=(KEY,)) as server, tab_of(browser) as tab:
        await tab.page.clock.install()
        await tab.page.goto(server.url)
        dialog = tab.page.get_by_role("dialog", name="The server\u2019s key")
        await expect(dialog).to_be_visible()
        await dialog.get_by_label("Key").fill("wrong-key-of-this-test")
        async with tab.page.expect_response("**/v1/usage"):
            await tab.page.clock.run_for(10_000)  # what the page asks meanwhile does not undo it
        await expect(dialog.get_by_label("Key")).to_have_value("wrong-key-of-this-test")
        await dialog.get_by_role("button", name="Use it").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("This key was refused")
        await dialog.get_by_label("Key").fill(f"{KEY}\u200b")
        await dialog.get_by_role("button", name="Use it").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("U+200B")
        await dialog.get_by_label("Key").fill(KEY)
        await dialog.get_by_label("Key").press("Enter")
        await expect(dialog).to_be_hidden()
        await expect(tab.page.locator("#glance-models")).to_have_text("4")
        await expect(tab.page.get_by_role("button", name="Key is set")).to_be_visible()
        stored = "[Object.values(sessionStorage), Object.values(localStorage), document.cookie]"
        assert await tab.page.evaluate(stored) == [[KEY], [], ""]
        await tab.page.reload(wait_until="networkidle")
        await expect(dialog).to_be_hidden()
        await tab.page.get_by_role("button", name="Key is set").click()
        await dialog.get_by_role("button", name="Forget it").click()
        await expect(tab.page.get_by_role("button", name="Key needed")).to_be_visible()
        async with tab.page.expect_response("**/v1/usage"):
            await tab.page.clock.run_for(10_000)  # nor does it ask for the key again and again
        await expect(dialog).to_be_hidden()
        assert await tab.page.evaluate("Object.values(sessionStorage)") == []
        assert not [url for url in tab.requested if KEY in url]
        assert tab.own_complaints == []


async def test_another_key_than_the_typed_one_is_told(browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with tab_of(browser) as tab:
        dialog = tab.page.get_by_role("dialog", name="The server\u2019s key")
        fault = tab.page.locator("#glance-fault").get_by_role("alert")
        async with running(api_keys=(KEY,), port=port) as server:
            await tab.page.goto(server.url)
            await dialog.get_by_label("Key").fill(KEY)
            await dialog.get_by_label("Key").press("Enter")
            await expect(tab.page.locator("#glance-requests")).to_have_text("0")
            await expect(fault).to_have_count(0)
        async with running(api_keys=("another-key-of-this-test",), port=port):
            await expect(dialog.get_by_role("alert")).to_contain_text("refused", timeout=20_000)
            await dialog.get_by_role("button", name="Cancel").click()
            await expect(fault).to_contain_text("HTTP 401")
            await expect(tab.page.locator("#pulse")).to_have_class(re.compile("down"))
        assert tab.own_complaints == []


async def test_a_view_that_did_not_come_takes_nothing_from_the_others(browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with tab_of(browser) as tab:
        async with running(port=port) as server:
            await tab.page.goto(f"{server.url}/#/chat", wait_until="networkidle")
            await tab.page.get_by_role("textbox", name="Message").fill("not sent yet")
        await expect(tab.page.locator("#gone")).to_be_visible()
        await tab.page.get_by_role("link", name="Usage").click()
        again = tab.page.get_by_role("button", name="Load the page again")
        await expect(again).to_be_visible()
        async with running(port=port):
            await expect(tab.page.locator("#gone")).to_be_hidden()
            await expect(again).to_be_hidden()
            await expect(tab.page.get_by_role("heading", name="Usage")).to_be_visible()
            await tab.page.get_by_role("link", name="Chat").click()
            await expect(tab.page.get_by_role("textbox", name="Message")).to_have_value(
                "not sent yet"
            )
        assert tab.own_complaints == []


async def test_a_login_that_is_missing_is_told(browser: Browser, tmp_path: object) -> None:
    settings = Settings(port=0, pool_size=0)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with bind(settings) as sock:
        listening = await listen(build_app(settings, environ=environ), sock)
        try:
            async with tab_of(browser) as tab:
                url = f"http://127.0.0.1:{listening.port}"
                await tab.page.goto(url, wait_until="networkidle")
                await expect(tab.page.get_by_text("Claude Code is not logged in")).to_be_visible()
                await expect(tab.page.locator("#glance-login")).to_have_text("Not logged in")
                assert tab.own_complaints == []
        finally:
            await listening.stop()


async def test_nothing_may_become_markup(server: Running, tab: Tab) -> None:
    """The browser itself refuses it, should a view ever try."""
    await tab.page.goto(server.url)
    tried = "try { document.body.innerHTML = '<b>x</b>'; 'done' } catch (e) { e.name }"
    assert await tab.page.evaluate(tried) == "TypeError"
