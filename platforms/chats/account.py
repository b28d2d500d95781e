"""What can be set of every platform account: the base of each platform's own settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from greenroom.actors.entry import DeliveryPolicy
from greenroom.actors.session_key import KEY_PART_MAX
from greenroom.platforms.chats.addressing import Listening, SessionsPer

BACKFILL_H_MAX = 87_600.0
"""No platform is asked for what was said more than ten years ago; a moment that far back has a date."""


class AccountSettings(BaseModel):
    """One account of one platform: the table `[platforms.NAME]`, or one of several, `[platforms.NAME.ACCOUNT]`.

    What it does not know it refuses. A platform's function `make(settings: ITS_SETTINGS, folder: Path) -> Platform`
    is called with the settings and with the folder of the database, in which it may keep files of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    account: str = Field(default="me", min_length=1, max_length=KEY_PART_MAX)
    """The account's name, the second part of session keys; where it is one of several, its table is named so."""
    promise: DeliveryPolicy = DeliveryPolicy.EXACTLY_ONCE  # how often an answer may stand there after a crash


class GroupSettings(AccountSettings):
    """An account that may be in groups: to what it listens there, and how many conversations they are."""

    listening: Listening = Listening.ADDRESSED  # to what the agent listens in a group
    sessions_per: SessionsPer = SessionsPer.CHAT  # how a group is divided into conversations; threads are apart
