"""The store on a real disk, with real threads and, where it matters, real processes."""

import os
import threading
from pathlib import Path

import pytest
from tests.storage.store_house import KEY, WAIT_S, House, Waiter, count, hold, inbound, opened, said

from greenroom.actors.facts import DecisionStored, InboundTaken
from greenroom.actors.model import (
    Epoch,
    Generation,
    InboxId,
    Receipt,
    Seq,
    SessionId,
    Snapshot,
)
from greenroom.actors.runtime import MailboxFull
from greenroom.actors.store import Committed, ReadAnswer, ReadFailed, RefusalKind, Refused, SnapshotOf
from greenroom.storage.boots import BootEnding
from greenroom.storage.lock import Held
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.store import ACCEPTS_MAX


def test_what_was_committed_is_read_by_who_wrote_it(house: House) -> None:
    receipt = Receipt(InboxId(1), SessionId(1), KEY)
    assert house.write(inbound()) == Committed((receipt,))
    snapshot = house.read(SnapshotOf(SessionId(1)))
    assert isinstance(snapshot, Snapshot)
    assert [each.id for each in snapshot.waiting] == [1]


def test_an_inbound_is_accepted_once_and_recognised_when_it_comes_again(house: House) -> None:
    answers = Waiter()
    for _ in range(2):
        house.store.accept(inbound().inbound, 1.0, answers)
    first, second = answers.wait(2)
    assert first.receipts[0].repeated is False
    assert second.receipts == (Receipt(InboxId(1), SessionId(1), KEY, repeated=True),)


def test_a_chat_in_which_too_much_waits_is_put_off_and_keeps_nobody_else_out(path: Path) -> None:
    house = House(path, backlog_max=2)
    answers = Waiter()
    for number, chat in ((1, "1"), (2, "1"), (3, "1"), (4, "2"), (1, "1")):
        house.store.accept(inbound(number, chat).inbound, 1.0, answers)
    first, _, third, other, again = answers.wait(5)
    assert isinstance(third, Refused)
    assert third.kind is RefusalKind.CROWDED
    assert "policy.chat_backlog_max" in third.detail
    assert other.receipts[0].session_id == 2
    assert again.receipts[0].repeated, "what is stored is acknowledged, however much waits"
    house.write(InboundTaken(SessionId(1), first.receipts[0].inbox_id, Generation(0), Seq(1)))
    house.store.accept(inbound(3).inbound, 1.0, answers)
    assert isinstance(answers.wait(6)[5], Committed)
    house.close()


def test_answers_come_in_the_order_of_the_offers(house: House) -> None:
    order: list[int] = []
    done = Waiter()
    for number in range(500):

        def then(answer: object, number: int = number) -> None:
            order.append(number)
            done(answer)

        house.store.write((inbound(number),), then)
    done.wait(500)
    assert order == list(range(500))


def test_one_request_that_contradicts_what_is_stored_fails_alone(house: House) -> None:
    epoch = house.store.epoch
    house.write(inbound(), opened(epoch))
    gate = threading.Event()
    house.store.write((), hold(gate))  # What follows waits together, and forms one group.
    offers = [
        house.offer(said(epoch, 1)),
        house.offer(said(epoch, 2), said(epoch, 1, "something else")),
        house.offer(said(Epoch(99), 3)),
        house.offer(said(epoch, 3, "a lone surrogate \ud800")),
        house.offer(said(epoch, 2, "the neighbour")),
    ]
    gate.set()
    good, conflict, stale, unwritable, neighbour = (offer.wait(1)[0] for offer in offers)
    assert good == neighbour == Committed()
    assert isinstance(conflict, Refused)
    assert isinstance(stale, Refused)
    assert isinstance(unwritable, Refused)
    assert (conflict.kind, stale.kind, unwritable.kind) == (
        RefusalKind.CONFLICT,
        RefusalKind.STALE_WRITER,
        RefusalKind.CONFLICT,
    )
    assert count(house.path, "messages") == 2


def test_a_request_is_written_whole_or_not_at_all(house: House) -> None:
    answer = house.write(inbound(1), inbound(2), said(house.store.epoch, 1))
    assert isinstance(answer, Refused)
    assert count(house.path, "inbox") == 0


def test_a_listener_that_raises_leaves_its_neighbours_their_answers(house: House) -> None:
    def broken(_answer: object) -> None:
        raise RuntimeError("not my day")

    house.store.write((inbound(1),), broken)
    assert house.write(inbound(2)) == Committed((Receipt(InboxId(2), SessionId(1), KEY),))
    house.store.read(SnapshotOf(SessionId(1)), broken)
    assert isinstance(house.read(SnapshotOf(SessionId(1))), Snapshot)


def test_a_question_that_cannot_be_answered_says_so(house: House) -> None:
    answer = house.read("what is the meaning of it all?")
    assert isinstance(answer, ReadFailed)
    assert house.read(SnapshotOf(SessionId(9))) is None


def test_the_door_is_closed_to_inbound_that_finds_no_room_and_to_nothing_else(house: House) -> None:
    gate, answers = threading.Event(), Waiter()
    house.store.write((), hold(gate))
    for number in range(ACCEPTS_MAX):
        house.store.accept(inbound(number).inbound, 1.0, answers)
    with pytest.raises(MailboxFull, match="accepts_max"):
        house.store.accept(inbound(ACCEPTS_MAX).inbound, 1.0, answers)
    late = house.offer(inbound(1, chat="2"))
    gate.set()
    answers.wait(ACCEPTS_MAX)
    assert isinstance(late.wait(1)[0], Committed)
    house.store.accept(inbound(ACCEPTS_MAX).inbound, 1.0, answers)
    answers.wait(ACCEPTS_MAX + 1)


def test_each_opening_is_an_epoch_and_remembers_how_the_last_one_ended(path: Path) -> None:
    first = House(path)
    assert first.store.epoch == 1
    assert first.close()
    second = House(path)
    second.store.abandon()
    second.runtime.close(WAIT_S)
    third = House(path)
    assert third.store.epoch == 3
    assert third.store.uid == first.store.uid
    assert len(third.store.uid) == 8
    boots = third.store.boots
    third.close()
    assert [(boot.epoch, boot.ending, boot.reason, boot.version) for boot in boots] == [
        (3, None, None, "1.2"),
        (2, BootEnding.UNCLEAN, None, "1.2"),
        (1, BootEnding.CLEAN, "the test is over", "1.2"),
    ]


def test_what_waits_when_the_store_is_closed_is_written_first_and_what_comes_later_is_refused(path: Path) -> None:
    house = House(path)
    offers = [house.offer(inbound(number)) for number in range(100)]
    assert house.close()
    assert all(isinstance(offer.wait(1)[0], Committed) for offer in offers)
    late = house.write(inbound(100))
    assert isinstance(late, Refused)
    assert late.kind is RefusalKind.CLOSED
    assert isinstance(house.read(SnapshotOf(SessionId(1))), ReadFailed)
    assert count(path, "inbox") == 100


def test_a_question_behind_the_end_of_the_readers_is_answered(house: House) -> None:
    late, reader = Waiter(), house.store._aides.reader
    assert reader is not None

    def end_and_ask(_: ReadAnswer) -> None:
        reader.stop(block=False)
        house.store.read(SnapshotOf(SessionId(1)), late)

    house.store.read(SnapshotOf(SessionId(1)), end_and_ask)
    assert isinstance(late.wait(1)[0], ReadFailed)


def test_a_closed_store_leaves_one_file_its_index_and_its_lock(path: Path) -> None:
    before = set(threading.enumerate())
    house = House(path)
    house.write(inbound())
    house.close()
    assert {file.name for file in path.parent.iterdir()} == {"bot.db", "bot.db.search", "bot.db.lock"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(threading.enumerate()) <= before


def test_a_second_owner_is_refused_while_the_first_lives(house: House) -> None:
    with pytest.raises(Held, match=f"pid {os.getpid()}"):
        House(house.path)


def test_a_file_that_is_no_database_starts_nothing_and_names_the_salvage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database at all, whatever its name says" * 200)
    with pytest.raises(CannotOpen, match=r"greenroom doctor --repair --db \S+"):
        House(path)
    with pytest.raises(CannotOpen):
        House(path)  # The lock was given back.


def test_a_decision_is_stored_with_its_inputs(house: House) -> None:
    house.write(inbound())
    decision = DecisionStored(SessionId(1), house.store.epoch, Generation(0), "STALE", "skip", '{"fresh_s": 1}', 3.0)
    assert house.write(decision) == Committed()
    assert count(house.path, "decisions") == 1
