"""What to do when the disk will not: how long to wait, when to speak of it, when to give up. Pure."""

from dataclasses import dataclass

from greenroom.storage.trouble import Trouble, TroubleKind

FIRST_WAIT_S = 0.02
WAIT_S_MAX = 2.0
JITTER = 0.5
"""Each wait is drawn between this share of it and the whole, so that writers of one disk do not come in step."""

QUIET_S = 1.0
"""Another process that holds the file for less than this is not worth a notice."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Keep everything that waits, and try again. `announce`: people should know by now."""

    after_s: float
    announce: bool


@dataclass(frozen=True, slots=True)
class RefuseAll:
    """Nothing will be written any more; `words` say why and what to do."""

    words: str


@dataclass(frozen=True, slots=True)
class Crash:
    """A defect of ours: let the supervisor see it. The disk is the truth."""


def decide_after_trouble(
    trouble: Trouble, *, attempt: int, waited_s: float, chance: float
) -> TryAgain | RefuseAll | Crash:
    """Decide after the `attempt`-th failure in a row (from 1). `chance` is drawn from [0, 1)."""
    if trouble.kind is TroubleKind.CORRUPT:
        return RefuseAll(trouble.text)
    if not trouble.can_heal:
        return Crash()
    wait_s = min(WAIT_S_MAX, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 16))
    announce = trouble.kind is not TroubleKind.BUSY or waited_s >= QUIET_S
    return TryAgain(wait_s * (JITTER + (1.0 - JITTER) * chance), announce)
