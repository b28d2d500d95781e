"""What the pages of the live view have at hand of the daemon that they stand in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from greenroom.supervisor.standing import Watched

if TYPE_CHECKING:
    from greenroom.actors.model import SessionId
    from greenroom.actors.outbox_words import OutboxStatus
    from greenroom.actors.runtime import Depth
    from greenroom.platforms.chats.web.guard import AllowedHosts
    from greenroom.supervisor.connections import Connection
    from greenroom.supervisor.feed import Feed
    from greenroom.supervisor.view.hour import Hour
    from greenroom.supervisor.view.lately import Lately
    from greenroom.supervisor.view.reading import Reading
    from greenroom.supervisor.view.sign_ins import SignIns


class Viewed(Watched, Protocol):
    """What a room tells of itself to those who look at it."""

    def outboxes(self) -> Mapping[str, OutboxStatus]: ...

    async def timers(self, session_id: SessionId) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """All of it, given once. `obey` carries out an order as other processes of the same owner give it."""

    database: Path
    text_max: int  # characters of what is sent, as policy.text_max says
    sign_ins: SignIns
    hosts: AllowedHosts
    feed: Feed
    reading: Reading
    now: Callable[[], float]  # UTC epoch seconds
    draw: Callable[[], str]  # a name that nothing had before
    hour: Hour
    lately: Lately
    connections: Callable[[], tuple[Connection, ...]]
    outboxes: Callable[[], Awaitable[Mapping[str, OutboxStatus]]]
    timers: Callable[[SessionId], Awaitable[Mapping[str, float]]]
    depths: Callable[[], Mapping[str, Depth]]
    ready: Callable[[], Awaitable[str | None]]
    obey: Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]
