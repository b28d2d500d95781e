"""What becomes of what is said to a session, and of decisions that were refused. Pure: it looks, and says one thing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from greenroom.actors.events import Arrived, ProcessEvent
from greenroom.actors.store import RefusalKind
from greenroom.supervisor.resume import Decision, Quarantine
from greenroom.supervisor.tree_words import OF_ONE_SESSION


class Passing(StrEnum):
    """What becomes of something that is on disk already, and that a session should hear of."""

    KEEP = "keep"  # until its session is decided about, with all else that comes meanwhile
    TELL = "tell"  # now; a session that sleeps is woken for it
    LEAVE = "leave"  # the next boot finds it on disk


def decide_passing(
    event: Arrived | ProcessEvent, *, others_kept: bool, deciding: bool, ending: bool, lives: bool
) -> Passing:
    """Say whether a session hears of it now.

    `others_kept`: something waits for this session already, and is not overtaken (no change by the message that it is
    of). `deciding`: it is about to be decided what is open, in this session or in all. `ending`: nothing is begun any
    more. `lives`: the session's actor does, and the process is not over.
    """
    arrived = isinstance(event, Arrived)
    begins = not isinstance(event, Arrived) or event.inbound.change is None  # A change is read with its message.
    if others_kept or (begins and deciding):
        return Passing.KEEP
    if begins and not ending:
        return Passing.TELL
    return Passing.TELL if lives and arrived else Passing.LEAVE  # Also in a drain: an order that follows may be of it.


class Fate(StrEnum):
    """What becomes of decisions that the store refused to write."""

    END = "end"  # the store takes nothing from this process any more: it is opened again above, or never
    APART = "apart"  # one session's contradiction costs no other: each is written by itself
    OVERTAKEN = "overtaken"  # a run was begun meanwhile, and whoever began it lives and has the work
    AGAIN = "again"  # a run was begun meanwhile, and whoever began it is dead: what is open now was not looked at
    LEFT = "left"  # setting it aside is the last resort, and that cannot be written: until the next start
    RESTART = "restart"  # decide again, as after a crash of its actor


def decide_fate(kind: RefusalKind, decisions: Sequence[Decision], *, lives: bool) -> Fate:
    """Say what becomes of decisions that were refused together. `lives`: the first one's session has an actor.

    >>> decide_fate(RefusalKind.CONFLICT, [Wait()], lives=False)
    <Fate.RESTART: 'restart'>
    """
    if kind not in OF_ONE_SESSION:
        return Fate.END
    if len(decisions) > 1:
        return Fate.APART
    if kind is RefusalKind.STALE_WRITER:
        return Fate.OVERTAKEN if lives else Fate.AGAIN
    return Fate.LEFT if any(isinstance(decision, Quarantine) for decision in decisions) else Fate.RESTART
