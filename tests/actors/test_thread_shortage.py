"""What becomes of whoever needs a thread while the system makes none, and afterwards."""

import threading

import pytest

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import PooledActor


class Alone(PooledActor):
    dedicated_thread = True

    def on_receive(self, message: object) -> object:
        return message


@pytest.fixture
def shortage(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of threads that are not to be made: once each."""
    refused: list[str] = []
    make = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        for name in refused:
            if thread.name.startswith(name):
                refused.remove(name)
                raise RuntimeError("can't start new thread")
        make(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return refused


def test_timers_ring_again_when_a_thread_can_be_made(pool: PoolRuntime, shortage: list[str]) -> None:
    rung: list[str] = []
    done = threading.Event()
    shortage.append("greenroom-timers")
    with pytest.raises(RuntimeError, match="new thread"):
        pool.timers.arm("refused", 0, lambda: rung.append("refused"))
    pool.timers.arm("first", 0, lambda: rung.append("first"))
    pool.timers.arm("last", 0.001, done.set)
    assert done.wait(10)
    assert rung == ["first"]


async def test_what_was_refused_for_want_of_a_thread_is_not_done_later(pool: PoolRuntime, shortage: list[str]) -> None:
    done: list[str] = []
    shortage.append("greenroom-worker")
    with pytest.raises(RuntimeError, match="new thread"):
        await pool.in_thread(done.append, "refused")
    await pool.in_thread(done.append, "taken")
    assert done == ["taken"]


def test_a_runtime_closes_that_was_refused_threads(shortage: list[str]) -> None:
    runtime = PoolRuntime()
    shortage += ["greenroom-loop", "greenroom-Alone", "greenroom-timers"]
    with pytest.raises(RuntimeError, match="new thread"):
        runtime.loop("agents")
    with pytest.raises(RuntimeError, match="new thread"):
        runtime.start(Alone)
    with pytest.raises(RuntimeError, match="new thread"):
        runtime.timers.arm("key", 0, shortage.clear)
    assert runtime.start(Alone).ask("there?", timeout=10) == "there?"
    runtime.close(10)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("greenroom-Alone")]
