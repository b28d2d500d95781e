import pytest

from greenroom.storage.patience import (
    FIRST_WAIT_S,
    JITTER,
    QUIET_S,
    WAIT_S_MAX,
    Crash,
    RefuseAll,
    TryAgain,
    decide_after_trouble,
)
from greenroom.storage.trouble import TroubleKind, trouble

HEALING = [kind for kind in TroubleKind if trouble(kind, path="").can_heal]


def decide(kind: TroubleKind, attempt: int = 1, waited_s: float = 0.0, chance: float = 0.0) -> object:
    return decide_after_trouble(trouble(kind, path="bot.db"), attempt=attempt, waited_s=waited_s, chance=chance)


@pytest.mark.parametrize("kind", HEALING)
def test_what_can_heal_is_tried_again_for_ever(kind: TroubleKind) -> None:
    for attempt in (1, 10, 1_000_000):
        assert isinstance(decide(kind, attempt, waited_s=1e6), TryAgain)


def test_waits_double_up_to_a_limit_and_are_spread() -> None:
    waits = [decide(TroubleKind.FULL, attempt, chance=1.0) for attempt in range(1, 12)]
    assert [wait.after_s for wait in waits if isinstance(wait, TryAgain)] == [
        min(WAIT_S_MAX, FIRST_WAIT_S * 2**n) for n in range(11)
    ]
    assert decide(TroubleKind.FULL) == TryAgain(FIRST_WAIT_S * JITTER, announce=True)


def test_a_file_held_for_a_moment_is_nobodys_business() -> None:
    assert decide(TroubleKind.BUSY, waited_s=QUIET_S / 2) == TryAgain(FIRST_WAIT_S * JITTER, announce=False)
    assert decide(TroubleKind.BUSY, waited_s=QUIET_S) == TryAgain(FIRST_WAIT_S * JITTER, announce=True)


def test_damage_refuses_all_and_names_the_salvage() -> None:
    decision = decide(TroubleKind.CORRUPT)
    assert isinstance(decision, RefuseAll)
    assert "greenroom doctor --repair --db " in decision.words


@pytest.mark.parametrize("kind", [TroubleKind.MISTAKE, TroubleKind.CONSTRAINT])
def test_a_defect_of_ours_is_the_supervisors(kind: TroubleKind) -> None:
    assert decide(kind) == Crash()


def test_every_trouble_has_its_decision() -> None:
    assert {*HEALING, TroubleKind.CORRUPT, TroubleKind.MISTAKE, TroubleKind.CONSTRAINT} == set(TroubleKind)
