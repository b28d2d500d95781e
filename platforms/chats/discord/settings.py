"""What can be set of a Discord account."""

from __future__ import annotations

from pydantic import Field

from greenroom.platforms.chats.account import BACKFILL_H_MAX, GroupSettings
from greenroom.platforms.chats.secret import Secret


class DiscordSettings(GroupSettings):
    """One bot: the table `[platforms.discord]`, or one of several, `[platforms.discord.ACCOUNT]`."""

    token: Secret  # the bot's token, from the developer portal
    bots: bool = False  # other bots and webhooks are heard, too; two that answer each other never stop
    backfill_h: float = Field(default=24.0, gt=0, le=BACKFILL_H_MAX)
    """So far back is read what was said while nothing listened."""
    proxy: str | None = None  # an HTTP proxy on the way to Discord
