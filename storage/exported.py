"""Reading what `greenroom export` wrote. A file that is not whole, or is something else, is told of by its line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from greenroom.actors.keys import canonical_args
from greenroom.actors.model import (
    Attachment,
    Generation,
    Message,
    MessageKind,
    Role,
    Seq,
    SessionKey,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.session_key import InvalidKeyError
from greenroom.storage.exporting import FORMAT
from greenroom.storage.importing import CannotImport, Left, Past, Told

LINE_MAX = 64 * 1024 * 1024
"""Longest line, in bytes."""

T = TypeVar("T")


class _Any(Struct):
    type: str
    session: int | None = None
    format: int = FORMAT


class _Session(Struct):
    key: str
    created_at: float


class _Call(Struct):
    key: str
    name: str
    policy: ToolPolicy
    args: Any = None
    beside: str = ""


class _Message(Struct):
    seq: int
    role: Role
    kind: MessageKind
    text: str
    at: float
    finish: str | None = None
    answers_upto: int | None = None
    author: str | None = None
    tool_calls: tuple[_Call, ...] = ()
    tool_key: str | None = None
    attachments: tuple[Attachment, ...] = ()


def read_exported(path: Path, left: Left, told: Told) -> Iterator[Past]:
    """Read a file line by line. Who goes on to the next session has done with the rows of the last one.

    Raises CannotImport, also from the rows.
    """
    with path.open("rb") as file:
        lines = _Lines(file, path, told)
        head = lines.move()
        if head.type != "export" or head.format > FORMAT:
            raise CannotImport(f"{path}: not an export of a greenroom that this one can read; nothing was taken")
        lines.move()
        while lines.at.type != "end":
            if lines.at.type != "session":
                raise lines.wrong(f"a line of type {lines.at.type!r} belongs to no session")
            number, session = lines.at.session, lines.read(_Session)
            try:
                key = SessionKey.parse(session.key)
            except InvalidKeyError as error:
                raise lines.wrong(str(error)) from error
            lines.move()
            rows = _read_rows(lines, number, left)
            yield Past(key, session.created_at, rows)
            for _ in rows:
                pass  # Nobody wanted them.


class _Lines:
    """The line that is looked at, and the way to the next one."""

    def __init__(self, file: BinaryIO, path: Path, told: Told) -> None:
        self._file, self._path, self._told = file, path, told
        self._size = path.stat().st_size
        self._number = self._done = 0
        self._line = b""
        self.at = _Any("")

    def move(self) -> _Any:
        """Look at the next line. Raises CannotImport where there is none: an export ends with a line that says so."""
        self._line = self._file.readline(LINE_MAX + 1)
        self._number += 1
        if not self._line:
            raise self.wrong("the file ends early: it is not a whole export")
        if len(self._line) > LINE_MAX:
            raise self.wrong(f"longer than {LINE_MAX:,} bytes")
        self._done += len(self._line)
        self._told(self._done, self._size)
        self.at = self.read(_Any)
        return self.at

    def read(self, kind: type[T]) -> T:
        """Read the line as this. Raises CannotImport."""
        try:
            return msgspec.json.decode(self._line, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.wrong(str(error)) from error

    def wrong(self, why: str) -> CannotImport:
        """Say what is wrong with the line, and where it stands."""
        return CannotImport(f"{self._path}, line {self._number}: {why}")


def _read_rows(lines: _Lines, number: int | None, left: Left) -> Iterator[Message]:
    """Read up to the next session, or the end. All but the transcript is counted as left."""
    seq = 0
    while lines.at.type not in {"session", "end"}:
        if lines.at.session != number:
            raise lines.wrong(f"it is of session {lines.at.session}, and stands among those of {number}")
        if lines.at.type == "message":
            row = lines.read(_Message)
            seq += 1
            if row.seq != seq:
                raise lines.wrong(f"message {seq} of session {number} is missing")
            try:
                yield _message(row)
            except RecursionError as error:
                raise lines.wrong(str(error)) from error
        else:
            left[f"lines of type {lines.at.type}: only transcripts are taken"] += 1
        lines.move()


def _message(row: _Message) -> Message:
    # A summary stands for rows by their keys, which are others here: it is a note like any other.
    kind = MessageKind.TEXT if row.kind is MessageKind.SUMMARY else row.kind
    return Message(
        Seq(row.seq),
        Generation(0),
        "",
        row.role,
        row.text,
        row.at,
        kind,
        row.finish,
        None if row.answers_upto is None else Seq(min(row.answers_upto, row.seq)),
        row.author,
        tuple(map(_read_call, row.tool_calls)),
        row.tool_key,
        row.attachments,
    )


def _read_call(call: _Call) -> ToolCall:
    return ToolCall(call.key, call.name, _write_args(call.args), call.policy, call.beside)


def _write_args(args: Any) -> str:
    return args if isinstance(args, str) else canonical_args({} if args is None else args)
