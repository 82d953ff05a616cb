"""The truth about the login, from the CLI itself; no model call is ever made for it."""

import asyncio
import json
import logging

from attrs import frozen

from bridge.claude.options import Launch

log = logging.getLogger(__name__)

STATUS_SECONDS = 20.0


@frozen(kw_only=True)
class Login:
    """What ``claude auth status`` says.

    ``method`` and ``provider`` are the CLI's own words (``api_key``, ``oauth_token``,
    ``claude.ai``, ``third_party``, ``none``; ``firstParty``, ``bedrock``, ``vertex``);
    ``error`` is set when the CLI could not be asked.
    """

    logged_in: bool
    method: str = "none"
    provider: str = "firstParty"
    error: str | None = None

    @property
    def allows_simple(self) -> bool:
        """Whether ``CLAUDE_CODE_SIMPLE`` works with it: it never reads an OAuth login."""
        return self.logged_in and (self.method == "api_key" or self.provider != "firstParty")


async def read_login(launch: Launch) -> Login:
    """Ask the CLI, with the settings that turns have. Never raises: see ``error``."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(launch.cli), *launch.settings_flags, "auth", "status"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**launch.environment, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
            start_new_session=True,
        )
    except OSError as error:
        return Login(logged_in=False, error=f"Claude Code can't be started: {error}")
    try:
        async with asyncio.timeout(STATUS_SECONDS):
            out, _ = await process.communicate()
        status = json.loads(out)
        return Login(
            logged_in=bool(status["loggedIn"]),
            method=str(status.get("authMethod", "none")),
            provider=str(status.get("apiProvider", "firstParty")),
        )
    except (TimeoutError, ValueError, KeyError, TypeError) as error:
        log.warning("`claude auth status` gave no answer: %r", error)
        return Login(logged_in=False, error="Claude Code did not tell its login state")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
