"""Discord: servers, threads and direct chats. Needs the extra `greenroom[discord]`."""

from greenroom.platforms.chats.discord.chat import DiscordChat, make
from greenroom.platforms.chats.discord.settings import DiscordSettings

__all__ = ["DiscordChat", "DiscordSettings", "make"]
