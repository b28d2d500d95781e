"""Reading the transcripts of Hermes (`state.db`), of whatever age: its tables `sessions` and `messages`.

Nothing in it is trusted to be what its column says, and nothing is written to it; Hermes may go on running.
"""

import json
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from greenroom.actors.keys import canonical_args
from greenroom.actors.mending import mend
from greenroom.actors.model import Attachment, Generation, Message, Role, Seq, SessionKey, ToolCall, ToolPolicy
from greenroom.actors.session_key import InvalidKeyError
from greenroom.storage.importing import CannotImport, Left, Past, Told
from greenroom.storage.rows import Row
from greenroom.storage.sqlite import APPLICATION_ID, BUSY_TIMEOUT_MS, READER_PRAGMAS
from greenroom.storage.trouble import classify_error

PLATFORM = "hermes"
"""What stands in place of a platform in the keys of such sessions: `hermes:SOURCE:ID`. No chat leads there."""

TEXT_MAX = 10_000_000
"""Longest text of a row, in bytes."""

LATEST_AT = 1e11
"""Times beyond are none, in UTC epoch seconds."""

_NEEDED = {"sessions": {"id", "source", "started_at"}, "messages": {"id", "session_id", "role", "content", "timestamp"}}
_PERHAPS = {
    "tool_calls": "NULL",
    "tool_call_id": "NULL",
    "finish_reason": "NULL",
    "display_kind": "NULL",
    "active": "1",
    "compacted": "0",
    "_compressed_summary": "0",
}
"""Columns that not every release has, and what stands for them."""

_PARTS_FOLLOW = ("\x00json:", "\x01json:")
"""How a text begins that is a list of parts."""

_ROLES = {role.value: role for role in Role}


def read_hermes(path: Path, left: Left, told: Told) -> Iterator[Past]:
    """Read all sessions, the oldest first. Raises CannotImport, also from the rows."""
    try:
        with closing(_open(path)) as db:
            if db.pragma("application_id") == APPLICATION_ID:
                raise CannotImport(
                    f"{path} is a greenroom database: `greenroom restore` puts a backup in place, and what "
                    "`greenroom export --db FILE` makes of one can be imported"
                )
            select = _select(db, path)
            db.execute("BEGIN")  # All of one moment.
            whole = int(db.execute("SELECT count(*) FROM sessions").get)
            sessions = db.execute(
                "SELECT rowid, CAST(id AS BLOB), CAST(source AS BLOB), started_at FROM sessions"
                " ORDER BY started_at, rowid"
            )
            for number, (rowid, name, source, started) in enumerate(sessions, start=1):
                told(number, whole)
                at = _time(started, 0.0)
                try:
                    key = SessionKey(PLATFORM, _text(source) or "unknown", _text(name))
                except InvalidKeyError:
                    left["sessions whose names cannot be names here"] += 1
                    continue
                yield Past(key, at, _read_rows(db.execute(select, (rowid,)), at, left))
    except (apsw.Error, UnicodeDecodeError) as error:
        raise CannotImport(classify_error(error, path=str(path)).refusal) from error


def _open(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        for name, value in READER_PRAGMAS.items():
            db.execute(f"PRAGMA {name} = {value}")
    except BaseException:  # Invariant: a connection that is not returned is not left open.
        db.close(force=True)
        raise
    return db


def _select(db: apsw.Connection, path: Path) -> str:
    """The question for a session's rows, by what this release of Hermes has. Raises CannotImport."""
    for table, needed in _NEEDED.items():
        missing = needed - _columns(db, table)
        if missing:
            raise CannotImport(f"{path}: no state.db of Hermes: {table} has no {', '.join(sorted(missing))}")
    there = _columns(db, "messages")
    more = ", ".join(f"CAST({name} AS BLOB)" if name in there else instead for name, instead in _PERHAPS.items())
    return (
        f"SELECT id, CAST(role AS BLOB), CAST(content AS BLOB), timestamp, {more} FROM messages"  # noqa: S608 - constants
        " WHERE session_id = (SELECT id FROM sessions WHERE rowid = ?) ORDER BY id"
    )


def _columns(db: apsw.Connection, table: str) -> set[str]:
    return {str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")}


def _read_rows(rows: Iterator[Row], at: float, left: Left) -> Iterator[Message]:
    seq = 0
    for number, role, content, timestamp, calls, call_id, finish, kind, *flags in rows:
        at = _time(timestamp, at)
        active, compacted, summary = (_text(flag) not in {"", "0"} for flag in flags)
        taken_back = not active and not compacted
        why = _why_left(role, content, taken_back=taken_back, hidden=_text(kind) == "hidden", summary=summary)
        if why is not None:
            left[why] += 1
            continue
        text, attachments = _read_content(_text(content), left)
        speaker = _ROLES[_text(role)]
        seq += 1
        yield Message(
            Seq(seq),
            Generation(0),
            "",
            speaker,
            text,
            at,
            finish=_text(finish) or None,
            tool_calls=tuple(_read_calls(calls, number)) if speaker is Role.ASSISTANT else (),
            tool_key=(_text(call_id) or None) if speaker is Role.TOOL else None,
            attachments=attachments,
        )


def _why_left(role: Any, content: Any, *, taken_back: bool, hidden: bool, summary: bool) -> str | None:
    if _text(role) not in _ROLES:
        return f"rows of the role {_text(role)[:40]!r}"
    if taken_back:
        return "rows that were taken back"
    if hidden:
        return "rows that Hermes hides"
    if summary:
        return "summaries that Hermes made of rows which are taken"
    if content is not None and len(content) > TEXT_MAX:
        return f"rows that are longer than {TEXT_MAX:,} bytes"
    return None


def _read_content(text: str, left: Left) -> tuple[str, tuple[Attachment, ...]]:
    """Read words and what came with them. A picture that is inside its message, and not at an address, is left."""
    if not text.startswith(_PARTS_FOLLOW):
        return text, ()
    try:
        parts = json.loads(text[len(_PARTS_FOLLOW[0]) :])
    except (ValueError, RecursionError):
        return text[1:], ()
    words, attachments = [], []
    for part in parts if isinstance(parts, list) else [parts]:
        match part:
            case {"type": "image_url", "image_url": {"url": str(url)} | str(url)} if url.startswith("http"):
                attachments.append(Attachment(mend(url, PLATFORM)))
            case {"text": str(said)} | str(said):
                words.append(mend(said, PLATFORM))
            case _:
                left["parts of messages that are no text, such as pictures"] += 1
    return "\n".join(words), tuple(attachments)


def _read_calls(text: Any, number: Any) -> Iterator[ToolCall]:
    """Read the calls of a row in the form of OpenAI's API; whatever else stands there is none."""
    if not text:
        return
    try:
        calls = json.loads(_text(text))
    except (ValueError, RecursionError):
        return
    for position, call in enumerate(calls if isinstance(calls, list) else []):
        match call:
            case {"function": {"name": str(name), **rest}} | {"name": str(name), **rest}:
                key = call.get("id") or call.get("call_id")
                key = mend(key, PLATFORM) if isinstance(key, str) and key else f"{number}.{position}"
                yield ToolCall(key, mend(name, PLATFORM), _read_args(rest.get("arguments")), ToolPolicy.ONCE)


def _read_args(args: Any) -> str:
    """Write arguments as we do. What JSON escapes may be half a character, which nothing can store."""
    try:
        found = json.loads(args) if isinstance(args, str) else args
        return mend(canonical_args(found if isinstance(found, dict) else {"arguments": args}), PLATFORM)
    except RecursionError:
        words = args if isinstance(args, str) else "nested too deeply"
    except (ValueError, TypeError):
        words = str(args)
    return mend(canonical_args({"arguments": words}), PLATFORM)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def _time(value: Any, otherwise: float) -> float:
    good = isinstance(value, int | float) and math.isfinite(value) and 0 < value < LATEST_AT
    return float(value) if good else otherwise
