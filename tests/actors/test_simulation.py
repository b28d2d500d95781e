"""The simulation: one seed one run, virtual time, deadlocks found, crashes total."""

import asyncio
import threading
from typing import Any

import pykka
import pytest

from greenroom.actors.pooled import Letter, PooledActor
from greenroom.actors.runtime import Deadlock, Failure, MailboxFull, Where
from greenroom.actors.simulation import SimRuntime


class Writer(PooledActor):
    def __init__(self, name: str, book: list[str]) -> None:
        super().__init__()
        self.name = name
        self.book = book

    def on_receive(self, message: Any) -> Any:
        self.book.append(f"{self.name}{message}")
        return message


class Asker(PooledActor):
    onward: Any = None

    def on_receive(self, message: Any) -> Any:
        return self.onward.ask(message, timeout=5)


def play(seed: int) -> tuple[str, list[str]]:
    """Everything that can be ready at once: actors, a loop, timers, batches."""
    simulation = SimRuntime(seed)
    book: list[str] = []
    writers = [simulation.start(Writer, name, book) for name in "abc"]

    class Group(PooledActor):
        def on_receive_many(self, letters: list[Letter]) -> None:
            book.append(f"group of {len(letters)}")

    group = simulation.start(Group)

    async def agent(name: str) -> None:
        for n in range(3):
            await asyncio.sleep(simulation.random.random())
            book.append(f"{name}{n}")

    for name in "xyz":
        simulation.loop("agents").spawn(agent(name), name=name, done=None)
    for n in range(5):
        simulation.timers.arm(n, n * 0.2, lambda n=n: book.append(f"timer{n}"))  # type: ignore[misc]
        group.tell(n)
        for writer in writers:
            writer.tell(n)
    simulation.run()
    return simulation.trace_hash(), book


def test_the_same_seed_gives_the_same_run() -> None:
    for seed in range(20):
        assert play(seed) == play(seed)


def test_different_seeds_explore_different_orders() -> None:
    runs = [play(seed) for seed in range(20)]
    assert len({trace for trace, _ in runs}) == 20
    assert len({tuple(book) for _, book in runs}) == 20


def test_every_order_of_three_actors_is_met() -> None:
    orders = set()
    for seed in range(200):
        simulation = SimRuntime(seed)
        book: list[str] = []
        for name in "abc":
            simulation.start(Writer, name, book).tell("")
        simulation.run()
        orders.add("".join(book))
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_messages_of_one_sender_keep_their_order_under_every_seed() -> None:
    for seed in range(50):
        _, book = play(seed)
        for name in "abc":
            assert [entry for entry in book if entry[0] == name] == [f"{name}{n}" for n in range(5)]


def test_ten_thousand_actors_lose_nothing(simulation: SimRuntime) -> None:
    book: list[str] = []
    refs = [simulation.start(Writer, "w", book) for _ in range(10_000)]
    for n in range(3):
        for ref in refs:
            ref.tell(n)
    simulation.run()
    assert len(book) == 30_000


def test_time_passes_only_when_nothing_is_ready(simulation: SimRuntime) -> None:
    book: list[str] = []
    simulation.timers.arm("k", 3_600, lambda: book.append("an hour later"))
    ref = simulation.start(Writer, "w", book)
    ref.tell(1)
    assert simulation.run(until_s=0) == 1
    assert simulation.now == 0
    assert simulation.run() > 0
    assert book == ["w1", "an hour later"]
    assert simulation.now == 3_600


def test_advance_lets_what_is_due_happen_and_no_more(simulation: SimRuntime) -> None:
    rung: list[int] = []
    for s in (1, 2, 3):
        simulation.timers.arm(s, s, lambda s=s: rung.append(s))  # type: ignore[misc]
    simulation.advance(2.5)
    assert (rung, simulation.now) == ([1, 2], 2.5)
    simulation.advance(0.5)
    assert rung == [1, 2, 3]


def test_run_stops_after_max_steps(simulation: SimRuntime) -> None:
    def again() -> None:
        simulation.timers.arm("again", 1, again)

    again()
    assert simulation.run(max_steps=100) == 100


def test_the_wall_clock_jumps_and_timers_do_not_notice(simulation: SimRuntime) -> None:
    rung: list[str] = []
    before = simulation.clock.now()
    simulation.timers.arm("k", 60, lambda: rung.append("k"))
    simulation.jump_wall(-86_400)
    assert simulation.clock.now() == before - 86_400
    simulation.advance(59)
    assert not rung
    simulation.advance(1)
    assert rung
    assert simulation.clock.now() == before - 86_400 + 60
    assert simulation.clock.monotonic() == 60


def test_timers_are_replaced_cancelled_and_contained(simulation: SimRuntime) -> None:
    reported: list[Failure] = []
    simulation.on_failure(reported.append)
    rung: list[str] = []

    def broken() -> None:
        raise SystemExit

    simulation.timers.arm("k", 1, lambda: rung.append("never"))
    simulation.timers.arm("k", 2, lambda: rung.append("replaced"))
    simulation.timers.arm("c", 1, lambda: rung.append("never"))
    simulation.timers.arm("b", 1, broken)
    simulation.timers.arm("now", 0, lambda: rung.append("now"))
    assert simulation.timers.cancel("c")
    assert not simulation.timers.cancel("c")
    simulation.run()
    assert rung == ["now", "replaced"]
    assert [(failure.where, failure.actor) for failure in reported] == [(Where.TIMER, "'b'")]


def test_an_ask_from_outside_steps_the_simulation_through_actors_that_ask(simulation: SimRuntime) -> None:
    ref: Any = simulation.start(Writer, "w", [])
    for _ in range(5):
        asker = simulation.start(Asker)
        asker.proxy().onward = ref
        ref = asker
    assert ref.ask("down and up", timeout=5) == "down and up"


def test_an_actor_that_asks_itself_is_a_deadlock(simulation: SimRuntime) -> None:
    ref = simulation.start(Asker)
    ref.proxy().onward = ref
    with pytest.raises(Deadlock, match="nobody can give"):
        ref.ask("me", timeout=5)


def test_a_cycle_of_waiting_actors_is_a_deadlock(simulation: SimRuntime) -> None:
    refs = [simulation.start(Asker) for _ in range(3)]
    for ref, onward in zip(refs, [*refs[1:], refs[0]], strict=True):
        ref.proxy().onward = onward
    with pytest.raises(Deadlock):
        refs[0].ask("round", timeout=5)


def test_an_ask_times_out_in_virtual_time(simulation: SimRuntime) -> None:
    future: pykka.Future[int] = simulation.start(Writer, "w", []).ask(1, block=False)
    assert future.get(timeout=0) == 1, "what is ready happens first"

    class Never(PooledActor):
        def on_receive(self, message: Any) -> Any:
            return other.ask("x", timeout=7)

    class Waits(PooledActor):
        def on_receive(self, message: Any) -> Any:
            return never.ask("y", timeout=7)

    simulation.timers.arm("far", 1_000, lambda: None)
    never, other = simulation.start(Never), simulation.start(Waits)
    with pytest.raises(pykka.Timeout):
        never.ask("z", timeout=5)
    assert simulation.now <= 7


def test_no_thread_is_made(simulation: SimRuntime) -> None:
    threads = threading.active_count()

    class Own(Writer):
        dedicated_thread = True

    simulation.start(Own, "w", []).ask(1, timeout=5)
    simulation.loop("x").spawn(simulation.in_thread(int, "1"), name="x", done=None)
    simulation.timers.arm("k", 1, lambda: None)
    simulation.run()
    assert threading.active_count() == threads


def test_a_simulated_mailbox_is_full_before_anything_runs(simulation: SimRuntime) -> None:
    ref = simulation.start(Writer, "w", [], mailbox_max=2)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull):
        ref.tell(3)
