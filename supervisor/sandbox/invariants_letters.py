"""What must be true of deliveries that whoever runs the service looked after."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World


def what_was_given_up_stays_so(db: apsw.Connection, world: World) -> Iterator[str]:
    """What an operator was told is given up is owed by nobody, and has no letter.

    A call that was under way in that moment may have worked.
    """
    states = dict(rows(db, "SELECT key, state FROM deliveries"))
    letters = {key for (key,) in rows(db, "SELECT delivery FROM dead_letters")}
    for key in sorted(world.mail.dropped):
        if states.get(key, "dead") not in {"dead", "delivered"} or key in letters:
            yield f"{key} was given up and is {states[key]}, with a letter: {key in letters}"


def a_dead_delivery_has_its_letter(db: apsw.Connection, world: World) -> Iterator[str]:
    """What is dead is listed until an operator wants no letter of it; what is not dead is not listed."""
    for key, state, letters in rows(
        db,
        "SELECT key, state, (SELECT count(*) FROM dead_letters WHERE delivery = key) AS letters FROM deliveries"
        " WHERE (state = 'dead') <> letters",
    ):
        if key not in world.mail.dropping:
            yield f"{key} is {state} and has {letters} letters"


LETTERS_AFTER_BOOT: tuple[Check, ...] = (what_was_given_up_stays_so, a_dead_delivery_has_its_letter)
