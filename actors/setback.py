"""What follows when a call to a platform did not work: try again, when, or give up. Pure."""

from __future__ import annotations

from math import isnan
from typing import assert_never

from msgspec import Struct, structs

from greenroom.actors.calls import Call, Doubtful, Edit, Forbidden, Gone, Outcome, Post, Postponed, Unsent, Worked
from greenroom.actors.entry import Entry, OutboxLimits, Ways, doubted, removed
from greenroom.actors.model import DeliveryClass, DeliveryState
from greenroom.actors.outbox_words import Moment

UNCONFIRMED = "shown; words that came late may stand in its place, and it could not be shown once more"


class Setback(Struct, frozen=True):
    """The entry as it is now. `state` is to be written with the reason; None: nothing of this concerns the disk."""

    entry: Entry
    state: DeliveryState | None = None
    reason: str | None = None
    pause_s: float | None = None  # of the whole account


def decide_setback(ways: Ways, entry: Entry, call: Call, outcome: Outcome, moment: Moment) -> Setback:
    """Decide after a call that did not work. Only what has a text is ever given up; an anchor just waits."""
    if entry.confirms:
        return _unconfirmed(ways, entry, outcome, moment)
    match outcome:
        case Postponed(after_s):  # No effect, no fault of this delivery: it counts as no attempt.
            return Setback(entry, _unsaid(entry), pause_s=_believed_s(ways.limits, after_s))
        case Gone(reason):
            return _gone(ways, entry, call, reason, moment)
        case Forbidden(reason):
            if entry.parts is None:
                return Setback(structs.replace(entry, muted=True, wanted=False, live=None))
            return Setback(entry, DeliveryState.DEAD, reason)
        case Unsent(reason):
            return _again(ways, entry, reason, moment, hopeless=False)
        case Doubtful(reason, raised):
            return _again(ways, _in_doubt(ways, entry, call, moment), reason, moment, hopeless=raised)
        case Worked():
            return Setback(entry)
        case _:
            assert_never(outcome)


def _in_doubt(ways: Ways, entry: Entry, call: Call, moment: Moment) -> Entry:
    """What the call should have done may be done already, or come late."""
    late_until = moment.now + ways.late_s
    if isinstance(call, Post):
        entry = doubted(entry, call.message.text)
    elif isinstance(call, Edit):
        entry = structs.replace(entry, says=None, words_until=late_until if call.live else entry.words_until)
    return structs.replace(entry, late_until=late_until) if ways.rule is DeliveryClass.RECONCILE else entry


def _unconfirmed(ways: Ways, entry: Entry, outcome: Outcome, moment: Moment) -> Setback:
    """What is visible could not be shown once more: tried again, but never taken for a failure of the delivery.

    Who looks at the delivery finds why it is not certain that its words stand there still.
    """
    failures = entry.failures + 1
    match outcome:
        case Postponed(after_s):
            return Setback(entry, pause_s=_believed_s(ways.limits, after_s))
        case Unsent() | Doubtful() if failures < ways.limits.attempts_max:
            pause_s = _backoff_s(ways.limits, failures, moment.chance)
            return Setback(structs.replace(entry, failures=failures, not_before=moment.now + pause_s))
        case Unsent(reason) | Doubtful(reason) | Forbidden(reason) | Gone(reason):
            return Setback(entry, DeliveryState.DELIVERED, f"{UNCONFIRMED}: {reason}")
        case Worked():
            return Setback(entry, DeliveryState.DELIVERED)
        case _:
            assert_never(outcome)


def _unsaid(entry: Entry) -> DeliveryState | None:
    """Take back on disk that a call may have had its effect."""
    if entry.delivery.state is not DeliveryState.SENDING:
        return None
    return DeliveryState.UNKNOWN if entry.doubt else DeliveryState.PENDING


def _believed_s(limits: OutboxLimits, after_s: float) -> float:
    return limits.pause_max_s if isnan(after_s) else min(max(after_s, 0.0), limits.pause_max_s)


def _gone(ways: Ways, entry: Entry, call: Call, reason: str, moment: Moment) -> Setback:
    """The message to edit was removed: post another. The message to reply to was removed: reply to none."""
    if isinstance(call, Edit):
        entry = removed(entry)
    elif entry.delivery.reply_to is not None:
        entry = structs.replace(entry, delivery=structs.replace(entry.delivery, reply_to=None))
    again = _again(ways, entry, reason, moment, hopeless=True)
    first = entry.delivery.attempts + entry.failures == 0
    return Setback(structs.replace(again.entry, not_before=moment.now)) if first else again


def _again(ways: Ways, entry: Entry, reason: str, moment: Moment, *, hopeless: bool) -> Setback:
    if entry.parts is None:
        failures = entry.failures + 1
        pause_s = _backoff_s(ways.limits, failures, moment.chance)
        return Setback(structs.replace(entry, failures=failures, not_before=moment.now + pause_s))
    attempts = entry.delivery.attempts + 1
    delivery = structs.replace(entry.delivery, attempts=attempts)
    failing_from = moment.now if entry.failing_from is None else entry.failing_from
    if _is_given_up(ways.limits, attempts, moment.now - failing_from, hopeless=hopeless):
        return Setback(
            structs.replace(entry, delivery=delivery),
            DeliveryState.DEAD,
            f"given up after {attempts} attempts: {reason}",
        )
    wait_s = _backoff_s(ways.limits, attempts, moment.chance)
    delivery = structs.replace(delivery, retry_at=moment.at + wait_s)
    state = DeliveryState.UNKNOWN if entry.doubt else DeliveryState.RETRY
    not_before = moment.now + wait_s
    failing = structs.replace(entry, delivery=delivery, not_before=not_before, failing_from=failing_from)
    return Setback(failing, state, reason)


def _is_given_up(limits: OutboxLimits, attempts: int, failing_s: float, *, hopeless: bool) -> bool:
    """An outage is waited out, so a day counts for it, not only attempts; what keeps raising only blocks its chat.

    The day is one that this process saw: a wall clock that was set forward must not cost anybody an answer.
    """
    return attempts >= limits.attempts_max and (hopeless or failing_s >= limits.give_up_s)


def _backoff_s(limits: OutboxLimits, failures: int, chance: float) -> float:
    """Doubling, bounded, and spread over the upper half of itself so that lanes do not come in step."""
    return min(limits.backoff_max_s, limits.backoff_first_s * 2.0 ** min(failures - 1, 60)) * (0.5 + chance / 2)
