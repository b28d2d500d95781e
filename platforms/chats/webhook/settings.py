"""What can be set of a webhook."""

from __future__ import annotations

from typing import Self

from pydantic import Field, HttpUrl, model_validator

from greenroom.platforms.chats.account import AccountSettings
from greenroom.platforms.chats.secret import Secret
from greenroom.platforms.chats.webhook.signing import key_of

PORT_MAX = 65535


class WebhookSettings(AccountSettings):
    """One program that speaks with the agent by HTTP. Without a `callback` it asks for the answers itself."""

    secret: Secret  # both sides sign with it: whsec_ and base64, or any text
    host: str = Field(default="127.0.0.1", min_length=1)  # where programs post to; put TLS before it for others
    port: int = Field(default=8766, ge=0, le=PORT_MAX)  # the port of that address; 0: any free one
    callback: HttpUrl | None = None  # where answers are posted to; without it they are asked for
    callback_knows_ids: bool = False  # the callback takes a webhook-id twice without harm

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.callback_knows_ids and self.callback is None:
            raise ValueError("callback_knows_ids says something of a callback; set callback, or remove it")
        if not key_of(self.secret.get_secret_value()):
            raise ValueError("secret: behind whsec_ stands no key; write all of the secret")
        return self
