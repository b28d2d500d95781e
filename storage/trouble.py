"""What a failed storage operation means: whether waiting can heal it, and what to tell the operator."""

import errno
import shlex
from dataclasses import dataclass
from enum import StrEnum

import apsw


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
    `brief`: what happened, for people who chat: without paths, as the end of a sentence.
    `text`: what happened, why, what is done about it, and what to do, for logs and `/readyz`.
    `refusal`: the same for whoever gives up at once, such as a start or a command: it promises no retry.
    """

    kind: TroubleKind
    can_heal: bool
    reopen: bool
    brief: str
    text: str
    refusal: str


@dataclass(frozen=True, slots=True)
class _Judgement:
    """The words continue the database's path: "bot.db: <what>; <meanwhile> (<SQLite's words>). <advice>"."""

    can_heal: bool
    reopen: bool
    what: str
    meanwhile: str
    advice: str


_JUDGEMENTS = {
    TroubleKind.BUSY: _Judgement(
        can_heal=True,
        reopen=False,
        what="another process holds the database",
        meanwhile="retrying",
        advice="Close the SQLite shell or backup tool that has it open",
    ),
    TroubleKind.FULL: _Judgement(
        can_heal=True,
        reopen=False,
        what="the disk is full",
        meanwhile="retrying",
        advice="Free some space; nothing that was accepted is lost",
    ),
    TroubleKind.IO_ERROR: _Judgement(
        can_heal=True,
        reopen=True,
        what="the disk reports an error",
        meanwhile="reopening and retrying",
        advice="Check the kernel log and the disk's health",
    ),
    TroubleKind.READ_ONLY: _Judgement(
        can_heal=True,
        reopen=True,
        what="the file or its file system is read-only",
        meanwhile="retrying",
        advice="Make it writable for this user, or remount it",
    ),
    TroubleKind.VANISHED: _Judgement(
        can_heal=True,
        reopen=True,
        what="the file was deleted, moved or replaced while in use",
        meanwhile="waiting for it",
        advice="Put the same file back",
    ),
    TroubleKind.CANNOT_OPEN: _Judgement(
        can_heal=True,
        reopen=True,
        what="the file cannot be opened",
        meanwhile="retrying",
        advice="Check that its folder exists and this user may write there",
    ),
    TroubleKind.NO_MEMORY: _Judgement(
        can_heal=True,
        reopen=True,
        what="memory ran out",
        meanwhile="retrying",
        advice="Give the process more memory",
    ),
    TroubleKind.CORRUPT: _Judgement(
        can_heal=False,
        reopen=True,
        what="the file is damaged",
        meanwhile="nothing more is written to it",
        advice="Stop greenroom, then {salvage}",
    ),
    TroubleKind.CONSTRAINT: _Judgement(
        can_heal=False,
        reopen=False,
        what="the request contradicts what is stored",
        meanwhile="it was refused",
        advice="",
    ),
    TroubleKind.MISTAKE: _Judgement(
        can_heal=False,
        reopen=False,
        what="the request makes no sense to SQLite",
        meanwhile="it was refused",
        advice="This is a defect of greenroom, please report it",
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
    because = f" ({detail})" if detail else ""
    advice = f". {judged.advice.format(salvage=advise_salvage(path))}" if judged.advice else ""
    return Trouble(
        kind,
        judged.can_heal,
        judged.reopen,
        brief=judged.what,
        text=f"{path}: {judged.what}; {judged.meanwhile}{because}{advice}",
        refusal=f"{path}: {judged.what}{because}{advice}",
    )


def advise_salvage(path: str) -> str:
    """What can be done about a damaged file, as the end of a sentence that is an order."""
    file = shlex.quote(path)
    return (
        f"keep a copy of {file} with its -wal, and restore a backup (`greenroom restore`); "
        f"or save what can be read: greenroom doctor --repair --db {file}"
    )


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
