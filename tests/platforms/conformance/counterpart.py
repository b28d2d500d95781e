"""The other side of a platform's wire: what its persons do there, what they see, and what can go wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from greenroom.actors.ports import History, Platform
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.fakes.platform import Fault

GROUP = "group"
"""The chat of this name is one of several persons, where it exists; in every other chat one person talks to the bot."""

ANN = "Ann"
"""Who speaks, unless it is said otherwise."""


class Ability(StrEnum):
    """What the suite proves of a platform, in the words of the table in docs/platforms.md. Each has a test, or more."""

    IN = "what a person says is on disk before it is acknowledged"
    OUT = "an answer becomes visible, once"
    ORDER = "answers come in the order of the questions"
    CHATS = "chats are conversations of their own"
    REDELIVERY = "what comes twice is answered once"
    BUSY = "what could not be stored comes again"
    OWN = "its own messages are not heard"
    CLASS = "a post of unknown outcome is repeated as its class allows"
    KILLED = "killed between any two steps, it answers once"
    RATE = "told to wait (429), it waits"
    REFUSED = "a chat that refuses for ever holds up nobody"
    RECONNECT = "a connection that breaks is made again"
    SPLIT = "a long answer becomes several messages"
    STREAM = "words are visible while they come"
    REPLY = "an answer replies to what it answers"
    THREADS = "threads are conversations of their own"
    GROUPS = "in a group it hears what is addressed to it, and from whom"
    REPLIES = "in a group a reply to it is for it"
    COMMANDS = "in a group a command is for it"
    PERSONS = "in a group each person can have a conversation"
    EDITS = "a person's edit is heard"
    DELETIONS = "a person's deletion is heard"
    ATTACHMENTS = "a file that a person sends can be read"
    BUTTONS = "a question shows buttons"
    TYPING = "it shows that it is typing"


Call = Literal["send", "edit"]
"""What of a platform a fault is for."""


class Attached(Struct, frozen=True):
    """A file that a person sends."""

    path: Path
    media_type: str = "text/plain"


class Visible(Struct, frozen=True):
    """A message of the bot as the server has it."""

    id: str
    text: str
    thread: str | None = None
    reply_to: str | None = None  # the message that a person wrote, as `says` named it
    choices: tuple[str, ...] = ()


def unwritten() -> NotImplementedError:
    """What a counterpart answers whose platform lacks the ability."""
    return NotImplementedError("the suite asks for what this platform lacks")


class Counterpart(Protocol):
    """A server with persons at it. It outlives the platform objects that talk to it.

    Chats and threads have names of the test's own; a counterpart knows which of its own they are. Where nothing can
    hear a person while the platform is down, a person tries again until it is up.
    A method whose ability is named among `Entry.lacks` is never called, and need not be written.
    """

    sessions_per: SessionsPer
    """How the group is divided, for platform objects that are made from now on. Ability PERSONS."""

    def platform(self, history: History) -> Platform:
        """Make a platform object on the same account: the first, or the one after a restart."""

    async def says(
        self,
        chat: str,
        text: str,
        *,
        author: str = ANN,
        thread: str | None = None,
        attached: Attached | None = None,
    ) -> str:
        """A person writes to the bot (in the group: addressing it). Returns the message's id."""

    async def redeliver(self, message_id: str) -> None:
        """The server delivers a message again, as after a lost acknowledgement. Ability REDELIVERY."""
        raise unwritten()

    async def visible(self, chat: str) -> list[Visible]:
        """Read the bot's messages of all threads of a chat, oldest first."""

    async def mutters(self, chat: str, text: str, *, author: str = ANN) -> None:
        """A person writes in the group, not to the bot; or a command, mentioning nobody. Abilities GROUPS, COMMANDS."""
        raise unwritten()

    async def replies(self, message_id: str, text: str, *, author: str = ANN) -> None:
        """A person answers a message of the bot in the group, and does not mention it. Ability REPLIES."""
        raise unwritten()

    async def says_itself(self, chat: str, text: str) -> None:
        """The bot's own account writes, as from another device, and its platform hears of it. Ability OWN."""
        raise unwritten()

    async def edits(self, message_id: str, text: str) -> None:
        """A person changes a message. Ability EDITS."""
        raise unwritten()

    async def deletes(self, message_id: str) -> None:
        """A person removes a message. Ability DELETIONS."""
        raise unwritten()

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        """A person presses a button under a message of the bot. Ability BUTTONS."""
        raise unwritten()

    async def typed(self, chat: str) -> int:
        """How often the bot was shown typing in a chat. Ability TYPING."""
        raise unwritten()

    async def fail(self, call: Call, fault: Fault) -> None:
        """Let the next call of this kind fail. Abilities CLASS (breaks), RATE (retry later), REFUSED."""
        raise unwritten()

    async def cut(self) -> None:
        """Break the connection through which updates come. Ability RECONNECT."""
        raise unwritten()


Lacks = Mapping[Ability, str]
"""What a platform cannot do, and why. Everything else is proved."""
