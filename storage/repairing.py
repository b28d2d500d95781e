"""Mends a database that nobody serves, with a copy of what was there beside it. What cannot be mended is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from greenroom.storage.backup import copy_database, open_source
from greenroom.storage.doctor import DAMAGED, Finding, examine
from greenroom.storage.erasing import scrub
from greenroom.storage.lock import WriterLock
from greenroom.storage.mending import make_schema_again, mend
from greenroom.storage.placing import placing
from greenroom.storage.restoring import Heir, put_back
from greenroom.storage.salvaging import Salvaged, Told, salvage
from greenroom.storage.search import throw_away
from greenroom.storage.sqlite import CannotOpen, open_writer
from greenroom.storage.trouble import classify_error


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done. `kept` is where what was there lies; `salvaged` is None where the file was whole."""

    kept: Path | None
    done: tuple[str, ...]
    salvaged: Salvaged | None
    before: tuple[Finding, ...]
    after: tuple[Finding, ...]


def repair(path: Path, heir: Heir, told: Told) -> Repaired:
    """Copy what is there, then mend it, or save what can be read of it into a new file in its place.

    Raises lock.Held where a process serves the database; CannotOpen where it cannot be copied, written, or read at all.
    """
    with WriterLock(path):
        before = examine(path, served=False, told=told)
        if next(each for each in before if each.check == DAMAGED).good:
            kept = _name(path, "before-repair", heir.now)
            _copy(path, kept, told)
            done = _mend_whole(path)
            return Repaired(kept, done, None, before, examine(path, served=False, told=told))
    return _replace_damaged(path, heir, before, told)


def _copy(path: Path, kept: Path, told: Told) -> None:
    """Keep a copy, also of what `greenroom backup` refuses since it has no owner."""
    source = open_source(path)
    try:
        with placing(kept, overwrite=False) as new:
            copy_database(source, new, lambda done, pages: told(done, pages, "copying"))
    finally:
        source.close(force=True)


def _mend_whole(path: Path) -> tuple[str, ...]:
    """Mend the rows, and write file and index anew."""
    db = open_writer(str(path), missing="refuse")
    try:
        db.pragma("foreign_keys", 0)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        with db:
            done = (*make_schema_again(db), *mend(db))
        db.execute("REINDEX")
        scrub(db, bytes_max=None)
    except apsw.Error as error:
        raise CannotOpen(f"not repaired: {classify_error(error, path=str(path)).refusal}") from error
    finally:
        db.close(force=True)
    throw_away(str(path))
    return (*done, "the file was written anew", "the search index is made again by the next start")


def _replace_damaged(path: Path, heir: Heir, before: tuple[Finding, ...], told: Told) -> Repaired:
    new = _name(path, "salvaged", heir.now)
    try:
        salvaged = salvage(path, new, told)
        restored = put_back(path, new, heir, told=lambda done, pages: told(done, pages, "putting it in place"))
    finally:
        for file in (new, Path(f"{new}-wal"), Path(f"{new}-shm"), Path(f"{new}-journal")):
            file.unlink(missing_ok=True)
    done = (*salvaged.mended, "the search index is made again by the next start")
    return Repaired(restored.aside, done, salvaged, before, examine(path, served=False, told=told))


def _name(path: Path, why: str, now: float) -> Path:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.name}.{why}-{at}{end}") for end in ("", *(f"-{n}" for n in range(2, 99))))
    return next(name for name in names if not name.exists())
