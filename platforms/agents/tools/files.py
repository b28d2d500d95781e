"""Files below one folder, for a model: read, listed, and written whole. Nothing leads out of the folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from pydantic import PositiveInt

from greenroom.actors.atomic import replace_in
from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.rooted import OutsideError, opened_file, opened_folder, parts_of, root_of
from greenroom.platforms.agents.tools.typed import Args, Kit, typed_tool

ENTRIES_MAX = 1_000
"""Entries of one folder that are listed."""


class FilesSettings(ToolSettings):
    """Files of a folder: `[tools.files]`. Nothing can be written unless `write` is true; `approve` is about writing."""

    root: Path  # the folder out of which nothing leads; a relative one counts from the database's
    write: bool = False  # files may be written, too
    read_max: PositiveInt = 100_000  # bytes of one look into a file
    write_max: PositiveInt = 1_000_000  # bytes of a file that is written


class ReadArgs(Args, frozen=True):
    """Which file, and from where."""

    path: Annotated[str, Meta(description="Below the root, such as notes/today.txt")]
    offset: Annotated[int, Meta(ge=0, description="The byte to begin with: of a long file only a part is shown.")] = 0


class ListArgs(Args, frozen=True):
    """Which folder."""

    path: Annotated[str, Meta(description="A folder below the root; empty is the root.")] = ""


class WriteArgs(Args, frozen=True):
    """Which file, and all that it is to hold."""

    path: Annotated[str, Meta(description="Below the root; folders that are missing are made.")]
    content: Annotated[str, Meta(description="All of the file: what it held before is replaced.")]


def make(settings: FilesSettings, folder: Path) -> Kit:
    """Offer reading and listing, and writing where that is wanted; a relative root is one below `folder`.

    Raises NotADirectoryError.
    """
    root = root_of(settings.root, folder)

    async def read_file(turn: Turn, args: ReadArgs) -> str:
        """Read a text file."""
        return await turn.in_thread(read_text, root, args.path, args.offset, settings.read_max)

    async def list_files(turn: Turn, args: ListArgs) -> str:
        """List a folder: each file with its size in bytes, each folder with a slash behind its name."""
        return await turn.in_thread(list_folder, root, args.path)

    async def write_file(turn: Turn, args: WriteArgs) -> str:
        """Write a text file, which is replaced whole, or made."""
        return await turn.in_thread(write_text, root, args.path, args.content, settings.write_max)

    tools = [
        typed_tool(read_file, ReadArgs, ToolPolicy.PURE, approve=False),
        typed_tool(list_files, ListArgs, ToolPolicy.PURE, approve=False),
    ]
    if settings.write:  # Not `pure`: what somebody else wrote after an interruption must not be written over.
        tools.append(typed_tool(write_file, WriteArgs, ToolPolicy.ONCE, approve=settings.approve))
    return Kit(*tools)


def read_text(root: Path, path: str, offset: int, most: int) -> str:
    """Read a part of a file, and say how to go on. Raises OutsideError, OSError; ValueError for what is no text."""
    with opened_file(root, path) as file:
        size = os.fstat(file).st_size
        content = os.pread(file, most, offset)
    if b"\0" in content:
        msg = f"{path!r} is no text ({size:,} bytes)"
        raise ValueError(msg)
    end = offset + len(content)
    note = f"\n[bytes {offset:,} to {end:,} of {size:,}; go on with offset {end}]" if end < size else ""
    return content.decode(errors="replace") + note


def list_folder(root: Path, path: str) -> str:
    """One line for each entry, sorted. Raises OutsideError, OSError."""
    with opened_folder(root, parts_of(path), make=False) as folder:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - an open one, not a path
        lines = [_line(folder, name) for name in names[:ENTRIES_MAX]]
    more = [f"[{len(names) - ENTRIES_MAX:,} more]"] if len(names) > ENTRIES_MAX else []
    return "\n".join([*lines, *more]) or "(empty)"


def write_text(root: Path, path: str, content: str, most: int) -> str:
    """Replace a file, or make it. Raises OutsideError, OSError; ValueError for what is too large."""
    encoded = content.encode()
    if len(encoded) > most:
        msg = f"the content has {len(encoded):,} bytes, the limit is {most:,}"
        raise ValueError(msg)
    *way, name = parts_of(path) or (".",)
    with opened_folder(root, tuple(way), make=True) as folder:
        if name == "." or _is_other(folder, name):
            raise OutsideError(path, "it is not a file")
        replace_in(folder, name, encoded)
    return f"Written: {path} ({len(encoded):,} bytes)"


def _is_other(folder: int, name: str) -> bool:
    """Whether something is there that is no file: it is not replaced by one."""
    try:
        return not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _line(folder: int, name: str) -> str:
    shown = name.encode(errors="surrogateescape").decode(errors="replace")
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return f"{shown} (gone)"
    if stat.S_ISDIR(found.st_mode):
        return f"{shown}/"
    return f"{shown} {found.st_size:,}" if stat.S_ISREG(found.st_mode) else f"{shown} (no file)"
