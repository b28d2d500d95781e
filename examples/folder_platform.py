"""A platform in sixty lines: a chat is a folder, a message is a file, and whoever can write a file can talk.

[platforms.folder]                  # offered by an entry point: folder = "folder_platform:make"
path = "/srv/chats"                 # say:  echo hello > new.txt && mv new.txt /srv/chats/me/in/0001.txt
"""

import asyncio
from pathlib import Path

from greenroom import BusyError, Choices, Door, Inbound, MisconfiguredError, Outgoing, RefusedError, SessionKey, Traits
from greenroom.actors.model import DeliveryClass
from greenroom.platforms.chats.account import AccountSettings


class FolderSettings(AccountSettings):
    """What the table may say; `account` is there already, and whatever else is written is refused."""

    path: Path
    look_s: float = 0.5


class FolderChat:
    """Answers are in `out`, under the message's key: written twice they are there once, and may be written again."""

    name = "folder"
    traits = Traits(DeliveryClass.NATIVE_KEY, text_max=100_000, edit_min_s=0.5)

    def __init__(self, settings: FolderSettings) -> None:
        self.account, self._path, self._look_s = settings.account, settings.path, settings.look_s

    async def run(self, door: Door) -> None:
        if not self._path.is_dir():  # Only a person can cure it: it is said once, and tried again now and then.
            raise MisconfiguredError(f"{self._path} is no folder; make it, or set path")
        door.connected()
        while True:
            for chat in self._path.iterdir():
                await self._hand_over(door, chat)
            await asyncio.sleep(self._look_s)

    async def _hand_over(self, door: Door, chat: Path) -> None:
        for file in sorted(chat.glob("in/*.txt")):  # In order: what could not be taken holds up what comes after it.
            key = SessionKey(self.name, self.account, chat.name)
            said = Inbound(key, f"{chat.name}/{file.stem}", file.read_text(encoding="utf-8").strip())
            try:
                await door.accept(said)  # Returns when it is on disk.
            except BusyError:
                return  # Not acknowledged: it stays, and is found again.
            except RefusedError:
                pass  # It never will be taken.
            file.unlink(missing_ok=True)  # Acknowledged, and not before.

    async def send(self, message: Outgoing) -> str:
        self._write(message.session, message.key, message.text)
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        self._write(session, message_id, text)

    async def find(self, message: Outgoing) -> None:
        """Never asked: the class is no RECONCILE."""

    def _write(self, session: SessionKey, name: str, text: str) -> None:
        out = self._path / session.chat / "out"
        out.mkdir(parents=True, exist_ok=True)
        (out / "new").write_text(text, encoding="utf-8")
        (out / "new").rename(out / f"{name}.txt")  # Whoever reads sees all of it, or what was there before.


def make(settings: FolderSettings, folder: Path) -> FolderChat:
    """Make the platform of one account; `folder` is the database's, for files of our own."""
    return FolderChat(settings)
