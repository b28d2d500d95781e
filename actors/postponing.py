"""What becomes of a run whose agent could not reach what it needs: the same work is tried again, with back-off. Pure.

Between two tries the run is open and marked on disk, as after an interruption: a restart goes on with it, and the
user's next message does not wait for the timer. How long was waited is counted in timers, so the clock may jump.
"""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import ArmRetry, CancelAlarms, ShowText
from greenroom.actors.draft import Draft
from greenroom.actors.events import PutOff, Resumed
from greenroom.actors.facts import RunMarked
from greenroom.actors.lines import put_off_line
from greenroom.actors.model import InterruptReason, RunCause, SessionId
from greenroom.actors.opening import open_run
from greenroom.actors.rules import Rules
from greenroom.actors.state import Interrupted, Running

SPREAD = 0.25
"""Many sessions meet one outage; each waits up to so much longer, so that they do not all come back at once."""

GOLDEN = 0.6180339887

REASON = InterruptReason.PROVIDER_ERROR


def retry_after_s(session_id: SessionId, waited_s: float, asked_s: float | None, rules: Rules) -> float | None:
    """Say how long to wait before the next try: as long as was waited already; None when it would be too long.

    Two sessions wait differently, one session always alike.

    >>> [retry_after_s(SessionId(0), waited_s, None, Rules()) for waited_s in (0.0, 6.0, 899.0)]
    [2.0, 6.0, None]
    """
    after_s = min(max(waited_s, rules.provider_backoff_s), rules.provider_backoff_max_s)
    if asked_s is not None and asked_s > after_s:  # NaN asks for nothing.
        after_s = asked_s
    after_s *= 1 + SPREAD * (session_id * GOLDEN % 1.0)
    return after_s if waited_s + after_s <= rules.provider_max_s else None


def put_off(draft: Draft, phase: Running, outcome: PutOff, after_s: float) -> None:
    """Leave the work open and marked, show why, and arm the next try."""
    draft.write(RunMarked(draft.id, phase.run.generation, REASON))
    anchored = draft.anchor(phase)
    line = put_off_line(outcome.why, after_s)
    shown = "\n\n".join(part for part in (outcome.said, line) if part.strip())
    draft.do(CancelAlarms(), ShowText(draft.answer_key(anchored), shown), ArmRetry(phase.run.generation, after_s))
    run = replace(phase.run, interrupted_by=REASON)
    waited_s = phase.waited_s + after_s
    draft.move(Interrupted(run, phase.segment, anchored=anchored.anchored, waited_s=waited_s, retrying=True))


def try_again(draft: Draft, rules: Rules) -> None:
    """The time came: the same work goes on in a new run."""
    open_run(draft, RunCause.PROVIDER_RETRY, rules, resumed=Resumed(REASON))
