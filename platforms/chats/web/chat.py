"""The web chat as a platform: the server is ours, so what is visible is what the store says plus what streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from greenroom.actors.model import DeliveryClass, Inbound, Receipt, SessionKey
from greenroom.actors.ports import BusyError, Choices, Door, History, Outgoing, Shown, Traits
from greenroom.platforms.chats.web.board import Board, Notice, Stream
from greenroom.platforms.chats.web.codec import (
    BEAT_FRAME,
    Said,
    as_seen,
    news_frame,
    overlay,
    snapshot_frame,
    update_id,
)
from greenroom.platforms.chats.web.guard import AllowedHosts, Guard
from greenroom.platforms.chats.web.routes import build_app
from greenroom.platforms.chats.web.server import ListeningPort, serving

SHOWN_MAX = 200
"""Messages that a page shows, from the newest back."""

RECENT_MAX = 50
"""How far back a message is looked for to learn whether its text is final."""

BEAT_S = 15.0
"""Seconds of silence after which a stream shows that it lives."""

TRAITS = Traits(
    # Our page takes the same id twice without harm, so a native key would do. The anchor is chosen because a person
    # who waits wants to see the words come, and only the anchor is edited while a run lasts.
    delivery=DeliveryClass.EDIT_ANCHOR,
    text_max=1_000_000,
    edits=True,
    edit_min_s=0.1,
    buttons=True,
    announces=True,
    late_s=0.0,
)


async def always_ready() -> str | None:
    """Know of nothing that could be wrong."""
    return None


class WebChat:
    """Serves the page and its events. Implements `Platform`; everything runs on the loop that runs `run`.

    There is no login: who reaches the address may chat, so it listens on this machine alone unless told otherwise.
    `hosts` are further names by which browsers may address it, such as that of a proxy in front of it.
    A message's id is its outgoing key: sending twice shows once, and editing works after any restart.
    `ready` says what keeps greenroom from taking and answering messages now, for /readyz; None when nothing does.
    """

    name = "web"
    traits = TRAITS

    def __init__(
        self,
        history: History,
        *,
        account: str = "local",
        host: str = "127.0.0.1",
        port: int = 8765,
        hosts: Sequence[str] = (),
        beat_s: float = BEAT_S,
        now: Callable[[], float] = time.time,
        ready: Callable[[], Awaitable[str | None]] = always_ready,
    ) -> None:
        """Prepare; nothing is opened before `bind` or `run`."""
        self.account, self._history = account, history
        self._port, self._beat_s, self._now = ListeningPort(host, port), beat_s, now
        self._board, self._ready = Board(), ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door: Door | None = None
        self._app = Guard(build_app(self), AllowedHosts(host, hosts))

    @property
    def address(self) -> str:
        """Where the page is; the port is the real one once bound."""
        return f"{self._port.url}/"

    def bind(self) -> str:
        """Open the listening socket, if it is not open yet, and return the address. Raises ListenError.

        A host that wants to refuse to start when the port is taken calls this before it attaches the platform.
        """
        self._port.bind()
        return self.address

    def close(self) -> None:
        """Close the socket of a `bind` that no `run` followed. Harmless when repeated."""
        self._port.close()

    def watched(self, chat: str) -> int:
        """Count the browsers that look at a chat now."""
        return self._board.watched(chat)

    async def run(self, door: Door) -> None:
        """Serve until cancelled; streams end at once then, requests get two seconds. Raises ListenError.

        Run again after a crash it takes the same port, so that pages find it.
        """
        listening = self._port.take()
        self._door, self._loop = door, asyncio.get_running_loop()
        self._board.open()
        async with serving(self._app, listening) as server:
            door.connected()
            try:
                await asyncio.wait({server})
                server.result()
                raise RuntimeError("the web server ended by itself")
            finally:
                self._board.close()
                door.disconnected("the web server stopped")

    async def ready(self) -> str | None:
        """See `Room.ready`."""
        return await self._ready()

    def announce(self, words: str | None) -> None:
        """Tell everyone who looks what is wrong, or that it is over. From any thread; lost while nothing is served."""
        if self._loop is not None:
            with suppress(RuntimeError):  # The loop is closed: nobody looks any more.
                self._loop.call_soon_threadsafe(self._board.announce, Notice(words))

    async def send(self, message: Outgoing) -> str:
        final = message.text != TRAITS.placeholder
        self._tell(message.session, message.key, message.text, final=final, choices=message.choices)
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Show words at once; if the store has the message concluded, show what the store says."""
        self._tell(session, message_id, text, final=False, choices=choices)
        if self._board.watched(session.chat):
            stored = await self._stored(session, message_id, mine=False)
            if stored is not None and stored.final:
                self._board.publish(session.chat, stored)

    async def find(self, message: Outgoing) -> str | None:
        """Look in the store: what is stored there is what browsers see."""
        return message.key if await self._stored(message.session, message.key, mine=False) else None

    async def say(self, chat: str, said: Said) -> Receipt:
        """Take a person's message to the door, and show it to everyone who looks at the chat."""
        if self._door is None:
            raise BusyError("the server is starting")
        session = self._session(chat)
        known_as = update_id(chat, said.id)
        receipt = await self._door.accept(Inbound(session, known_as, said.text, answers=said.answers))
        row: Shown | None = Shown(known_as, mine=True, text=said.text, at=self._now())
        if receipt.repeated:
            row = await self._first_text(session, known_as)
        if row is not None:
            self._board.publish(chat, as_seen(session, row))
        return receipt

    async def _first_text(self, session: SessionKey, known_as: str) -> Shown | None:
        """Read what was said under this id the first time: it stands, whatever came now."""
        try:
            return await self._stored(session, known_as, mine=True)
        except Exception:  # Invariant: what is on disk is acknowledged. Who looks sees it with the next snapshot.
            return None

    async def look(self, chat: str) -> tuple[Stream, AsyncIterator[bytes]]:
        """Join first, then read: what happens in between is told after the snapshot, never lost. See `Room.look`."""
        session = self._session(chat)
        stream = self._board.join(chat)
        try:
            rows = await self._history.shown(session, SHOWN_MAX)
        except Exception as unreadable:  # Invariant: a page that cannot be told all that is visible comes again.
            stream.leave()
            raise BusyError(f"the history cannot be read now: {unreadable}") from unreadable
        except BaseException:  # Invariant: a stream on the board has a reader.
            stream.leave()
            raise
        seen = overlay([as_seen(session, row) for row in rows], self._board.live(chat))
        return stream, self._frames(stream, seen)

    async def _frames(self, stream: Stream, seen: Sequence[Shown]) -> AsyncIterator[bytes]:
        yield snapshot_frame(seen, self._board.notice)
        while True:
            news = await stream.take(self._beat_s)
            if news:
                yield b"".join(map(news_frame, news))
            elif stream.ended.is_set():
                return
            else:
                yield BEAT_FRAME

    def _tell(
        self, session: SessionKey, message_id: str, text: str, *, final: bool, choices: Choices | None = None
    ) -> None:
        row = Shown(message_id, mine=False, text=text, at=self._now(), final=final, choices=choices)
        self._board.publish(session.chat, row)

    async def _stored(self, session: SessionKey, message_id: str, *, mine: bool) -> Shown | None:
        rows = await self._history.shown(session, RECENT_MAX)
        return next((row for row in rows if row.id == message_id and row.mine is mine), None)

    def _session(self, chat: str) -> SessionKey:
        return SessionKey(self.name, self.account, chat)
