"""How many calls one platform account makes at once, and when it makes none. Volatile: a new process starts afresh."""

from __future__ import annotations

from collections import deque

from greenroom.actors.model import SessionKey


class Traffic:
    """Slots for calls, granted in the order in which lanes asked. Does no I/O and reads no clock."""

    __slots__ = ("_asking", "_in_flight_max", "in_flight", "paused_until", "up")

    def __init__(self, in_flight_max: int) -> None:
        self._asking: deque[SessionKey] = deque()
        self._in_flight_max = in_flight_max
        self.in_flight = 0
        self.paused_until = float("-inf")  # monotonic
        self.up = True

    def __len__(self) -> int:
        """How many lanes wait for a slot."""
        return len(self._asking)

    def queue(self, session: SessionKey) -> None:
        """Queue a lane."""
        self._asking.append(session)

    def end(self) -> None:
        """A granted slot is free again."""
        self.in_flight -= 1

    def pause(self, until: float) -> None:
        """Grant nothing before `until`; a shorter pause never shortens a longer one."""
        self.paused_until = max(self.paused_until, until)

    def grant(self, now: float) -> SessionKey | None:
        """Give a slot to the next lane, if there are both and the platform can be used."""
        if not self._asking or not self.up or self.in_flight >= self._in_flight_max or now < self.paused_until:
            return None
        self.in_flight += 1
        return self._asking.popleft()
