"""The views of operators, read beside a real store with rows of every state."""

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from greenroom.actors.commands import Command
from greenroom.actors.facts import (
    DecisionStored,
    DeliveryFilled,
    DeliveryMoved,
    DeliveryOpened,
    Fact,
    InboundTaken,
    MessageAppended,
    QuestionAsked,
    RunClosed,
    RunOpened,
    RunProgressed,
    SessionQuarantined,
    SessionSuspended,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Generation,
    Inbound,
    Message,
    MessageKind,
    OpenRun,
    Question,
    Receipt,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.store import Committed, Refused
from greenroom.actors.tail import extend_tail
from greenroom.storage.session_names import NoSession, find_session
from greenroom.storage.session_view import read_boot_decisions, read_decisions, read_session_view
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.store import SqliteStore
from greenroom.storage.views import Only, SessionState, open_views, read_session, read_sessions, read_store_status
from greenroom.storage.writer import Place

NOW = 1_700_000_000.0


class Life:
    """One life of a store; writes facts and waits until they are on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runtime = PoolRuntime()
        self.store = SqliteStore.open(Place(str(path)), self.runtime, version="test")

    def write(self, *facts: Fact) -> None:
        assert isinstance(self._wait(lambda then: self.store.write(facts, then)), Committed)

    def inbound(self, chat: str, text: str = "hello", *, ordered: Command | None = None) -> Receipt:
        key = SessionKey("web", "local", chat)
        inbound = Inbound(key, f"{chat}-{threading.get_ident()}-{text}", text, ordered=ordered)
        answer = self._wait(lambda then: self.store.accept(inbound, NOW, then))
        assert isinstance(answer, Committed)
        return answer.receipts[0]

    def _wait(self, offer: object) -> Committed | Refused:
        done, answers = threading.Event(), list[Committed | Refused]()

        def then(answer: Committed | Refused) -> None:
            answers.append(answer)
            done.set()

        offer(then)  # type: ignore[operator]
        assert done.wait(10)
        return answers[0]

    def open_run(self, receipt: Receipt, text: str = "hello") -> Tail:
        session, one = receipt.session_id, Generation(1)
        said = Message(Seq(1), one, f"in:{receipt.inbox_id}", Role.USER, text, NOW, author="ann")
        tail = extend_tail(Tail(), said)
        run = OpenRun(one, self.store.epoch, one, RunCause.INBOUND, 1, NOW, NOW)
        self.write(
            RunOpened(session, run, tail),
            MessageAppended(session, self.store.epoch, said),
            InboundTaken(session, receipt.inbox_id, one, Seq(1)),
        )
        return tail

    def answer(self, receipt: Receipt, tail: Tail, text: str, state: DeliveryState) -> None:
        session, one, key = receipt.session_id, Generation(1), f"d{receipt.session_id}"
        said = Message(Seq(2), one, "answer", Role.ASSISTANT, text, NOW + 1, finish="stop", answers_upto=Seq(1))
        delivery = Delivery(key, session, receipt.key, DeliveryKind.ANSWER, None, DeliveryState.OPEN, created_at=NOW)
        self.write(
            MessageAppended(session, self.store.epoch, said),
            DeliveryOpened(self.store.epoch, one, delivery),
            DeliveryFilled(key, text, NOW + 1, DeliveryKind.ANSWER),
            RunClosed(session, one, Ending.ANSWERED, NOW + 1),
        )
        self.write(DeliveryMoved(replace(delivery, text=text, state=state, message_ids=("m1",), attempts=1), NOW + 2))

    def end(self, *, in_order: bool = True) -> None:
        if in_order:
            assert self.store.close("test")
        else:
            self.store.abandon()
        self.runtime.close(10)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    living = Life(tmp_path / "room.db")
    yield living
    living.end(in_order=False)


@pytest.fixture
def views(life: Life) -> Iterator[apsw.Connection]:
    db = open_views(life.path)
    yield db
    db.close()


def states(rows: Sequence[object]) -> dict[str, SessionState]:
    return {row.key.split(":")[2]: row.state for row in rows}  # type: ignore[attr-defined]


def fill(life: Life) -> None:
    """One session in each state, in the order of their names below."""
    life.inbound("waiting")
    life.open_run(life.inbound("running"))
    asked = life.inbound("asking")
    tail = life.open_run(asked)
    question = Message(Seq(2), Generation(1), "q", Role.ASSISTANT, "Which?", NOW, MessageKind.QUESTION)
    life.write(
        MessageAppended(asked.session_id, life.store.epoch, question),
        QuestionAsked(asked.session_id, life.store.epoch, Generation(1), Generation(1), Question("q", "Which?"), NOW),
        RunProgressed(asked.session_id, Generation(1), NOW, extend_tail(tail, question), 1),
    )
    idle, owing = life.inbound("idle"), life.inbound("owing")
    life.answer(idle, life.open_run(idle), "Hi.", DeliveryState.DELIVERED)
    life.answer(owing, life.open_run(owing), "Soon.", DeliveryState.RETRY)
    quarantined, suspended = life.inbound("quarantined"), life.inbound("suspended")
    life.write(SessionQuarantined(quarantined.session_id, "attempts", NOW), SessionSuspended(suspended.session_id, NOW))


def test_each_state_of_a_session_has_its_word(life: Life, views: apsw.Connection) -> None:
    fill(life)
    found = states(read_sessions(views, live=True))
    assert found == {name: SessionState(name) for name in found}
    assert set(found) == {state.value for state in SessionState} - {"interrupted"}


def test_a_run_that_nobody_works_on_is_interrupted(life: Life, views: apsw.Connection) -> None:
    life.open_run(life.inbound("cut"))
    assert states(read_sessions(views, live=True)) == {"cut": SessionState.RUNNING}
    assert states(read_sessions(views, live=False)) == {"cut": SessionState.INTERRUPTED}


def test_a_run_of_a_former_life_is_interrupted_while_the_next_one_lives(tmp_path: Path) -> None:
    former = Life(tmp_path / "room.db")
    former.open_run(former.inbound("cut"))
    former.end(in_order=False)
    now = Life(tmp_path / "room.db")
    db = open_views(now.path)
    assert states(read_sessions(db, live=True)) == {"cut": SessionState.INTERRUPTED}
    assert [boot.ending for boot in read_store_status(db).boots] == [None, "unclean"]
    db.close()
    now.end()


@pytest.mark.parametrize(
    "only, names",
    [
        (Only.OPEN, {"running", "asking"}),
        (Only.WAITING, {"waiting", "quarantined", "suspended"}),
        (Only.OWING, {"owing"}),
        (Only.ASIDE, {"quarantined", "suspended"}),
    ],
)
def test_a_list_can_be_narrowed(life: Life, views: apsw.Connection, only: Only, names: set[str]) -> None:
    fill(life)
    assert set(states(read_sessions(views, live=True, only=only))) == names


def test_pages_follow_each_other_without_gap_or_overlap(life: Life, views: apsw.Connection) -> None:
    receipts = [life.inbound(f"chat{n}") for n in range(7)]
    seen: list[SessionId] = []
    before: SessionId | None = None
    while page := read_sessions(views, live=True, before=before, limit=3):
        seen += [row.id for row in page]
        before = page[-1].id
    assert seen == sorted((receipt.session_id for receipt in receipts), reverse=True)


def test_the_status_counts_what_is_open(life: Life, views: apsw.Connection) -> None:
    fill(life)
    status = read_store_status(views)
    assert (status.sessions, status.runs_open, status.asking, status.set_aside) == (7, 2, 1, 2)
    assert (status.inbound_waiting, status.deliveries_owed, status.dead_letters) == (3, 1, 0)
    assert status.messages == 7
    assert status.bytes > 0
    life.inbound("new")
    life.inbound("new", "/resume", ordered=Command.RESUME)
    assert read_store_status(views).inbound_waiting == 4, "what an operator orders is no message"


def test_every_view_is_answered_by_an_index(life: Life, views: apsw.Connection) -> None:
    """Plans are looked at, since time must not be measured. What may scan is named."""
    fill(life)
    plans: list[tuple[str, str]] = []

    def look(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        if not sql.startswith(("EXPLAIN", "PRAGMA", "BEGIN", "COMMIT")):
            # Another connection: one that is being traced must not be asked meanwhile.
            steps = planner.execute(f"EXPLAIN QUERY PLAN {sql}", bindings).fetchall()  # type: ignore[arg-type]
            plans.extend((sql, str(step[3])) for step in steps)
        return True

    planner = open_views(life.path)
    views.exec_trace = look
    for only in (None, *Only):
        read_sessions(views, live=True, only=only)
    read_session_view(views, SessionId(1), live=True)
    read_decisions(views, SessionId(1))
    read_store_status(views)
    find_session(views, "web:lo")
    planner.close()
    scans = {step for _, step in plans if step.startswith("SCAN")}
    bounded = (
        "ownership",
        "meta",
        "pragma",
        "dead_letters",
        "refusals",
        "boots",
        "sqlite_sequence",
        "CONSTANT",
        "(subquery",
    )
    partial = ("runs_open", "inbox_waiting", "deliveries_owed", "sessions_set_aside", "tool_calls_in_doubt")
    assert plans
    assert not {scan for scan in scans if not any(word in scan for word in (*bounded, *partial))}


def test_a_session_is_shown_with_all_that_belongs_to_it(life: Life, views: apsw.Connection) -> None:
    receipt = life.inbound("full")
    tail = life.open_run(receipt)
    call = ToolCall("k1", "append", json.dumps({"line": "x"}), ToolPolicy.ONCE)
    epoch, one = life.store.epoch, Generation(1)
    life.write(ToolStarted(receipt.session_id, epoch, one, one, call, NOW))
    life.write(ToolEnded(receipt.session_id, one, "k1", "done", failed=False, at=NOW))
    life.answer(receipt, tail, "Hi.", DeliveryState.DELIVERED)
    page = read_session_view(views, receipt.session_id, live=True)
    assert page is not None
    assert [(m.role, m.text) for m in page.messages] == [(Role.USER, "hello"), (Role.ASSISTANT, "Hi.")]
    assert [(r.generation, r.open, r.ending) for r in page.runs] == [(1, False, "answered")]
    assert [(t.name, t.policy, t.result, t.failed) for t in page.tools] == [("append", "once", "done", False)]
    assert [(d.state, d.text, d.message_ids) for d in page.deliveries] == [("delivered", "Hi.", ("m1",))]
    assert (page.questions, page.processes) == ((), ())
    assert page.session.state is SessionState.IDLE


def test_a_transcript_is_paged_from_its_end(life: Life, views: apsw.Connection) -> None:
    receipt = life.inbound("long")
    life.answer(receipt, life.open_run(receipt), "Hi.", DeliveryState.DELIVERED)
    last = read_session_view(views, receipt.session_id, live=True, last=1)
    assert last is not None
    before = read_session_view(views, receipt.session_id, live=True, last=1, before=last.messages[0].seq)
    assert before is not None
    assert [page.messages[0].seq for page in (last, before)] == [2, 1]


def test_an_unknown_number_is_no_session(life: Life, views: apsw.Connection) -> None:
    assert read_session(views, SessionId(99), live=True) is None
    assert read_session_view(views, SessionId(99), live=True) is None


def decided(session: SessionId, life: Life, rule: str, at: float) -> DecisionStored:
    return DecisionStored(session, life.store.epoch, Generation(0), rule, "skip", '{"age_s": 4.0}', at)


def test_decisions_are_kept_with_their_inputs_and_the_newest_of_a_boot_counts(tmp_path: Path) -> None:
    former = Life(tmp_path / "room.db")
    receipt = former.inbound("a")
    former.write(decided(receipt.session_id, former, "STALE", NOW))
    former.end()
    life = Life(tmp_path / "room.db")
    life.write(decided(receipt.session_id, life, "NOT_CONNECTED", NOW + 1))
    life.write(decided(receipt.session_id, life, "RESUME", NOW + 2))
    db = open_views(life.path)
    assert [d.rule for d in read_decisions(db, receipt.session_id)] == ["STALE", "NOT_CONNECTED", "RESUME"]
    assert read_decisions(db, receipt.session_id)[0].inputs == {"age_s": 4.0}
    assert [(s, d.rule) for s, d in read_boot_decisions(db, life.store.epoch)] == [(receipt.session_id, "RESUME")]
    db.close()
    life.end()


def test_a_session_is_found_by_number_by_key_and_by_the_beginning_of_its_key(
    life: Life, views: apsw.Connection
) -> None:
    receipt = life.inbound("oslo")
    life.inbound("bergen")
    for name in (str(receipt.session_id), "web:local:oslo", "web:local:o"):
        assert find_session(views, name) == receipt.session_id


BAD_NAMES = {
    "web:local:": (True, {"web:local:bergen", "web:local:oslo"}),
    "web:local:osol": (False, {"web:local:oslo"}),
    "OSLO": (False, {"web:local:oslo"}),
    "bergn": (False, {"web:local:bergen"}),
    "zzzzzz": (False, set()),
    "": (False, set()),
    "99": (False, set()),
    "9" * 40: (False, set()),
    "\udcff": (False, set()),
    "'; DROP TABLE sessions; --": (False, set()),
}


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_an_unknown_name_says_what_may_have_been_meant(life: Life, views: apsw.Connection, name: str) -> None:
    life.inbound("oslo")
    life.inbound("bergen")
    ambiguous, similar = BAD_NAMES[name]
    found = find_session(views, name)
    assert isinstance(found, NoSession)
    assert (found.ambiguous, set(found.similar)) == (ambiguous, similar)


def test_where_there_is_no_database_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="there is no database here"):
        open_views(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.db").write_text("not a database at all, but long enough to have a header" * 20)
    (tmp_path / "empty.db").touch()
    for name in ("words.db", "empty.db"):
        with pytest.raises(CannotOpen):
            open_views(tmp_path / name)


def test_a_newer_database_is_refused_by_its_number(life: Life, views: apsw.Connection) -> None:
    path = life.path.with_name("newer.db")
    db = apsw.Connection(str(life.path))
    db.execute("VACUUM INTO ?", (str(path),))
    db.close()
    db = apsw.Connection(str(path))
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(CannotOpen, match="newer greenroom"):
        open_views(path)
