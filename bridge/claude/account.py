"""What the server is at Claude: its login, how processes run with it, and its models."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field

from bridge.claude.login import Login, read_login
from bridge.claude.names import Names, listed_models
from bridge.claude.options import Launch
from bridge.claude.pool import Pool
from bridge.claude.process import InitializeRefused
from bridge.claude.translate import RetryPolicy

log = logging.getLogger(__name__)

RECHECK_SECONDS = 2.0
"""How often at most a request makes us look whether somebody has logged in meanwhile."""


@define(kw_only=True)
class Account:
    """The login as it is known, and what follows from it.

    ``launch`` is how processes are started, ``policy`` which retries are allowed, ``late`` whether
    the system prompt may come with initialize. ``changed`` is called when the login has changed;
    ``clock`` is a monotonic time in seconds.
    """

    launch: Launch
    names: Names
    policy: RetryPolicy
    pool: Pool
    clock: Callable[[], float]
    changed: Callable[[], None]
    login: Login = field(default=Login(logged_in=False), init=False)
    late: bool = field(default=True, init=False)
    _read_at: float = field(default=float("-inf"), init=False)
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _described: asyncio.Event = field(factory=asyncio.Event, init=False)
    _describing: asyncio.Task[None] | None = field(default=None, init=False)

    async def refresh(self) -> Login:
        """Ask the CLI for the login state, unless that was done a moment ago."""
        async with self._lock:
            if self.clock() - self._read_at >= RECHECK_SECONDS:
                login = await read_login(self.launch)
                self._read_at = self.clock()
                self.take(login)
            return self.login

    async def current_login(self) -> Login:
        """The login as it is known; while there is none, whether somebody has logged in since."""
        return self.login if self.login.logged_in else await self.refresh()

    async def known_names(self) -> Names:
        """The names, with the CLI's own list in them once it is known."""
        if self._describing is not None:
            await self._described.wait()
        return self.names

    def take(self, login: Login) -> None:
        """This is the login now: what was started with another one is of no use any more."""
        if login == self.login:
            return
        self.login = login
        self.launch = evolve(self.launch, simple=login.allows_simple)
        self.policy = evolve(self.policy, login_refreshes=not login.allows_simple)
        self.pool.drop_ready()
        self.changed()

    def describe(self) -> None:
        """Find out about the models, in the background."""
        if self._describing is None or self._describing.done():
            self._describing = asyncio.create_task(self._describe())

    def stop(self) -> None:
        """Nobody needs to know any more."""
        if self._describing is not None:
            self._describing.cancel()

    async def stopped(self) -> None:
        """Wait until nothing goes on in the background."""
        if self._describing is not None:
            await asyncio.wait([self._describing])

    async def _describe(self) -> None:
        try:
            try:
                described = await self._described_by(system=("",))
            except InitializeRefused:
                log.warning(
                    "this Claude Code takes no system prompt when it is initialized: from now on a "
                    "process is started for each conversation when it comes, which takes longer"
                )
                self.late = False
                self.pool.drop_ready()
                described = await self._described_by(system=())
            models = listed_models(described.get("models") or ())
            self.names = evolve(self.names, listed=models)
        except Exception as error:  # noqa: BLE001 - the SDK raises bare ones; turns go on without
            log.warning("Claude Code did not list its models: %r", error)
        finally:
            self._described.set()

    async def _described_by(self, *, system: tuple[str, ...]) -> dict[str, Any]:
        process = await self.pool.take()
        try:
            return await process.describe(system=system)
        finally:
            self.pool.discard(process)
