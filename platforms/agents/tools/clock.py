"""The current time, for a model that knows none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.typed import Args, Kit, typed_tool


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"must be the name of a time zone, such as Europe/Oslo, got {name!r}"
        raise ValueError(msg) from None
    return name


class ClockSettings(ToolSettings):
    """The current date and time: `[tools.clock]`."""

    zone: Annotated[str, AfterValidator(_is_zone)] = "UTC"  # the time zone it tells, such as Europe/Oslo


class NoArgs(Args, frozen=True):
    """Nothing to say."""


def make(settings: ClockSettings) -> Kit:
    """Offer the time in the zone that is set."""

    async def current_time(_turn: Turn, _args: NoArgs) -> str:
        """Tell the current date and time, with the weekday and the offset from UTC."""
        return f"{datetime.now(ZoneInfo(settings.zone)):%A, %Y-%m-%d %H:%M:%S %Z (UTC%z)}"

    return Kit(typed_tool(current_time, NoArgs, ToolPolicy.PURE, approve=settings.approve))
