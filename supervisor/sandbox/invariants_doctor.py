"""What `greenroom doctor` asks of a real database holds in every simulated one."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.storage.invariants import INVARIANTS
from greenroom.supervisor.sandbox.invariants_after_boot import Check, of_the_file
from greenroom.supervisor.sandbox.world import World


@of_the_file
def the_doctor_finds_nothing(db: apsw.Connection, _: World) -> Iterator[str]:
    """Whatever a process lived through, the doctor finds its rows as they must be."""
    for invariant in INVARIANTS:
        for row in db.execute(invariant.sql):
            yield f"{invariant.name}: {invariant.says.format(*row)}"


DOCTOR_AT_THE_END: tuple[Check, ...] = (the_doctor_finds_nothing,)
