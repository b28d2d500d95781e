"""What an operator sets of a Matrix account: the table `[platforms.matrix]`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from greenroom.platforms.chats.account import GroupSettings
from greenroom.platforms.chats.secret import Secret

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$")]
UserId = Annotated[str, StringConstraints(pattern=r"^@[^\s:]*:\S+$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[@!*]\S*$")]


class MatrixSettings(GroupSettings):
    """One account on one home server; it signs in by `user` and `password`, or by an access `token`."""

    homeserver: Url  # such as https://matrix.example.org
    user: UserId | None = None  # such as @bot:example.org
    password: Secret | None = None
    token: Secret | None = None
    invites: tuple[Pattern, ...] = ()  # users and rooms, such as "@*:example.org", whose invitations are accepted
    edit_every_s: float = Field(default=5.0, gt=0)  # while words stream; servers allow few messages a second

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        if (self.password is None) == (self.token is None):
            raise ValueError("write either user and password, or token")
        if self.password is not None and self.user is None:
            raise ValueError("with a password write the user, too, such as user = '@bot:example.org'")
        return self
