"""The pages in a real browser: Chromium as the system has it."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from attrs import define, field
from playwright.async_api import Browser, Page, async_playwright
from serving import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not here (as root, `make test` installs it on Debian)"
)

ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@define
class Tab:
    """A page, what it asked for, and what it complained of."""

    page: Page
    requested: list[str] = field(factory=list)
    complaints: list[str] = field(factory=list)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, chromium_sandbox=os.getuid() != 0
        )
        yield launched
        await launched.close()


@pytest.fixture(params=["light", "dark"])
async def tab(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Tab]:
    context = await browser.new_context(color_scheme=request.param)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = Tab(await context.new_page())
    opened.page.on("request", lambda asked: opened.requested.append(asked.url))
    opened.page.on(
        "console",
        lambda said: said.type in {"error", "warning"} and opened.complaints.append(said.text),
    )
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    await context.close()


async def test_the_page_is_whole_and_asks_nobody_else(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url, wait_until="networkidle")
    assert await tab.page.title()
    assert await tab.page.get_by_role("heading", level=1).is_visible()
    assert await tab.page.get_by_text("This is the demo model").is_visible()
    assert await tab.page.locator("#base-url").inner_text() == f"{server.url}/v1"
    assert len(tab.requested) >= 3  # the page, its style, its script
    assert all(url.startswith(f"{server.url}/") for url in tab.requested)
    assert tab.complaints == []


async def test_what_is_copied_can_be_used(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.get_by_role("button", name="Copy the base URL").click()
    copied = await tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server.url}/v1"
    assert tab.complaints == []


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("width", [320, 390, 768, 1920])
async def test_nothing_runs_out_at_the_side(
    server: Running, tab: Tab, width: int, path: str
) -> None:
    await tab.page.set_viewport_size({"width": width, "height": 800})
    await tab.page.goto(server.url + path)
    assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_reference_is_whole_and_leads_to_its_parts(server: Running, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.get_by_role("link", name="API reference").click()
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
