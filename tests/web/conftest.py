"""The command, and a browser, for the tests that need one."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from browser import launched
from commands import Serve, Served, serving
from playwright.async_api import Browser


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Starts the command with arguments and environment variables, in an empty home."""

    def start(*args: str, **environ: str) -> AbstractAsyncContextManager[Served]:
        return serving(tmp_path, *args, **environ)

    return start


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser; each test has a tab of its own in it."""
    async with launched() as found:
        yield found
