"""What happened, answer by answer of /sync: all of it, in the server's order, also what was left out of an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from mautrix.errors import MatrixRequestError

from greenroom.platforms.chats.matrix.errors import SIGNED_OUT, describe, is_passing
from greenroom.platforms.chats.matrix.events import Echo, Heard, Member, Removed, read_event
from greenroom.platforms.chats.matrix.homeserver import SYNC_S, Homeserver
from greenroom.platforms.chats.matrix.intake import Intake
from greenroom.platforms.chats.matrix.own import OwnMessages
from greenroom.platforms.chats.matrix.sync import Invited, Timeline, read_batch

logger = logging.getLogger("greenroom.platform.matrix")

GAP_MAX = 10_000
"""Events of one room that are fetched after a long absence; older ones are left out, and that is said."""

Item = Heard | Invited
"""What is taken from a room."""


class PositionRefusedError(Exception):
    """The home server does not know from where to go on."""


class Receiving:
    """Asks one home server what happened since `since`, and hands it on."""

    def __init__(self, server: Homeserver, own: OwnMessages, intake: Intake[Item], since: str) -> None:
        """`since` is where everything before is on disk."""
        self._server, self._own, self._intake, self.since = server, own, intake, since

    async def next(self, *, at_once: bool) -> None:
        """Take one answer. Our own messages in it are known when this returns; the rest is taken behind it."""
        batch = read_batch(await self._asked(0.0 if at_once else SYNC_S))
        items: dict[str, list[Item]] = {room: [invited] for room, invited in batch.rooms.invite.items()}
        for room, joined in batch.rooms.join.items():
            events = await self._whole(room, joined.timeline)
            items.setdefault(room, []).extend(self._heard(room, (*joined.state.events, *events)))
        self.since = batch.next_batch
        await self._intake.add(batch.next_batch, items)

    async def _asked(self, wait_s: float) -> Any:
        try:
            return await self._server.sync(self.since, wait_s)
        except MatrixRequestError as error:
            if is_passing(error) or isinstance(error, SIGNED_OUT):
                raise
            raise PositionRefusedError(describe(error)) from None

    def _heard(self, room: str, events: Iterable[dict[str, Any]]) -> Iterable[Item]:
        """Read events. What tells of our own messages ends here."""
        for raw in events:
            match heard := read_event(raw, self._server.user):
                case None:
                    pass
                case Echo(event_id, key):
                    self._own.posted(room, event_id, key)
                case Removed(target=target) if self._own.is_there(room, target) is not None:
                    self._own.removed(room, target)
                case Removed(sender=sender) if sender == self._server.user:
                    pass
                case _:
                    yield heard

    async def _whole(self, room: str, timeline: Timeline) -> list[dict[str, Any]]:
        """Fetch what the answer left out: back to the last answer, or to when we came into the room."""
        events = _since_arrival(timeline.events, self._server.user)
        if len(events) < len(timeline.events) or not timeline.limited or timeline.prev_batch is None:
            return events
        page: str | None = timeline.prev_batch
        while page is not None and len(events) < GAP_MAX:
            try:
                answer = await self._server.page(room, page, self.since)
            except MatrixRequestError as error:
                if is_passing(error) or isinstance(error, SIGNED_OUT):
                    raise
                logger.warning("what was said in %s meanwhile cannot be read: %s", room, describe(error))
                return events
            older = list(reversed(answer["chunk"]))
            since_arrival = _since_arrival(older, self._server.user)
            events[:0] = since_arrival
            page = answer.get("end") if older and len(since_arrival) == len(older) else None
        if page is not None:
            logger.warning("more than %d events in %s while nobody listened; the oldest are left out", GAP_MAX, room)
        return events


def _since_arrival(events: Iterable[dict[str, Any]], me: str) -> list[dict[str, Any]]:
    """Keep what followed our arrival, if that is among them: what was said before was not said to us."""
    kept: list[dict[str, Any]] = []
    for raw in events:
        heard = read_event(raw, me)
        if isinstance(heard, Member) and heard.user == me and heard.arrives:
            kept = []
        kept.append(raw)
    return kept
