"""When a conversation begins anew by itself, and how a new session takes over. Pure.

Only a user's message ever begins one, and only where nothing is open: no run, no question, no doubt about a tool,
no background process that has something to tell.
What counts is the true last activity: words of the user or of the agent, never a boot, an expiry or a note of ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from greenroom.actors.acts import ArmIdle, ReportSucceeded
from greenroom.actors.draft import Draft
from greenroom.actors.facts import SessionSucceeded
from greenroom.actors.keys import FRESH
from greenroom.actors.lines import fresh_line
from greenroom.actors.model import FreshCause
from greenroom.actors.rules import Reset, Rules
from greenroom.actors.state import Idle
from greenroom.actors.times import read_time, read_zone


def decide_reset(active_at: float, said_at: float, rules: Rules) -> FreshCause | None:
    """Say whether a message said at `said_at` begins a new conversation, when the last activity was at `active_at`.

    >>> decide_reset(0.5, 7 * 3600.0, Rules(reset="daily", reset_hour=4, zone="UTC"))
    <FreshCause.DAILY: 'daily'>
    """
    match rules.reset:
        case Reset.IDLE if said_at - active_at > rules.reset_after_s:
            return FreshCause.IDLE
        case Reset.DAILY if active_at < _last_turn_of_day(said_at, rules):
            return FreshCause.DAILY
        case _:
            return None


def _last_turn_of_day(at: float, rules: Rules) -> float:
    """The last moment before `at` at which a new day begins for conversations."""
    moment = datetime.fromtimestamp(at, read_zone(rules.zone))
    turn = moment.replace(hour=rules.reset_hour, minute=0, second=0, microsecond=0)
    if turn > moment:
        turn -= timedelta(days=1)
    return turn.timestamp()


def reset_if_due(draft: Draft, rules: Rules) -> bool:
    """Let a new session take what waits, if the policy says so. True: this session has nothing to do any more."""
    if rules.reset == Reset.NONE or not isinstance(draft.phase, Idle) or draft.in_doubt or not draft.waiting:
        return False
    active_at = read_time(draft.active_at, now=draft.now)
    if active_at is None:
        return False
    cause = None if draft.awaited else decide_reset(active_at, draft.waiting[0].at, rules)
    if cause is None:
        return False
    succeed(draft, cause, rules)
    return True


def succeed(draft: Draft, cause: FreshCause, rules: Rules) -> None:
    """Let a new session take over the chat, and all that waits. Nothing may be open here when this is written."""
    draft.write(SessionSucceeded(draft.id, cause, draft.now))
    draft.succeeded, draft.waiting = True, ()
    draft.do(ReportSucceeded(), ArmIdle(rules.idle_s))


def tell_of_beginning(draft: Draft, rules: Rules, *, reply_to: str | None) -> None:
    """Say once, with the first run of a session that began by itself, why the conversation is new."""
    if draft.because in {FreshCause.IDLE, FreshCause.DAILY}:
        draft.say_line(FRESH, fresh_line(draft.because, rules.reset_after_s), reply_to=reply_to)
    draft.because = None
