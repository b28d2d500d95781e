"""Which session an operator means: its number, its key, or enough of the beginning of its key."""

from dataclasses import dataclass
from difflib import get_close_matches

import apsw

from greenroom.actors.model import SessionId
from greenroom.storage.rows import one_row

CANDIDATES_MAX = 1_000
"""Sessions among which a similar name is looked for: the newest ones."""

SHOWN_MAX = 5

ALIKE = 0.85
"""How alike two whole keys must be: all keys of one platform begin alike."""


@dataclass(frozen=True, slots=True)
class NoSession:
    """The name leads to no session, or to several. `similar` are keys that may have been meant."""

    name: str
    ambiguous: bool
    similar: tuple[str, ...]

    def __str__(self) -> str:
        """Say so, and what to write instead."""
        if self.ambiguous:
            return f"{self.name!r} begins the names of several sessions: {', '.join(self.similar)}; write more of it"
        shown = self.name if len(self.name) <= 80 else self.name[:77] + "..."  # noqa: PLR2004 - a line of a terminal
        hint = f"did you mean {' or '.join(self.similar)}?" if self.similar else "`greenroom sessions` lists them"
        return f"no session {shown!r}; {hint}"


def find_session(db: apsw.Connection, name: str) -> SessionId | NoSession:
    """Find a session by number, by key (the chat's current session), or by the only key that begins so."""
    name = name.encode(errors="replace").decode()  # Bytes of the command line that are no text find nothing.
    if name.isascii() and name.isdecimal() and len(name) <= 18:  # noqa: PLR2004 - digits of SQLite's integers
        row = one_row(db, "SELECT id FROM sessions WHERE id = ?", (int(name),))
        if row is not None:
            return SessionId(row[0])
    exact = one_row(db, "SELECT session_id FROM routes WHERE key = ?", (name,)) or one_row(
        db, "SELECT id FROM sessions WHERE key = ? ORDER BY id DESC LIMIT 1", (name,)
    )
    if exact is not None:
        return SessionId(exact[0])
    beginning = _read_beginning(db, name)
    if len(beginning) == 1:
        return beginning[0][1]
    if beginning:
        return NoSession(name, ambiguous=True, similar=tuple(key for key, _ in beginning))
    return NoSession(name, ambiguous=False, similar=_read_similar(db, name))


def _read_beginning(db: apsw.Connection, name: str) -> list[tuple[str, SessionId]]:
    if not name:
        return []
    sql = "SELECT key, session_id FROM routes WHERE key >= ?1 AND key < ?1 || char(1114111) ORDER BY key LIMIT ?2"
    return [(key, SessionId(id_)) for key, id_ in db.execute(sql, (name, SHOWN_MAX))]


def _read_similar(db: apsw.Connection, name: str) -> tuple[str, ...]:
    """Keys that contain the name, or look like it."""
    keys = [key for (key,) in db.execute("SELECT key FROM sessions ORDER BY id DESC LIMIT ?", (CANDIDATES_MAX,))]
    containing = [key for key in keys if name and name.lower() in key.lower()]
    chats = {key.split(":")[2]: key for key in reversed(keys)}
    close = [
        *get_close_matches(name, keys, n=SHOWN_MAX, cutoff=ALIKE),
        *(chats[c] for c in get_close_matches(name, chats)),
    ]
    return tuple(dict.fromkeys([*containing, *close]))[:SHOWN_MAX]


def read_current(db: apsw.Connection, session_id: SessionId) -> SessionId | None:
    """The session that has this one's chat now: itself, or one that took over; None: no chat leads there any more."""
    row = one_row(
        db,
        "SELECT routes.session_id FROM sessions JOIN routes ON routes.key = sessions.key WHERE sessions.id = ?",
        (session_id,),
    )
    return None if row is None else SessionId(row[0])
