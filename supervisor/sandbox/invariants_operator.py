"""What must be true of what whoever runs the service orders: it is kept, carried out once, and is nobody's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import apsw

from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows, visible
from greenroom.supervisor.sandbox.world import World


def an_operators_order_is_kept(db: apsw.Connection, world: World) -> Iterator[str]:
    """What an operator was told is written down is on disk, and nothing else is called an operator's order."""
    stored = {update_id for (update_id,) in rows(db, "SELECT update_id FROM inbox WHERE operator = 1")}
    for update_id in sorted(world.taken - stored):
        yield f"{update_id} was taken and is not stored"
    for update_id in sorted(stored - world.ordered.keys()):
        yield f"{update_id} was never ordered"


def what_an_operator_says_is_a_row_of_its_own(db: apsw.Connection, _: World) -> Iterator[str]:
    """A text that an operator sends becomes one delivery and one row for the agent, that concludes nothing."""
    for update_id, deliveries, notes in rows(
        db,
        "SELECT update_id, (SELECT count(*) FROM deliveries WHERE key = 'command.' || inbox.id"
        "  AND deliveries.text = inbox.text AND kind = 'line') AS said,"
        " (SELECT count(*) FROM messages WHERE messages.session_id = inbox.session_id AND instr(messages.text,"
        "  inbox.text) AND kind = 'operator' AND role = 'system' AND answers_upto IS NULL) AS noted FROM inbox"
        " WHERE operator = 1 AND command = 'send' AND generation IS NOT NULL AND (said <> 1 OR noted <> 1)",
    ):
        yield f"{update_id} became {deliveries} deliveries and {notes} rows for the agent"


def what_an_operator_says_is_shown_once(db: apsw.Connection, world: World) -> Iterator[str]:
    """A person reads it once, in their own chat; where a platform cannot help it, the repeat is marked."""
    shown = Counter(
        (str(chat), update_id)
        for _network, chat, message in visible(world)
        for update_id, (_, text) in world.ordered.items()
        if text and message.text == text
    )
    for (chat, update_id), count in shown.items():
        if count > 1 or str(world.ordered[update_id][0]) != chat:
            yield f"{chat} shows {count} times what {update_id} says"
    for update_id, key, chat in rows(
        db,
        "SELECT update_id, deliveries.key, sessions.key FROM inbox JOIN deliveries ON deliveries.key = 'command.' ||"
        " inbox.id JOIN sessions ON sessions.id = inbox.session_id WHERE operator = 1 AND refusal IS NOT NULL",
    ):
        yield f"{chat} is told by {key} why {update_id} was refused"


OPERATOR_AFTER_BOOT: tuple[Check, ...] = (an_operators_order_is_kept, what_an_operator_says_is_a_row_of_its_own)
OPERATOR_AT_THE_END: tuple[Check, ...] = (what_an_operator_says_is_shown_once,)
