"""The terminal chat as a counterpart: a person before a real terminal, whose rows are all that is visible."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.platforms.conformance.counterpart import ANN, Ability, Attached, Counterpart, Lacks, Visible
from tests.platforms.conformance.glass import Glass

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import History, Shown
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.terminal import TerminalChat
from greenroom.platforms.chats.terminal_screen import PLACEHOLDER, PROMPT

CHAT = "1"
HEIGHT, WIDTH = 50, 400
LOOK_S = 0.01
"""How often a person looks whether a line was saved."""
SAVED_S = 60.0

_ALONE = "one person sits before it"
_SCREEN = "a screen refuses nothing, and what it shows is known"
_SAID = "what was said stands"
TERMINAL_LACKS: Lacks = {
    Ability.CHATS: "a terminal is one conversation",
    Ability.REDELIVERY: "a line is read once: typed twice, it is meant twice",
    Ability.OWN: "only what is typed is heard",
    Ability.CLASS: _SCREEN,
    Ability.RATE: _SCREEN,
    Ability.REFUSED: _SCREEN,
    Ability.RECONNECT: "when its terminal goes, it ends",
    Ability.SPLIT: "a million characters fit into one message",
    Ability.REPLY: "a conversation of two needs none",
    Ability.THREADS: "a terminal is one conversation",
    Ability.GROUPS: _ALONE,
    Ability.REPLIES: _ALONE,
    Ability.COMMANDS: _ALONE,
    Ability.PERSONS: _ALONE,
    Ability.EDITS: _SAID,
    Ability.DELETIONS: _SAID,
    Ability.ATTACHMENTS: "text only",
    Ability.TYPING: "words stream as they come",
}


class Past(History):
    """A history that remembers what a terminal began with: a person types when all of it is drawn."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.rows: list[str] | None = None

    async def shown(self, session: SessionKey, last: int) -> Sequence[Shown]:
        shown = await self._history.shown(session, last)
        if self.rows is None:
            self.rows = [f"{PROMPT}{each.text}" for each in shown if each.mine]
        return shown

    async def settled(self, session: SessionKey) -> bool:
        return await self._history.settled(session)


class Desk:
    """A terminal as the kernel has it, with its echo. The person's side is read as it comes, by the running loop."""

    def __init__(self, past: Past) -> None:
        self.glass, self._past = Glass(), past
        self._loop = asyncio.get_running_loop()
        self._person, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.input = os.fdopen(os.dup(terminal), encoding="utf-8")
        self.output = os.fdopen(terminal, "w", encoding="utf-8")
        self._loop.add_reader(self._person, self._read)

    def _read(self) -> None:
        self.glass.write(os.read(self._person, 65536))

    def type(self, line: str) -> None:
        os.write(self._person, f"{line}\n".encode())

    @property
    def is_ready(self) -> bool:
        """Whether all of the past is drawn, and the prompt."""
        rows, past = self.glass.rows, self._past.rows
        return past is not None and rows[-1] == PROMPT and set(past) <= set(rows)

    def close(self) -> None:
        self._loop.remove_reader(self._person)
        self.input.close()
        self.output.close()
        os.close(self._person)


class TerminalCounterpart(Counterpart):
    """See `Counterpart`. Each process is started in a terminal of its own, where it shows what was said before."""

    sessions_per = SessionsPer.CHAT

    def __init__(self) -> None:
        self._desk: Desk | None = None

    def platform(self, history: History) -> TerminalChat:
        self.close()
        past = Past(history)
        desk = self._desk = Desk(past)
        return TerminalChat(past, input=desk.input, output=desk.output, chat=CHAT)

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        try:
            async with asyncio.timeout(SAVED_S):
                await self._type(chat, text, shown=text)
        except TimeoutError:
            raise AssertionError(self._desk and self._desk.glass.rows) from None
        return text

    async def _type(self, chat: str, line: str, *, shown: str) -> None:
        """Type a line until it is saved: whoever finds another process looks whether it is among what was said."""
        assert chat == CHAT, "nobody opened this chat"
        said, saved, before = f"{PROMPT}{shown}", f"{PROMPT}{shown}  ✓ saved", 0
        former: Desk | None = None
        while True:
            desk = self._desk
            if desk is not None and desk is not former and desk.is_ready:
                if former is not None and said in desk.glass.rows:
                    return
                before, former = desk.glass.rows.count(saved), desk
                desk.type(line)
            if former is not None and former is self._desk and former.glass.rows.count(saved) > before:
                return
            await asyncio.sleep(LOOK_S)

    async def visible(self, chat: str) -> list[Visible]:
        return read_rows(self._desk.glass.rows) if self._desk is not None and chat == CHAT else []

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        """Type the number of a choice."""
        (question,) = [each for each in await self.visible(chat) if each.id == message_id]
        await self._type(chat, str(question.choices.index(choice) + 1), shown=choice)

    def close(self) -> None:
        """Leave the terminal; nobody uses it any more."""
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()


def read_rows(rows: tuple[str, ...]) -> list[Visible]:
    """Read what the bot said off a screen: all that stands behind no prompt. A message is known by its row."""
    read: list[Visible] = []
    for number, row in enumerate(rows):
        if not row or row.startswith(PROMPT):
            continue
        if read and (listed := re.fullmatch(r"  \d+\. (.+)", row)):
            asked = read.pop()
            read.append(Visible(asked.id, asked.text, choices=(*asked.choices, listed[1])))
        else:
            read.append(Visible(str(number), PLACEHOLDER if row == "…" else row))
    return read


@asynccontextmanager
async def terminal(_: Path) -> AsyncIterator[Counterpart]:
    """Open the counterpart; a terminal comes with each process."""
    counterpart = TerminalCounterpart()
    try:
        yield counterpart
    finally:
        counterpart.close()
