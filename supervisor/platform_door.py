"""The door that one platform account is given."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from greenroom.supervisor.reception import accepted

if TYPE_CHECKING:
    from greenroom.actors.model import Inbound, Receipt
    from greenroom.supervisor.core import Core
    from greenroom.supervisor.recovery import Account

logger = logging.getLogger("greenroom.supervisor")


class PlatformDoor:
    """The door that one platform account is given (`ports.Door`)."""

    def __init__(self, core: Core, account: Account) -> None:
        """Lead to `core`."""
        self._core = core
        self._account = account

    async def accept(self, inbound: Inbound) -> Receipt:
        """See `ports.Door.accept`."""
        return await accepted(self._core.reception, inbound)

    def connected(self) -> None:
        """See `ports.Door.connected`."""
        self._core.turn(self._account, connected=True)

    def disconnected(self, why: str) -> None:
        """See `ports.Door.disconnected`."""
        logger.info("%s:%s is not connected: %s", *self._account, why)
        self._core.turn(self._account, connected=False)
