"""What a chat shows, read from rows whose clock cannot be trusted."""

from collections.abc import Iterator
from itertools import count

import apsw
import pytest
from msgspec.structs import replace

from greenroom.actors.commands import Command
from greenroom.actors.facts import (
    DeliveryMoved,
    DeliveryOpened,
    Fact,
    InboundSettled,
    InboundStored,
    InboundTaken,
    QuestionAsked,
    RunClosed,
    RunOpened,
    SessionQuarantined,
    SessionSucceeded,
)
from greenroom.actors.keys import aside_key, reply_key
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    FreshCause,
    Generation,
    Inbound,
    InboxId,
    OpenRun,
    Question,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.actors.ports import Choices
from greenroom.storage.boots import take_ownership
from greenroom.storage.migrate import migrate
from greenroom.storage.shown import SESSIONS_MAX, read_settled, read_shown
from greenroom.storage.statements import write_fact

S, E, KEY = SessionId(1), Epoch(1), SessionKey("web", "bot", "ann")


class Chat:
    """A session's rows, written in an order and at times of their own."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self.inbound, self.delivered, self.generation = count(1), count(1), Generation(0)
        self.session = S

    def write(self, *facts: Fact) -> None:
        for fact in facts:
            write_fact(self.db, fact)

    def hears(self, text: str, at: float) -> InboxId:
        inbox_id = InboxId(next(self.inbound))
        self.write(InboundStored(Inbound(KEY, f"u{inbox_id}", text), at))
        return inbox_id

    def runs(self, *taken: InboxId, at: float = 0.0) -> None:
        self.generation = g = Generation(self.generation + 1)
        self.write(RunOpened(self.session, OpenRun(g, E, g, RunCause.INBOUND, 1, at, at), Tail()))
        self.takes(*taken)

    def takes(self, *taken: InboxId) -> None:
        self.write(*(InboundTaken(self.session, each, self.generation, Seq(each)) for each in taken))

    def says(self, text: str, at: float, kind: DeliveryKind = DeliveryKind.ANSWER) -> str:
        n = next(self.delivered)
        made = Delivery(f"d{n}", self.session, KEY, kind, text, DeliveryState.DELIVERED, (f"m{n}",), created_at=at)
        self.write(DeliveryOpened(E, self.generation, made), DeliveryMoved(made, at))
        return made.key

    def asks(self, text: str, at: float, after: InboxId, choices: tuple[str, ...] = ()) -> None:
        key = self.says(text, at, DeliveryKind.QUESTION)
        question = Question(f"q of {key}", text, choices, after=after, delivery=key)
        self.write(QuestionAsked(self.session, E, self.generation, self.generation, question, at))

    def begins_anew(self, at: float) -> None:
        self.write(RunClosed(self.session, self.generation, Ending.ANSWERED, at))
        receipt = write_fact(self.db, SessionSucceeded(self.session, FreshCause.ASKED, at))
        assert receipt is not None
        self.session, self.generation = receipt.session_id, Generation(0)

    def begun(self, last: int = 50) -> list[str]:
        return [each.text for each in read_shown(self.db, KEY, last) if each.begins]

    def shown(self, last: int = 50) -> list[str]:
        return [each.text for each in read_shown(self.db, KEY, last)]


@pytest.fixture
def chat() -> Iterator[Chat]:
    db = apsw.Connection(":memory:")
    migrate(db)
    take_ownership(db, uid_if_new="0badcafe", at=0.0, pid=1, version="0")
    yield Chat(db)
    db.close()


def test_a_clock_that_was_set_back_changes_no_order(chat: Chat) -> None:
    chat.runs(chat.hears("1", at=100.0))
    chat.says("re 1", at=101.0)
    chat.runs(chat.hears("2", at=50.0))
    chat.says("re 2", at=51.0)
    assert chat.shown() == ["1", "re 1", "2", "re 2"]
    assert chat.shown(3) == ["re 1", "2", "re 2"]
    assert chat.shown(0) == []


def test_what_answers_a_question_stands_after_it(chat: Chat) -> None:
    first = chat.hears("paint", at=100.0)
    chat.runs(first)
    chat.asks("which?", at=101.0, after=first, choices=("red", "blue"))
    chat.takes(chat.hears("red", at=50.0))
    chat.says("painted", at=51.0)
    assert chat.shown() == ["paint", "which?", "red", "painted"]
    assert [each.choices for each in read_shown(chat.db, KEY, 50)] == [None, Choices("d1", ("red", "blue")), None, None]


def test_what_waits_comes_last_but_for_a_line_of_ours_that_came_after_it(chat: Chat) -> None:
    chat.runs(chat.hears("1", at=1.0))
    chat.hears("2", at=2.0)
    chat.says("re 1", at=3.0)
    assert chat.shown() == ["1", "re 1", "2"]
    chat.says("set aside", at=4.0, kind=DeliveryKind.LINE)
    assert chat.shown() == ["1", "re 1", "2", "set aside"]


def test_a_chat_that_was_set_aside_is_settled_when_who_writes_was_told(chat: Chat) -> None:
    chat.runs(chat.hears("1", at=1.0))
    chat.write(SessionQuarantined(S, "loops", 2.0))
    assert read_settled(chat.db, KEY)
    told = chat.hears("2", at=3.0)
    assert not read_settled(chat.db, KEY)
    line = Delivery(aside_key(told), S, KEY, DeliveryKind.LINE, "aside", DeliveryState.PENDING)
    chat.write(DeliveryOpened(E, chat.generation, line))
    assert not read_settled(chat.db, KEY)
    chat.write(DeliveryMoved(replace(line, state=DeliveryState.DELIVERED, message_ids=("m",)), 4.0))
    assert read_settled(chat.db, KEY)


def test_a_chat_shows_the_conversations_before_too_and_where_each_began(chat: Chat) -> None:
    for n in (1, 2, 3):
        chat.runs(chat.hears(f"{n}", at=n))
        chat.says(f"re {n}", at=n)
        if n < 3:
            chat.begins_anew(at=n)
    assert chat.shown() == ["1", "re 1", "2", "re 2", "3", "re 3"]
    assert chat.begun() == ["2", "3"]
    assert (chat.shown(4), chat.begun(4)) == (["2", "re 2", "3", "re 3"], ["2", "3"])
    assert (chat.shown(3), chat.begun(3)) == (["re 2", "3", "re 3"], ["3"])
    assert (chat.shown(1), chat.begun(1)) == (["re 3"], [])


def test_what_waits_and_what_was_handed_on_are_shown_as_one(chat: Chat) -> None:
    chat.runs(chat.hears("1", at=1.0))
    chat.says("re 1", at=1.5)
    chat.begins_anew(at=2.0)
    assert chat.shown() == ["1", "re 1"]
    chat.hears("2", at=3.0)
    assert (chat.shown(), chat.begun()) == (["1", "re 1", "2"], ["2"])


def test_a_conversation_whose_rows_are_forgotten_hides_none_before_it_and_a_look_has_an_end(chat: Chat) -> None:
    chat.runs(chat.hears("1", at=1.0))
    for _ in range(SESSIONS_MAX - 1):
        chat.begins_anew(at=2.0)
    assert chat.shown() == ["1"]
    chat.begins_anew(at=2.0)
    assert chat.shown() == []


def test_an_order_stands_before_its_reply_and_after_what_was_said_before_it(chat: Chat) -> None:
    chat.runs(chat.hears("1", at=1.0))
    chat.says("re 1", at=2.0)
    order = chat.hears("/status", at=3.0)
    chat.hears("2", at=4.0)
    line = Delivery(reply_key(order), S, KEY, DeliveryKind.LINE, "Nothing runs.", DeliveryState.DELIVERED, ("m9",))
    chat.write(InboundSettled(S, order, chat.generation), DeliveryOpened(E, chat.generation, line))
    assert chat.shown() == ["1", "re 1", "/status", "Nothing runs.", "2"]
    assert chat.shown(3) == ["/status", "Nothing runs.", "2"]
    chat.db.execute("DELETE FROM deliveries WHERE key = ?", (line.key,))
    assert chat.shown() == ["1", "/status", "re 1", "2"]


def test_what_an_operator_ordered_is_not_shown_as_what_the_person_wrote(chat: Chat) -> None:
    chat.hears("1", at=1.0)
    chat.write(InboundStored(Inbound(KEY, "operator.x", "hello all", ordered=Command.SEND), 2.0))
    assert chat.shown() == ["1"]


def test_a_chat_that_nobody_spoke_in_shows_nothing(chat: Chat) -> None:
    assert chat.shown() == []
