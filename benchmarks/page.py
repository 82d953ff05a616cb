"""What the explorer costs a browser: bytes, time and script of its views, in headless Chromium.

    python benchmarks/page.py [--runs 5] [--chromium /usr/bin/chromium]

A fresh browser profile each time, on a server with the demo model. ``script`` is the time that the
page's scripts took on the main thread, ``tasks`` all of its work there, both from the browser's own
counters; ``painted`` is its first contentful paint. Medians, in milliseconds.
"""

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import statistics
import sys
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, async_playwright

VIEWS = ("", "#/try", "#/chat", "#/sessions", "#/usage", "#/requests", "#/about")
SETTLED_MS = 500
ARGUMENTS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update")


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[str]:
    """The URL of a demo server in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "--demo", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        while not (found := re.search(r"http://\S+", (await process.stdout.readline()).decode())):
            pass
        yield found[0].rstrip("/")
    finally:
        process.terminate()
        await process.wait()


async def visit(browser: Browser, url: str) -> dict[str, float]:
    """Open the page once, with nothing in its cache."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        tools = await context.new_cdp_session(page)
        await tools.send("Performance.enable")
        await tools.send("Network.enable")
        sizes: list[float] = []
        tools.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
        await page.goto(url, wait_until="networkidle")
        await page.wait_for_timeout(SETTLED_MS)
        told = await tools.send("Performance.getMetrics")
        counters = {one["name"]: one["value"] for one in told["metrics"]}
        painted: float = await page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
        )
        return {
            "kB": sum(sizes) / 1000,
            "requests": len(sizes),
            "painted": painted,
            "script": counters["ScriptDuration"] * 1000,
            "tasks": counters["TaskDuration"] * 1000,
        }
    finally:
        await context.close()


async def measure(runs: int, chromium: str) -> None:
    """Visit each view so many times, and print a table."""
    async with server() as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=ARGUMENTS, chromium_sandbox=os.getuid() != 0
        )
        await visit(browser, url)  # the browser's own first time is not the page's
        print(f"{'view':<14}{'kB':>8}{'requests':>10}{'painted':>10}{'script':>10}{'tasks':>10}")
        for view in VIEWS:
            visits = [await visit(browser, f"{url}/{view}") for _ in range(runs)]
            row: dict[str, Any] = {
                name: statistics.median(each[name] for each in visits) for name in visits[0]
            }
            print(
                f"{view or '(first)':<14}{row['kB']:>8.1f}{row['requests']:>10.0f}"
                f"{row['painted']:>10.0f}{row['script']:>10.1f}{row['tasks']:>10.1f}"
            )
        await browser.close()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser")
    )
    asked = parser.parse_args()
    if asked.chromium is None:
        sys.exit("Chromium is not here: name it with --chromium")
    asyncio.run(measure(asked.runs, asked.chromium))


if __name__ == "__main__":
    main()
