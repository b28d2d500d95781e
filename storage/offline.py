"""What an operator changes in a database that no process serves: under the writer's lock, in one transaction.

It takes no ownership and begins no boot: nothing is decided here, and the next start finds the change.
"""

from pathlib import Path

from greenroom.actors.facts import Fact
from greenroom.storage.lock import WriterLock
from greenroom.storage.sqlite import CannotOpen, open_writer
from greenroom.storage.statements import write_fact
from greenroom.storage.writer import let_go


def write_offline(path: Path, *facts: Fact) -> None:
    """Write facts that no fence guards. Raises Held, CannotOpen, Contradiction, apsw.Error."""
    if not path.exists():
        raise CannotOpen(f"{path}: there is no database here; name the right file")
    with WriterLock(path):
        write_unserved(str(path), *facts)


def write_unserved(path: str, *facts: Fact, vfs: str | None = None) -> None:
    """Write facts where it is known that no process serves the database. Raises what `write_offline` raises."""
    db = open_writer(path, vfs=vfs, missing="refuse")
    try:
        with db:
            for fact in facts:
                write_fact(db, fact)
    finally:
        let_go(db)
