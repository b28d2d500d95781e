from collections.abc import Iterator

import apsw
import pytest

from greenroom.actors.facts import Fact, InboundStored, InboundTaken, MessageAppended, RunOpened
from greenroom.actors.model import (
    Epoch,
    Generation,
    Inbound,
    InboxId,
    Message,
    OpenRun,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.actors.store import UnansweredOf
from greenroom.storage.boots import take_ownership
from greenroom.storage.migrate import migrate
from greenroom.storage.reading import read_answer
from greenroom.storage.statements import write_fact

S, E, G = SessionId(1), Epoch(1), Generation(1)


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    take_ownership(connection, uid_if_new="0badcafe", at=0.0, pid=1, version="0")
    yield connection
    connection.close()


def row(seq: int, role: Role, answers_upto: int | None = None) -> Message:
    upto = None if answers_upto is None else Seq(answers_upto)
    return Message(Seq(seq), G, f"k{seq}", role, f"row {seq}", float(seq), answers_upto=upto)


def write(db: apsw.Connection, *rows: Message) -> None:
    inbound = Inbound(SessionKey("web", "bot", "1"), "u1", "text")
    run = OpenRun(G, E, G, RunCause.INBOUND, 1, 2.0, 2.0)
    facts: list[Fact] = [InboundStored(inbound, 1.0), RunOpened(S, run, Tail()), InboundTaken(S, InboxId(1), G, Seq(1))]
    for fact in [*facts, *(MessageAppended(S, E, each) for each in rows)]:
        write_fact(db, fact)


def test_what_no_concluding_row_covers_is_unanswered_also_before_the_answer(db: apsw.Connection) -> None:
    rows = (
        row(1, Role.USER),
        row(2, Role.USER),  # Came during the run: it stands before the answer, which does not cover it.
        row(3, Role.ASSISTANT, answers_upto=1),
        row(4, Role.TOOL),
        row(5, Role.USER),
        row(6, Role.SYSTEM),
    )
    write(db, *rows)
    assert read_answer(db, UnansweredOf(S)) == (rows[1], rows[4])


def test_a_chat_whose_last_word_is_answered_has_none_unanswered_and_so_has_an_unknown_one(db: apsw.Connection) -> None:
    write(db, row(1, Role.USER), row(2, Role.ASSISTANT, answers_upto=1))
    assert read_answer(db, UnansweredOf(S)) == ()
    assert read_answer(db, UnansweredOf(SessionId(9))) == ()
