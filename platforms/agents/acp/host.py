"""Keeps the agent's process: started when it is needed, started anew when it has died, not too often."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from acp import RequestError

from greenroom.actors.ports import ProviderError
from greenroom.platforms.agents.acp.live import Live, NotThisProtocolError
from greenroom.platforms.agents.acp.settings import AcpSettings
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.processes.child import CannotStartError, start_child

logger = logging.getLogger("greenroom.agent.acp")

WAIT_MAX_S = 5.0
"""A run waits so long for the next start; for a longer time it is put off."""

MOST_S = 120.0
"""The longest time between two starts of a program that does not live."""


class Host:
    """One child for all chats: an agent's program is large, and has sessions of its own to keep chats apart."""

    def __init__(self, settings: AcpSettings, folder: Path) -> None:
        """Nothing is started yet."""
        self._settings, self._folder = settings, folder
        self._starting: asyncio.Task[Live] | None = None
        self._backoff = Backoff(most_s=MOST_S)
        self._not_before = 0.0
        self._live: Live | None = None

    async def live(self) -> Live:
        """The child, alive and greeted. Raises ProviderError.

        A run that is called off meanwhile ends no start: whoever comes next finds it further on.
        """
        if self._live is not None and self._live.alive:
            return self._live
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._begin(), name="starting the acp agent")
            self._starting.add_done_callback(_seen)
        return await asyncio.shield(self._starting)

    async def _begin(self) -> Live:
        if self._live is not None:
            self._failed()
        await self._wait()
        self._live = await self._start()
        return self._live

    def worked(self) -> None:
        """A prompt had its answer: what dies next begins a new count."""
        self._backoff.succeeded()

    async def close(self) -> None:
        """End the child."""
        if self._starting is not None:
            self._starting.cancel()
        live, self._live = self._live, None
        if live is not None:
            await live.close()

    def _failed(self) -> None:
        self._live = None
        self._not_before = asyncio.get_running_loop().time() + self._backoff.next_s()

    async def _wait(self) -> None:
        rest = self._not_before - asyncio.get_running_loop().time()
        if rest > WAIT_MAX_S:
            raise ProviderError("its program has died several times, and is started again later", retry_after_s=rest)
        await asyncio.sleep(max(0.0, rest))

    async def _start(self) -> Live:
        program = self._settings.program(self._folder)
        if self._settings.cwd is None:
            self._settings.workplace(self._folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            live = Live(await start_child(program), self._settings)
        except CannotStartError as error:
            self._failed()
            logger.error("%s", error)  # noqa: TRY400 - the message says it all
            raise ProviderError("its program cannot be started") from error
        try:
            async with asyncio.timeout(self._settings.start_s):
                await live.greet()
        except BaseException as error:  # Invariant: a child that was not greeted is nobody's, and does not live on.
            live.discard(f"it was not greeted ({error!r})")
            self._failed()
            if isinstance(error, NotThisProtocolError | RequestError):
                raise
            if isinstance(error, TimeoutError | ConnectionError):
                raise ProviderError("its program has started, and does not answer") from error
            raise
        return live


def _seen(task: asyncio.Task[Live]) -> None:
    """Nobody may be there any more to see why a start failed; the log has it."""
    if not task.cancelled():
        task.exception()
