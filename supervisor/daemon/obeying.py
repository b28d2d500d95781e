"""What becomes of the orders that other processes of the same owner give a running daemon."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from greenroom.actors.commands import Command
from greenroom.actors.model import SessionId
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.session_key import InvalidKeyError
from greenroom.supervisor.answers import NeverAnsweredError, SupervisorFailedError
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from greenroom.actors.model import Delivery, SessionKey
    from greenroom.supervisor.daemon.orders import Orders
    from greenroom.supervisor.feed import Feed
    from greenroom.supervisor.supervisor import AsyncRoom

CARRY_OUT_S = 20.0
"""How long whoever gives an order waits for what becomes of it; it is on disk long before."""

NEWS_MAX = 200
"""Most entries of the feed in one answer, the newest; whoever was away for longer reads the database."""

logger = logging.getLogger("greenroom.daemon")


async def nothing_is_wrong() -> str | None:
    """Say that it is ready, where nobody knows better."""
    return None


async def obey(
    room: AsyncRoom,
    orders: Orders,
    order: dict[str, Any],
    *,
    ready: Callable[[], Awaitable[str | None]] = nothing_is_wrong,
    feed: Feed | None = None,
) -> dict[str, Any]:
    """Carry out what another process of our owner wants, and say what became of it."""
    match order:
        case {"order": "ready"}:
            why_not = await ready()
            return {"ready": why_not is None, "why_not": why_not}
        case {"order": "release", "session": int(session)}:
            return await _release(room, SessionId(session))
        case {"order": "stop", "intent": str(intent)} if intent in set(Intent):
            orders.end(Intent(intent))
            return {"stopping": True}
        case {"order": "pair", "code": str(code)}:
            return await _keep_door("paired", room.pair(code))
        case {"order": "unpair", "chat": str(chat)}:
            return await _keep_door("unpaired", room.unpair(chat))
        case {"order": "resend", "delivery": str(delivery)}:
            return await _change_letter("resent", room.resend(delivery))
        case {"order": "drop", "delivery": str(delivery)}:
            return await _change_letter("dropped", room.drop(delivery))
        case {"order": "forget", "session": int(session), "chat": bool(whole_chat)}:
            return await _forget(room, SessionId(session), whole_chat=whole_chat)
        case {"order": "feed", "since": int(number)} if feed is not None:
            news = feed.since(feed.last if number < 0 else number)[-NEWS_MAX:]
            return {"last": feed.last, "entries": [asdict(entry) for entry in news]}
        case {"order": "connections"}:
            return {"connections": [asdict(each) for each in room.connections()]}
        case {"order": str(word), "chat": str(chat), "id": str(order_id)} if word in _WORDS:
            return await _order(room, Command(word), chat, order_id, str(order.get("text", "")))
        case _:
            return {"problem": f"this greenroom ({VERSION}) does not know such an order"}


_WORDS = frozenset({Command.STOP, Command.SUSPEND, Command.RESUME, Command.RETRY, Command.SEND})


async def _release(room: AsyncRoom, session: SessionId) -> dict[str, Any]:
    try:
        await room.release(session)
    except (BusyError, RefusedError) as error:
        return {"problem": f"not released: {error}"}
    logger.warning("session %s was released by an operator", session)
    return {"released": True}


async def _forget(room: AsyncRoom, session: SessionId, *, whole_chat: bool) -> dict[str, Any]:
    try:
        done = await room.forget(session, whole_chat=whole_chat)
    except (BusyError, RefusedError) as error:
        return {"problem": str(error)}
    logger.warning("sessions %s were forgotten by an operator", ", ".join(map(str, done.ids)))
    return {"forgot": done.ids, "scrubbed": asdict(done.scrubbed)}


async def _keep_door(done: str, doing: Awaitable[SessionKey]) -> dict[str, Any]:
    try:
        return {done: str(await doing)}
    except (BusyError, RefusedError, InvalidKeyError) as error:
        return {"problem": str(error)}


async def _change_letter(done: str, doing: Awaitable[Delivery]) -> dict[str, Any]:
    try:
        delivery = await doing
    except (BusyError, RefusedError) as error:
        return {"problem": str(error)}
    logger.warning("delivery %s to %s was %s by an operator", delivery.key, delivery.session, done)
    return {done: delivery.key}


async def _order(room: AsyncRoom, command: Command, chat: str, order_id: str, text: str) -> dict[str, Any]:
    logger.warning("an operator orders of %s: %s", chat, command.value)
    try:
        async with asyncio.timeout(CARRY_OUT_S):
            return {"said": await room.order(command, chat=chat, text=text, id=order_id)}
    except TimeoutError:
        return {"said": None}  # It is on disk, and carried out as soon as its session can.
    except (BusyError, RefusedError, InvalidKeyError, NeverAnsweredError, SupervisorFailedError) as error:
        return {"problem": str(error)}
