"""Handing over to the door: what is refused is refused for ever, and what is not taken now is offered again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from greenroom.actors.model import Inbound, Receipt
from greenroom.actors.ports import BusyError, Door, RefusedError
from greenroom.platforms.chats.backoff import Backoff

T = TypeVar("T")

logger = logging.getLogger("greenroom.platform")


async def offer(door: Door, inbound: Inbound) -> Receipt | None:
    """Offer it once: it is on disk, or (None) refused. Raises BusyError: it must come again."""
    try:
        return await door.accept(inbound)
    except RefusedError as refused:
        logger.info("%s: %s is not taken: %s", inbound.key, inbound.update_id, refused)
        return None


async def hand_over(door: Door, inbound: Inbound, backoff: Backoff) -> Receipt | None:
    """Offer it until it is on disk, or (None) refused."""
    return await insist(lambda: offer(door, inbound), backoff, f"{inbound.key}: {inbound.update_id}")


async def insist(attempt: Callable[[], Awaitable[T]], backoff: Backoff, what: str) -> T:
    """Try until it does not raise BusyError any more. `what` names it in the log."""
    while True:
        try:
            return await attempt()
        except BusyError as busy:
            wait_s = backoff.next_s()
            logger.info("%s waits, and is tried again in %.1f s: %s", what, wait_s, busy)
        await asyncio.sleep(wait_s)
