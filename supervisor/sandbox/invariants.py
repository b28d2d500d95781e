"""What must be true, each promise a named function with one sentence. They read rows and the world, never the house.

`AFTER_BOOT` holds whenever a boot has made its decisions (`invariants_after_boot.py`), `AT_REST` when a life has come
to rest (`invariants_at_rest.py`), and `AT_THE_END` when faults have stopped as well.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import apsw

from greenroom.actors.entry import REPEAT_MARK
from greenroom.actors.lines import with_choices
from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.splitting import split
from greenroom.supervisor.attachments import TROUBLE
from greenroom.supervisor.sandbox.invariants_access import ACCESS_AFTER_BOOT, shut_out
from greenroom.supervisor.sandbox.invariants_after_boot import (
    ROWS_AFTER_BOOT,
    TOKEN,
    Check,
    Violation,
    check,
    of_the_file,
    rows,
    visible,
)
from greenroom.supervisor.sandbox.invariants_amended import AMENDED
from greenroom.supervisor.sandbox.invariants_as_it_happens import AS_IT_HAPPENS
from greenroom.supervisor.sandbox.invariants_asking import ASKING_AFTER_BOOT, ASKING_AT_THE_END
from greenroom.supervisor.sandbox.invariants_at_rest import (
    no_run_stays_open,
    what_is_stored_is_answered,
    who_rests_owes_nothing,
)
from greenroom.supervisor.sandbox.invariants_budgets import BUDGETS
from greenroom.supervisor.sandbox.invariants_busy import BUSY_AFTER_BOOT, BUSY_AT_THE_END
from greenroom.supervisor.sandbox.invariants_commands import COMMANDS_AFTER_BOOT, COMMANDS_AT_THE_END
from greenroom.supervisor.sandbox.invariants_deciding import DECIDING_AFTER_BOOT
from greenroom.supervisor.sandbox.invariants_doctor import DOCTOR_AT_THE_END
from greenroom.supervisor.sandbox.invariants_forgetting import FORGETTING_AFTER_BOOT
from greenroom.supervisor.sandbox.invariants_fresh import FRESH_AFTER_BOOT, FRESH_AT_THE_END
from greenroom.supervisor.sandbox.invariants_letters import LETTERS_AFTER_BOOT
from greenroom.supervisor.sandbox.invariants_operator import OPERATOR_AFTER_BOOT, OPERATOR_AT_THE_END
from greenroom.supervisor.sandbox.invariants_processes import PROCESSES_AFTER_BOOT, PROCESSES_AT_THE_END
from greenroom.supervisor.sandbox.invariants_transcript import TRANSCRIPT_AFTER_BOOT, TRANSCRIPT_AT_THE_END
from greenroom.supervisor.sandbox.networks import Network
from greenroom.supervisor.sandbox.world import World

__all__ = [
    "AFTER_BOOT",
    "AS_IT_HAPPENS",
    "AT_REST",
    "AT_THE_END",
    "PLACEHOLDER",
    "TOKEN",
    "Check",
    "Violation",
    "check",
    "rows",
    "visible",
]

PLACEHOLDER = "..."
PAGE_BYTES = 8_192
JOURNAL_PAGES_MAX = 400
"""A WAL of this many pages was not looked after: the simulated houses move theirs after two dozen."""

_PART = re.compile(r"^[0-9a-f]{8}-(?P<delivery>.+)-(?P<part>\d+)(?:-[0-9a-f]{12})?$")


_DELIVERIES = (
    "SELECT key, text, (SELECT choices FROM questions WHERE delivery = deliveries.key),"
    " iif(state = 'delivered' AND error IS NOT NULL, 'unconfirmed', state) FROM deliveries"
)
_DELIVERED = (
    "SELECT deliveries.key, text, (SELECT choices FROM questions WHERE delivery = deliveries.key), message_ids,"
    " sessions.key FROM deliveries JOIN sessions ON sessions.id = deliveries.session_id WHERE state = 'delivered'"
    " AND error IS NULL"  # Else its row says that something may stand in its place.
)


@of_the_file
def the_file_is_whole(db: apsw.Connection, _: World) -> Iterator[str]:
    """SQLite finds nothing wrong, and no row points nowhere."""
    found = rows(db, "PRAGMA integrity_check")
    if found != [("ok",)]:
        yield str(found[:3])
    for row in rows(db, "PRAGMA foreign_key_check"):
        yield f"points nowhere: {row}"


def what_was_said_is_stored_once(db: apsw.Connection, world: World) -> Iterator[str]:
    """Each message of a person is one inbound, however often it came."""
    stored = Counter(update_id for (update_id,) in rows(db, "SELECT update_id FROM inbox WHERE operator = 0"))
    for update_id in world.said:
        if stored[update_id] != 1:
            yield f"{update_id} is stored {stored[update_id]} times"
    for update_id in stored.keys() - world.said.keys():
        yield f"{update_id} was never said"


def answers_cover_what_they_claim(db: apsw.Connection, _: World) -> Iterator[str]:
    """An answer names exactly the messages that it covers: none was skipped, none belongs to another answer."""
    answered = rows(
        db,
        "SELECT session_id, answers_upto, coalesce(lag(answers_upto) OVER (PARTITION BY session_id ORDER BY seq), 0),"
        " role, text, finish FROM messages WHERE answers_upto IS NOT NULL",
    )
    for session, upto, before, role, text, _finish in answered:
        if role != "assistant":
            continue
        users = rows(
            db,
            "SELECT text FROM messages WHERE session_id = ? AND role = 'user' AND seq > ? AND seq <= ? ORDER BY seq",
            session,
            before,
            upto,
        )
        wanted = list(dict.fromkeys(words.split()[0] for (words,) in users))
        named = list(dict.fromkeys(TOKEN.findall(text)))  # Two answers to two questions may be the same word.
        if named != wanted and "words" not in text and "<" in text:
            yield f"session {session}: {text!r} covers {wanted}"


def each_conclusion_is_shown(db: apsw.Connection, world: World) -> Iterator[str]:
    """Each concluding row has the delivery that shows it, if its chat may write: "saved but not sent" cannot be."""
    aside = shut_out(db, world)
    for session, chat, key, generation in rows(
        db,
        "SELECT m.session_id, sessions.key, m.key, m.generation FROM messages m"
        " JOIN sessions ON sessions.id = m.session_id WHERE answers_upto IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM deliveries d WHERE d.session_id = m.session_id AND instr(d.text, m.text) > 0)",
    ):
        if chat not in aside:
            yield f"{key} of session {session}, run {generation}, has no delivery with its words"


def deliveries_come_to_an_end(db: apsw.Connection, _: World) -> Iterator[str]:
    """Each delivery that has a text is delivered or a dead letter; one without belongs to a run that may go on."""
    for key, state, error in rows(
        db, "SELECT key, state, error FROM deliveries WHERE text IS NOT NULL AND state NOT IN ('delivered', 'dead')"
    ):
        yield f"{key} is still {state} ({error})"
    for key, state in rows(
        db,
        "SELECT deliveries.key, state FROM deliveries JOIN sessions ON sessions.id = session_id WHERE text IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM runs"
        " WHERE runs.session_id = sessions.id AND open = 1 AND quarantined_at IS NULL)",
    ):
        yield f"{key} is {state}, has no text, and nobody works on it"


def what_is_visible_has_its_row(db: apsw.Connection, world: World) -> Iterator[str]:
    """A message that a person sees is a part of a stored delivery, with that text; else it is a stray placeholder."""
    texts = {key: (text, asks, state) for key, text, asks, state in rows(db, _DELIVERIES)}
    ids = {key: json.loads(them) for key, them in rows(db, "SELECT key, message_ids FROM deliveries")}
    for network, chat, message in visible(world):
        if message.key.startswith(TROUBLE):
            continue  # A notice: `troubles.py` looks at it.
        match = _PART.match(message.key)
        delivery = match["delivery"] if match else ""
        if match is None or delivery not in texts:
            yield f"{chat} shows {message.text!r}, of which no row knows"
            continue
        text, asks, state = texts[delivery]
        if message.text == PLACEHOLDER or state == "dead":
            continue
        words = message.text.removeprefix(REPEAT_MARK) if network.delivery is DeliveryClass.NONE else message.text
        if state == "delivered" and words != part_of(network, text, asks, int(match["part"])):
            yield f"{chat} shows {message.text!r}, {delivery} says {text!r}"
        unknown = message.id not in ids[delivery]
        if state == "delivered" and unknown and network.delivery is not DeliveryClass.NONE:
            yield f"{chat} shows {message.text!r} as {message.id}, {delivery} knows only {ids[delivery]}"


def what_is_delivered_is_visible(db: apsw.Connection, world: World) -> Iterator[str]:
    """A delivered text was shown, part for part, in messages that say it still or were removed by somebody."""
    for key, text, asks, ids, chat in rows(db, _DELIVERED):
        network = world.network_of(SessionKey.parse(chat))
        parts = parts_of(network, text, asks)
        try:
            shown = [network.server.message(id) for id in json.loads(ids)]  # noqa: A001 - the field's own word
        except KeyError as error:
            yield f"{key} is said to be shown as {error}, which never was"
            continue
        words = [each.text.removeprefix(REPEAT_MARK) for each in shown]
        if words != parts and not any(each.deleted for each in shown):
            yield f"{key} should read {parts}, {chat} shows {words}"


def nothing_is_shown_twice(_: apsw.Connection, world: World) -> Iterator[str]:
    """No two visible messages are one part of a delivery; where a platform cannot help it, the repeat is marked."""
    seen: Counter[tuple[str, str]] = Counter()
    for network, chat, message in visible(world):
        marked = network.delivery is DeliveryClass.NONE and message.text.startswith(REPEAT_MARK)
        if message.text != PLACEHOLDER and not marked and (match := _PART.match(message.key)):
            seen[str(chat), f"{match['delivery']}-{match['part']}"] += 1
    for (where, part), count in seen.items():
        if count > 1:
            yield f"{where} shows {part} {count} times"


def no_message_is_answered_twice(_: apsw.Connection, world: World) -> Iterator[str]:
    """A person finds the answer to a message in one place only."""
    seen: dict[tuple[str, str], set[str]] = {}
    for _network, chat, message in visible(world):
        match = _PART.match(message.key)
        for token in TOKEN.findall(message.text):
            if token[0] == "m" and not world.retries[str(chat)]:
                seen.setdefault((str(chat), token), set()).add(match["delivery"] if match else message.id)
    for (where, token), places in seen.items():
        if len(places) > 1:
            yield f"{where}: {token} is answered in {sorted(places)}"


def order_is_kept(_: apsw.Connection, world: World) -> Iterator[str]:
    """Answers stand in the chat in the order in which the messages were stored, but for those that somebody removed.

    What an operator gave up is waited for no longer; if it was under way, it may stand below what came after it.
    """
    for network in world.networks:
        for chat in network.chats if network.delivery is not DeliveryClass.NONE else ():
            replaced = {match["delivery"] for each in network.server.removed(chat) if (match := _PART.match(each.key))}
            keys = [match["delivery"] for each in network.server.visible(chat) if (match := _PART.match(each.key))]
            left_out = replaced | world.mail.dropping
            works = [tuple(map(int, key.split(".")[:2])) for key in keys if ".answer" in key and key not in left_out]
            revived = world.mail.resent[str(chat)]  # What was dead when the next answer came stands below it.
            if works != sorted(works) and not revived and PLACEHOLDER not in network.server.texts(chat):
                yield f"{chat} shows the answers of (session, run) {works}"


def a_note_is_for_the_agent(db: apsw.Connection, world: World) -> Iterator[str]:
    """What the agent is told of an interruption is never shown to a person."""
    notes = {text for (text,) in rows(db, "SELECT DISTINCT text FROM messages WHERE kind = 'recovery_note'")}
    for _network, chat, message in visible(world):
        for note in notes:
            if any(note in text for text in message.texts):
                yield f"{chat} was shown {note!r}"


@of_the_file
def the_journal_is_bounded(db: apsw.Connection, world: World) -> Iterator[str]:
    """Pages are moved out of the WAL while the process works, not only when it ends."""
    path = db.filename_wal
    pages = len(world.disk.read_file(path)) // PAGE_BYTES if path in world.disk.names else 0
    if pages > JOURNAL_PAGES_MAX:
        yield f"the WAL has {pages} pages"


def a_question_is_asked_once(db: apsw.Connection, _: World) -> Iterator[str]:
    """What a person was asked is not asked again, whatever happened meanwhile but their own /retry."""
    for session, prompt, count in rows(
        db,
        "SELECT session_id, prompt, count(*) FROM questions WHERE prompt LIKE '% asks back?'"
        " AND session_id NOT IN (SELECT session_id FROM inbox WHERE command = 'retry')"
        " GROUP BY session_id, prompt HAVING count(*) > 1",
    ):
        yield f"session {session} has {count} rows of the question {prompt!r}"
    for session, text, count in rows(
        db,
        "SELECT session_id, text, count(*) FROM deliveries WHERE text LIKE '% asks back?' AND kind = 'question'"
        " AND session_id NOT IN (SELECT session_id FROM inbox WHERE command = 'retry')"
        " GROUP BY session_id, text HAVING count(*) > 1",
    ):
        yield f"session {session} is asked {count} times: {text!r}"


def once_is_once(_: apsw.Connection, world: World) -> Iterator[str]:
    """A `once` tool takes effect once at most; an `ask` tool again only after its person said yes."""
    for (chat, policy, name), count in world.effects.items():
        if policy == "once" and count > 1 + world.retries[chat]:
            yield f"once({name}) took effect {count} times"
        if policy == "ask" and count > 1 + world.granted[chat] + world.retries[chat]:
            yield f"ask({name}) took effect {count} times, allowed by its person {world.granted[chat]} times"


def a_keyed_tool_has_one_key(_: apsw.Connection, world: World) -> Iterator[str]:
    """Every call of the same work goes out under the same key."""
    for (chat, policy, name), keys in world.keys.items():
        if policy == "keyed" and len(keys) > 1 + world.retries[chat]:
            yield f"keyed({name}) was called under {sorted(keys)}"


def parts_of(network: Network, text: str, asks: str | None) -> list[str]:
    """The messages that a text becomes on this platform; what is asked has its choices in it where no buttons are."""
    if asks is not None and not network.traits.buttons:
        text = with_choices(text, tuple(json.loads(asks)))
    room = len(REPEAT_MARK) if network.delivery is DeliveryClass.NONE else 0
    return list(split(text, max(1, network.traits.text_max - room)))


def part_of(network: Network, text: str, asks: str | None, number: int) -> str:
    """One of them."""
    parts = parts_of(network, text, asks)
    return parts[number] if number < len(parts) else ""


AFTER_BOOT: tuple[Check, ...] = (
    *ROWS_AFTER_BOOT,
    *DECIDING_AFTER_BOOT,
    *FRESH_AFTER_BOOT,
    *AMENDED,
    *BUSY_AFTER_BOOT,
    *ASKING_AFTER_BOOT,
    *BUDGETS,
    *TRANSCRIPT_AFTER_BOOT,
    *PROCESSES_AFTER_BOOT,
    *COMMANDS_AFTER_BOOT,
    *OPERATOR_AFTER_BOOT,
    *LETTERS_AFTER_BOOT,
    *FORGETTING_AFTER_BOOT,
    *ACCESS_AFTER_BOOT,
)

AT_REST: tuple[Check, ...] = (
    who_rests_owes_nothing,
    what_was_said_is_stored_once,
    each_conclusion_is_shown,
    deliveries_come_to_an_end,
    *COMMANDS_AT_THE_END,
    *OPERATOR_AT_THE_END,
    *PROCESSES_AT_THE_END,
    *BUSY_AT_THE_END,
    *ASKING_AT_THE_END,
)

AT_THE_END: tuple[Check, ...] = (
    *AFTER_BOOT,
    what_is_stored_is_answered,
    no_run_stays_open,
    *AT_REST,
    *TRANSCRIPT_AT_THE_END,
    the_file_is_whole,
    *DOCTOR_AT_THE_END,
    answers_cover_what_they_claim,
    what_is_visible_has_its_row,
    what_is_delivered_is_visible,
    nothing_is_shown_twice,
    no_message_is_answered_twice,
    order_is_kept,
    a_note_is_for_the_agent,
    a_question_is_asked_once,
    the_journal_is_bounded,
    once_is_once,
    a_keyed_tool_has_one_key,
    *FRESH_AT_THE_END,
)
