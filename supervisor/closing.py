"""The last steps of a supervisor's end: its agent, its threads, and the words that its boot ends with."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.actors.runtime import Loop, Runtime
    from greenroom.supervisor.drain import CloseBoot, Intent

logger = logging.getLogger("greenroom.supervisor")

CLOSE_S = 10.0
"""How long the threads of a closing supervisor may take to end."""

AGENT_CLOSE_S = 10.0
"""How long an agent may take to end what it keeps open."""


def end_agent(loop: Loop, close: Callable[[], Awaitable[None]]) -> None:
    """Let the agent end what it keeps open, on the loop where it ran; it is waited for, but not for ever."""

    async def end() -> None:
        await close()

    ended: Future[BaseException | None] = Future()
    loop.spawn(end(), name="the agent's end", done=lambda error, _: ended.set_result(error))
    try:
        if (error := ended.result(AGENT_CLOSE_S)) is not None:
            logger.warning("the agent did not end in order: %r", error)
    except TimeoutError:
        logger.warning("the agent did not end within %g s, and is left behind", AGENT_CLOSE_S)


def end_threads(runtime: Runtime) -> None:
    """Foreign code cannot be made to end. It is left behind on its daemon thread, and its run goes on next time."""
    try:
        runtime.close(CLOSE_S)
    except TimeoutError as error:
        logger.warning("an agent or a platform does not return, and is left behind: %s", error)
    except BaseException:  # Invariant: who does not want to wait (Ctrl-C) leaves no thread that was not told to end.
        with suppress(TimeoutError):
            runtime.close(0.0)
        raise


def reason_of_end(intent: Intent, failed: Future[str], drained: Future[CloseBoot]) -> str:
    """Say why the boot ends, in the words that are stored with it."""
    if failed.done():
        return failed.result()
    if not drained.done():
        return f"{intent.value}: the drain did not end in time"
    if drained.result().hurried:
        return f"{intent.value}, told again to end at once"
    return intent.value if drained.result().clean else f"{intent.value}: not every session had let go in time"
