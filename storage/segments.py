"""In which segments work becomes visible: each question ends one, and so does the line by which it is set aside."""

import apsw

from greenroom.actors.model import Generation, SessionId
from greenroom.storage.rows import one_row

# The deliveries' keys are written as `actors.keys.answer_key` does; a test compares the two.
SEGMENTS_DONE = """
(SELECT count(*) FROM questions WHERE questions.session_id = {session} AND questions.work = {work})
+ (SELECT count(*) FROM deliveries WHERE deliveries.key >= {session} || '.' || {work} || '.answer'
    AND deliveries.key < {session} || '.' || {work} || '.answer/' AND deliveries.text IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM questions WHERE questions.delivery = deliveries.key))
"""
"""How many segments of a piece of work are complete, for a query that has the session's number and the work's."""


def count_segments(db: apsw.Connection, session_id: SessionId, work: Generation) -> int:
    """How many segments of a piece of work that is open are complete: the number of the one that comes next."""
    sql = f"SELECT {SEGMENTS_DONE.format(session='sessions.id', work='?2')} FROM sessions WHERE sessions.id = ?1"  # noqa: S608 - constants
    row = one_row(db, sql, (session_id, work))
    return 0 if row is None else int(row[0])
