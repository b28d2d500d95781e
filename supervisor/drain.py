"""How a process comes to its orderly end: mark, wait, interrupt, flush, close. Pure.

`decide_drain` looks at where the drain stands and says the one next thing to do; the shell does it and looks again
whenever something changed. It may be killed at any step: runs are marked before anything is waited for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self, assert_never

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.model import InterruptReason, SessionId
from greenroom.supervisor.policy import Policy

INTERRUPT_S = 5.0
"""How long interrupted runs may take to be over; an agent that ignores it is left behind, marked."""

FLUSH_S = 10.0
"""How long deliveries may take after the last run at least; the next boot owes what is left."""


class Intent(StrEnum):
    """Why the process ends."""

    RESTART = "restart"
    SHUTDOWN = "shutdown"


class Drain(Struct, frozen=True):
    """Where a drain stands. Times are monotonic seconds.

    `running` are sessions for which an agent runs now: not those whose messages merely wait. `marked` were told to
    write their mark, `interrupted` were told to stop; both keep those that are over since.
    """

    intent: Intent
    began_at: float
    running: frozenset[SessionId] = frozenset()
    marked: frozenset[SessionId] = frozenset()
    interrupted: frozenset[SessionId] = frozenset()
    owed: int = 0  # deliveries that could be sent now and are not yet
    quiet_at: float | None = None  # since when nothing runs
    told_again: bool = False  # a second signal came

    def seen(self, running: frozenset[SessionId], owed: int, *, now: float) -> Self:
        """Take in how it stands now."""
        since = now if self.quiet_at is None else self.quiet_at
        return replace(self, running=running, owed=owed, quiet_at=None if running else since)


class MarkRuns(Struct, frozen=True):
    """Write on these runs why they may not finish; those that do finish clear their own mark."""

    session_ids: frozenset[SessionId]
    reason: InterruptReason


class WaitUntil(Struct, frozen=True):
    """Nothing to do before something changes, or this monotonic time comes."""

    at: float


class InterruptRuns(Struct, frozen=True):
    """Stop these runs: their time is over."""

    session_ids: frozenset[SessionId]


class CloseBoot(Struct, frozen=True):
    """The drain is over. `left` was interrupted, or runs on regardless: the next boot decides about it."""

    clean: bool
    left: frozenset[SessionId]
    hurried: bool = False  # a second signal ended it


def decide_drain(drain: Drain, *, now: float, policy: Policy) -> MarkRuns | WaitUntil | InterruptRuns | CloseBoot:
    """Say the next thing to do. Ends for every course of events, at the latest with the last of the three limits.

    Deliveries may take as long as work may, and a while longer if it took all of that. No new run is started from the
    first call on; that a run appears late (it was starting) is handled all the same.
    A boot is clean when its runs are over, or marked and let go; hung agents do not make it a crash. A session that
    does not even say so (the disk has not taken what it wrote before) may have left no mark, and makes it one.
    """
    waits_until = drain.began_at + policy.drain_s
    left = drain.interrupted | drain.running
    if drain.told_again:
        return CloseBoot(clean=False, left=left, hurried=True)
    if unmarked := drain.running - drain.marked:
        return MarkRuns(unmarked, reason_of(drain.intent))
    if drain.running and now < waits_until:
        return WaitUntil(waits_until)
    if lasting := drain.running - drain.interrupted:
        return InterruptRuns(lasting)
    if drain.running and now < waits_until + INTERRUPT_S:
        return WaitUntil(waits_until + INTERRUPT_S)
    quiet_at = drain.began_at if drain.quiet_at is None else drain.quiet_at
    flushes_until = max(waits_until, quiet_at + FLUSH_S)
    if drain.owed > 0 and not drain.running and now < flushes_until:
        return WaitUntil(flushes_until)
    return CloseBoot(clean=not drain.running, left=left)


def reason_of(intent: Intent) -> InterruptReason:
    """Say with which reason runs are marked that do not finish in time."""
    match intent:
        case Intent.RESTART:
            return InterruptReason.RESTART_TIMEOUT
        case Intent.SHUTDOWN:
            return InterruptReason.SHUTDOWN_TIMEOUT
        case _:
            assert_never(intent)


def forced_end_s(policy: Policy) -> float:
    """Within how many seconds of its order to end a watchdog ends the process, whatever else answers no more."""
    return policy.drain_s + policy.forced_s
