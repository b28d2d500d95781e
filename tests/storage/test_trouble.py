"""Every failure of the disk has one judgement and a text an operator can act on."""

import errno

import apsw
import pytest

from greenroom.storage.faulty_disk import Disk, Fault, FaultKind
from greenroom.storage.sqlite import open_writer
from greenroom.storage.trouble import TroubleKind, classify_error, trouble

CASES: dict[TroubleKind, Exception] = {
    TroubleKind.BUSY: apsw.BusyError("database is locked"),
    TroubleKind.FULL: OSError(errno.ENOSPC, "No space left on device"),
    TroubleKind.IO_ERROR: apsw.IOError("disk I/O error"),
    TroubleKind.READ_ONLY: apsw.ReadOnlyError("attempt to write a readonly database"),
    TroubleKind.VANISHED: FileNotFoundError(errno.ENOENT, "No such file"),
    TroubleKind.CANNOT_OPEN: apsw.CantOpenError("unable to open database file"),
    TroubleKind.NO_MEMORY: apsw.NoMemError("out of memory"),
    TroubleKind.CORRUPT: apsw.NotADBError("file is not a database"),
    TroubleKind.CONSTRAINT: apsw.ConstraintError("UNIQUE constraint failed"),
    TroubleKind.MISTAKE: apsw.SQLError("no such table: t"),
}


def test_no_kind_is_without_its_case() -> None:
    assert set(CASES) == set(TroubleKind)


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_is_recognised_and_its_text_says_where_and_what(kind: TroubleKind) -> None:
    found = classify_error(CASES[kind], path="bot.db")
    assert found.kind is kind
    assert found.text.startswith("bot.db: ")
    assert str(CASES[kind]) in found.text


def test_what_heals_by_waiting_and_what_never_does() -> None:
    never = {kind for kind in TroubleKind if not trouble(kind, path="x").can_heal}
    assert never == {TroubleKind.CORRUPT, TroubleKind.CONSTRAINT, TroubleKind.MISTAKE}


def test_after_busy_full_and_refusals_the_connection_is_still_good() -> None:
    kept = {kind for kind in TroubleKind if not trouble(kind, path="x").reopen}
    assert kept == {TroubleKind.BUSY, TroubleKind.FULL, TroubleKind.CONSTRAINT, TroubleKind.MISTAKE}


def test_damage_names_what_saves_the_rest_and_a_name_with_blanks_can_be_pasted() -> None:
    assert "greenroom doctor --repair --db 'my bot.db'" in trouble(TroubleKind.CORRUPT, path="my bot.db").text


def test_who_gives_up_at_once_promises_no_retry_and_people_see_no_path() -> None:
    for kind in TroubleKind:
        found = trouble(kind, path="bot.db", detail="why")
        assert "retrying" not in found.refusal
        assert "waiting" not in found.refusal
        assert "bot.db" not in found.brief
        assert found.brief in found.text
        assert found.brief in found.refusal


def test_a_moved_database_is_told_from_a_read_only_one() -> None:
    error = apsw.ReadOnlyError("attempt to write a readonly database")
    error.extendedresult = apsw.SQLITE_READONLY_DBMOVED  # type: ignore[attr-defined]
    assert classify_error(error, path="x").kind is TroubleKind.VANISHED


@pytest.mark.parametrize(
    "number,kind",
    [
        (errno.EDQUOT, TroubleKind.FULL),
        (errno.EROFS, TroubleKind.READ_ONLY),
        (errno.EACCES, TroubleKind.READ_ONLY),
        (errno.EIO, TroubleKind.IO_ERROR),
    ],
)
def test_errors_of_the_operating_system_are_judged_alike(number: int, kind: TroubleKind) -> None:
    assert classify_error(OSError(number, "x"), path="x").kind is kind


@pytest.mark.parametrize(
    "fault,kind",
    [
        (FaultKind.FULL, TroubleKind.FULL),
        (FaultKind.IO_ERROR, TroubleKind.IO_ERROR),
        (FaultKind.READ_ONLY, TroubleKind.READ_ONLY),
    ],
)
def test_what_sqlite_makes_of_a_real_fault_is_recognised(fault: FaultKind, kind: TroubleKind) -> None:
    with Disk(1) as disk:
        connection = open_writer("/bot.db", vfs=disk.vfs_name)
        disk.inject(Fault(fault, "write"))
        with pytest.raises(apsw.Error) as caught:
            connection.execute("CREATE TABLE t(a INTEGER) STRICT")
        assert classify_error(caught.value, path="/bot.db").kind is kind
        disk.die(connection)
