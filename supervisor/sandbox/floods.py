"""How fast messages came in, by the moments at which they were let in: what a commit does later is not their pace."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.actors.model import Inbound
    from greenroom.supervisor.sandbox.world import World

ROUNDING = 1e-6
"""By how much sums of floating point may be off, in messages."""


class Floods:
    """What was let in on the way to one store. Allowances are remembered in memory, and are whole at the next start."""

    def __init__(self) -> None:
        """Begin with nothing let in."""
        self._let_in: defaultdict[str, deque[float]] = defaultdict(deque)

    def hear(self, inbound: Inbound, world: World) -> None:
        """Watch whether this one came in too soon. What an operator orders has no pace."""
        policy = world.policy
        if policy is None or inbound.ordered is not None:
            return
        paces = (str(inbound.key), policy.chat_burst, policy.chat_rate_per_s), ("all", policy.burst, policy.rate_per_s)
        for whose, burst, per_s in paces:
            moments = self._let_in[whose]
            moments.append(world.now)
            if len(moments) > burst:  # So many and one more: the time between them must have earned that one.
                earned = (world.now - moments.popleft()) * per_s
                if earned < 1.0 - ROUNDING:
                    world.break_promise("no_flood_comes_in", f"{burst + 1} messages of {whose} came in at once")
