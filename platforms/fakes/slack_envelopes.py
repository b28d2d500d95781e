"""What Slack has still to tell an app: each event comes again until it is acknowledged."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

ACKNOWLEDGE_S = 3.0
"""How long Slack waits for an acknowledgement."""


@dataclass(slots=True, eq=False)
class Envelope:
    """One payload on its way. What is not an event (a button that was pressed) is delivered at most once."""

    kind: str
    payload: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: bool = False

    def as_json(self) -> dict[str, Any]:
        """Write it as it goes over a socket."""
        said = {"envelope_id": self.id, "type": self.kind, "payload": self.payload, "accepts_response_payload": False}
        if self.kind != "events_api":
            return said
        return said | {"retry_attempt": self.attempts - 1, "retry_reason": "timeout" if self.attempts > 1 else ""}


class Envelopes:
    """Those that are not acknowledged, oldest first.

    Slack gives up after three more attempts: at once, after a minute, after five. That is what `retries_max` is for;
    None, the default, is kinder: an event comes again for as long as it takes. An attempt needs somebody to hear it:
    while nobody is connected nothing is lost.
    """

    def __init__(self, *, ack_s: float = ACKNOWLEDGE_S, retries_max: int | None = None) -> None:
        """`ack_s` is also how long it takes until an event comes again."""
        self.ack_s, self._retries_max = ack_s, retries_max
        self.pending: dict[str, Envelope] = {}
        self.repeats = 0
        """How often something came again."""
        self._due: list[
            tuple[float, int, Envelope]
        ] = []  # a heap; what is pending no more is left out when it comes up
        self._order = count()
        self._changed = asyncio.Event()

    def add(self, kind: str, payload: dict[str, Any]) -> str:
        """Have something to tell; returns the envelope's id."""
        envelope = Envelope(kind, payload)
        self.pending[envelope.id] = envelope
        self._push(0.0, envelope)
        return envelope.id

    def acknowledge(self, envelope_id: str) -> None:
        """Never tell this again."""
        envelope = self.pending.pop(envelope_id, None)
        if envelope is not None:
            envelope.acknowledged = True
            envelope.over.set()

    def forget(self) -> None:
        """Give up on all that waits, as Slack does after six minutes."""
        for envelope in self.pending.values():
            envelope.over.set()
        self.pending.clear()

    def hurry(self) -> None:
        """Somebody came who can hear: what waits is due now."""
        self._due = []
        for envelope in self.pending.values():
            self._push(0.0, envelope)

    async def next(self, is_heard: Callable[[], bool]) -> Envelope:
        """Wait for the next that is due, and count the attempt. Nothing is due while nobody hears."""
        while True:
            self._changed.clear()
            wait_s = self._due[0][0] - time.monotonic() if self._due and is_heard() else None
            if wait_s is None or wait_s > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                continue
            envelope = heappop(self._due)[2]
            if envelope.id in self.pending and not self._is_given_up(envelope):
                self.repeats += envelope.attempts > 0
                envelope.attempts += 1
                self._push(time.monotonic() + self.ack_s, envelope)
                return envelope

    def _push(self, at: float, envelope: Envelope) -> None:
        heappush(self._due, (at, next(self._order), envelope))
        self._changed.set()

    def _is_given_up(self, envelope: Envelope) -> bool:
        most = self._retries_max if envelope.kind == "events_api" else 0
        if most is None or envelope.attempts <= most:
            return False
        del self.pending[envelope.id]
        envelope.over.set()
        return True
