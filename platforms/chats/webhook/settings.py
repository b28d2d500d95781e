"""What can be set of a webhook."""

from __future__ import annotations

from typing import Self

from pydantic import Field, HttpUrl, model_validator

from greenroom.platforms.chats.account import AccountSettings
from greenroom.platforms.chats.secret import Secret

PORT_MAX = 65535


class WebhookSettings(AccountSettings):
    """One program that speaks with the agent by HTTP. Without a `callback` it asks for the answers itself."""

    secret: Secret
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8766, ge=0, le=PORT_MAX)
    callback: HttpUrl | None = None
    callback_knows_ids: bool = False  # it takes a webhook-id twice without harm

    @model_validator(mode="after")
    def _whose_ids(self) -> Self:
        if self.callback_knows_ids and self.callback is None:
            raise ValueError("callback_knows_ids says something of a callback; set callback, or remove it")
        return self
