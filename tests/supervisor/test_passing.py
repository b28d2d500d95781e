"""What becomes of what is said to a session, and of decisions that were refused: every case there is."""

from __future__ import annotations

from itertools import product

import pytest
from tests.actors.session_stage import said

from greenroom.actors.events import Arrived
from greenroom.actors.model import Change, InboxId, StoredInbound
from greenroom.actors.store import RefusalKind
from greenroom.supervisor.passing import Fate, Passing, decide_fate, decide_passing
from greenroom.supervisor.resume import Decision, Quarantine, Skip, Wait, Why
from greenroom.supervisor.tree_words import OF_ONE_SESSION

WORD = Arrived(said(2))
CHANGE = Arrived(StoredInbound(InboxId(3), "hello!", "Ann", 1.0, reply_to="m2", change=Change.EDIT))


@pytest.mark.parametrize("event", [WORD, CHANGE], ids=["word", "change"])
def test_nothing_overtakes_what_is_kept_and_a_drain_begins_nothing(event: Arrived) -> None:
    for deciding, ending, lives in product((False, True), repeat=3):
        kept = decide_passing(event, others_kept=True, deciding=deciding, ending=ending, lives=lives)
        assert kept is Passing.KEEP
        alone = decide_passing(event, others_kept=False, deciding=deciding, ending=ending, lives=lives)
        if event is WORD and deciding:
            assert alone is Passing.KEEP
        elif ending or event is CHANGE:
            assert alone is (Passing.TELL if lives else Passing.LEAVE)
        else:
            assert alone is Passing.TELL


def test_a_change_never_wakes_who_sleeps_and_waits_for_no_decision() -> None:
    assert decide_passing(CHANGE, others_kept=False, deciding=True, ending=False, lives=False) is Passing.LEAVE


ONE: list[Decision] = [Skip(Why.STALE)]


@pytest.mark.parametrize(
    "kind, decisions, fates",
    [
        *((kind, ONE * 2, [Fate.APART] * 2) for kind in (RefusalKind.CONFLICT, RefusalKind.STALE_WRITER)),
        (RefusalKind.STALE_WRITER, ONE, [Fate.AGAIN, Fate.OVERTAKEN]),
        (RefusalKind.STALE_WRITER, [Quarantine(3)], [Fate.AGAIN, Fate.OVERTAKEN]),
        (RefusalKind.CONFLICT, [Quarantine(3)], [Fate.LEFT] * 2),
        (RefusalKind.CONFLICT, [Wait()], [Fate.RESTART] * 2),
        *((kind, ONE, [Fate.END] * 2) for kind in RefusalKind if kind not in OF_ONE_SESSION),
    ],
)
def test_one_sessions_contradiction_costs_no_other(
    kind: RefusalKind, decisions: list[Decision], fates: list[Fate]
) -> None:
    assert [decide_fate(kind, decisions, lives=lives) for lives in (False, True)] == fates
