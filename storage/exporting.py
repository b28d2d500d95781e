"""A session, or all, as lines of JSON: one object a line, of one moment, in a form that `docs/data.md` promises.

Nothing is gathered: a line is read when it is asked for, whatever the size of what is stored. What is not exported is
named here, too, so that a new column is decided about (a test compares).
"""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from greenroom.actors.model import SessionId
from greenroom.storage.boots import read_ownership
from greenroom.storage.migrate import read_version
from greenroom.storage.rows import read_calls

FORMAT = 1
"""Of the lines. A reader knows fields that it does not know from nothing: new ones may come without a new number."""

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One table's rows of a session: what their lines are called, and which columns go into them, and which do not."""

    type: str
    table: str
    order: str
    columns: tuple[str, ...]
    left_out: frozenset[str]


def _part(type_: str, table: str, order: str, columns: str, left_out: str = "") -> Part:
    ours = {"id"} if table == "sessions" else {"id", "session_id"}
    named = tuple(columns.split())
    return Part(type_, table, order, named, frozenset(left_out.split()) | (ours - set(named)))


SESSION = _part(
    "session",
    "sessions",
    "id",
    "key created_at generation epoch suspended_at quarantined_at quarantine_reason predecessor because",
    left_out="restart_budget",
)

PARTS = (
    _part(
        "message",
        "messages",
        "seq",
        "seq generation epoch key role kind text at finish answers_upto author tool_calls tool_key attachments",
    ),
    _part(
        "inbound",
        "inbox",
        "id",
        "id update_id text author reply_to attachments answers change sent_at at epoch command operator refusal"
        " generation seq",
        left_out="platform account",  # they are in the session's key
    ),
    _part(
        "run",
        "runs",
        "generation",
        "generation epoch work cause attempt opened_at last_progress_at open closed_at ending interrupted_by failed_by"
        " model_calls tokens cost reply_to",
        left_out="tail_kind tail_at tail_seq user_seq answered_upto",  # they are read of the messages
    ),
    _part(
        "tool_call",
        "tool_calls",
        "id",
        "generation epoch work key name args policy attempts started_at ended_at result failed",
    ),
    _part(
        "question",
        "questions",
        "id",
        "generation epoch work key prompt choices asked_at timeout_s delivery answer answered_at lapsed lapsed_at",
        left_out="after_inbox",
    ),
    _part(
        "process",
        "processes",
        "id",
        "generation epoch process command notify patterns state exit_code output started_at ended_at",
        left_out="reply_to pid born machine consumed unwanted",  # of use to who started it alone
    ),
    _part(
        "delivery",
        "deliveries",
        "id",
        "generation epoch key kind text state message_ids attempts retry_at reply_to error created_at filled_at"
        " delivered_at",
        left_out="platform account",
    ),
    _part("dead_letter", "dead_letters", "id", "delivery reason at"),
    _part("decision", "decisions", "id", "generation epoch rule outcome inputs at"),
)
"""In the order of the lines of a session."""


def _calls(text: str) -> list[Line]:
    return [
        {"key": call.key, "name": call.name, "args": _parsed(call.args), "policy": call.policy.value}
        | ({"beside": call.beside} if call.beside else {})
        for call in read_calls(text)
    ]


def _parsed(text: str) -> Any:
    """What is JSON inside the store is JSON in a line; what was meant to be, and is not, stays text.

    So does what a line cannot hold as it is: half a character, a number that is none or too large, too deep a nesting.
    """
    try:
        found = json.loads(text)
        return found if msgspec.json.decode(msgspec.json.encode(found)) == found else text
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return text


_READ: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("message", "tool_calls"): _calls,
    ("message", "attachments"): _parsed,
    ("inbound", "attachments"): _parsed,
    ("inbound", "operator"): bool,
    ("run", "open"): bool,
    ("tool_call", "args"): _parsed,
    ("tool_call", "failed"): bool,
    ("question", "choices"): _parsed,
    ("process", "command"): _parsed,
    ("process", "patterns"): _parsed,
    ("process", "notify"): bool,
    ("delivery", "message_ids"): _parsed,
    ("decision", "inputs"): _parsed,
}


def export(db: apsw.Connection, only: SessionId | None, *, version: str, now: float) -> Generator[bytes]:
    """Say line for line what is stored of a session, or of all, as of the first line. Each ends in a newline.

    The last line says how many there are: who does not find it has not read all.
    """
    db.execute("BEGIN")
    try:
        sessions = lines = 0
        yield _write(_head(db, version, now))
        bounds = (0, 2**62) if only is None else (only, only)
        for session_id, *values in db.execute(_select(SESSION), bounds):
            sessions += 1
            for line in _session_lines(db, session_id, values):
                lines += 1
                yield _write(line)
        yield _write({"type": "end", "sessions": sessions, "lines": lines + 2})
    finally:
        if db.in_transaction:
            db.execute("COMMIT")


def _head(db: apsw.Connection, version: str, now: float) -> Line:
    owned = read_ownership(db)
    uid = "" if owned is None else owned.uid
    head = {"format": FORMAT, "greenroom": version, "schema": read_version(db), "store": uid, "at": now}
    return {"type": "export", **head}


def _session_lines(db: apsw.Connection, session_id: int, values: list[Any]) -> Iterator[Line]:
    yield _line(SESSION, session_id, values)
    for part in PARTS:
        for _, *row in db.execute(_select(part), (session_id, session_id)):
            yield _line(part, session_id, row)


def _line(part: Part, session_id: int, values: list[Any]) -> Line:
    """Empty fields are left out: most rows have more of them than others."""
    line: Line = {"type": part.type, "session": session_id}
    for name, value in zip(part.columns, values, strict=True):
        if value is not None:
            read = _READ.get((part.type, name))
            line[name] = value if read is None else read(value)
    return line


def _select(part: Part) -> str:
    owner = "id" if part is SESSION else "session_id"
    columns = ", ".join(part.columns)
    return f"SELECT {owner}, {columns} FROM {part.table} WHERE {owner} BETWEEN ? AND ? ORDER BY {owner}, {part.order}"  # noqa: S608 - constants


def _write(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"
