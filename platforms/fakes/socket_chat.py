"""A platform whose server is another process, and may die at any moment: see `chat_process`."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from greenroom.actors.model import DeliveryClass, Inbound, SessionKey
from greenroom.actors.ports import (
    BusyError,
    Choices,
    Door,
    NotSentError,
    Outgoing,
    RefusedError,
    SendRefusedError,
    TargetGoneError,
    Traits,
)
from greenroom.platforms.chats.account import AccountSettings
from greenroom.platforms.fakes.chat_process import LINE_MAX_BYTES

AGAIN_S = 0.1
"""A pause before the server is called again, or offered an update again that could not be stored."""

REFUSALS = {each.__name__: each for each in (TargetGoneError, SendRefusedError)}


async def call(socket: str, do: str, **what: Any) -> Any:
    """Ask the server. Raises NotSentError if it had no effect, ConnectionError if it may have had one, and refusals."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket, limit=LINE_MAX_BYTES)
    except OSError as error:
        raise NotSentError(f"the chat server is down: {error}") from error
    try:
        writer.write(json.dumps({"do": do, **what}).encode() + b"\n")
        await writer.drain()
        line = await reader.readline()
    finally:
        writer.close()
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the chat server died before it answered")
    answer = json.loads(line)
    if "refused" in answer:
        raise REFUSALS[answer["refused"]](answer["why"])
    return answer["is"]


class SocketSettings(AccountSettings):
    """What a configuration says of the server; `delivery` is the value of a delivery class."""

    account: str = "bot"
    socket: str
    delivery: str = "edit_anchor"


def make(settings: SocketSettings, folder: Path) -> SocketChat:  # noqa: ARG001 - it keeps no files
    """Make the client that a configuration asks for."""
    return SocketChat(settings.socket, settings.delivery, account=settings.account)


LATE_S = 0.2
"""How long a request may still take effect that was given up: the server is on this machine, and busy with little."""


class SocketChat:
    """A `Platform` on a chat server behind a Unix socket."""

    def __init__(self, socket: str, delivery: str = "edit_anchor", name: str = "storm", account: str = "bot") -> None:
        """`delivery` is the value of a delivery class."""
        kind = DeliveryClass(delivery)
        self.name, self.account = name, account
        self.traits = Traits(kind, edits=kind is DeliveryClass.EDIT_ANCHOR, edit_min_s=0.1, late_s=LATE_S)
        self._socket = socket

    async def send(self, message: Outgoing) -> str:
        """See `Platform.send`."""
        shown = {"session": str(message.session), "key": message.key, "text": message.text}
        return str(await call(self._socket, "post", **shown, reply_to=message.reply_to))

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:  # noqa: ARG002 - it has no buttons
        """See `Platform.edit`."""
        await call(self._socket, "edit", session=str(session), id=message_id, text=text)

    async def find(self, message: Outgoing) -> str | None:
        """See `Platform.find`."""
        found: str | None = await call(self._socket, "find", session=str(message.session), key=message.key)
        return found

    async def run(self, door: Door) -> None:
        """Hand over what persons say, through every death of the server."""
        while True:
            with suppress(OSError, NotSentError):
                await self._listen(door)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, door: Door) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        door.connected()
        try:
            writer.write(b'{"do": "listen"}\n')
            whole = True
            while not whole or (await reader.readline()).endswith(b"\n"):
                whole = await self._hand_over(door)
                await asyncio.sleep(0 if whole else AGAIN_S)
        finally:
            writer.close()
            door.disconnected("the chat server hung up")

    async def _hand_over(self, door: Door) -> bool:
        """Offer all that is not acknowledged; False: some of it must be offered again."""
        for update in await call(self._socket, "updates"):
            with suppress(RefusedError):
                try:
                    await door.accept(Inbound(SessionKey.parse(update["session"]), update["id"], update["text"]))
                except BusyError:
                    return False
            await call(self._socket, "acknowledge", session=update["session"], id=update["id"])
        return True
