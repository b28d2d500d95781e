"""The promises as they can be seen from outside: on the page, in the database, in the ledger's file, by `explain`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from greenroom.supervisor.sandbox.storm_daemon import Daemon
from greenroom.supervisor.sandbox.storm_talk import NUMBER, Line, compare, labels_of

EXPLAINED_MAX = 1_000
"""Decisions of one session that `explain` is asked for."""

_CONCLUDING = """
    SELECT m.text FROM messages m JOIN sessions s ON s.id = m.session_id
    WHERE s.key = ? AND m.role = 'assistant' AND (m.answers_upto IS NOT NULL OR m.kind = 'question') ORDER BY m.seq
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
    WHERE s.key = ? AND m.role = 'user' ORDER BY m.seq
"""
_SEQS = "SELECT m.seq FROM messages m JOIN sessions s ON s.id = m.session_id WHERE s.key = ? ORDER BY m.seq"
_NONE_OF = {
    "open runs": "SELECT count(*) FROM runs WHERE open = 1",
    "inbound that no run took": "SELECT count(*) FROM inbox WHERE generation IS NULL",
    "dead letters": "SELECT count(*) FROM dead_letters",
}


_BUSY = """
    SELECT EXISTS (SELECT 1 FROM runs WHERE open = 1) OR EXISTS (SELECT 1 FROM inbox WHERE generation IS NULL)
    OR EXISTS (SELECT 1 FROM deliveries WHERE state NOT IN ('delivered', 'dead'))
"""


def check_chat(key: str, said: Sequence[Line], answers: Sequence[str]) -> Iterator[str]:
    """Each message is answered once, in order, and nothing unasked is said."""
    found = labels_of(answers)
    if (wrong := compare([line.label for line in said], found)) is None:
        return
    counted, wanted = Counter(found), Counter(line.label for line in said)
    for label, name in ((wanted - counted, "answered"), (counted - wanted, "asked for")):
        if label:
            yield f"{key}: not {name}: {dict(label)}"
    yield f"{key}: what is visible differs from what was asked, {wrong}"


def check_rows(db: apsw.Connection, key: str, said: Sequence[Line], answers: Sequence[str]) -> Iterator[str]:
    """What is visible is what is stored: rows of the transcript, deliveries, inbound."""

    def read(sql: str) -> list[Any]:
        return [value for (value,) in db.execute(sql, (key,))]

    shown, words = labels_of(answers), [line.text for line in said]
    compared = {
        "the transcript": compare(shown, labels_of(read(_CONCLUDING))),
        "the outbox": compare(shown, labels_of(read(_SENT))),
        "the inbox": compare(words, read(_INBOX)),
        "the user's rows": compare(words, read(_USER_ROWS)),
    }
    yield from (f"{key}: {what} differs, {wrong}" for what, wrong in compared.items() if wrong is not None)
    seqs = read(_SEQS)
    if seqs != list(range(1, len(seqs) + 1)):
        yield f"{key}: the transcript has a gap"
    if owed := read(_OWED):
        yield f"{key}: deliveries that never came to an end: {owed}"


def check_store(database: Path, chats: Mapping[str, tuple[Sequence[Line], Sequence[str]]]) -> Iterator[str]:
    """The database as the last process left it."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        for key, (said, answers) in chats.items():
            yield from check_rows(db, key, said, answers)
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
        if line.notes and line.label not in counted and not any(part.startswith("In doubt") for part in told):
            yield f"{line.label} is not in the ledger, and the person was told {told}"


def is_at_rest(database: Path) -> bool:
    """Whether all that was taken in is worked off, and all that was said about it has left."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return not db.execute(_BUSY).get
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
