"""Telegram as a platform."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from telegram import Bot, MessageEntity, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import ChatMigrated, TelegramError

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import Choices, Door, MisconfiguredError, NotSentError, Outgoing, Traits
from greenroom.platforms.chats.addressing import where
from greenroom.platforms.chats.telegram.albums import ALBUM_S
from greenroom.platforms.chats.telegram.codec import (
    GROUPS_BEGIN,
    NAME,
    TEXT_MAX,
    Me,
    Rules,
    entities_of,
    is_group,
    keyboard,
    layout,
)
from greenroom.platforms.chats.telegram.files import Files
from greenroom.platforms.chats.telegram.hook import Hook
from greenroom.platforms.chats.telegram.intake import Intake
from greenroom.platforms.chats.telegram.library import Line, open_line
from greenroom.platforms.chats.telegram.moved import Moved
from greenroom.platforms.chats.telegram.polling import POLL_S, SETTLED_S, Polling
from greenroom.platforms.chats.telegram.settings import TelegramSettings
from greenroom.platforms.chats.telegram.taken import Taken
from greenroom.platforms.chats.telegram.troubles import WRONG_TOKEN, blames_marks, is_not_modified, of_call, of_start
from greenroom.platforms.chats.web.server import ListeningPort

T = TypeVar("T")

EDIT_MIN_S = 1.5
"""Telegram takes about one message a second in a chat."""

EDIT_GROUP_MIN_S = 4.0
"""In a group it takes twenty a minute, and edits count as messages (tdlib/td#2592). Beyond that a bot waits in all of
its chats, so some are left for what is posted, and for other conversations of the group.
"""

TRAITS = Traits(
    DeliveryClass.EDIT_ANCHOR,
    text_max=TEXT_MAX,
    utf16=True,
    edit_min_s=EDIT_MIN_S,
    edit_min_s_where=((GROUPS_BEGIN, EDIT_GROUP_MIN_S),),
    typing=True,
    buttons=True,
)
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")


class TelegramChat:
    """One bot. Implements `Platform`.

    Bots hear of no deletions, and cannot look for what they posted: a lost placeholder stays as it is. In groups an
    answer replies to its question; where one person talks to the bot that would be in the way.
    """

    name = NAME
    traits = TRAITS

    def __init__(
        self,
        settings: TelegramSettings,
        folder: Path,
        *,
        poll_s: int = POLL_S,
        settled_s: float = SETTLED_S,
        album_s: float = ALBUM_S,
    ) -> None:
        """Prepare; nothing is opened before `run`. Files that people send are kept below `folder`."""
        self.account = settings.account
        self._settings, self._folder = settings, folder
        self._poll_s, self._settled_s, self._album_s = poll_s, settled_s, album_s
        self._rules = Rules(
            settings.account, settings.listening, settings.sessions_per, markdown=settings.formatting == "markdown"
        )
        self._port = ListeningPort(settings.host, settings.port)
        self._bot: Bot | None = None
        self._groups = Moved(folder, settings.account)
        self._taken = Taken()

    async def run(self, door: Door) -> None:
        """Receive until cancelled. Raises MisconfiguredError for a token that is wrong, or polled by somebody else."""
        if _TOKEN.fullmatch(self._settings.token.get_secret_value()) is None:
            raise MisconfiguredError(f"this is no token: it looks like 123456:ABC-DEF. {WRONG_TOKEN}")
        async with self._connected() as line:
            try:
                await self._receive(line, door)
            except TelegramError as error:
                raise of_start(error) from None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Line]:
        async with open_line(self._settings) as line:
            self._bot = line.bot
            try:
                yield line
            finally:
                self._bot = None

    async def _receive(self, line: Line, door: Door) -> None:
        user = await line.bot.get_me()
        me = Me(user.id, user.username or "")
        files = Files(line, account=self.account, folder=self._folder)
        intake = Intake(door, line, self._rules, me, files, self._groups, self._taken)
        if self._settings.webhook_url is None:
            waits = {"settled_s": self._settled_s, "album_s": self._album_s}
            await Polling(line.bot, intake, poll_s=self._poll_s, **waits).run(door)
            return
        await Hook(line.bot, intake, self._settings.webhook_url).run(self._port.take(), door)

    async def send(self, message: Outgoing) -> str:
        at = where(message.session)
        bot, words = self._connection(), layout(message.text, self._rules)
        thread = None if at.thread is None else int(at.thread)
        reply = None
        if message.reply_to is not None and is_group(at.chat):
            reply = ReplyParameters(int(message.reply_to), allow_sending_without_reply=True)

        async def post(text: str, entities: Sequence[MessageEntity] | None) -> str:
            sent = await bot.send_message(
                self._groups.now(at.chat),
                text,
                entities=entities,
                message_thread_id=thread,
                reply_parameters=reply,
                reply_markup=keyboard(message.choices),
            )
            return self._groups.message_name(at.chat, sent.message_id)

        try:
            try:
                return await _with_marks_or_without(post, words.text, entities_of(words.marks), message.text)
            except ChatMigrated as moved:
                await self._groups.learn(int(at.chat), moved.new_chat_id)
                return await _with_marks_or_without(post, words.text, entities_of(words.marks), message.text)
        except TelegramError as error:
            raise of_call(error) from None

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        bot, words = self._connection(), layout(text, self._rules)
        chat, number = self._groups.message(where(session).chat, message_id)

        async def change(text: str, entities: Sequence[MessageEntity] | None) -> None:
            await bot.edit_message_text(text, chat, number, entities=entities, reply_markup=keyboard(choices))

        try:
            await _with_marks_or_without(change, words.text, entities_of(words.marks), text)
        except TelegramError as error:
            if not is_not_modified(error):
                raise of_call(error) from None

    async def find(self, message: Outgoing) -> None:
        """Bots cannot look for messages, and need not: an anchor is edited instead."""

    async def typing(self, session: SessionKey) -> None:
        at = where(session)
        thread = None if at.thread is None else int(at.thread)
        try:
            await self._connection().send_chat_action(
                self._groups.now(at.chat), ChatAction.TYPING, message_thread_id=thread
            )
        except TelegramError as error:
            raise of_call(error) from None

    def _connection(self) -> Bot:
        if self._bot is None:
            raise NotSentError("telegram is not connected yet")
        return self._bot


async def _with_marks_or_without(
    call: Callable[[str, Sequence[MessageEntity] | None], Awaitable[T]],
    text: str,
    entities: Sequence[MessageEntity],
    written: str,
) -> T:
    """Never lose an answer for its looks: what Telegram does not take with marks is sent as it was written."""
    try:
        return await call(text, entities or None)
    except TelegramError as error:
        if not entities or not blames_marks(error):
            raise
        return await call(written, None)
