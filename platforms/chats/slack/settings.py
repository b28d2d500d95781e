"""What can be set of a Slack account: the table `[platforms.slack]`, or one `[platforms.slack.ACCOUNT]` for each."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from greenroom.platforms.chats.account import BACKFILL_H_MAX, GroupSettings
from greenroom.platforms.chats.secret import Secret

API_URL = "https://slack.com/api/"


class SlackSettings(GroupSettings):
    """Events come by socket mode (`app_token`), or to an address of ours (`signing_secret`); not by both."""

    bot_token: Secret  # the bot's token, xoxb-...
    app_token: Secret | None = None  # for socket mode: xapp-..., with the scope connections:write
    signing_secret: Secret | None = None  # for events that Slack posts here: the app's secret
    host: str = "127.0.0.1"  # where Slack's posts arrive, at /slack/events; behind a proxy that speaks TLS
    port: int = Field(default=3000, ge=0, le=65535)  # the port of that address; 0: any free one
    open_threads: bool = False  # what is said in a channel is answered in a thread of its own: each is a conversation
    bots: bool = False  # other bots are heard, too
    formatting: Literal["markdown", "plain"] = "markdown"  # how an agent's words are read; plain: only escaped
    backfill_h: float = Field(default=24.0, ge=0, le=BACKFILL_H_MAX)
    """So far back is read what was said while nothing listened; 0: never."""
    delivery: Literal["edit_anchor", "reconcile"] = "edit_anchor"
    """What keeps an answer from standing there twice: a placeholder is edited, or the history is searched."""
    api_url: str = API_URL
    """The address of Slack's Web API."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError(
                "write app_token (socket mode), or signing_secret (the Events API over HTTP): one of the two"
            )
        return self
