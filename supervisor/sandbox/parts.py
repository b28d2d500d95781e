"""What a seed drew, part by part: each has a name, and a story can be told again without some of them.

A message is `m3`, its second word `m3.2`, its repetition `m3.again`; an order is `o2`, one of
an operator `x2`; the third thing around a stranger is `s1.3`. The second life is `life2`, its
accident at the 37th step `life2.step37`, its ending `life2.end` (without it: a plain kill), the time until the next
one `life2.down`. What goes wrong with the fourth call in a chat is `p1:bot:chat1.call4`, `order2` is the second
time that updates come in another order, and `p1.waived` that a platform's host wants no more than "at least once".
"""

from __future__ import annotations

import random
from collections.abc import Collection


class Parts:
    """Asked before each part happens. `happened` names those that did, in order."""

    def __init__(self, omitted: Collection[str] = ()) -> None:
        """Leave these out."""
        self._omitted = frozenset(omitted)
        self._happened: dict[str, None] = {}

    def happens(self, part: str) -> bool:
        """Whether this part happens."""
        if part in self._omitted:
            return False
        self._happened[part] = None
        return True

    @property
    def happened(self) -> tuple[str, ...]:
        """The names of all that happened."""
        return tuple(self._happened)


def split_dice(rng: random.Random) -> random.Random:
    """Dice of its own for one part, so that leaving it out changes no other part's luck."""
    return random.Random(rng.getrandbits(64))
