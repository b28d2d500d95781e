"""Migrations go forward, whole, with a copy before; every crash leaves one of the versions."""

import contextlib
import stat
from pathlib import Path

import apsw
import pytest

from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss, PowerCut
from greenroom.storage.migrate import (
    BrokenMigration,
    Migrated,
    Migration,
    NewerSchema,
    migrate,
    read_migrations,
    read_version,
)
from greenroom.storage.sqlite import open_reader, open_writer

ONE = Migration(1, "CREATE TABLE a(id INTEGER PRIMARY KEY, x TEXT) STRICT; INSERT INTO a VALUES (1, 'one');")
TWO = Migration(
    2,
    """
    CREATE TABLE b(a INTEGER REFERENCES a, y TEXT) STRICT;
    INSERT INTO b SELECT id, x || ' and two' FROM a;
    SELECT count(*) FROM a;  -- a row in the middle must not end the step
    ALTER TABLE a ADD COLUMN z INTEGER;
    UPDATE a SET z = 2;
    """,
)
SCHEMAS = {0: set(), 1: {"a"}, 2: {"a", "b"}}
DATABASE = "/bot.db"


def read_tables(connection: apsw.Connection) -> set[str]:
    return {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "bot.db")


def test_a_new_file_gets_every_step_and_no_backup(path: str) -> None:
    connection = open_writer(path)
    assert migrate(connection, (ONE, TWO)) == Migrated(0, 2, None)
    assert read_tables(connection) == {"a", "b"}
    assert list(connection.execute("SELECT * FROM a, b")) == [(1, "one", 2, 1, "one and two")]
    assert connection.pragma("foreign_keys") == 1
    assert migrate(connection, (ONE, TWO)) == Migrated(2, 2, None)
    connection.close()


def test_an_old_file_is_copied_whole_and_privately_before_it_is_changed(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_writer(path)
    migrate(connection, (ONE,))
    connection.execute("INSERT INTO a VALUES (7, 'only in the WAL so far')")
    done = migrate(connection, (ONE, TWO))
    connection.close()
    assert done == Migrated(1, 2, path + ".before-002.backup")
    told = f"bot.db: brought up to this release (schema 2, before 1); as it was it lies at {done.backup}"
    assert told in caplog.text
    assert stat.S_IMODE(Path(path + ".before-002.backup").stat().st_mode) == 0o600
    copy = open_reader(path + ".before-002.backup")
    assert (read_version(copy), read_tables(copy)) == (1, {"a"})
    assert list(copy.execute("SELECT x FROM a")) == [("one",), ("only in the WAL so far",)]
    copy.close()


def test_what_is_a_copy_itself_is_not_copied_once_more(path: str) -> None:
    connection = open_writer(path)
    migrate(connection, (ONE,))
    assert migrate(connection, (ONE, TWO), copy_first=False) == Migrated(1, 2, None)
    connection.close()
    assert not Path(path + ".before-002.backup").exists()


def test_a_backup_can_be_put_back_and_used(path: str) -> None:
    connection = open_writer(path)
    migrate(connection, (ONE,))
    backup = migrate(connection, (ONE, TWO)).backup
    connection.close()
    assert backup
    Path(backup).replace(path)
    connection = open_writer(path)
    assert migrate(connection, (ONE,)) == Migrated(1, 1, None)
    connection.close()


@pytest.mark.parametrize("began_as", [(ONE,), (ONE, TWO)])
def test_a_newer_file_is_refused_with_both_versions_and_the_ways_out_that_there_are(
    path: str, began_as: tuple[Migration, ...]
) -> None:
    connection = open_writer(path)
    migrate(connection, began_as)
    migrate(connection, (ONE, TWO))
    with pytest.raises(NewerSchema) as caught:
        migrate(connection, (ONE,))
    assert "schema 2; this one knows up to 1); nothing was changed. Install that release again" in str(caught.value)
    assert (f"greenroom restore {path}.before-002.backup" in str(caught.value)) == (began_as == (ONE,))
    assert (read_version(connection), read_tables(connection)) == (2, {"a", "b"})
    connection.close()


@pytest.mark.parametrize(
    "sql,why",
    [
        ("CREATE TABLE c(x TEXT) STRICT; NONSENSE;", "002.sql: near"),
        ("CREATE TABLE c(x TEXT) STRICT; COMMIT;", "ends the transaction"),
        ("CREATE TABLE c(a INTEGER REFERENCES a) STRICT; INSERT INTO c VALUES (99);", "breaks foreign keys"),
    ],
)
def test_a_broken_step_is_rolled_back_and_named(path: str, sql: str, why: str) -> None:
    connection = open_writer(path)
    migrate(connection, (ONE,))
    with pytest.raises(BrokenMigration, match=why):
        migrate(connection, (ONE, Migration(2, sql)))
    assert read_version(connection) == 1
    assert not connection.in_transaction
    assert connection.pragma("foreign_keys") == 1
    connection.close()


def test_a_table_others_refer_to_can_be_rebuilt(path: str) -> None:
    rebuild = "CREATE TABLE n(id INTEGER PRIMARY KEY) STRICT; INSERT INTO n SELECT id FROM a; DROP TABLE a;"
    connection = open_writer(path)
    migrate(connection, (ONE, TWO, Migration(3, rebuild + "ALTER TABLE n RENAME TO a;")))
    assert list(connection.execute("SELECT a.id FROM a JOIN b ON b.a = a.id")) == [(1,)]
    connection.close()


def test_an_interrupted_attempt_can_be_repeated_over_its_own_backup(path: str) -> None:
    connection = open_writer(path)
    migrate(connection, (ONE,))
    for _ in range(2):
        with pytest.raises(BrokenMigration):
            migrate(connection, (ONE, Migration(2, "NONSENSE")))
    assert migrate(connection, (ONE, TWO)).after == 2
    connection.close()
    copy = open_reader(path + ".before-002.backup")
    assert read_tables(copy) == {"a"}
    copy.close()


def test_files_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "002.sql").write_text("two", encoding="utf-8")
    (tmp_path / "001.sql").write_text("one", encoding="utf-8")
    (tmp_path / "README").write_text("no step", encoding="utf-8")
    assert read_migrations(tmp_path) == (Migration(1, "one"), Migration(2, "two"))


@pytest.mark.parametrize("name", ["003.sql", "02.sql", "two.sql"])
def test_a_gap_or_a_strange_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "001.sql").write_text("", encoding="utf-8")
    (tmp_path / name).write_text("", encoding="utf-8")
    with pytest.raises(BrokenMigration, match="expected"):
        read_migrations(tmp_path)


def run_migration(disk: Disk) -> None:
    connection: apsw.Connection | None = None
    try:
        connection = open_writer(DATABASE, vfs=disk.vfs_name)
        migrate(connection, (ONE, TWO), vfs=disk.vfs_name)
        connection.close()
    finally:
        disk.die(*([] if connection is None else [connection]))


def old_disk(seed: int) -> Disk:
    with Disk(seed) as disk:
        connection = open_writer(DATABASE, vfs=disk.vfs_name)
        migrate(connection, (ONE,), vfs=disk.vfs_name)
        connection.close()
        return disk.reboot(Loss.UNSYNCED)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.IO_ERROR, FaultKind.FULL])
def test_a_fault_at_any_operation_leaves_a_whole_version_that_can_go_on(kind: FaultKind, loss: Loss) -> None:
    with old_disk(0) as disk:
        run_migration(disk)
        operations = disk.operations
    found_versions = set()
    for point in range(1, operations + 1):
        with old_disk(point) as disk:
            disk.inject(Fault(kind, nth=point))
            with contextlib.suppress(PowerCut, apsw.Error):
                run_migration(disk)
            found_versions.add(check_found(disk.reboot(loss)))
    assert found_versions == {1, 2}


def check_found(found: Disk) -> int:
    with found:
        connection = open_writer(DATABASE, vfs=found.vfs_name)
        version = read_version(connection)
        assert read_tables(connection) == SCHEMAS[version]
        if version == 2:
            assert list(connection.execute("SELECT z FROM a")) == [(2,)]
            check_backup(found)
        migrate(connection, (ONE, TWO), vfs=found.vfs_name)
        assert read_tables(connection) == SCHEMAS[2]
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()
    return version


def check_backup(found: Disk) -> None:
    copy = open_writer(DATABASE + ".before-002.backup", vfs=found.vfs_name, missing="refuse")
    assert (read_version(copy), read_tables(copy)) == (1, {"a"})
    copy.close()
