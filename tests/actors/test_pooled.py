"""What our actors promise beyond pykka: contained failures, bounded mailboxes, kill, batches. In both worlds."""

import threading
from typing import Any

import pykka
import pytest

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import Letter, PooledActor
from greenroom.actors.runtime import Awaited, Failure, MailboxFull, Solicited, Where
from greenroom.actors.simulation import SimRuntime

Runtimes = PoolRuntime | SimRuntime


class Fragile(PooledActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message


class StillBorn(PooledActor):
    def on_start(self) -> None:
        raise OSError("no ground")


class Unquiet(PooledActor):
    """Fails while it ends, in every way there is."""

    def on_stop(self) -> None:
        raise OSError("at the end")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        raise OSError("after the failure")

    def on_receive(self, message: Any) -> Any:
        raise ValueError(message)


class Loaded(Solicited):
    pass


class Choked(PooledActor):
    """Fills its own mailbox, so that nothing can drain it meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def on_receive(self, message: Any) -> Any:
        self.heard.append(message)
        if message == "choke":
            for n in range(3):
                self.actor_ref.tell(n)
            self.actor_ref.tell("one too many")
        if message == "solicit":
            for n in range(3):
                self.actor_ref.tell(n)
            self.actor_ref.tell(Loaded())
            self.stop()
        return message


class Question(Awaited):
    """Somebody waits for what becomes of it."""

    def __init__(self) -> None:
        self.turned_back = threading.Event()

    def turn_back(self) -> None:
        self.turned_back.set()


class Leaver(PooledActor):
    """Ends, and is asked something behind that."""

    def on_receive(self, message: Any) -> None:
        assert not isinstance(message, Question), "it has ended"
        self.stop()
        for question in message:
            self.actor_ref.tell(question)


class Hoarder(PooledActor):
    """Takes all that waits at once, as the storage actor does."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Any]] = []

    def on_receive_many(self, letters: list[Letter]) -> None:
        self.batches.append([letter.message for letter in letters])
        for letter in letters:
            match letter.message:
                case ValueError():
                    letter.fail(letter.message)
                case BaseException():
                    raise letter.message
                case "again", int(more):
                    for n in range(more):
                        self.actor_ref.tell(n)
                case str() as text if letter.asked:
                    letter.answer(text.upper())
                    letter.answer("a second answer is ignored")


def gone(ref: Any) -> bool:
    """Wait until the actor has ended."""
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("anyone?", timeout=10)
    return not ref.is_alive()


def seen(failures: list[Failure]) -> list[tuple[Where, str, type[BaseException], bool]]:
    return [(failure.where, failure.actor, type(failure.error), failure.stopped) for failure in failures]


def test_what_somebody_waits_for_is_turned_back_where_the_actor_ends_before_it(runtime: Runtimes) -> None:
    questions = [Question(), Question()]
    runtime.start(Leaver).tell(questions)
    if isinstance(runtime, SimRuntime):
        runtime.run()
    assert all(question.turned_back.wait(10) for question in questions)


def test_a_killed_process_turns_nothing_back(simulation: SimRuntime) -> None:
    question = Question()
    simulation.start(Hoarder).tell(question)
    simulation.crash()
    assert not question.turned_back.is_set()


def test_an_error_in_an_ask_is_reported_too(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(Fragile)
    with pytest.raises(KeyError):
        ref.ask(KeyError("x"), timeout=10)
    ref.ask("settled", timeout=10)
    assert seen(failures) == [(Where.ASK, "Fragile", KeyError, False)]
    assert (failures[0].ref, failures[0].urn) == (ref, f"{ref.actor_urn}")


def test_an_error_in_a_tell_ends_the_actor_and_is_reported(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(Fragile)
    ref.tell(KeyError("x"))
    assert gone(ref)
    assert seen(failures) == [(Where.TELL, "Fragile", KeyError, True)]


def test_an_error_in_on_start_ends_the_actor_and_is_reported(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(StillBorn)
    assert gone(ref)
    assert seen(failures) == [(Where.ON_START, "StillBorn", OSError, True)]


def test_an_error_in_on_stop_is_reported_and_the_stop_is_answered(runtime: Runtimes, failures: list[Failure]) -> None:
    assert runtime.start(Unquiet).stop(timeout=10) is True
    assert seen(failures) == [(Where.ON_STOP, "Unquiet", OSError, True)]


def test_an_error_in_on_failure_hides_neither_itself_nor_the_first(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(Unquiet)
    ref.tell("x")
    assert gone(ref)
    assert seen(failures) == [
        (Where.ON_FAILURE, "Unquiet", OSError, True),
        (Where.TELL, "Unquiet", ValueError, True),
    ]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_base_exception_ends_one_actor_and_no_other(
    runtime: Runtimes, failures: list[Failure], error: BaseException
) -> None:
    guest = pykka.ThreadingActor.start()
    neighbours = [runtime.start(Fragile) for _ in range(20)]
    told, asked = runtime.start(Fragile), runtime.start(Fragile)
    told.tell(error)
    assert gone(told)
    with pytest.raises(pykka.ActorDeadError, match="died of") as raised:
        asked.ask(error, timeout=10)
    assert raised.value.__cause__ is error
    assert gone(asked)
    assert [neighbour.ask("well", timeout=10) for neighbour in neighbours] == ["well"] * 20
    assert guest.is_alive(), "pykka itself would have stopped every actor of the process"
    guest.stop(timeout=10)
    assert [failure.where for failure in failures] == [Where.TELL, Where.ASK]
    assert all(failure.stopped for failure in failures)


def test_nothing_of_ours_is_ever_in_pykkas_registry(runtime: Runtimes, failures: list[Failure]) -> None:
    ref, failing = runtime.start(Fragile), runtime.start(Fragile)
    assert ref.ask("up", timeout=10) == "up"
    assert not pykka.ActorRegistry.get_by_class(Fragile)
    ref.stop(timeout=10)
    failing.tell(ValueError())
    assert gone(failing)
    assert not pykka.ActorRegistry.get_by_class(Fragile)


def test_a_failing_failure_callback_does_not_silence_the_others(runtime: Runtimes) -> None:
    heard: list[Failure] = []

    def broken(_failure: Failure) -> None:
        raise SystemExit

    runtime.on_failure(broken)
    runtime.on_failure(heard.append)
    ref = runtime.start(Fragile)
    ref.tell(ValueError())
    assert gone(ref)
    assert len(heard) == 1
    assert runtime.start(Fragile).ask("on", timeout=10) == "on"


def test_a_full_mailbox_refuses_and_names_the_limit(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(Choked, mailbox_max=3)
    heard = ref.proxy().heard.get(timeout=10)
    with pytest.raises(MailboxFull, match=r"Choked .* has 3 messages waiting, the limit is 3 \(mailbox_max\)"):
        ref.ask("choke", timeout=10)
    ref.stop(timeout=10)
    assert heard == ["choke", 0, 1, 2], "what was accepted is handled"


def test_the_limit_holds_while_the_actor_works_off_its_queue(simulation: SimRuntime) -> None:
    ref = simulation.start(Choked, mailbox_max=4)
    heard = ref.proxy().heard.get(timeout=10)
    answer = ref.ask("choke", block=False)
    for word in ("a", "b", "c"):
        ref.tell(word)
    with pytest.raises(MailboxFull, match="has 4 messages waiting"):
        answer.get(timeout=10)
    simulation.run()
    assert heard == ["choke", "a", "b", "c", 0], "there was room for one"


def test_what_was_asked_for_and_stop_enter_a_full_mailbox(runtime: Runtimes) -> None:
    ref = runtime.start(Choked, mailbox_max=3)
    heard = ref.proxy().heard.get(timeout=10)
    assert ref.ask("solicit", timeout=10) == "solicit"
    ref.stop(timeout=10)
    assert heard[:4] == ["solicit", 0, 1, 2]
    assert isinstance(heard[4], Loaded)


def test_who_knows_an_actor_that_was_never_born_gets_actor_dead_error(runtime: Runtimes) -> None:
    known: list[Any] = []

    class Unborn(PooledActor):
        def __init__(self) -> None:
            super().__init__()
            known.append(self.actor_ref)
            known.append(self.actor_ref.ask("early", block=False))
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        runtime.start(Unborn)
    assert gone(known[0])
    with pytest.raises(pykka.ActorDeadError):
        known[1].get(timeout=10)


def test_what_is_told_during_construction_is_handled_after_it(runtime: Runtimes) -> None:
    class Early(Choked):
        def __init__(self) -> None:
            super().__init__()
            self.actor_ref.tell("early")

    ref = runtime.start(Early)
    ref.ask("later", timeout=10)
    assert ref.proxy().heard.get(timeout=10) == ["early", "later"]


def test_a_mailbox_without_room_is_refused(runtime: Runtimes) -> None:
    with pytest.raises(ValueError, match="mailbox_max: must be at least 1, got 0"):
        runtime.start(Fragile, mailbox_max=0)


def test_refused_messages_never_come_back_as_handled_ones(pool: PoolRuntime) -> None:
    """Many senders against a small mailbox: handled is exactly accepted."""

    class Counter(PooledActor):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def on_receive(self, message: Any) -> Any:
            self.count += 1
            return self.count

    ref = pool.start(Counter, mailbox_max=10)
    accepted = [0] * 4

    def send(who: int) -> None:
        for n in range(5_000):
            try:
                ref.tell(n)
            except MailboxFull:
                continue
            accepted[who] += 1

    senders = [threading.Thread(target=send, args=(who,)) for who in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    final = 0
    while not final:
        try:
            final = ref.ask("count", timeout=10)
        except MailboxFull:
            continue
    assert final == sum(accepted) + 1


class Crowded(PooledActor):
    """Counts what waits for it while it is busy, as others see it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Any] = {}

    def on_receive(self, message: Any) -> Any:
        if message == "fill":
            for number in range(3):
                self.actor_ref.tell(number)
            self.seen = dict(self.runtime.depths())
        return self.seen


def test_actors_and_what_waits_for_them_are_counted_by_class(runtime: Runtimes) -> None:
    assert runtime.depths() == {}
    others = [runtime.start(Fragile) for _ in range(2)]
    crowded = runtime.start(Crowded)
    seen = crowded.ask("fill", timeout=20)
    assert (seen["Crowded"].actors, seen["Crowded"].messages, seen["Crowded"].deepest) == (1, 3, 3)
    assert (seen["Fragile"].actors, seen["Fragile"].messages) == (2, 0)
    others[0].stop(timeout=20)
    assert runtime.depths()["Fragile"].actors == 1
