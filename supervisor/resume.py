"""Whether an interrupted session goes on by itself: one ordered table; the first row that fits answers.

Pure and total. The very same function serves a crashed actor and a restarted daemon. Rows are numbered as in the
design; `docs/decisions/0001` tells why row 6 also covers a failure that was reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from greenroom.actors.expiring import age_of_work_s, is_stale
from greenroom.actors.interruption import read_reason
from greenroom.actors.model import Epoch, InterruptReason, OpenRun, Tail, TailKind
from greenroom.actors.store import Unfinished
from greenroom.actors.why import Why
from greenroom.supervisor.policy import Policy

__all__ = [
    "LIMITS",
    "TABLE",
    "Decision",
    "FormerBoot",
    "Quarantine",
    "Resume",
    "ResumeInputs",
    "Row",
    "Skip",
    "Wait",
    "Why",
    "count_unclean_boots",
    "decide_resume",
    "inputs_from",
]


class Resume(Struct, frozen=True):
    """The work goes on by itself."""

    reason: InterruptReason | str


class Skip(Struct, frozen=True):
    """The session is left alone."""

    why: Why


class Wait(Struct, frozen=True):
    """Nothing can be decided before the session's platform is connected; then it is decided again."""


class Quarantine(Struct, frozen=True):
    """The session is set aside until an operator releases it: its work never gets anywhere, or its actor crashes on."""

    attempts: int
    crashing: bool = False  # Of its actor's restarts, which no row of the table counts.


Decision = Resume | Skip | Wait | Quarantine


class ResumeInputs(Struct, frozen=True):
    """Everything that the table reads, and nothing else; stored with each decision."""

    now: float  # UTC epoch seconds
    tail: Tail
    run: OpenRun | None
    reason: InterruptReason | str  # why the run is not running
    quarantined: bool = False
    suspended: bool = False
    routed: bool = True  # the chat's key still leads to this session
    allowed: bool = True
    connected: bool = True
    unclean_boots: int = 0  # recent ones, see count_unclean_boots

    @property
    def age_s(self) -> float | None:
        """Seconds since the work last moved, see `age_of_work_s`."""
        return age_of_work_s(self.tail, self.run, self.now)


def decide_resume(inputs: ResumeInputs, policy: Policy) -> Decision:
    """Decide whether interrupted work goes on by itself. The transcript decides; markers only say why it stopped.

    >>> run = OpenRun(1, 1, 1, "inbound", 1, opened_at=100.0, last_progress_at=190.0)
    >>> answered = ResumeInputs(200.0, Tail(TailKind.FINAL, at=100.0), run, InterruptReason.ACTOR_CRASHED)
    >>> decide_resume(answered, Policy())
    Skip(why=<Why.ANSWERED: 'the transcript ends in an answer'>)
    """
    return next((row.decision(inputs) for row in TABLE if row.fits(inputs, policy)), Resume(inputs.reason))


class Row(NamedTuple):
    """One line of the table."""

    number: int
    rule: str
    fits: Callable[[ResumeInputs, Policy], bool]
    decision: Callable[[ResumeInputs], Decision]


def _skip(number: int, why: Why, fits: Callable[[ResumeInputs, Policy], bool]) -> Row:
    return Row(number, why.name, fits, lambda _: Skip(why))


def _nothing_open(inputs: ResumeInputs, _: Policy) -> bool:
    return inputs.run is None and not inputs.tail.unanswered


def _already_tried(inputs: ResumeInputs, _: Policy) -> bool:
    over = inputs.run is None or inputs.run.ending is not None
    return inputs.tail.kind is TailKind.RECOVERY_NOTE and over


def _stale(inputs: ResumeInputs, policy: Policy) -> bool:
    return is_stale(inputs.tail, inputs.run, inputs.now, policy.fresh_s)


def _exhausted(inputs: ResumeInputs, policy: Policy) -> bool:
    return inputs.run is not None and inputs.run.attempt >= policy.attempts_max


def _give_up(inputs: ResumeInputs) -> Decision:
    return Quarantine(inputs.run.attempt if inputs.run is not None else 0)


TABLE = (
    _skip(1, Why.QUARANTINED, lambda it, _: it.quarantined),
    _skip(2, Why.SUSPENDED, lambda it, _: it.suspended),
    _skip(3, Why.NOTHING_OPEN, _nothing_open),
    _skip(4, Why.ANSWERED, lambda it, _: it.tail.kind is TailKind.FINAL),
    _skip(5, Why.AWAITING_USER, lambda it, _: it.tail.kind is TailKind.ASKED),
    _skip(6, Why.STOPPED_BY_USER, lambda it, _: it.tail.kind is TailKind.STOPPED),
    _skip(6, Why.FAILED, lambda it, _: it.tail.kind is TailKind.FAILED),
    _skip(7, Why.ALREADY_TRIED, _already_tried),
    _skip(8, Why.NO_ROUTE, lambda it, _: not it.routed),
    _skip(9, Why.REASON_NOT_ALLOWED, lambda it, policy: it.reason not in policy.auto_resume),
    _skip(10, Why.STALE, _stale),
    Row(11, "ATTEMPTS_EXHAUSTED", _exhausted, _give_up),
    _skip(12, Why.SAFE_MODE, lambda it, policy: it.unclean_boots >= policy.unclean_boots_max),
    _skip(13, Why.NOT_ALLOWED, lambda it, _: not it.allowed),
    Row(14, "NOT_CONNECTED", lambda it, _: not it.connected, lambda _: Wait()),
    Row(15, "RESUME", lambda _, __: True, lambda it: Resume(it.reason)),
)
"""The order is the meaning: what a person or an operator decided, what the transcript says, what the policy limits."""

LIMITS = ("auto_resume", "fresh_s", "attempts_max", "unclean_boots_max")
"""The knobs of the policy that the table reads. Stored with each decision, as a policy may change after it."""


def inputs_from(
    unfinished: Unfinished, *, now: float, epoch: Epoch, allowed: bool, connected: bool, unclean_boots: int
) -> ResumeInputs:
    """Join what the store says of a session with what only the process knows. `epoch` is the one that lives."""
    return ResumeInputs(
        now=now,
        tail=unfinished.tail,
        run=unfinished.run,
        reason=read_reason(unfinished.run, epoch, fell=unfinished.fell),
        quarantined=unfinished.quarantined,
        suspended=unfinished.suspended,
        routed=unfinished.routed,
        allowed=allowed,
        connected=connected,
        unclean_boots=unclean_boots,
    )


class FormerBoot(Struct, frozen=True):
    """An earlier boot. One whose house fell while its process lived on counts as clean: nobody killed the process."""

    started_at: float  # UTC epoch seconds
    clean: bool


def count_unclean_boots(former: Iterable[FormerBoot], *, now: float, window_s: float) -> int:
    """Count the unexpected ends of the last `window_s` seconds. `former` is oldest first, `now` when this boot began.

    A boot that ended unexpectedly could not say when; it is dated by the start of the next one. Distance counts, not
    order, so that a clock that was set back hides no crash loop.
    """
    boots = tuple(former)
    noticed = (*(boot.started_at for boot in boots[1:]), now)
    return sum(not boot.clean and abs(now - at) <= window_s for boot, at in zip(boots, noticed, strict=False))
