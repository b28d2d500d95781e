"""Telling by its first bytes what a file of conversations from elsewhere is."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from greenroom.storage.exported import read_exported
from greenroom.storage.hermes import read_hermes
from greenroom.storage.importing import CannotImport, Left, Past, Told

_SQLITE = b"SQLite format 3\0"


class Source(StrEnum):
    """Where conversations come from."""

    HERMES = "Hermes"
    GREENROOM = "greenroom"


def read_elsewhere(path: Path, left: Left, told: Told) -> tuple[Source, Iterator[Past]]:
    """Say what it is, and read it. Raises CannotImport, also from what it returns; any OSError."""
    if path.is_dir():
        raise CannotImport(f"{path} is a folder; name the file in it, such as state.db")
    if not path.exists():
        raise CannotImport(f"{path}: there is no such file")
    with path.open("rb") as file:
        head = file.read(len(_SQLITE))
    if head == _SQLITE:
        return Source.HERMES, read_hermes(path, left, told)
    if head.startswith(b"{"):
        return Source.GREENROOM, read_exported(path, left, told)
    raise CannotImport(f"{path}: neither a state.db of Hermes nor what `greenroom export` wrote; nothing was taken")
