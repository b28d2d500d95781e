"""What tests of Telegram have in common: a fake Bot API, a door that may be busy, and a platform between them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.platforms.stage import WAIT_S, Stage

from greenroom.actors.model import Inbound, Receipt
from greenroom.actors.ports import BusyError
from greenroom.platforms.chats.telegram import TelegramChat, TelegramSettings
from greenroom.platforms.fakes.telegram import FakeTelegram

TOKEN = "1:very-secret"


class Picky(Stage):
    """A door that is busy for some chats."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[str] = set()
        self.offered = asyncio.Event()
        self.refusals = 0

    async def accept(self, inbound: Inbound) -> Receipt:
        if inbound.key.chat in self.busy:
            self.offered.set()
            self.refusals += 1
            raise BusyError("too many at once")
        return await super().accept(inbound)


def make(
    telegram: FakeTelegram, folder: Path, settled_s: float = 60.0, *, album_s: float = 0.0, **more: Any
) -> TelegramChat:
    given = {"token": TOKEN, "api_url": telegram.url, **more}
    return TelegramChat(TelegramSettings.model_validate(given), folder, poll_s=1, settled_s=settled_s, album_s=album_s)


def pending(telegram: FakeTelegram) -> list[int]:
    return [update["message"]["message_id"] for update in telegram.account().updates.values()]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the server rings no bell for what it is told
            await asyncio.sleep(0.01)
