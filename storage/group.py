"""One transaction for everything that waits, in which a request that cannot be written fails alone.

A group is first written plainly. Only when something in it is refused is it written again with a savepoint for each
request: refusals are rare, savepoints are not free.
"""

from collections.abc import Sequence

import apsw
from msgspec import Struct

from greenroom.actors.facts import Fact, MessageAppended
from greenroom.actors.model import Epoch
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.storage.rows import Contradiction, Crowded
from greenroom.storage.statements import append_messages, write_fact
from greenroom.storage.trouble import TroubleKind, classify_error

Answer = Committed | Refused
Facts = Sequence[Fact]

STALE = "stale writer"  # How the triggers of the schema begin their words.
_NOTHING_RETURNED = Committed()


class Fenced(Exception):
    """The store has another owner now; this process must not write again."""


class Written(Struct, frozen=True):
    """A group inside its open transaction. `stamp` is the number under which it will be on disk."""

    stamp: int
    answers: list[Answer]


def write_group(db: apsw.Connection, requests: Sequence[Facts], epoch: Epoch) -> Written:
    """Open a transaction and write all requests in it; the caller commits. Raises Fenced, apsw.Error."""
    stamp = _begin(db, epoch)
    try:
        return Written(stamp, _write_plainly(db, requests))
    except Exception as error:  # Invariant: only a refusal is answered here; all else is the writer's to judge.
        if judge_refusal(error) is None:
            raise
        db.execute("ROLLBACK")
    stamp = _begin(db, epoch)
    return Written(stamp, [_write_alone(db, facts) for facts in requests])


def judge_refusal(error: Exception) -> Refused | None:
    """Say whether it is the request's own fault; None if the disk or the connection is to blame."""
    if isinstance(error, Contradiction):
        return Refused(RefusalKind.CONFLICT, str(error))
    if isinstance(error, Crowded):
        return Refused(RefusalKind.CROWDED, str(error))
    judged = classify_error(error, path="")
    if judged.kind is TroubleKind.MISTAKE:
        return Refused(RefusalKind.CONFLICT, f"{type(error).__name__}{judged.text}")
    if judged.kind is not TroubleKind.CONSTRAINT:
        return None
    kind = RefusalKind.STALE_WRITER if str(error).startswith(STALE) else RefusalKind.CONFLICT
    return Refused(kind, str(error))


def _begin(db: apsw.Connection, epoch: Epoch) -> int:
    """Number the group, and in the same stroke make sure that the store is still ours."""
    db.execute("BEGIN IMMEDIATE")
    stamp = db.execute(
        "UPDATE ownership SET groups = groups + 1 WHERE shard = 0 AND epoch = ? RETURNING groups", (epoch,)
    ).get
    if stamp is None:
        db.execute("ROLLBACK")
        raise Fenced(f"epoch {epoch} is over: another process owns the store")
    assert isinstance(stamp, int)  # noqa: S101 - the column is an INTEGER
    return stamp


def _write_plainly(db: apsw.Connection, requests: Sequence[Facts]) -> list[Answer]:
    """Write all; rows of transcripts that come one after the other go in as one, which is most of a busy group."""
    answers: list[Answer] = []
    rows: list[MessageAppended] = []
    for facts in requests:
        if len(facts) == 1 and type(facts[0]) is MessageAppended:
            rows.append(facts[0])
            answers.append(_NOTHING_RETURNED)
            continue
        if rows:
            _append(db, rows)
            rows = []
        answers.append(_write(db, facts))
    if rows:
        _append(db, rows)
    return answers


def _append(db: apsw.Connection, rows: list[MessageAppended]) -> None:
    if not append_messages(db, rows):
        raise Contradiction("a row was there before; it is looked at alone")


def _write(db: apsw.Connection, facts: Facts) -> Committed:
    receipts = tuple([receipt for fact in facts if (receipt := write_fact(db, fact)) is not None])
    return Committed(receipts) if receipts else _NOTHING_RETURNED


def _write_alone(db: apsw.Connection, facts: Facts) -> Answer:
    db.execute("SAVEPOINT request")
    try:
        answer: Answer = _write(db, facts)
    except Exception as error:  # Invariant: only a refusal is answered here; all else is the writer's to judge.
        refused = judge_refusal(error)
        if refused is None:
            raise
        db.execute("ROLLBACK TO request")
        answer = refused
    db.execute("RELEASE request")
    return answer
