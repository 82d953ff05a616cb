"""Takes the pictures of the pages again: `make images`.

A server with the demo model, some conversations, and headless Chromium.
"""

import asyncio
import logging
import shutil
from pathlib import Path

import structlog
from playwright.async_api import Browser, Page, async_playwright
from serving import Running, running

HERE = Path(__file__).parent
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
VIEWS = {
    "overview": "#/overview",
    "try": "#/try/chat_completions",
    "chat": "#/chat?session=travel-plans",
    "sessions": "#/sessions/travel-plans",
    "usage": "#/usage",
    "requests": "#/requests",
}


async def live(server: Running) -> None:
    """Something to show: sessions, several models, a call, an error, a client that left."""
    for name in ("release-notes", "travel-plans"):
        await server.ask("Hello, who are you?", session_id=name)
    await server.ask("What do you do all day?", session_id="travel-plans")
    await server.ask(
        'Will it rain in Ulm? [[call get_weather {"city": "Ulm"}]]',
        session_id="weather",
        tools=[WEATHER],
    )
    for model, words in (("haiku", 40), ("gpt-4o", 120), ("opus", 80), ("haiku", 10)):
        await server.ask(f"[[words {words}]]", model=model, stream=True)
    await server.ask("[[fail 529]]")
    await server.ask("Hello", temperature=3)


async def shoot(page: Page, url: str, path: Path) -> None:
    """One view, as it is when everything is there."""
    await page.goto(url, wait_until="networkidle")
    await page.wait_for_timeout(400)
    await page.screenshot(path=path)


async def take(browser: Browser, url: str) -> None:
    """Every view in light and dark, on a desk and on a phone."""
    for place, size in (("desk", WIDE), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            context = await browser.new_context(color_scheme=scheme, viewport=size)
            for name, fragment in VIEWS.items():
                page = await context.new_page()
                await shoot(page, f"{url}/{fragment}", HERE / f"{name}-{scheme}-{place}.png")
                await page.close()
            await context.close()


async def main() -> None:
    """Take them all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with running(pool_size=1, port=8000) as server, async_playwright() as playwright:
        await live(server)
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        await take(browser, server.url)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
