from typing import Any

from greenroom.actors.model import InboxId, Message, Receipt, Role, Seq, SessionId, SessionKey
from greenroom.actors.simulation import SimRuntime
from greenroom.actors.store import AnswerTo, ReadFailed
from greenroom.supervisor.answers import Answers, NoAnswer, Waiter

RECEIPT = Receipt(InboxId(1), SessionId(1), SessionKey("web", "bot", "ann"))
ANSWER = Message(Seq(2), 1, "end.1", Role.ASSISTANT, "hi", 1.0, finish="stop", answers_upto=Seq(1))  # type: ignore[arg-type]


class Reads:
    """A store of which only reads are wanted; they are answered by hand."""

    def __init__(self) -> None:
        self.open: list[Any] = []

    def read(self, query: AnswerTo, then: Any) -> None:
        assert query == AnswerTo(RECEIPT)
        self.open.append(then)


def waiting() -> tuple[SimRuntime, Answers, Any, list[Any]]:
    runtime = SimRuntime(1)
    store, heard = Reads(), list[Any]()
    answers = Answers(runtime.timers, lambda: store)  # type: ignore[arg-type,return-value]
    answers.add(Waiter(RECEIPT, heard.append))
    return runtime, answers, store, heard


def test_a_waiter_is_told_once_however_often_it_is_looked() -> None:
    _, answers, store, heard = waiting()
    store.open.pop()(None)
    answers.look(RECEIPT.key)
    answers.look(RECEIPT.key)
    for then in store.open:
        then(ANSWER)
    answers.end("over")
    assert heard == [ANSWER]


def test_whoever_waits_for_a_session_that_is_set_aside_hears_so_unless_the_answer_is_there() -> None:
    _, answers, store, heard = waiting()
    store.open.pop()(None)
    answers.set_aside(SessionId(1), RECEIPT.key)
    store.open.pop()(None)
    later: list[Any] = []
    answers.add(Waiter(RECEIPT, later.append))
    store.open.pop()(None)
    assert [type(each) for each in heard] == [type(each) for each in later] == [NoAnswer]
    assert heard[0].why == (
        "the conversation web:bot:ann is set aside (quarantined) after too many attempts that got nowhere; nothing of it "
        "is lost: find out why, then: greenroom release web:bot:ann"
    )
    answers.add(Waiter(RECEIPT, later.append))
    store.open.pop()(ANSWER)
    assert later[1] == ANSWER


def test_a_question_that_could_not_be_answered_is_put_again() -> None:
    runtime, _, store, heard = waiting()
    store.open.pop()(ReadFailed("the disk is away"))
    runtime.advance(1)
    store.open.pop()(ANSWER)
    assert heard == [ANSWER]


def test_a_question_is_put_again_to_the_store_that_is_open_then() -> None:
    runtime, heard = SimRuntime(1), list[Any]()
    fallen, reopened = Reads(), Reads()
    standing: list[Reads | None] = [fallen]
    answers = Answers(runtime.timers, lambda: standing[0])  # type: ignore[arg-type,return-value]
    answers.add(Waiter(RECEIPT, heard.append))
    standing[0] = reopened
    answers.look_again()
    reopened.open.pop()(ReadFailed("busy"))
    fallen.open.pop()(ReadFailed("closed"))  # It was asked before, and answers last.
    runtime.advance(1)
    assert fallen.open == []
    reopened.open.pop()(ANSWER)
    assert heard == [ANSWER]


def test_who_comes_at_the_moment_at_which_a_store_is_opened_is_looked_for() -> None:
    heard, opened = list[Any](), Reads()
    standing: list[Reads | None] = [None]
    answers = Answers(SimRuntime(1).timers, lambda: standing[0])  # type: ignore[arg-type,return-value]
    answers.add(Waiter(RECEIPT, heard.append))
    assert opened.open == []
    standing[0] = opened
    answers.look_again()
    opened.open.pop()(ANSWER)
    assert heard == [ANSWER]


def test_nobody_looks_for_one_who_has_gone() -> None:
    runtime = SimRuntime(1)
    store, heard = Reads(), list[Any]()
    answers = Answers(runtime.timers, lambda: store)  # type: ignore[arg-type,return-value]
    waiter = Waiter(RECEIPT, heard.append)
    answers.add(waiter)
    assert answers.remove(waiter)
    assert not answers.remove(waiter)
    store.open.pop()(ReadFailed("away"))
    answers.look_again()
    runtime.advance(5)
    assert (store.open, heard) == ([], [])


def test_at_the_end_everybody_hears_and_so_does_who_comes_later() -> None:
    _, answers, _, heard = waiting()
    answers.end("closed")
    answers.add(Waiter(RECEIPT, heard.append))
    assert heard == [NoAnswer("closed")] * 2
