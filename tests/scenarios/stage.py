"""What the stories share: an agent that remembers what it was given, and small questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import apsw
import pytest

from greenroom.actors.model import Attachment, Epoch, Role
from greenroom.actors.ports import Agent, Conclusion, Turn
from greenroom.storage import group
from greenroom.supervisor.sandbox.scenario import Scenario, SessionKey

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What one run was given."""

    text: str
    note: str | None
    attempt: int
    rows: tuple[tuple[str, str], ...]
    attached: tuple[Attachment, ...] = ()


@dataclass
class Listener:
    """An agent around another: it remembers what each run was given."""

    agent: Agent
    heard: list[Heard] = field(default_factory=list)

    async def __call__(self, turn: Turn) -> str | Conclusion | None:
        rows = tuple((row.role.value, row.text) for row in await turn.messages())
        attached = tuple(each for message in turn.new for each in message.attachments)
        self.heard.append(Heard(turn.text, turn.recovery_note, turn.attempt, rows, attached))
        return await self.agent(turn)


def listened(**knobs: Any) -> tuple[Scenario, Listener]:
    """A story whose agent is listened to."""
    room = Scenario(**knobs)
    listener = Listener(room.agent)
    room.agent = listener
    return room, listener


def said(room: Scenario, chat: int | SessionKey = 1) -> list[str]:
    """The user's words in the transcript."""
    return [row.text for row in room.transcript(chat) if row.role == Role.USER]


def causes(room: Scenario, chat: int | SessionKey = 1) -> list[str]:
    """Why each run was started."""
    return [row.cause for row in room.runs(chat)]


def rules(room: Scenario, chat: int | SessionKey = 1) -> list[str]:
    """The rules that decided about a chat, without the waiting for its platform, which most boots begin with."""
    return [rule for rule in room.decisions(chat) if rule != "NOT_CONNECTED"]


def shown(room: Scenario, chat: int | SessionKey = 1) -> list[str]:
    """Everything that was ever to be read in a chat, edited or not, in order."""
    return [text for message in room.messages(chat) for text in message.texts]


def interrupt(room: Scenario, text: str = "m1 nap answer", *, after_s: float = 1.0, chat: int = 1) -> None:
    """Let a person ask for something, and kill the process while the agent works on it."""
    room.says(text, chat)
    room.advance(after_s)
    assert room.runs(chat)[-1].open
    room.crash()


def lock(monkeypatch: pytest.MonkeyPatch, *, nth: int, times: int = 2) -> list[int]:
    """Let another process hold the database when the nth group from now begins; returns the attempts that met it.

    A simulated disk is locked when it is opened and not again, so the word comes from where SQLite would say it.
    """
    begin, attempts, met = group._begin, 0, list[int]()

    def begin_or_wait(db: apsw.Connection, epoch: Epoch) -> int:
        nonlocal attempts
        attempts += 1
        if nth <= attempts < nth + times:
            met.append(attempts)
            raise apsw.BusyError("database is locked")
        return begin(db, epoch)

    monkeypatch.setattr(group, "_begin", begin_or_wait)
    return met
