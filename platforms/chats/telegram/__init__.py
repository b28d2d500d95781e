"""Telegram: the Bot API, by long polling or by webhook. Needs `greenroom[telegram]`."""

from pathlib import Path

from greenroom.platforms.chats.telegram.chat import TelegramChat as TelegramChat
from greenroom.platforms.chats.telegram.settings import TelegramSettings as TelegramSettings


def make(settings: TelegramSettings, folder: Path) -> TelegramChat:
    """Make the platform of one bot."""
    return TelegramChat(settings, folder)
