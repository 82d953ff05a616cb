"""The pages in a real browser, in light and dark."""

from collections.abc import AsyncIterator

import pytest
from browser import Tab, needs_chromium, tab_of
from playwright.async_api import Browser
from serving import Running

pytestmark = needs_chromium


@pytest.fixture(params=["light", "dark"])
async def tab(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Tab]:
    async with tab_of(browser, color_scheme=request.param) as opened:
        yield opened


async def test_the_page_is_whole_and_asks_nobody_else(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url, wait_until="networkidle")
    assert await tab.page.title()
    assert await tab.page.get_by_role("heading", level=1).is_visible()
    assert await tab.page.get_by_text("This is the demo model").is_visible()
    assert await tab.page.locator("#base-url").inner_text() == f"{server.url}/v1"
    assert len(tab.requested) >= 3
    assert all(url.startswith(f"{server.url}/") for url in tab.requested)
    assert tab.complaints == []


async def test_what_is_copied_can_be_used(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.get_by_role("button", name="Copy the base URL").click()
    copied = await tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server.url}/v1"
    assert tab.complaints == []


async def test_nothing_runs_out_at_the_side(server: Running, tab: Tab) -> None:
    await tab.page.goto(f"{server.url}/docs")
    for width in (320, 390, 768, 1920):
        await tab.page.set_viewport_size({"width": width, "height": 800})
        assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


async def test_the_reference_is_whole_and_leads_to_its_parts(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url)
    link = tab.page.get_by_role("contentinfo").get_by_role("link", name="API reference")
    async with tab.page.expect_popup() as opened:  # what is in the explorer stays there
        await link.click()
    assert (await opened.value).url == f"{server.url}/docs"
    await tab.page.goto(f"{server.url}/docs")
    contents = tab.page.get_by_role("navigation")
    await contents.get_by_role("link", name="POST /v1/chat/completions").click()
    heading = tab.page.get_by_role("heading", name="POST /v1/chat/completions")
    assert await heading.is_visible()
    assert tab.page.url == f"{server.url}/docs#chat_completions"
    await tab.page.get_by_role("link", name="ChatUserMessage").first.click()
    assert await tab.page.get_by_role("heading", name="ChatUserMessage").is_visible()
    article = tab.page.get_by_role("article", name="DELETE /v1/sessions/{id}")
    await article.get_by_role("button", name="Copy the curl command").click()
    copied = await tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"curl -X DELETE {server.url}/v1/sessions/ada"
    assert all(url.startswith(f"{server.url}/") for url in tab.requested)
    assert tab.complaints == []
