"""What a chat shows, for platforms that have no server of their own to remember it. Answered by index."""

import json
from collections import deque
from typing import NamedTuple

import apsw
from msgspec.structs import replace

from greenroom.actors.keys import reply_key
from greenroom.actors.model import DeliveryKind, SessionId, SessionKey
from greenroom.actors.ports import Choices, Shown
from greenroom.storage.rows import one_row, read_attachments
from greenroom.storage.standing import read_told_aside

SHOWN_MAX = 1_000
"""Most messages of one look, whatever was asked for."""

SESSIONS_MAX = 100
"""Most conversations of a chat that one look goes back over: of the oldest ones all may be forgotten."""

# Two halves, each with an index of its own.
_OWN = """
SELECT * FROM (SELECT update_id, text, attachments, at, id, generation, command FROM inbox INDEXED BY inbox_waiting
    WHERE session_id = ?1 AND generation IS NULL AND change IS NULL AND operator = 0 ORDER BY id DESC LIMIT ?2)
UNION ALL
SELECT * FROM (SELECT update_id, text, attachments, at, id, generation, command FROM inbox INDEXED BY inbox_handled
    WHERE session_id = ?1 AND generation IS NOT NULL AND change IS NULL AND operator = 0 ORDER BY id DESC LIMIT ?2)
ORDER BY id DESC LIMIT ?2
"""

_THEIRS = """
SELECT deliveries.key, message_ids, text, created_at, kind, deliveries.generation, after_inbox, delivery, choices
FROM deliveries LEFT JOIN questions ON questions.delivery = deliveries.key
WHERE deliveries.session_id = ? AND message_ids <> '[]' ORDER BY deliveries.id DESC LIMIT ?
"""

# A question that is open leaves its run open, and its user the word; so does a session that was set aside.
_UNSETTLED = """
SELECT EXISTS (SELECT 1 FROM inbox WHERE session_id = ? AND generation IS NULL AND change IS NULL)
    OR EXISTS (SELECT 1 FROM runs WHERE session_id = ? AND open = 1 AND tail_kind <> 'ASKED')
    OR EXISTS (SELECT 1 FROM deliveries WHERE session_id IN (SELECT id FROM sessions WHERE key = ?)
               AND text IS NOT NULL AND state NOT IN ('delivered', 'dead'))
"""

# What waits in a session that was set aside stays there; whoever wrote it is told so, once.
_WRITTEN_ASIDE = """
SELECT EXISTS (SELECT 1 FROM deliveries WHERE session_id = ?1 AND text IS NOT NULL
               AND state NOT IN ('delivered', 'dead')),
       EXISTS (SELECT 1 FROM inbox JOIN sessions ON sessions.id = inbox.session_id
               WHERE inbox.session_id = ?1 AND inbox.generation IS NULL
               AND inbox.at > coalesce(quarantined_at, suspended_at))
"""


def read_shown(db: apsw.Connection, session: SessionKey, last: int) -> tuple[Shown, ...]:
    """Read the last messages of a chat, oldest first, the newest conversation's and those before it."""
    last, session_id = max(0, min(last, SHOWN_MAX)), _current(db, session)
    found: list[Shown] = []
    for _ in range(SESSIONS_MAX):
        if session_id is None or len(found) >= last:
            break
        shown, more = _read_conversation(db, session_id, last - len(found))
        session_id = _predecessor(db, session_id)
        if shown and not more and session_id is not None:
            shown[0] = replace(shown[0], begins=True)
        found = [*shown, *found]
    return tuple(found)


def _read_conversation(db: apsw.Connection, session_id: SessionId, last: int) -> tuple[list[Shown], bool]:
    """The last messages of one session, and whether there may be more before them."""
    theirs = [
        _Theirs(
            Shown(
                json.loads(message_ids)[0],
                mine=False,
                text=text or "",
                at=at,
                final=text is not None,
                choices=_choices(delivery, choices),
            ),
            DeliveryKind(kind),
            generation,
            asked_after,
            key,
        )
        for key, message_ids, text, at, kind, generation, asked_after, delivery, choices in db.execute(
            _THEIRS, (session_id, last)
        )
    ]
    replies = {each.key for each in theirs}
    own = [
        _Own(
            Shown(update_id, mine=True, text=text or _named(attached), at=at),
            inbox_id,
            generation,
            reply_key(inbox_id) if command is not None and reply_key(inbox_id) in replies else None,
        )
        for update_id, text, attached, at, inbox_id, generation, command in db.execute(_OWN, (session_id, last))
    ]
    merged = _merged(own[::-1], theirs[::-1])
    return merged[-last:], len(merged) > last or len(own) == last or len(theirs) == last


def _named(attached: str | None) -> str:
    """What stands for a message without words."""
    return " ".join(f"[{each.name or each.media_type}]" for each in read_attachments(attached))


def _choices(delivery: str | None, choices: str | None) -> Choices | None:
    texts = () if choices is None else tuple(json.loads(choices))
    return Choices(delivery, texts) if delivery is not None and texts else None


class _Own(NamedTuple):
    """A person's message, and the run it was handed to; of an order the reply, which stands right after it."""

    shown: Shown
    inbox_id: int
    generation: int | None
    reply: str | None


class _Theirs(NamedTuple):
    """What was said to the person, by which run, and if it asks: after which message."""

    shown: Shown
    kind: DeliveryKind
    generation: int
    asked_after: int | None
    key: str


def _merged(own: list[_Own], theirs: list[_Theirs]) -> list[Shown]:
    """Both in the order of their rows. What a run said follows what it was handed, whatever the clock said."""
    merged: list[Shown] = []
    waits = deque(own)
    for said in theirs:
        while waits and _precedes(waits[0], said):
            merged.append(waits.popleft().shown)
        merged.append(said.shown)
    return [*merged, *(each.shown for each in waits)]


def _precedes(own: _Own, said: _Theirs) -> bool:
    if own.reply is not None:
        return own.reply == said.key
    if own.generation is not None and own.generation <= said.generation:
        return said.asked_after is None or own.inbox_id <= said.asked_after
    return said.kind is DeliveryKind.LINE and own.shown.at <= said.shown.at  # A line of ours belongs to no run.


def read_settled(db: apsw.Connection, session: SessionKey) -> bool:
    """Say whether nothing more will appear until the person speaks. A chat nobody spoke in is settled."""
    session_id = _current(db, session)
    if session_id is None:
        return True
    aside = one_row(
        db, "SELECT coalesce(quarantined_at, suspended_at) IS NOT NULL FROM sessions WHERE id = ?", (session_id,)
    )
    if aside is not None and aside[0]:
        row = one_row(db, _WRITTEN_ASIDE, (session_id,))
        owed, written = row if row is not None else (False, False)
        return not owed and not (written and read_told_aside(db, session_id) is None)
    row = one_row(db, _UNSETTLED, (session_id, session_id, str(session)))
    return row is not None and not row[0]


def _predecessor(db: apsw.Connection, session_id: SessionId) -> SessionId | None:
    row = one_row(db, "SELECT predecessor FROM sessions WHERE id = ?", (session_id,))
    return None if row is None or row[0] is None else SessionId(row[0])


def _current(db: apsw.Connection, session: SessionKey) -> SessionId | None:
    row = one_row(db, "SELECT session_id FROM routes WHERE key = ?", (str(session),))
    return None if row is None else SessionId(row[0])
