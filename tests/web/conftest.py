"""The command, for the tests that run it."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from commands import Serve, Served, serving


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Starts the command with arguments and environment variables, in an empty home."""

    def start(*args: str, **environ: str) -> AbstractAsyncContextManager[Served]:
        return serving(tmp_path, *args, **environ)

    return start
