"""What an audit finds on disk: who may read or write what greenroom keeps, and what tells it what to do."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from greenroom.platforms.chats.secret import FileSecret
from greenroom.storage.sqlite import FILE_MODE, FOLDER_MODE
from greenroom.storage.strangers import JOURNALS, ROOT_UID, find_stranger
from greenroom.supervisor.daemon.audited import Audited, note, wrong
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.secrets_of import find_secrets, find_written_out

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

OF_PLATFORMS = r"(telegram|slack|discord|matrix|webhook)-.*\.json"
"""What platforms keep beside the database is called so."""

BESIDE_MAX = 10_000
"""How many files beside the database are looked at."""


def check_database_mode(config: Config) -> Iterator[Audited]:
    """Only its owner reads and writes the database, with its journals."""
    path = config.database.resolve()
    yield from _private("database-mode", [path, *(path.with_name(path.name + journal) for journal in JOURNALS)])


def check_database_owner(config: Config) -> Iterator[Audited]:
    """The database is of whoever runs this, and nobody else's link leads to it."""
    if stranger := find_stranger(config.database):
        problem, _, fix = stranger.partition("; ")
        yield wrong("database-owner", problem, fix)


def check_folder_mode(config: Config) -> Iterator[Audited]:
    """Nobody else can put another file into the place of the database; better, nobody else sees its folder."""
    folder = config.database.resolve().parent
    mode = _mode(folder)
    if mode is None:
        return
    fix = f"chmod {FOLDER_MODE:o} {shlex.quote(str(folder))}, or name a folder of its own in [store]"
    if mode & OTHERS_WRITE and not mode & stat.S_ISVTX:
        yield wrong("folder-mode", f"{folder}: others may write ({mode:o}), and so replace the database", fix)
    elif mode & OTHERS_WRITE:
        yield note("folder-mode", f"{folder}: everybody may put files beside the database ({mode:o})", fix)
    elif mode & (stat.S_IXGRP | stat.S_IXOTH):
        yield note(
            "folder-mode", f"{folder}: others may enter ({mode:o}); what is kept there has modes of its own", fix
        )


def check_beside_mode(config: Config) -> Iterator[Audited]:
    """What is kept beside the database (a token, devices of platforms, positions, backups) is its owner's alone."""
    path = config.database.resolve()
    mode = _mode(path.parent)
    if mode is None or not mode & (stat.S_IXGRP | stat.S_IXOTH):
        return  # Nobody else gets there.
    ours = [each for each in sorted(path.parent.iterdir())[:BESIDE_MAX] if _is_kept(each, path)]
    journals = {path.name, *(path.name + journal for journal in JOURNALS)}
    yield from _private("beside-mode", [each for each in ours if each.name not in journals and each.is_file()])


def check_config_mode(config: Config) -> Iterator[Audited]:
    """Nobody else writes the configuration, which names code that is run; or reads secrets in it."""
    file = config.file
    mode = None if file is None else _mode(file)
    if file is None or mode is None:
        return
    quoted = shlex.quote(str(file))
    if file.stat().st_uid not in {os.geteuid(), ROOT_UID}:
        yield wrong(
            "config-mode", f"{file}: belongs to another user, who may have it run anything", f"chown $USER {quoted}"
        )
    if mode & OTHERS_WRITE:
        yield wrong(
            "config-mode", f"{file}: others may write it ({mode:o}), and have it run anything", f"chmod go-w {quoted}"
        )
    keys = ", ".join(found.key for found in find_written_out(config))
    if keys and mode & OTHERS:
        told = f"{file}: others may read it ({mode:o}), and secrets stand in it ({keys})"
        yield wrong("config-mode", told, f"chmod {FILE_MODE:o} {quoted}, and change those secrets")


def check_secrets_written_out(config: Config) -> Iterator[Audited]:
    """Secrets stand elsewhere than in the configuration, which is copied and shown around."""
    for found in find_written_out(config):
        fix = f"write {found.path[-1]} = 'env:VARIABLE', 'file:/path' or 'credential:NAME'"
        yield note("secrets-written-out", f"{config.file}: {found.key} stands in the file itself", fix)


def check_secret_files(config: Config) -> Iterator[Audited]:
    """Files with secrets in them are readable by their owner alone."""
    files = {found.secret.path for found in find_secrets(config) if isinstance(found.secret, FileSecret)}
    yield from _private("secret-files", sorted(files), writable_matters=True)


def check_user(_: Config) -> Iterator[Audited]:
    """It runs as a user of its own: what an agent does, it does as that user."""
    if os.geteuid() == ROOT_UID:
        fix = "run it as a user of its own: docs/greenroom.service"
        yield note("user", "this is root: whatever an agent's tools may do, they may do to all of this machine", fix)


def _private(check: str, files: list[Path], *, writable_matters: bool = False) -> Iterator[Audited]:
    for file in files:
        mode = _mode(file)
        if mode is None or not mode & OTHERS:
            continue
        may = "write" if writable_matters and mode & OTHERS_WRITE else "read"
        yield wrong(check, f"{file}: others may {may} it ({mode:o})", f"chmod {FILE_MODE:o} {shlex.quote(str(file))}")


def _is_kept(file: Path, database: Path) -> bool:
    return file.name.startswith(database.name) or re.fullmatch(OF_PLATFORMS, file.name) is not None


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
