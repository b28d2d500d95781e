"""When interrupted work is too old to go on, and what becomes of it when its user writes. Pure."""

from __future__ import annotations

from greenroom.actors.acts import ReportConcluded
from greenroom.actors.draft import Draft
from greenroom.actors.facts import RunClosed
from greenroom.actors.keys import conclusion_key
from greenroom.actors.model import DeliveryKind, Ending, MessageKind, OpenRun, Role, Tail
from greenroom.actors.rules import Rules
from greenroom.actors.state import Idle, Interrupted
from greenroom.actors.times import read_time, read_zone
from greenroom.actors.wording import overtaken_line


def age_of_work_s(tail: Tail, run: OpenRun | None, now: float) -> float | None:
    """Seconds since the work last moved; None when no readable time says so, which counts as fresh.

    Only the transcript and the agent's own progress count, never a boot. A time ahead of `now` (the clock was set
    back) counts as now.
    """
    stamps = (tail.at, run.last_progress_at if run is not None else None)
    times = [at for at in (read_time(stamp, now=now) for stamp in stamps) if at is not None]
    return max(0.0, now - max(times)) if times else None


def asked_at(tail: Tail, run: OpenRun | None, now: float) -> float | None:
    """Say when the person asked, as near as it is known: before the run was opened and before anything followed."""
    stamps = (tail.at, run.opened_at if run is not None else None)
    return min((at for at in (read_time(stamp, now=now) for stamp in stamps) if at is not None), default=None)


def is_stale(tail: Tail, run: OpenRun | None, now: float, fresh_s: float) -> bool:
    """Say whether work is too old to go on by itself, or to be pulled into its user's next message."""
    age_s = age_of_work_s(tail, run, now)
    return fresh_s > 0 and age_s is not None and age_s > fresh_s


def expire_if_stale(draft: Draft, rules: Rules) -> None:
    """Give up old work before a run of new work is opened: what follows is the same that a boot's decision has.

    What waits for its user's answer is never too old, and work that has its conclusion needs none.
    """
    old = draft.phase
    if not isinstance(old, Interrupted) or old.question is not None or not draft.tail.unanswered:
        return
    if not is_stale(draft.tail, old.run, draft.now, rules.fresh_s):
        return
    line = overtaken_line(asked_at(draft.tail, old.run, draft.now), now=draft.now, zone=read_zone(rules.zone))
    draft.close_calls(old.run.generation)
    upto = draft.tail.user_seq
    draft.append(conclusion_key(old.run.work), Role.SYSTEM, line, kind=MessageKind.FAILED, answers_upto=upto)
    draft.fill(old, DeliveryKind.LINE, line)
    draft.write(RunClosed(draft.id, old.run.generation, Ending.EXPIRED, draft.now))
    draft.move(Idle())
    draft.do(ReportConcluded())
