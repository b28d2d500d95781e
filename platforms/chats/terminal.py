"""The terminal chat as a platform: a person at a keyboard, or a pipe."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections import deque
from collections.abc import Callable
from typing import TextIO

from greenroom.actors.model import DeliveryClass, Inbound, SessionKey
from greenroom.actors.ports import (
    Choices,
    Door,
    History,
    NotSentError,
    Outgoing,
    RefusedError,
    Shown,
    Traits,
)
from greenroom.platforms.chats.legible import clean
from greenroom.platforms.chats.numbered import number_choices, read_choice
from greenroom.platforms.chats.terminal_lines import LINE_MAX_BYTES, LineReader, Overlong
from greenroom.platforms.chats.terminal_screen import PLACEHOLDER, Row, Screen

SHOWN_MAX = 20
"""Messages of before that a terminal shows when it starts."""

RECENT_MAX = 50
"""How far back a message is looked for to learn whether its text is final."""

SETTLED_POLL_S = 0.05
BUSY_WAIT_S = 1.0

# We draw the screen ourselves, so an id that comes twice changes nothing; the anchor is what shows words as they come.
TRAITS = Traits(
    DeliveryClass.EDIT_ANCHOR,
    text_max=1_000_000,
    edits=True,
    edit_min_s=0.1,
    placeholder=PLACEHOLDER,
    buttons=True,
    late_s=0.0,
)


class Hangup(Exception):
    """The person left (ctrl-D), or the pipe ended and everything in it is answered. Not a failure."""


class TerminalChat:
    """Chats over a terminal or a pipe. Implements `Platform`; everything runs on the loop that runs `run`.

    On a terminal answers change in place, the last messages are shown at the start, and ctrl-D leaves. From a pipe or
    a file, lines are said one after the other, each when nothing is owed for the one before; into one, only concluded
    answers are written. ctrl-C is the host's. While an answer streams, the echo of what is being typed may be
    overdrawn; the terminal keeps it, and ctrl-R shows it. Deliveries to other chats of the account are taken silently:
    they are shown when that chat is opened.
    """

    name = "terminal"
    traits = TRAITS

    def __init__(
        self,
        history: History,
        *,
        input: TextIO,
        output: TextIO,
        chat: str = "me",
        account: str = "local",
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """Prepare. `input` needs a file descriptor; it is read from there, past Python's buffers."""
        self._history, self._output = history, output
        # Outlives a crash of `run`: what it has read is still to be said.
        self._reader = LineReader(input.fileno(), self._see_typed)
        self._session = SessionKey("terminal", account, chat)
        self.account, self._new_id = account, new_id
        self._drawing = output.isatty()
        self._interactive = input.isatty()
        self._screen = Screen()
        self._typed: deque[str] = deque()  # The ids of the lines that were read and are still to be said.
        self._written: dict[str, str] = {}
        self._lost = asyncio.Event()
        self._past_shown = asyncio.Event()  # Until it is drawn, what is said now waits: it stands below it.
        self._choices: Choices | None = None  # of the question that was asked last, until something is said

    @property
    def session(self) -> SessionKey:
        """The conversation that this terminal is."""
        return self._session

    async def run(self, door: Door) -> None:
        """Read and say until cancelled. Raises Hangup when there is no more to do."""
        self._past_shown.clear()
        await self._look_back()
        self._past_shown.set()
        door.connected()
        conversing = asyncio.create_task(self._converse(door))
        losing = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait({conversing, losing}, return_when=asyncio.FIRST_COMPLETED)
            if self._lost.is_set():
                raise Hangup("nobody reads the output any more")
            conversing.result()
        finally:
            conversing.cancel()
            losing.cancel()
            await asyncio.gather(conversing, losing, return_exceptions=True)
            door.disconnected("the terminal hung up")

    async def send(self, message: Outgoing) -> str:
        if message.session == self._session:
            await self._past_shown.wait()
        text = self._offer(message.session, message.text, message.choices)
        self._show(message.session, message.key, text, final=message.text != PLACEHOLDER)
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        if session == self._session:
            await self._past_shown.wait()
        stored = await self._stored(session, message_id)
        if stored is not None and stored.final:
            text, choices = stored.text, stored.choices
        text = self._offer(session, text, choices)
        self._show(session, message_id, text, final=stored is not None and stored.final)

    async def find(self, message: Outgoing) -> str | None:
        """Look in the store: what is stored there is what the next start shows."""
        return message.key if await self._stored(message.session, message.key) else None

    async def _look_back(self) -> None:
        for shown in await self._history.shown(self._session, SHOWN_MAX):
            text = self._offer_shown(shown)
            if self._drawing:
                if shown.begins:
                    self._remark("a new conversation")
                self._draw(Row(shown.id, shown.mine, text, final=shown.final))
            elif shown.final and not shown.mine:
                self._written[shown.id] = text  # Of a conversation before: this pipe did not ask.
        if self._drawing:
            self._write(self._screen.redraw())

    async def _converse(self, door: Door) -> None:
        while (line := await self._reader.next()) is not None:
            await self._take(door, line)
            if not self._interactive:
                await self._until_settled()
        if not self._interactive:
            await self._until_settled()
        if self._drawing:
            self._write("\n")
        raise Hangup("the input ended")

    async def _take(self, door: Door, line: str | Overlong) -> None:
        line_id = self._typed.popleft()
        if isinstance(line, Overlong):
            self._remark(f"not sent: a line may hold {LINE_MAX_BYTES} bytes")
            return
        text = clean(line)
        if not text.strip():
            if self._drawing:
                self._write(self._screen.redraw())
            return
        choices, self._choices = self._choices, None
        text, answers = read_choice(text, choices)
        await self._say(door, Inbound(self._session, line_id, text, answers=answers))

    async def _say(self, door: Door, inbound: Inbound) -> None:
        self._own(inbound, "saving…", final=False)
        while True:
            try:
                await door.accept(inbound)
            except RefusedError as refused:
                self._own(inbound, f"not sent: {refused}", final=True)
                if not self._drawing:
                    self._remark(f"not sent: {refused}")
                return
            except Exception as trouble:  # Invariant: a line that was typed is said once, whatever is in the way.
                self._own(inbound, f"not saved yet, trying again: {trouble}", final=False)
                await asyncio.sleep(BUSY_WAIT_S)
            else:
                self._own(inbound, "✓ saved", final=True)
                return

    async def _until_settled(self) -> None:
        # The last commit comes after the last call of ours, so no call can be waited for.
        while not await self._settled():  # noqa: ASYNC110
            await asyncio.sleep(SETTLED_POLL_S)
        await self._write_unheard()

    async def _write_unheard(self) -> None:
        """Write what is concluded and was not written: words that we were handed before they were final."""
        try:
            shown = await self._history.shown(self._session, RECENT_MAX)
        except Exception:  # Invariant: a pipe ends when all is answered; what cannot be read now, the next start knows.
            return
        for row in shown:
            text = self._offer_shown(row)
            if row.final and not row.mine:
                self._show(self._session, row.id, text, final=True)

    async def _settled(self) -> bool:
        try:
            return await self._history.settled(self._session)
        except Exception:  # Invariant: a pipe ends when all is answered; a store that cannot be read says nothing.
            return False

    def _offer(self, session: SessionKey, text: str, choices: Choices | None) -> str:
        """Number the choices of a question, and remember them for whoever types a number."""
        if choices is None:
            return text
        if session == self._session:
            self._choices = choices
        return number_choices(text, choices)

    def _offer_shown(self, shown: Shown) -> str:
        """Do so for what is read back, oldest first: whatever the person said answers what was asked before it."""
        if shown.mine:
            self._choices = None
        return self._offer(self._session, shown.text, shown.choices)

    def _show(self, session: SessionKey, message_id: str, text: str, *, final: bool) -> None:
        if session != self._session:
            return
        if self._drawing:
            self._draw(Row(message_id, mine=False, text=text, final=final))
        elif final and self._written.get(message_id) != text:
            self._write(f"{clean(text)}\n")
            self._written[message_id] = text

    async def _stored(self, session: SessionKey, message_id: str) -> Shown | None:
        rows = await self._history.shown(session, RECENT_MAX)
        return next((row for row in rows if row.id == message_id and not row.mine), None)

    def _own(self, inbound: Inbound, mark: str, *, final: bool) -> None:
        if self._drawing:
            self._draw(Row(inbound.update_id, mine=True, text=inbound.text, final=final, mark=mark))

    def _remark(self, words: str) -> None:
        if self._drawing:
            self._draw(Row(self._new_id(), mine=False, text=f"[{words}]", final=True))
        else:
            self._write(f"[{clean(words)}]\n")

    def _see_typed(self, line: str | Overlong) -> None:
        """The terminal has shown what was typed: what is drawn next stands lower by it, and shows it, too."""
        line_id = self._new_id()
        self._typed.append(line_id)
        if not self._drawing or not self._interactive or isinstance(line, Overlong):
            return
        self._measure()
        self._screen.typed(line)
        if clean(line).strip():
            self._screen.put(Row(line_id, mine=True, text=line, final=False))

    def _draw(self, row: Row) -> None:
        if self._drawing and self._interactive:
            self._reader.catch_up()
        self._measure()
        self._write(self._screen.show(row))

    def _measure(self) -> None:
        try:
            width, height = os.get_terminal_size(self._output.fileno())
        except OSError:
            width, height = 0, 0
        self._screen.width, self._screen.height = width or 80, height or 24  # Some terminals say 0: unknown.

    def _write(self, words: str) -> None:
        """Write at once. Raises NotSentError, and ends `run`, when nobody reads any more."""
        if not words:
            return
        try:
            self._output.write(words)
            self._output.flush()
        except OSError as gone:
            self._lost.set()
            raise NotSentError("the terminal is gone") from gone
