"""What a process says of how long a run works already, and when it may: heard between the session and its outbox.

No row remembers a notice, so it is judged at the moment at which a session lets it be shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from greenroom.actors.acts import ShowText

if TYPE_CHECKING:
    from greenroom.actors.acts import Showing
    from greenroom.actors.model import SessionKey
    from greenroom.supervisor.sandbox.world import World

_WORKING = re.compile(r"\(Still working, ")

ROUNDING_S = 1e-3


class Notices:
    """Listens to one life of the process."""

    def __init__(self, world: World, every_s: float) -> None:
        """`every_s` is what the host asked for."""
        self.world = world
        self._every_s = every_s
        self._last: dict[str, float] = {}

    def hear(self, session: SessionKey, act: Showing) -> None:
        """Look whether a notice is due: not too soon after the last one, and only while somebody works."""
        if not isinstance(act, ShowText) or not _WORKING.search(act.text) or self.world.overtaken_at is not None:
            return  # Of an overtaken process nobody hears any more, until its host has ended it.
        world, chat, now = self.world, str(session), self.world.now
        last = self._last.get(chat)
        self._last[chat] = now
        begun_at = world.begun.get(chat)
        if last is not None and begun_at is not None and begun_at < last and now - last < self._every_s - ROUNDING_S:
            world.break_promise("there_is_one_notifier", f"{chat} is told twice in {now - last:.1f} s")
        if world.is_late(world.resting.get(chat)):
            world.break_promise("a_notice_needs_a_worker", f"{chat}: nobody works since {world.resting[chat]:.1f} s")
        if world.is_late(world.drained_at):
            world.break_promise("a_drain_is_silent", f"{chat}: the order came at {world.drained_at:.1f} s")
