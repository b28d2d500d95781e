"""A chat that the host carries itself: it hands messages to `room.accept` and reads answers by `room.answer`.

Attaching one tells the supervisor that this account can be reached, so that interrupted work of its chats goes on by
itself, and that an answer counts as delivered once it is on disk for the host to read.
"""

from __future__ import annotations

import asyncio

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import Choices, Door, Outgoing, Traits


class HostedChat:
    """See `ports.Platform`. Always connected; shows nothing to anybody."""

    def __init__(self, name: str, account: str) -> None:
        """`name` and `account` are the first two parts of the host's session keys."""
        self.name = name
        self.account = account
        self.traits = Traits(DeliveryClass.NATIVE_KEY, text_max=1_000_000_000, edits=False, late_s=0.0)

    async def run(self, door: Door) -> None:
        """Receive nothing: the host calls `room.accept`."""
        door.connected()
        await asyncio.Event().wait()

    async def send(self, message: Outgoing) -> str:
        """Nothing is to be sent: the text is on disk, where `room.answer` reads it."""
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Nothing is to be edited."""

    async def find(self, message: Outgoing) -> None:
        """Nothing is to be found."""
