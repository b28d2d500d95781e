"""What can be set of a Telegram bot: the table `[platforms.telegram]`, or `[platforms.telegram.ACCOUNT]` for each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from greenroom.platforms.chats.account import GroupSettings
from greenroom.platforms.chats.secret import Secret

API_URL = "https://api.telegram.org"


class TelegramSettings(GroupSettings):
    """Updates are asked for (long polling) unless `webhook_url` says where Telegram is to post them."""

    token: Secret  # the bot's token, from @BotFather
    webhook_url: str | None = Field(default=None, pattern="^https?://")  # the address below, as Telegram sees it
    host: str = "127.0.0.1"  # where Telegram's posts arrive, at /telegram; behind a proxy that speaks TLS
    port: int = Field(default=8443, ge=0, le=65535)  # the port of that address; 0: any free one
    formatting: Literal["markdown", "plain"] = "markdown"  # how an agent's words are read
    proxy: str | None = None  # an HTTP proxy on the way to Telegram, such as http://127.0.0.1:3128
    api_url: str = API_URL  # where the Bot API is: a server of one's own, or a test's
