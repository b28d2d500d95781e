"""Worker threads, when what runs on them does not come back."""

import threading
from concurrent.futures import Future

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.threads import GIVEN_UP_MAX, Threads


def hang(threads: Threads, gate: threading.Event) -> Future[bool]:
    """A call that runs until the gate opens."""
    began = threading.Event()

    def wait() -> bool:
        began.set()
        return gate.wait(10)

    future = threads.submit(wait)
    assert began.wait(10)
    return future


def test_a_thread_whose_function_was_given_up_is_replaced_and_ends_when_it_returns() -> None:
    threads, gate = Threads(threads_max=2), threading.Event()
    hung = [hang(threads, gate) for _ in range(2)]
    waits = threads.submit(lambda: "served")
    assert not waits.done()

    assert not hung[0].cancel()
    assert waits.result(10) == "served"
    assert len(threads.threads) == 3

    made = threads.threads
    gate.set()
    assert all(each.result(10) for each in hung)
    threads.shutdown()
    for thread in made:
        thread.join(10)
        assert not thread.is_alive()


def test_what_is_given_up_twice_is_replaced_once_and_what_is_done_not_at_all() -> None:
    threads, gate = Threads(threads_max=1), threading.Event()
    done = threads.submit(lambda: 1)
    assert done.result(10) == 1
    assert not done.cancel()
    hung = hang(threads, gate)
    hung.cancel()
    hung.cancel()
    again = hang(threads, gate)
    waits = threads.submit(lambda: 2)
    assert len(threads.threads) == 2
    assert not waits.done()
    gate.set()
    assert waits.result(10) == 2
    assert again.result(10)
    threads.shutdown()


def test_what_was_given_up_before_it_began_never_begins() -> None:
    threads, gate = Threads(threads_max=1), threading.Event()
    hung = hang(threads, gate)
    ran: list[int] = []
    assert threads.submit(ran.append, 1).cancel()
    gate.set()
    assert hung.result(10)
    threads.submit(lambda: None).result(10)
    assert ran == []
    threads.shutdown()


def test_the_threads_that_are_replaced_have_a_limit() -> None:
    threads, gate = Threads(threads_max=1), threading.Event()
    hung = []
    for _ in range(GIVEN_UP_MAX):
        hung.append(hang(threads, gate))
        hung[-1].cancel()
    last = hang(threads, gate)
    last.cancel()
    waits = threads.submit(lambda: "at last")
    assert not waits.done()
    assert len(threads.threads) == GIVEN_UP_MAX + 1
    gate.set()
    assert waits.result(10) == "at last"
    threads.shutdown()


def test_a_cancelled_coroutine_gives_its_thread_up_and_others_are_served() -> None:
    pool = PoolRuntime(threads_max=1)
    loop = pool.loop("agents")
    began, gate, served = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        gate.wait(10)

    hung = loop.spawn(pool.in_thread(hold), name="hung", done=lambda *_: None)
    assert began.wait(10)
    loop.spawn(pool.in_thread(served.set), name="next", done=None)
    hung.cancel()
    assert served.wait(10)
    gate.set()
    pool.close(10)
