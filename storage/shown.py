"""What a chat shows, for platforms that have no server of their own to remember it. Answered by index."""

import json

import apsw

from greenroom.actors.model import SessionId, SessionKey
from greenroom.actors.ports import Shown
from greenroom.storage.rows import one_row

SHOWN_MAX = 1_000
"""Most messages of one look, whatever was asked for."""

_OWN = "SELECT update_id, text, at FROM inbox WHERE session_id = ? ORDER BY id DESC LIMIT ?"
_ANSWERS = """
SELECT message_ids, text, created_at FROM deliveries
WHERE session_id = ? AND message_ids <> '[]' ORDER BY id DESC LIMIT ?
"""

# A question that is open leaves its run open, and its user the word; so does a session that was set aside.
_UNSETTLED = """
SELECT EXISTS (SELECT 1 FROM inbox WHERE session_id = ? AND generation IS NULL)
    OR EXISTS (SELECT 1 FROM runs WHERE session_id = ? AND open = 1 AND tail_kind <> 'ASKED')
    OR EXISTS (SELECT 1 FROM deliveries WHERE session_id = ? AND text IS NOT NULL
               AND state NOT IN ('delivered', 'dead'))
"""


def read_shown(db: apsw.Connection, session: SessionKey, last: int) -> tuple[Shown, ...]:
    """Read the last messages of the chat's current session, oldest first."""
    session_id = _current(db, session)
    if session_id is None:
        return ()
    last = max(0, min(last, SHOWN_MAX))
    own = [Shown(update_id, True, text, at) for update_id, text, at in db.execute(_OWN, (session_id, last))]
    theirs = [
        Shown(json.loads(message_ids)[0], False, text or "", at, final=text is not None)
        for message_ids, text, at in db.execute(_ANSWERS, (session_id, last))
    ]
    return tuple(sorted((*reversed(own), *reversed(theirs)), key=lambda shown: shown.at)[-last:] if last else ())


def read_settled(db: apsw.Connection, session: SessionKey) -> bool:
    """Say whether nothing more will appear until the person speaks. A chat nobody spoke in is settled."""
    session_id = _current(db, session)
    if session_id is None:
        return True
    aside = one_row(db, "SELECT quarantined_at IS NOT NULL FROM sessions WHERE id = ?", (session_id,))
    if aside is not None and aside[0]:
        return True
    row = one_row(db, _UNSETTLED, (session_id, session_id, session_id))
    return row is not None and not row[0]


def _current(db: apsw.Connection, session: SessionKey) -> SessionId | None:
    row = one_row(db, "SELECT session_id FROM routes WHERE key = ?", (str(session),))
    return None if row is None else SessionId(row[0])
