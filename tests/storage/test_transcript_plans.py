"""What a session reads of its transcript costs what it reads, never what is stored."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import apsw
import pytest

from greenroom.actors.facts import InboundStored, MessageAppended, RunOpened
from greenroom.actors.keys import own_row_key, summary_key
from greenroom.actors.model import (
    Epoch,
    Generation,
    Inbound,
    Message,
    MessageKind,
    OpenRun,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.storage.boots import take_ownership
from greenroom.storage.migrate import migrate
from greenroom.storage.statements import write_fact
from greenroom.storage.transcript import (
    read_rows_named,
    read_summary,
    read_tail_of,
    read_transcript,
    read_unanswered,
)

S, E, G = SessionId(1), Epoch(1), Generation(1)
TURNS = 200
STEPS_MAX = 400
"""Instructions of SQLite's machine that a small answer may take; each row that is walked takes a dozen or more."""

READS: dict[str, Callable[[apsw.Connection], object]] = {
    "the tail": lambda db: read_tail_of(db, S).seq,
    "what is unanswered": lambda db: [row.seq for row in read_unanswered(db, S)],
    "the last rows": lambda db: [row.seq for row in read_transcript(db, S, 2)],
    "the rows before one": lambda db: [row.seq for row in read_transcript(db, S, 2, Seq(100))],
    "rows by their key": lambda db: [row.seq for row in read_rows_named(db, S, (own_row_key("4"), own_row_key("x")))],
    "the newest summary": lambda db: read_summary(db, S),
}
LAST = 2 * TURNS + 2
ANSWERS: dict[str, object] = {
    "the tail": LAST,
    "what is unanswered": [LAST],
    "the last rows": [LAST - 2, LAST],
    "the rows before one": [98, 99],
    "rows by their key": [4],
}


@pytest.fixture(scope="module")
def db() -> Iterator[apsw.Connection]:
    """A long transcript: questions and answers, then a summary, then a message that waits."""
    db = apsw.Connection(":memory:")
    migrate(db)
    take_ownership(db, uid_if_new="u", at=1.0, pid=1, version="t")
    with db:
        write_fact(db, InboundStored(Inbound(SessionKey("web", "bot", "1"), "1", "hello"), 1.0))
        write_fact(db, RunOpened(S, OpenRun(G, E, G, RunCause.INBOUND, 1, 1.0, 1.0), Tail()))
        seq = count(1)
        for _ in range(TURNS):
            asked = Seq(next(seq))
            _append(db, asked, Role.USER)
            _append(db, Seq(next(seq)), Role.ASSISTANT, finish="stop", answers_upto=asked)
        _append(db, Seq(next(seq)), Role.SYSTEM, key=summary_key(Seq(9)), kind=MessageKind.SUMMARY)
        _append(db, Seq(next(seq)), Role.USER)
    yield db
    db.close()


def _append(
    db: apsw.Connection,
    seq: Seq,
    role: Role,
    *,
    key: str | None = None,
    kind: MessageKind = MessageKind.TEXT,
    finish: str | None = None,
    answers_upto: Seq | None = None,
) -> None:
    name = key or own_row_key(str(seq))
    write_fact(db, MessageAppended(S, E, Message(seq, G, name, role, "words", 1.0, kind, finish, answers_upto)))


@pytest.mark.parametrize("what", READS)
def test_each_is_found_by_index(db: apsw.Connection, what: str) -> None:
    plans: list[str] = []

    def explain(_: apsw.Cursor, sql: str, bindings: Sequence[object] | None) -> bool:
        asking = db.cursor()
        asking.exec_trace = None
        plans.extend(str(row[3]) for row in asking.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        return True

    db.exec_trace = explain  # type: ignore[assignment]
    try:
        READS[what](db)
    finally:
        db.exec_trace = None
    assert [plan for plan in plans if plan.startswith("SEARCH messages USING INDEX")]
    assert [plan for plan in plans if "SCAN" in plan or "B-TREE" in plan] == []


@pytest.mark.parametrize("what", READS)
def test_each_reads_only_what_it_answers(db: apsw.Connection, what: str) -> None:
    steps = count()
    db.set_progress_handler(lambda: next(steps) < 0, 1)
    try:
        answer = READS[what](db)
    finally:
        db.set_progress_handler(None)
    assert next(steps) < STEPS_MAX
    if what in ANSWERS:
        assert answer == ANSWERS[what]
    else:
        assert isinstance(answer, Message)
        assert answer.key == "summary.9"
