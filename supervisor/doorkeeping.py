"""Who is at the door, through a room: how platforms stand, and which strangers are let in. In two faces."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.session_key import SessionKey
from greenroom.supervisor.attachments import ANSWER_S
from greenroom.supervisor.faces import key_of, or_raise
from greenroom.supervisor.reception import called_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenroom.actors.model import SessionId
    from greenroom.actors.outbox_words import OutboxStatus
    from greenroom.actors.pairing import Pairing
    from greenroom.actors.runtime import Depth
    from greenroom.supervisor.connections import Connection
    from greenroom.supervisor.core import Core
    from greenroom.supervisor.policy import Policy


class Doorkeeping:
    """What both faces share."""

    _core: Core

    def connections(self) -> tuple[Connection, ...]:
        """Say of each platform whether it is connected, since when, and why not."""
        return self._core.attachments.connections()

    def outboxes(self) -> Mapping[str, OutboxStatus]:
        """Say of each account, such as `telegram:me`, how its outbox stands. Blocks until they have answered."""
        return self._core.attachments.outboxes()

    def depths(self) -> Mapping[str, Depth]:
        """Count the actors of each class, and what waits for them; costs what lives."""
        return self._core.depths()

    def admit(self, policy: Policy) -> None:
        """Let in whom this policy's `allow` names, from now on; so with its `strangers` and `pairing_s`.

        What was taken from a chat that it does not name any more is still answered. Raises ValueError where the
        supervisor began without `allow`.
        """
        self._core.access.admit(policy)

    def pairings(self) -> Sequence[Pairing]:
        """The chats that were let in by a code, and those that were shown one (`Policy.strangers`)."""
        return self._core.access.pairings()


class AsyncDoorkeeping:
    """For hosts with an asyncio loop."""

    _core: Core

    async def timers(self, session_id: SessionId) -> Mapping[str, float]:
        """Say in how many seconds each timer of a session rings, soonest first; of one that rests: none.

        Raises TimeoutError when the house is too busy to say, as while its storage is being restarted.
        """
        async with asyncio.timeout(ANSWER_S):
            told: Mapping[str, float] = await called_back(partial(self._core.ask_timers, session_id))
            return told

    async def pair(self, code: str) -> SessionKey:
        """Let the chat in that was shown this code; returns which, once that is on disk.

        Raises RefusedError (wrong, used, or over), BusyError (not now).
        """
        done: SessionKey | Exception = await called_back(partial(self._core.access.approve, code))
        return or_raise(done)

    async def unpair(self, chat: str | SessionKey) -> SessionKey:
        """Make a chat a stranger's again that was let in. Raises RefusedError, BusyError, InvalidKeyError."""
        done: SessionKey | Exception = await called_back(partial(self._core.access.revoke, key_of(chat)))
        return or_raise(done)


class BlockingDoorkeeping:
    """See `AsyncDoorkeeping`. Each raises TimeoutError, too: what it asked for may still be done."""

    _core: Core

    def pair(self, code: str, *, timeout_s: float | None = None) -> SessionKey:
        """See `AsyncDoorkeeping.pair`."""
        told: Future[SessionKey | Exception] = Future()
        self._core.access.approve(code, told.set_result)
        return or_raise(told.result(timeout_s))

    def unpair(self, chat: str | SessionKey, *, timeout_s: float | None = None) -> SessionKey:
        """See `AsyncDoorkeeping.unpair`."""
        told: Future[SessionKey | Exception] = Future()
        self._core.access.revoke(key_of(chat), told.set_result)
        return or_raise(told.result(timeout_s))
