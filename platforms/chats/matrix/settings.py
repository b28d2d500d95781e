"""What an operator sets of a Matrix account: the table `[platforms.matrix]`."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from greenroom.platforms.chats.account import GroupSettings
from greenroom.platforms.chats.secret import Secret


def _like(pattern: str, example: str) -> AfterValidator:
    def judge(written: str) -> str:
        if re.fullmatch(pattern, written) is None:
            raise ValueError(f"must be like {example}")
        return written

    return AfterValidator(judge)


Url = Annotated[str, _like(r"https?://[^\s/]+(/\S*)?", "https://matrix.example.org")]
UserId = Annotated[str, _like(r"@[^\s:]*:\S+", "@bot:example.org")]
Pattern = Annotated[str, _like(r"[@!*]\S*", "@ann:example.org, @*:example.org or !room:example.org")]


class MatrixSettings(GroupSettings):
    """One account on one home server; it signs in by `user` and `password`, or by an access `token`."""

    homeserver: Url  # its address, such as https://matrix.example.org
    user: UserId | None = None  # who signs in by password, such as @bot:example.org
    password: Secret | None = None  # its password; then a device of our own is kept beside the database
    token: Secret | None = None  # an access token, instead of user and password
    invites: tuple[Pattern, ...] = ()  # users and rooms, such as "@*:example.org", whose invitations are accepted
    edit_every_s: float = Field(default=5.0, gt=0)  # words that stream are shown this far apart: servers allow few

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        if (self.password is None) == (self.token is None):
            raise ValueError("write either user and password, or token")
        if self.password is not None and self.user is None:
            raise ValueError("with a password write the user, too, such as user = '@bot:example.org'")
        return self
