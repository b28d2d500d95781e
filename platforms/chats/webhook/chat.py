"""A webhook as a platform: another program says things by signed HTTP, and is told, or asks for, the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import BusyError, Choices, Door, History, MisconfiguredError, NotSentError, Outgoing, Traits
from greenroom.platforms.chats.web.server import ListenError, ListeningPort, serving
from greenroom.platforms.chats.webhook.board import Board
from greenroom.platforms.chats.webhook.codec import (
    NAME,
    Answer,
    Answers,
    Asked,
    Said,
    Taken,
    session_of,
    shown_answers,
    to_inbound,
)
from greenroom.platforms.chats.webhook.receiver import Receiver
from greenroom.platforms.chats.webhook.routes import CrowdedError, build_app
from greenroom.platforms.chats.webhook.settings import WebhookSettings
from greenroom.platforms.chats.webhook.signing import verify

SHOWN_MAX = 200
"""Answers that can be asked for, from the newest back."""

WAITING_MAX = 500
"""Requests that wait for answers, or watch, at the same time."""

BEAT_S = 15.0
"""Seconds of silence after which a stream shows that it lives."""

TEXT_MAX = 100_000
POLLED_TEXT_MAX = 10_000_000
"""Of who asks for the answers nothing is split: the store has them whole."""


class Webhook:
    """Implements `Platform`; everything runs on the loop that runs `run`.

    What is said is named by the client's own id. What is answered is kept by the store, from which it can be asked for
    again; with a callback it is posted there as well, and counts as delivered when the receiver took it.
    """

    name = NAME

    def __init__(self, settings: WebhookSettings, history: History, now: Callable[[], float] = time.time) -> None:
        """Prepare; nothing is opened before `bind` or `run`."""
        self.account = settings.account
        self._settings, self._history, self._now = settings, history, now
        self._port = ListeningPort(settings.host, settings.port)
        self._door: Door | None = None
        self._receiver: Receiver | None = None
        self._board = Board()
        self._waiting = 0
        self._app = build_app(self)
        polled = settings.callback is None
        keyed = polled or settings.callback_knows_ids
        self.traits = Traits(
            DeliveryClass.NATIVE_KEY if keyed else DeliveryClass.NONE,
            text_max=POLLED_TEXT_MAX if polled else TEXT_MAX,
            edits=False,
            buttons=True,
        )

    @property
    def address(self) -> str:
        """Where it listens; the port is the real one once bound."""
        return self._port.url

    def bind(self) -> str:
        """Open the listening socket, if it is not open yet, and return the address. Raises ListenError."""
        self._port.bind()
        return self.address

    def close(self) -> None:
        """Close the socket of a `bind` that no `run` followed. Harmless when repeated."""
        self._port.close()

    async def run(self, door: Door) -> None:
        """Serve until cancelled. Run again after a crash it takes the same port."""
        try:
            listening = self._port.take()
        except ListenError as error:
            raise MisconfiguredError(str(error)) from error
        self._door = door
        url, secret = self._settings.callback, self._settings.secret
        self._receiver = None if url is None else Receiver(str(url), secret, self._now)
        try:
            async with serving(self._app, listening) as server:
                door.connected()
                await asyncio.wait({server})
                server.result()
                raise RuntimeError("the web server ended by itself")
        finally:
            door.disconnected("the web server stopped")
            receiver, self._receiver = self._receiver, None
            if receiver is not None:
                await receiver.close()

    async def send(self, message: Outgoing) -> str:
        """Tell the receiver, and those who wait."""
        if self._settings.callback is not None:
            if self._receiver is None:
                raise NotSentError("the webhook does not run now")
            await self._receiver.post(message)
        self._board.show(message, self._now())
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Nothing is edited: its traits say so."""

    async def find(self, message: Outgoing) -> None:
        """Nothing is looked for: its class asks for it never."""

    # -- what the routes ask for, see `routes.Room` ----------------------------------------------------------------

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        return verify(self._settings.secret.get_secret_value(), headers, body, self._now())

    async def say(self, said: Said, said_id: str) -> Taken:
        if self._door is None:
            raise BusyError("the server is starting")
        receipt = await self._door.accept(to_inbound(self.account, said, said_id))
        return Taken(said_id, receipt.repeated)

    async def answers(self, asked: Asked) -> Answers:
        session = session_of(self.account, asked.chat, asked.thread)
        bell = self._listen(session)
        try:
            found = await self._new_answers(session, asked.after)
            if not found and asked.wait_s:
                await _rung(bell, asked.wait_s)
                found = await self._new_answers(session, asked.after)
            return Answers(found)
        finally:
            self._leave(session, bell)

    async def events(self, asked: Asked) -> AsyncIterator[bytes]:
        session, after = session_of(self.account, asked.chat, asked.thread), asked.after
        try:
            bell = self._listen(session)
        except CrowdedError:
            yield b": too many watch; try again\n\n"
            return
        try:
            while True:
                bell.clear()
                for answer in await self._new_answers(session, after):
                    after = answer.id
                    yield b"id: %b\nevent: message\ndata: %b\n\n" % (answer.id.encode(), msgspec.json.encode(answer))
                if not await _rung(bell, BEAT_S):
                    yield b": nothing new\n\n"
        finally:
            self._leave(session, bell)

    def _listen(self, session: SessionKey) -> asyncio.Event:
        if self._waiting >= WAITING_MAX:
            raise CrowdedError
        self._waiting += 1
        return self._board.listen(session)

    def _leave(self, session: SessionKey, bell: asyncio.Event) -> None:
        self._waiting -= 1
        self._board.leave(session, bell)

    async def _new_answers(self, session: SessionKey, after: str | None) -> list[Answer]:
        try:
            rows = await self._history.shown(session, SHOWN_MAX)
        except Exception as unreadable:  # Invariant: who cannot be told what there is comes again.
            raise BusyError(f"the history cannot be read now: {unreadable}") from unreadable
        return shown_answers(session, self._board.overlaid(session, list(rows)), after)


async def _rung(bell: asyncio.Event, seconds: float) -> bool:
    """Wait until the bell rings, or for so long; whether it rang."""
    try:
        async with asyncio.timeout(seconds):
            return await bell.wait()
    except TimeoutError:
        return False
