"""What a failed storage operation means: whether waiting can heal it, and what to tell the operator."""

import errno
from dataclasses import dataclass
from enum import StrEnum

import apsw

SALVAGE_COMMAND = "greenroom doctor --salvage"


class TroubleKind(StrEnum):
    BUSY = "busy"
    FULL = "full"
    IO_ERROR = "io_error"
    READ_ONLY = "read_only"
    VANISHED = "vanished"
    CANNOT_OPEN = "cannot_open"
    NO_MEMORY = "no_memory"
    CORRUPT = "corrupt"
    CONSTRAINT = "constraint"
    MISTAKE = "mistake"  # Wrong SQL, a wrong type, a closed connection: ours, not the disk's.


@dataclass(frozen=True, slots=True)
class Trouble:
    """One failure, judged.

    `can_heal`: the same request may succeed later, unchanged: keep it and retry with back-off.
    `reopen`: the connection is not to be trusted any more; close it and open a new one before retrying.
    `text`: what happened, why, and what to do, for logs and `/readyz`.
    """

    kind: TroubleKind
    can_heal: bool
    reopen: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Judgement:
    can_heal: bool
    reopen: bool
    what: str  # Continues the database's path: "bot.db: <what> (<SQLite's words>)".


_JUDGEMENTS = {
    TroubleKind.BUSY: _Judgement(
        can_heal=True,
        reopen=False,
        what="another process holds the database; retrying. Close the SQLite shell or backup tool that has it open",
    ),
    TroubleKind.FULL: _Judgement(
        can_heal=True, reopen=False, what="the disk is full; retrying. Free some space, nothing accepted is lost"
    ),
    TroubleKind.IO_ERROR: _Judgement(
        can_heal=True,
        reopen=True,
        what="the disk reports an error; reopening and retrying. Check the kernel log and the disk's health",
    ),
    TroubleKind.READ_ONLY: _Judgement(
        can_heal=True,
        reopen=True,
        what="the file or its file system is read-only; retrying. Make it writable for this user, or remount it",
    ),
    TroubleKind.VANISHED: _Judgement(
        can_heal=True,
        reopen=True,
        what="the file was deleted, moved or replaced while in use; waiting for it. Put the same file back",
    ),
    TroubleKind.CANNOT_OPEN: _Judgement(
        can_heal=True,
        reopen=True,
        what="the file cannot be opened; retrying. Check that its folder exists and this user may write there",
    ),
    TroubleKind.NO_MEMORY: _Judgement(
        can_heal=True, reopen=True, what="memory ran out; retrying. Give the process more memory"
    ),
    TroubleKind.CORRUPT: _Judgement(
        can_heal=False,
        reopen=True,
        what=f"the file is damaged; nothing more is written to it. Stop, then run: {SALVAGE_COMMAND}",
    ),
    TroubleKind.CONSTRAINT: _Judgement(
        can_heal=False, reopen=False, what="the request contradicts what is stored and was refused"
    ),
    TroubleKind.MISTAKE: _Judgement(
        can_heal=False, reopen=False, what="the request was refused; this is a defect of greenroom, please report it"
    ),
}

_BY_SQLITE: tuple[tuple[type[apsw.Error], TroubleKind], ...] = (
    (apsw.BusyError, TroubleKind.BUSY),
    (apsw.LockedError, TroubleKind.BUSY),
    (apsw.ProtocolError, TroubleKind.BUSY),
    (apsw.FullError, TroubleKind.FULL),
    (apsw.IOError, TroubleKind.IO_ERROR),
    (apsw.ReadOnlyError, TroubleKind.READ_ONLY),
    (apsw.PermissionsError, TroubleKind.READ_ONLY),
    (apsw.CantOpenError, TroubleKind.CANNOT_OPEN),
    (apsw.NoMemError, TroubleKind.NO_MEMORY),
    (apsw.CorruptError, TroubleKind.CORRUPT),
    (apsw.NotADBError, TroubleKind.CORRUPT),
    (apsw.ConstraintError, TroubleKind.CONSTRAINT),
)
_BY_ERRNO = {
    errno.ENOSPC: TroubleKind.FULL,
    errno.EDQUOT: TroubleKind.FULL,
    errno.EROFS: TroubleKind.READ_ONLY,
    errno.EACCES: TroubleKind.READ_ONLY,
    errno.EPERM: TroubleKind.READ_ONLY,
    errno.ENOENT: TroubleKind.VANISHED,
    errno.EBUSY: TroubleKind.BUSY,
    errno.EAGAIN: TroubleKind.BUSY,
    errno.ENOMEM: TroubleKind.NO_MEMORY,
}


def classify_error(error: Exception, *, path: str) -> Trouble:
    """Judge what apsw or the operating system raised while working on the database at `path`."""
    return trouble(_classify(error), path=path, detail=str(error))


def trouble(kind: TroubleKind, *, path: str, detail: str = "") -> Trouble:
    """The judgement for a kind that was found without an error, such as VANISHED by `has_vanished`."""
    judged = _JUDGEMENTS[kind]
    text = f"{path}: {judged.what}" + (f" ({detail})" if detail else "")
    return Trouble(kind, judged.can_heal, judged.reopen, text)


def _classify(error: Exception) -> TroubleKind:
    if getattr(error, "extendedresult", None) == apsw.SQLITE_READONLY_DBMOVED:
        return TroubleKind.VANISHED
    for cls, kind in _BY_SQLITE:
        if isinstance(error, cls):
            return kind
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_ERRNO.get(error.errno, TroubleKind.IO_ERROR)
    if isinstance(error, MemoryError):
        return TroubleKind.NO_MEMORY
    return TroubleKind.MISTAKE
