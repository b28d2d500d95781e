"""Batches, dedicated threads, and actors that are killed instead of stopped."""

import threading
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope
from tests.actors.test_pooled import Choked, Fragile, Hoarder, Runtimes, gone, seen

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import Letter, PooledActor
from greenroom.actors.runtime import Failure, Where
from greenroom.actors.simulation import SimRuntime


class Killed(PooledActor):
    """Is killed in the middle of its own message, with more waiting."""

    def __init__(self, diary: list[Any]) -> None:
        super().__init__()
        self.diary = diary

    def on_stop(self) -> None:
        self.diary.append("stopped")

    def on_receive(self, message: Any) -> Any:
        self.diary.append(message)
        waiting = self.actor_ref.ask("never", block=False)
        killed = self.actor_ref.kill()
        self.diary.append(self.actor_ref.is_alive())
        return waiting, killed


def test_a_kill_skips_the_queue_and_answers_it_with_actor_dead_error(runtime: Runtimes) -> None:
    diary: list[Any] = []
    ref = runtime.start(Killed, diary)
    waiting, killed = ref.ask("last", timeout=10)
    killed.get(timeout=10)
    assert diary == ["last", False, "stopped"], "the message under way is finished, and on_stop runs once"
    with pytest.raises(pykka.ActorDeadError):
        waiting.get(timeout=10)
    ref.kill().get(timeout=10)
    assert diary.count("stopped") == 1
    assert not runtime.living


def test_a_kill_during_on_stop_does_not_stop_twice(runtime: Runtimes) -> None:
    stops: list[Any] = []

    class Late(PooledActor):
        def on_stop(self) -> None:
            stops.append(self.actor_ref.kill())

    assert runtime.start(Late).stop(timeout=10) is True
    stops[0].get(timeout=10)
    assert len(stops) == 1


def test_an_idle_actor_can_be_killed(runtime: Runtimes) -> None:
    diary: list[Any] = []
    runtime.start(Killed, diary).kill().get(timeout=10)
    assert diary == ["stopped"]


def test_each_letter_of_a_batch_is_answered_by_itself(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(Hoarder)
    asked = [ref.ask(word, block=False) for word in ("a", "b", ValueError("c"), 4)]
    assert asked[0].get(timeout=10) == "A"
    assert asked[1].get(timeout=10) == "B"
    with pytest.raises(ValueError, match="c"):
        asked[2].get(timeout=10)
    assert asked[3].get(timeout=10) is None, "unanswered is answered with None"
    assert not failures, "refusing a letter is an answer, not a failure"


def test_a_batch_that_raises_ends_the_actor_and_its_askers_hear_why(runtime: Runtimes, failures: list[Failure]) -> None:
    ref = runtime.start(Hoarder)
    with pytest.raises(OSError, match="disk"):
        ref.ask(OSError("disk"), timeout=10)
    assert gone(ref)
    assert seen(failures) == [(Where.TELL, "Hoarder", OSError, True)]


def test_a_stop_inside_a_batch_parts_it(runtime: Runtimes) -> None:
    ref = runtime.start(Hoarder)
    batches = ref.proxy().batches.get(timeout=10)
    ref.tell("before")
    assert ref.stop(timeout=10) is True
    assert [message for batch in batches for message in batch] == ["before"]


def test_a_batch_is_all_that_waits_on_threads(pool: PoolRuntime) -> None:
    ref = pool.start(Hoarder)
    ref.tell(("again", 300))
    ref.ask("barrier", timeout=10)
    batches = ref.proxy().batches.get(timeout=10)
    assert [message for batch in batches for message in batch if isinstance(message, int)] == list(range(300))
    assert max(map(len, batches)) >= 300, "what waited during one batch is the next one"


def test_a_simulation_tries_batches_of_many_sizes() -> None:
    sizes = set()
    for seed in range(30):
        simulation = SimRuntime(seed)
        ref = simulation.start(Hoarder)
        for n in range(4):
            ref.tell(n)
        simulation.run()
        batches = ref.proxy().batches.get(timeout=10)
        assert [message for batch in batches for message in batch] == [0, 1, 2, 3]
        sizes.add(tuple(map(len, batches)))
        simulation.close(10)
    assert len(sizes) >= 6, "of the eight ways to part four messages"
    assert (4,) in sizes


def test_a_dedicated_actor_is_an_ordinary_one_with_a_thread(runtime: Runtimes) -> None:
    class Slow(Hoarder):
        dedicated_thread = True

        def on_receive_many(self, letters: list[Letter]) -> None:
            for letter in letters:
                letter.answer(threading.current_thread().name)

    ref = runtime.start(Slow)
    names = {ref.ask(n, timeout=10) for n in range(3)}
    if isinstance(runtime, PoolRuntime):
        assert names == {f"greenroom-Slow-{ref.actor_inbox.number}"}
    else:
        assert names == {threading.current_thread().name}


def test_runtimes_know_nothing_of_each_other(runtime: Runtimes) -> None:
    other = SimRuntime(seed=7)
    ref = runtime.start(Fragile)
    stranger = other.start(Fragile)
    assert stranger.ask("hi", timeout=10) == ref.ask("hi", timeout=10)
    assert ref.proxy().runtime.get(timeout=10) is runtime
    other.close(10)
    assert not stranger.is_alive()
    assert ref.is_alive()


def test_an_envelope_sent_as_a_message_is_a_message(runtime: Runtimes) -> None:
    ref = runtime.start(Choked)
    letter = Envelope("inner", pykka.ThreadingFuture())
    ref.tell(letter)
    assert ref.proxy().heard.get(timeout=10) == [letter]
