"""What can be set of a Discord account."""

from __future__ import annotations

from pydantic import Field

from greenroom.platforms.chats.account import BACKFILL_H_MAX, GroupSettings
from greenroom.platforms.chats.secret import Secret


class DiscordSettings(GroupSettings):
    """The table `[platforms.discord]`, or one of several, `[platforms.discord.ACCOUNT]`."""

    token: Secret
    bots: bool = False  # whether other bots and webhooks are listened to, too: two that answer each other never stop
    backfill_h: float = Field(
        default=24.0, gt=0, le=BACKFILL_H_MAX
    )  # what was said while nothing listened is read this far back, in hours
    proxy: str | None = None  # an HTTP proxy on the way to Discord
