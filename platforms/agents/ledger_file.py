"""A text file that only grows: the effect outside the store by which the demo's `once` tool can be judged."""

from __future__ import annotations

import os
from pathlib import Path


def append_line(path: Path, line: str) -> None:
    """Append one line, and return when it is on disk. Not idempotent: that is the point. Raises OSError."""
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, _encoded(line) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        _sync_folder(path.parent)


def count_line(path: Path, line: str) -> int:
    """Count how often a line is in the file; one that does not exist has none. Raises OSError."""
    wanted = _encoded(line)
    try:
        with path.open("rb") as lines:
            return sum(found.rstrip(b"\n") == wanted for found in lines)
    except FileNotFoundError:
        return 0


def _encoded(line: str) -> bytes:
    return " ".join(line.splitlines()).encode(errors="replace")


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
