"""The door that one platform account is given."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from greenroom.actors.ports import BusyError
from greenroom.supervisor.reception import accepted

if TYPE_CHECKING:
    from greenroom.actors.model import Inbound, Receipt, SessionKey
    from greenroom.supervisor.core import Core
    from greenroom.supervisor.recovery import Account

logger = logging.getLogger("greenroom.supervisor")


class PlatformDoor:
    """The door that one platform account is given (`ports.Door`)."""

    def __init__(self, core: Core, account: Account) -> None:
        """Lead to `core`."""
        self._core = core
        self._account = account
        self._told: str | None = None  # what only a person can cure, since it was last connected

    async def accept(self, inbound: Inbound) -> Receipt:
        """See `ports.Door.accept`."""
        try:
            return await accepted(self._core.reception, inbound)
        except BusyError:
            if self.allows(inbound.key):
                self._core.attachments.tell_trouble(inbound.key)
            raise

    def allows(self, session: SessionKey) -> bool:
        """See `ports.Door.allows`."""
        return self._core.access.policy.allows(session)

    def connected(self) -> None:
        """See `ports.Door.connected`."""
        self._told = None
        if self._core.turn(self._account, None):
            logger.info("%s:%s is connected", *self._account)

    def disconnected(self, why: str) -> None:
        """See `ports.Door.disconnected`."""
        if self._core.turn(self._account, why):
            logger.info("%s:%s is not connected: %s", *self._account, why)

    def misconfigured(self, words: str, *, again_s: float) -> None:
        """Say what only a person can cure: once, however often it is tried again."""
        self._core.turn(self._account, words)
        if words != self._told:
            self._told = words
            logger.error("%s:%s cannot connect: %s (tried again every %g s)", *self._account, words, again_s)
