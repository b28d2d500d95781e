"""Makes rows true again that are not: what was lost is made up for from what is there, what nothing reaches goes."""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from greenroom.storage.migrate import migrate
from greenroom.storage.pruning import PARTS


@dataclass(frozen=True, slots=True)
class _Remedy:
    """`says` is told with the number of rows that `sql` changed, if it changed any."""

    says: str
    sql: str


_LATEST = "(SELECT max(epoch) FROM (SELECT epoch FROM boots UNION ALL SELECT epoch FROM runs UNION ALL SELECT 0))"
_OF_NO_SESSION = "NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = session_id)"

_REMEDIES = (
    _Remedy(
        "{} owner made again",
        f"INSERT INTO ownership (shard, epoch) SELECT 0, {_LATEST} WHERE NOT EXISTS (SELECT 1 FROM ownership)",  # noqa: S608 - constants
    ),
    _Remedy("{} owner moved to the latest epoch", f"UPDATE ownership SET epoch = {_LATEST} WHERE epoch < {_LATEST}"),  # noqa: S608
    _Remedy(
        "{} name of the store made again",
        "INSERT INTO meta (key, value) SELECT 'uid', lower(hex(randomblob(4)))"
        " WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'uid')",
    ),
    _Remedy(
        "{} boot of the owner made again",
        "INSERT INTO boots (epoch, started_at, version) SELECT epoch, 0, '' FROM ownership WHERE epoch > 0"
        " AND NOT EXISTS (SELECT 1 FROM boots WHERE boots.epoch = ownership.epoch)",
    ),
    _Remedy(
        "{} sessions made again from their chats' routes",
        "INSERT INTO sessions (id, key, created_at, epoch, generation) SELECT session_id, key,"
        " coalesce((SELECT min(at) FROM messages WHERE messages.session_id = routes.session_id), 0),"
        " (SELECT epoch FROM ownership), 0 FROM routes"
        " WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = routes.session_id)",
    ),
    *(
        _Remedy(f"{{}} rows of {table} removed whose session is not there", sql)
        for table in ("dead_letters", *PARTS, "routes")
        for sql in [f"DELETE FROM {table} WHERE {_OF_NO_SESSION}"]  # noqa: S608 - constants
    ),
    _Remedy(
        "{} dead letters removed whose delivery is not there, or not dead",
        "DELETE FROM dead_letters WHERE NOT EXISTS"
        " (SELECT 1 FROM deliveries WHERE deliveries.key = delivery AND state = 'dead')",
    ),
    _Remedy(
        "{} sessions follow no other any more, which is not there",
        "UPDATE sessions SET predecessor = NULL WHERE predecessor NOT IN (SELECT id FROM sessions)",
    ),
    _Remedy(
        "{} sessions count their runs again",
        "UPDATE sessions SET generation = (SELECT max(generation) FROM runs WHERE runs.session_id = sessions.id)"
        " WHERE generation <> (SELECT max(generation) FROM runs WHERE runs.session_id = sessions.id)",
    ),
    _Remedy(
        "{} runs closed that were open and not their session's last",
        "UPDATE runs SET open = 0, ending = 'superseded', closed_at = last_progress_at WHERE open = 1"
        " AND generation <> (SELECT generation FROM sessions WHERE sessions.id = session_id)",
    ),
    _Remedy(
        "{} routes removed that led to a session of another chat, or to one that was followed",
        "DELETE FROM routes WHERE key <> (SELECT key FROM sessions WHERE sessions.id = session_id)"
        " OR EXISTS (SELECT 1 FROM sessions WHERE predecessor = session_id)",
    ),
    _Remedy(
        "{} chats lead to their newest session again",
        "INSERT INTO routes (key, session_id) SELECT key, max(id) FROM sessions"
        " WHERE because IS NOT 'imported' AND key NOT IN (SELECT key FROM routes) GROUP BY key",
    ),
    _Remedy(
        "{} messages wait where their chat leads again",
        "UPDATE inbox SET session_id = (SELECT routes.session_id FROM sessions JOIN routes ON routes.key = sessions.key"
        " WHERE sessions.id = inbox.session_id) WHERE generation IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM routes WHERE routes.session_id = inbox.session_id)",
    ),
)


def mend(db: apsw.Connection) -> tuple[str, ...]:
    """Mend what can be, in the caller's transaction; says what was done. Triggers are to be off. Raises apsw.Error."""
    done = []
    for remedy in _REMEDIES:
        db.execute(remedy.sql)
        if db.changes():
            done.append(remedy.says.format(db.changes()))
    return tuple(done)


def make_schema_again(db: apsw.Connection) -> tuple[str, ...]:
    """Make indexes and triggers again that are missing; says which. Raises apsw.Error."""
    fresh = apsw.Connection(":memory:")
    try:
        migrate(fresh)
        sql = (
            "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
        )
        wanted = {str(name): str(make) for name, make in fresh.execute(sql).fetchall()}
    finally:
        fresh.close()
    there = {name for name, _ in db.execute(sql).fetchall()}
    missing = [name for name in wanted if name not in there]
    for name in missing:
        db.execute(wanted[name])
    return tuple(f"{name} made again" for name in missing)
