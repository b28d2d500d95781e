"""Groups whose id changed: Telegram makes a group a supergroup, under a new id. Its conversation keeps its name."""

from __future__ import annotations

from pathlib import Path

from greenroom.actors.ports import TargetGoneError
from greenroom.platforms.chats.keepsake import Keepsake, write_whole

WITHOUT = "a group that became a supergroup begins a new conversation, until something is sent to the old one"


class Moved:
    """Which groups became which, kept beside the database, one file for each account."""

    def __init__(self, folder: Path, account: str) -> None:
        """Read what is known. A file that cannot be read counts as none: Telegram tells again when we send."""
        path = folder / f"telegram-moved-{account.encode().hex()}.json"
        self._keepsake = Keepsake(path, dict[str, int], without=WITHOUT)
        self._now = self._keepsake.read() or {}

    def now(self, chat: str) -> int:
        """The id under which a conversation's chat is reached."""
        return self._now.get(chat) or int(chat)

    def named(self, chat: int) -> str:
        """The id by which the conversation of a chat is named: the first that it had."""
        return next((old for old, new in self._now.items() if new == chat), str(chat))

    def message_name(self, chat: str, number: int) -> str:
        """How one of our messages is known: messages of a group are numbered anew when it gets a new id."""
        now = self.now(chat)
        return str(number) if str(now) == chat else f"{now}/{number}"

    def message(self, chat: str, name: str) -> tuple[int, int]:
        """Where a message is, and its number. Raises TargetGoneError for one that was left behind."""
        before, slash, number = name.rpartition("/")
        if (before if slash else chat) != str(self.now(chat)):
            raise TargetGoneError("the group became a supergroup, and its messages were left behind")
        return self.now(chat), int(number)

    async def learn(self, old: int, new: int) -> None:
        """Remember, and return when it is on disk."""
        name = self.named(old)
        if self._now.get(name) != new and name != str(new):
            self._now[name] = new
            now = dict(self._now)
            await write_whole(lambda: self._keepsake.write(now))
