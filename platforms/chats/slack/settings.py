"""What can be set of a Slack account: the table `[platforms.slack]`, or one `[platforms.slack.ACCOUNT]` for each."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from greenroom.platforms.chats.account import BACKFILL_H_MAX, GroupSettings
from greenroom.platforms.chats.secret import Secret

API_URL = "https://slack.com/api/"


class SlackSettings(GroupSettings):
    """Events come by socket mode (`app_token`), or to an address of ours (`signing_secret`); not by both."""

    bot_token: Secret  # xoxb-...
    app_token: Secret | None = None  # xapp-..., with the scope connections:write
    signing_secret: Secret | None = None
    host: str = "127.0.0.1"  # where events are posted to, at /slack/events; behind a proxy that speaks TLS
    port: int = Field(default=3000, ge=0, le=65535)
    open_threads: bool = False  # answer in a thread under what is said in a channel; each is a conversation
    bots: bool = False  # hear other bots, too
    formatting: Literal["markdown", "plain"] = "markdown"  # how an agent's words are read; plain: only escaped
    # So far back is read what was said while nothing listened; 0: never.
    backfill_h: float = Field(default=24.0, ge=0, le=BACKFILL_H_MAX)
    delivery: Literal["edit_anchor", "reconcile"] = "edit_anchor"
    api_url: str = API_URL

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError(
                "write app_token (socket mode), or signing_secret (the Events API over HTTP): one of the two"
            )
        return self
