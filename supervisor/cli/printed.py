"""What commands print for programs with `--json`: a type for each. docs/json.md is printed from these.

The comment after a field is its sentence there. What stands here, and in what it names, is promised: fields are
added, never renamed or removed. `printed_by.py` says which command prints what.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from greenroom.actors.model import DeliveryState, Role, Seq, SessionId
from greenroom.storage.lock import Holder
from greenroom.storage.requests import Scrubbed
from greenroom.storage.salvaging import Saved
from greenroom.storage.session_view import DecisionRow
from greenroom.storage.views import SessionRow, SessionState, StoreStatus
from greenroom.supervisor.connections import Connection
from greenroom.supervisor.daemon.audited import Audited


class Begun(Struct, frozen=True):
    """What was written by `init`."""

    file: Path  # the configuration that was written
    database: Path  # where the database will be


class Audit(Struct, frozen=True):
    """What is not safe, may be meant so, or is fine."""

    wrong: int  # so many findings are wrong; then the exit code is 1
    findings: tuple[Audited, ...]  # in the order in which they were looked for


@dataclass(frozen=True)
class Running:
    """Whether anything runs on a database."""

    running: bool  # whether a process holds the database; if not, the exit code is 3
    holder: Holder | None  # that process
    connections: list[Connection] | None  # how its platforms stand; null if nothing runs, or it does not say
    database: Path  # where it is


@dataclass(frozen=True)
class Status(StoreStatus, Running):
    """Whether greenroom runs, and what is open in its database."""


class Readiness(Struct, frozen=True):
    """Whether messages can be stored and answered now. Where nothing runs nothing is printed: exit code 3."""

    ready: bool  # if not, the exit code is 1
    why_not: str | None  # what is in the way


class FoundMessage(Struct, frozen=True):
    """One message that holds the words. The best is the first."""

    session: SessionId  # number of its session
    key: str  # key of its session
    seq: Seq  # its row in the transcript
    role: Role  # who speaks
    text: str  # the whole message
    at: float  # when it was said


@dataclass(frozen=True, slots=True)
class ExplainedDecision(DecisionRow):
    """One resume decision, with what it means."""

    row: int | None  # the row of the decision table that answered
    advice: str | None  # what an operator may do now


class Explained(Struct, frozen=True):
    """Why a session was resumed after interruptions, or was not."""

    session: SessionRow | None  # the session; null if it was removed in this moment
    decisions: tuple[ExplainedDecision, ...]  # the last ones, oldest first; none if nothing was interrupted


class Setting(Struct, frozen=True):
    """One value in force."""

    value: Any  # the value; stars for a secret
    origin: str  # where it comes from: a file, a variable of the environment, an option, or the default


class Configuration(Struct, frozen=True):
    """The configuration in force."""

    file: Path | None  # the configuration that was read; null if there is none
    config: dict[str, dict[str, Setting]]  # by section, then by key; which there are depends on what is configured


class Released(Struct, frozen=True):
    """What became of a session that was to be released."""

    session: SessionId  # its number
    key: str  # its key
    released: bool  # false: it was not set aside, and nothing was changed
    was: SessionState  # where it stood before
    reason: str | None  # why it had been set aside or interrupted


class Ordered(Struct, frozen=True):
    """What became of an order to a session."""

    session: SessionId  # its number
    key: str  # its key
    order: str  # what was ordered, as the command in its chat is called
    carried_out: bool  # false: it is written down, and carried out later
    said: str | None  # what its chat was told; null until it is carried out


class Resent(Struct, frozen=True):
    """A delivery that is sent again."""

    delivery: str  # its name
    key: str  # key of its session
    was: DeliveryState  # where it stood before
    once: bool  # whether it is certain that nobody reads it twice


class Retried(Struct, frozen=True):
    """What is sent again."""

    resent: tuple[Resent, ...]  # in the order in which they were named
    running: bool  # whether it is sent now; otherwise by the next start


class Dropped(Struct, frozen=True):
    """A delivery that was given up."""

    delivery: str  # its name
    was: DeliveryState  # where it stood before


class Purged(Struct, frozen=True):
    """What was given up or forgotten."""

    purged: tuple[Dropped, ...]  # may be empty


class Forgotten(Struct, frozen=True):
    """What was forgotten for good, and what was not."""

    key: str  # key of the session, or of the whole chat
    sessions: tuple[SessionId, ...]  # numbers of those that were forgotten, oldest first
    rows: dict[str, int]  # how many rows, by table
    other_sessions: int  # so many other sessions of the chat are still here
    copies_kept: tuple[Path, ...]  # copies of the database beside it, which still hold everything
    files_kept: tuple[str, ...]  # files that came with its messages, which are still there
    scrubbed: Scrubbed  # what no longer holds pieces of it
    not_forgotten: tuple[str, ...]  # what else may hold it, in sentences


class Stopped(Struct, frozen=True):
    """What was ended."""

    stopped: bool  # always true; what does not end is an error
    pid: int  # number of the process that was ended
    took_s: float  # from the signal to its end


class BackedUp(Struct, frozen=True):
    """A backup that was made."""

    file: Path  # the backup
    database: Path  # what it is of
    bytes: int  # its size
    made_at: float  # as of when it is
    took_s: float  # how long it took


class TakenUp(Struct, frozen=True):
    """What the next start takes up."""

    runs: int  # open runs
    messages: int  # messages not yet handed to a run
    deliveries: int  # deliveries not yet confirmed


class PutBack(Struct, frozen=True):
    """A backup that was put in the database's place."""

    database: Path  # what was replaced
    backup: Path  # by what
    made_at: float | None  # as of when the backup is; null if it does not say
    kept: Path | None  # where lies what was there before; null if nothing was there
    fenced: bool  # whether whoever has that open was told that it is over
    epoch: int  # of the database now
    taken_up: TakenUp  # what the next start takes up


class Exported(Struct, frozen=True):
    """An export that was written to a file. Without `--out` the export itself is printed: docs/data.md."""

    file: Path  # where it is
    lines: int  # how many it has
    bytes: int  # its size


class TakenIn(Struct, frozen=True):
    """What was taken from elsewhere, and what was left."""

    database: Path  # into which it was taken
    file: Path  # from which it was taken
    source: str  # what kind of file that is: `Hermes` or `greenroom`
    sessions: int  # so many were taken
    messages: int  # so many were taken
    left: dict[str, int]  # how much was left, by what and why, in words


class Check(Struct, frozen=True):
    """What became of one check."""

    check: str  # its name
    good: bool  # whether nothing is wrong
    problem: bool  # whether a finding is a problem; otherwise it is only said
    sentence: str  # what must be true
    count: int  # so many exceptions were found
    found: tuple[str, ...]  # the first few of them
    means: str  # what an exception means
    do: str  # what to do about it


class Mended(Struct, frozen=True):
    """What a repair did."""

    kept: Path | None  # where lies what was there before
    done: tuple[str, ...]  # what was done, in sentences
    tables: tuple[Saved, ...]  # what was saved of a damaged file; empty if the file was whole


class Doctored(Struct, frozen=True):
    """Whether the database is whole."""

    database: Path  # where it is
    whole: bool  # whether all checks are good; otherwise the exit code is 1
    checks: tuple[Check, ...]  # after the repair, if there was one
    repaired: Mended | None  # null without `--repair`


class PairedChat(Struct, frozen=True):
    """A chat that was let in by a code, or waits with one."""

    chat: str  # its key
    author: str | None  # who wrote when the code was made
    offered_at: float  # when the code was made
    expires_at: float  # until when the code is good
    approved_at: float | None  # when it was let in; null while it waits


class Approved(Struct, frozen=True):
    """The chat that was let in."""

    paired: str  # its key


class Revoked(Struct, frozen=True):
    """The chat that may not write any more."""

    revoked: str  # its key
