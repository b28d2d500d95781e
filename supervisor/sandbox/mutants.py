"""All mutants: the bugs of the field that the simulator must find, and the hunt for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from greenroom.supervisor.sandbox import (
    mutants_access,
    mutants_amended,
    mutants_asking,
    mutants_budgets,
    mutants_busy,
    mutants_commands,
    mutants_forgetting,
    mutants_fresh,
    mutants_letters,
    mutants_operator,
    mutants_outbox,
    mutants_processes,
    mutants_roof,
    mutants_session,
    mutants_storage,
    mutants_transcript,
)
from greenroom.supervisor.sandbox.mutant import SEEDS_MAX, Hunted, Mutant, hunt

MUTANTS: tuple[Mutant, ...] = (
    *mutants_session.MUTANTS,
    *mutants_storage.MUTANTS,
    *mutants_outbox.MUTANTS,
    *mutants_processes.MUTANTS,
    *mutants_roof.MUTANTS,
    *mutants_fresh.MUTANTS,
    *mutants_amended.MUTANTS,
    *mutants_busy.MUTANTS,
    *mutants_asking.MUTANTS,
    *mutants_budgets.MUTANTS,
    *mutants_transcript.MUTANTS,
    *mutants_commands.MUTANTS,
    *mutants_access.MUTANTS,
    *mutants_operator.MUTANTS,
    *mutants_letters.MUTANTS,
    *mutants_forgetting.MUTANTS,
)


def named(words: str) -> tuple[Mutant, ...]:
    """Find the mutants whose names contain these words; all for none.

    >>> [mutant.name for mutant in named("acknowledge")]
    ['acknowledge before commit']
    """
    return tuple(mutant for mutant in MUTANTS if words.lower() in mutant.name.lower())


def hunt_all(mutants: Sequence[Mutant] = MUTANTS, *, seeds_max: int = SEEDS_MAX) -> Iterator[Hunted]:
    """Hunt one after the other; yields each when its hunt is over."""
    for mutant in mutants:
        yield hunt(mutant, seeds_max=seeds_max)
