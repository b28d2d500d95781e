"""Takes a fallen house down and builds it anew, on a thread of its own: that waits for disks, which no timer may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import Failure, Falls, Solicited


@dataclass(frozen=True, slots=True)
class Fell(Solicited):
    """Storage or tree died."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class RebuildDue(Solicited):
    """The back-off is over."""


class RebuildActor(PooledActor):
    """Shell of `Core`'s falls: one thing after the other, so that no building overtakes a fall."""

    falls = Falls.PROCESS

    dedicated_thread = True

    def __init__(self, fall: Callable[[Failure], None], rebuild: Callable[[], None]) -> None:
        """Remember what is to be done; both may block."""
        super().__init__()
        self._fall = fall
        self._rebuild = rebuild

    def on_receive(self, message: Any) -> None:
        """Fall, or rise again."""
        match message:
            case Fell(failure):
                self._fall(failure)
            case RebuildDue():
                self._rebuild()
            case _:
                super().on_receive(message)
