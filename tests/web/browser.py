"""The pages in a real browser: Chromium as the system has it, one for all tests of a process."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define, field
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

needs_chromium = pytest.mark.skipif(
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
    """A page, what it asked for, and what it complained of.

    A browser complains itself of every answer that is an error; tests that make some look at the
    complaints without those.
    """

    page: Page
    requested: list[str] = field(factory=list)
    complaints: list[str] = field(factory=list)

    def asked_only(self, origin: str) -> bool:
        """Whether it asked for something, and nobody but the server."""
        sent = [url for url in self.requested if not url.startswith(("data:", "blob:"))]
        return bool(sent) and all(url.startswith(f"{origin}/") for url in sent)

    @property
    def own_complaints(self) -> list[str]:
        """Those that are not about the status of an answer, or a server that is not there."""
        return [said for said in self.complaints if not said.startswith("Failed to load resource")]


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """The browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, chromium_sandbox=os.getuid() != 0
        )
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def tab_of(browser: Browser, **context: Any) -> AsyncIterator[Tab]:
    """A tab in a profile of its own; ``context`` is Playwright's."""
    own = await browser.new_context(**context)
    own.set_default_timeout(20_000)
    await own.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = Tab(await own.new_page())
    opened.page.on("request", lambda asked: opened.requested.append(asked.url))
    opened.page.on(
        "console",
        lambda said: said.type in {"error", "warning"} and opened.complaints.append(said.text),
    )
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    await own.close()
