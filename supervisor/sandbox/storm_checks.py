"""The promises as they can be seen from outside: on the page, in the database, in the ledger's file, by `explain`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from greenroom.actors.lines import OVER_LINE
from greenroom.supervisor.sandbox.storm_daemon import Daemon
from greenroom.supervisor.sandbox.storm_processes import check_processes
from greenroom.supervisor.sandbox.storm_talk import (
    LONG_S,
    NUMBER,
    Line,
    answers_in,
    both_in_order,
    compare,
    follow,
    is_aside,
    labels_of,
)

BUSY_MS = 5_000
READS_MAX = 4
EXPLAINED_MAX = 1_000
"""Decisions of one session that `explain` is asked for."""

_CONCLUDING = """
    SELECT m.text FROM messages m JOIN sessions s ON s.id = m.session_id
    WHERE s.key = ? AND m.role = 'assistant'
    AND (m.answers_upto IS NOT NULL OR m.kind = 'question' OR m.key LIKE 'partial.%') ORDER BY s.id, m.seq
"""
_SENT = """
    SELECT d.text FROM deliveries d JOIN sessions s ON s.id = d.session_id
    WHERE s.key = ? AND d.text IS NOT NULL ORDER BY d.id
"""
_OWED = """
    SELECT d.key FROM deliveries d JOIN sessions s ON s.id = d.session_id
    WHERE s.key = ? AND d.state <> 'delivered'
"""
_INBOX = "SELECT i.text FROM inbox i JOIN sessions s ON s.id = i.session_id WHERE s.key = ? ORDER BY i.id"
_USER_ROWS = """
    SELECT m.text FROM messages m JOIN sessions s ON s.id = m.session_id
    WHERE s.key = ? AND m.role = 'user' AND m.key NOT LIKE 'retry.%' ORDER BY s.id, m.seq
"""
_GAPS = """
    SELECT m.session_id FROM messages m JOIN sessions s ON s.id = m.session_id WHERE s.key = ?
    GROUP BY m.session_id HAVING min(m.seq) <> 1 OR max(m.seq) <> count(*)
"""
_REPLIED = """
    SELECT i.update_id, (SELECT count(*) FROM deliveries WHERE key = 'command.' || i.id) AS replies
    FROM inbox i JOIN sessions s ON s.id = i.session_id WHERE s.key = ? AND i.command IS NOT NULL AND replies <> 1
"""
_NONE_OF = {
    "open runs": "SELECT count(*) FROM runs WHERE open = 1",
    "inbound that no run took": "SELECT count(*) FROM inbox WHERE generation IS NULL",
    "dead letters": "SELECT count(*) FROM dead_letters",
}


_BUSY = f"""
    WITH these AS (SELECT id FROM sessions WHERE ?1 IS NULL OR key = ?1)
    SELECT EXISTS (SELECT 1 FROM runs WHERE open = 1 AND session_id IN these)
    OR EXISTS (SELECT 1 FROM inbox WHERE generation IS NULL AND session_id IN these)
    OR EXISTS (SELECT 1 FROM deliveries WHERE state NOT IN ('delivered', 'dead') AND session_id IN these)
    OR EXISTS (SELECT 1 FROM processes WHERE session_id IN these AND iif(unwanted,
               state IN ('starting', 'running'), consumed = 0 AND command NOT LIKE '%"{LONG_S}"%'))
"""  # noqa: S608 - a constant


def check_chat(key: str, said: Sequence[Line], answers: Sequence[str]) -> Iterator[str]:
    """Each message is answered once, in order, and nothing unasked is said."""
    found = answers_in(answers)
    if (wrong := follow(said, found)) is None:
        return
    owed = Counter(line.label for line in said if line.label and not line.may_be_cut)
    counted, wanted = Counter(found), Counter(line.label for line in said)
    for label, name in ((owed - counted, "answered"), (counted - wanted, "asked for")):
        if label:
            yield f"{key}: not {name}: {dict(label)}"
    yield f"{key}: what is visible differs from what was asked, {wrong}"


def check_rows(db: apsw.Connection, key: str, said: Sequence[Line], answers: Sequence[str]) -> Iterator[str]:
    """What is visible is what is stored: rows of the transcript, deliveries, inbound."""

    def read(sql: str) -> list[Any]:
        return [value for (value,) in db.execute(sql, (key,))]

    by_agent = labels_of(text for text in answers if not is_aside(text))
    compared = {
        "the transcript": compare(by_agent, labels_of(read(_CONCLUDING))),
        "the outbox": compare(both_in_order(answers), both_in_order(read(_SENT))),
        "the inbox": compare([line.text for line in said], read(_INBOX)),
        "the user's rows": compare([line.words for line in said if line.words is not None], read(_USER_ROWS)),
    }
    yield from (f"{key}: {what} differs, {wrong}" for what, wrong in compared.items() if wrong is not None)
    yield from (f"{key}: the transcript of session {session} has a gap" for session in read(_GAPS))
    if owed := read(_OWED):
        yield f"{key}: deliveries that never came to an end: {owed}"


def check_orders(db: apsw.Connection, key: str, said: Sequence[Line], answers: Sequence[str]) -> Iterator[str]:
    """Each order is replied to once, and each press on a question that was over is told to have changed nothing."""
    for update_id, replies in db.execute(_REPLIED, (key,)):
        yield f"{key}: the order {update_id} has {replies} replies"
    late, told = sum(line.late for line in said), answers.count(OVER_LINE)
    if late != told:
        yield f"{key}: {late} buttons were pressed too late, and the person was told {told} times"


def check_store(database: Path, chats: Mapping[str, tuple[Sequence[Line], Sequence[str]]]) -> Iterator[str]:
    """The database as the last process left it."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        for key, (said, answers) in chats.items():
            yield from check_rows(db, key, said, answers)
            yield from check_orders(db, key, said, answers)
            yield from check_processes(db, key, answers)
        keys = {key for (key,) in db.execute("SELECT key FROM sessions")}
        yield from (f"{key}: a session of nobody" for key in keys - set(chats))
        for what, sql in _NONE_OF.items():
            if (count := db.execute(sql).get) != 0:
                yield f"{count} {what}"
        if (damage := db.pragma("integrity_check")) != "ok":
            yield f"the database is damaged: {damage}"
    finally:
        db.close()


def check_ledger(ledger: Path, said: Sequence[Line], answers: Sequence[str]) -> Iterator[str]:
    """No line is in the ledger twice; for one that is missing the person was told that it is in doubt."""
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    counted = Counter(found[0] for found in map(NUMBER.search, lines) if found is not None)
    yield from (f"the ledger has {label} {count} times" for label, count in counted.items() if count > 1)
    paragraphs = [part for text in answers for part in text.split("\n\n")]
    for line in said:
        told = [part for part in paragraphs if line.label in part]
        if (
            line.notes
            and not line.may_be_cut
            and line.label not in counted
            and not any(part.startswith("In doubt") for part in told)
        ):
            yield f"{line.label} is not in the ledger, and the person was told {told}"


def is_at_rest(database: Path, key: str | None = None) -> bool:
    """Whether all that was taken in (of a chat, or of all) is worked off, and all that was said about it has left.

    Processes that end soon have ended, and those that a person ended.
    """
    return not _read(database, _BUSY, key)[0]


def read_taken(database: Path, key: str) -> list[str]:
    """What was taken in of a chat, in order."""
    return _read(database, _INBOX, key)


def read_sent(database: Path, key: str) -> list[str]:
    """What was sent to a chat, in order."""
    return _read(database, _SENT, key)


def _read(database: Path, sql: str, key: str | None) -> list[Any]:
    """Read a column as the store stands now, whatever becomes of its daemon meanwhile."""
    for _ in range(READS_MAX - 1):
        with suppress(apsw.ProtocolError):  # SQLite's word, after long waiting, for a daemon that recovers the log.
            return _read_once(database, sql, key)
    return _read_once(database, sql, key)


def _read_once(database: Path, sql: str, key: str | None) -> list[Any]:
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(BUSY_MS)
        return [value for (value,) in db.execute(sql, (key,))]
    finally:
        db.close()


def count_resumes(database: Path) -> dict[int, int]:
    """How many runs were resumed, by session."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return dict(db.execute("SELECT session_id, count(*) FROM runs WHERE cause = 'resume' GROUP BY session_id"))
    finally:
        db.close()


async def check_explained(daemon: Daemon, resumes: Mapping[int, int]) -> list[str]:
    """`explain` names a rule for each decision, and has one for each run that was resumed."""
    wrong = []
    for session_id, count in resumes.items():
        code, out = await daemon.run("explain", str(session_id), "--json", "--last", str(EXPLAINED_MAX))
        if code != 0:
            wrong.append(f"explain {session_id} failed: {out}")
            continue
        rules = [each["rule"] for each in json.loads(out)["decisions"]]
        if not all(rules):
            wrong.append(f"explain {session_id} has decisions without a rule")
        if len(rules) < EXPLAINED_MAX and rules.count("RESUME") < count:
            wrong.append(f"session {session_id} was resumed {count} times, explained {rules.count('RESUME')} times")
    return wrong
