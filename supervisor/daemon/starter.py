"""The first configuration: everything that is mostly wanted, with a comment each; and the folder of the database."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

from greenroom.storage.sqlite import FILE_MODE, FOLDER_MODE, refused_politely

TEMPLATE = "starter.toml"


def starter_text(database: Path) -> str:
    """Write the first configuration for a database."""
    template = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    return template.replace("@DATABASE@", json.dumps(str(database), ensure_ascii=False))


def write_starter(file: Path, database: Path) -> None:
    """Write it, for its owner alone, and make the folder of the database.

    Raises FileExistsError where there is such a file already, CannotOpen where the folder cannot be made, OSError.
    """
    text = starter_text(database).encode()
    file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(opened, "wb") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    with refused_politely(database):
        database.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
