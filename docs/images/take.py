"""Takes the pictures of the pages again: `make images`.

A server with the demo model, some conversations, and headless Chromium.
"""

import asyncio
import logging
import random
import shutil
import time
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
    "chat": "#/chat?model=sonnet",
    "sessions": "#/sessions/travel-plans",
    "usage": "#/usage",
    "requests": "#/requests",
    "about": "#/about",
}


class Clock:
    """The server's time, which begins an hour ago, so that there is something to plot."""

    def __init__(self) -> None:
        self.behind = 3_400.0  # seconds

    def __call__(self) -> float:
        return time.time() - self.behind


async def live(server: Running, clock: Clock) -> None:
    """An hour of use: sessions, several models, a call, an error."""
    dice = random.Random(5)  # noqa: S311 - a picture's dice
    models = ("sonnet", "sonnet", "haiku", "opus", "gpt-4o")
    for number in range(45):
        words = dice.randrange(10, 300)
        await server.ask(f"[[words {words}]]", model=dice.choice(models), stream=True)
        clock.behind -= dice.random() * 2 * clock.behind / (45 - number)
        clock.behind = max(clock.behind, 0.0)
    await server.ask("Hello, who are you?", session_id="release-notes")
    await server.ask(
        'Will it rain in Ulm? [[call get_weather {"city": "Ulm"}]]',
        session_id="weather",
        tools=[WEATHER],
    )
    await server.ask("[[fail 529]]")
    await server.ask("Hello", temperature=3)
    for text in ("Hello, who are you?", "What do you do all day?"):
        await server.ask(text, session_id="travel-plans")
    clock.behind = 0.0


async def shoot(page: Page, name: str, url: str, path: Path) -> None:
    """One view, as it is when everything is there."""
    await page.goto(url, wait_until="networkidle")
    if name == "chat":
        await page.locator("#chat-input").fill("Hello, who are you?")
        await page.keyboard.press("Enter")
        await page.get_by_label("What it took").get_by_text("$").wait_for()
    elif name == "try":
        await page.get_by_role("button", name="Send").click()
        status = page.get_by_text("200 OK", exact=True)
        await status.wait_for()
        await status.evaluate("one => one.scrollIntoView({block: 'center'})")
    await page.wait_for_timeout(400)
    await page.screenshot(path=path)


async def take(browser: Browser, url: str) -> None:
    """Every view in light and dark, on a desk and on a phone."""
    for place, size in (("desk", WIDE), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            context = await browser.new_context(color_scheme=scheme, viewport=size)
            for name, fragment in VIEWS.items():
                page = await context.new_page()
                await shoot(page, name, f"{url}/{fragment}", HERE / f"{name}-{scheme}-{place}.png")
                await page.close()
            await context.close()


async def main() -> None:
    """Take them all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    clock = Clock()
    running_server = running(pool_size=1, port=8000, clock=clock, demo_pace=0.002)
    async with running_server as server, async_playwright() as playwright:
        await live(server, clock)
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        await take(browser, server.url)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
