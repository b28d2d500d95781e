"""What pykka documents of an actor holds for ours, on threads and in simulation."""

from typing import Any, ClassVar

import pykka
import pytest

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import PooledActor
from greenroom.actors.simulation import SimRuntime

Runtimes = PoolRuntime | SimRuntime


class Playback:
    pykka_traversable = True

    def __init__(self) -> None:
        self.volume = 3

    def louder(self, by: int) -> int:
        self.volume += by
        return self.volume


class Recorder(PooledActor):
    made: ClassVar[int] = 0

    def __init__(self, greeting: str = "hello") -> None:
        super().__init__()
        self.greeting = greeting
        self.heard: list[Any] = []
        self.playback = Playback()
        self._secret = "never shown"

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        self.heard.append(message)
        return message

    def add(self, a: int, *, b: int) -> int:
        return a + b

    def fail(self) -> None:
        raise LookupError("by proxy")

    def hear_later(self, word: str) -> None:
        self.actor_ref.tell(word)


class Hooked(PooledActor):
    """Writes down what happens to it, where the test can read it after its death."""

    def __init__(self, diary: list[str]) -> None:
        super().__init__()
        self.diary = diary

    def on_start(self) -> None:
        self.diary.append("started")

    def on_stop(self) -> None:
        self.diary.append("stopped")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.diary.append(f"failed of {exception_value}")

    def on_receive(self, message: Any) -> Any:
        self.diary.append(message)
        if message == "boom":
            raise ValueError(message)
        if message == "stop":
            self.stop()
        return message


def test_messages_of_one_sender_are_handled_in_the_order_they_were_sent(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    for n in range(500):
        ref.tell(n)
    ref.ask("end", timeout=10)
    assert ref.proxy().heard.get(timeout=10) == [*range(500), "end"]


def test_an_ask_is_answered_with_what_on_receive_returns(runtime: Runtimes) -> None:
    assert runtime.start(Recorder).ask({"any": "thing"}, timeout=10) == {"any": "thing"}


def test_an_ask_that_does_not_block_gives_a_future(runtime: Runtimes) -> None:
    future = runtime.start(Recorder).ask("later", block=False)
    assert future.get(timeout=10) == "later"
    assert future.get(timeout=10) == "later", "a future may be read again"


def test_an_error_in_an_ask_is_raised_at_the_caller_and_the_actor_lives(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    with pytest.raises(KeyError, match="lost"):
        ref.ask(KeyError("lost"), timeout=10)
    assert ref.is_alive()
    assert ref.ask("still here", timeout=10) == "still here"


def test_start_passes_its_arguments_to_the_constructor(runtime: Runtimes) -> None:
    assert runtime.start(Recorder, greeting="hi").proxy().greeting.get(timeout=10) == "hi"
    assert runtime.start(Recorder, "hey").proxy().greeting.get(timeout=10) == "hey"


def test_a_constructor_that_raises_starts_nothing(runtime: Runtimes) -> None:
    with pytest.raises(TypeError):
        runtime.start(Recorder, "too", "many")
    assert not runtime.living


def test_a_proxy_calls_methods_with_positional_and_keyword_arguments(runtime: Runtimes) -> None:
    assert runtime.start(Recorder).proxy().add(2, b=3).get(timeout=10) == 5


def test_a_proxy_reads_and_writes_attributes(runtime: Runtimes) -> None:
    proxy = runtime.start(Recorder).proxy()
    proxy.greeting = "moin"
    assert proxy.greeting.get(timeout=10) == "moin"


def test_a_proxy_sees_attributes_made_after_it(runtime: Runtimes) -> None:
    proxy = runtime.start(Recorder).proxy()
    proxy.fresh = 1
    assert proxy.fresh.get(timeout=10) == 1


def test_a_proxy_walks_into_traversable_attributes(runtime: Runtimes) -> None:
    proxy = runtime.start(Recorder).proxy()
    assert proxy.playback.louder(4).get(timeout=10) == 7
    assert proxy.playback.volume.get(timeout=10) == 7
    proxy.playback.volume = 1
    assert proxy.playback.volume.get(timeout=10) == 1


def test_a_proxy_shows_what_is_public_and_nothing_else(runtime: Runtimes) -> None:
    proxy = runtime.start(Recorder).proxy()
    assert {"add", "fail", "greeting", "heard", "playback", "on_receive", "stop"} <= set(dir(proxy))
    assert "_secret" not in dir(proxy)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = proxy.nonsense


def test_a_proxied_call_that_raises_raises_at_the_caller(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    with pytest.raises(LookupError, match="by proxy"):
        ref.proxy().fail().get(timeout=10)
    assert ref.is_alive()


def test_a_deferred_proxied_call_that_raises_ends_the_actor(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    ref.proxy().fail.defer()
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("anyone?", timeout=10)


def test_an_actor_can_leave_work_for_itself(runtime: Runtimes) -> None:
    proxy = runtime.start(Recorder).proxy()
    proxy.hear_later("echo").get(timeout=10)
    proxy.add(0, b=0).get(timeout=10)
    assert proxy.heard.get(timeout=10) == ["echo"]


def test_proxies_of_one_actor_are_equal_and_of_two_are_not(runtime: Runtimes) -> None:
    one, other = runtime.start(Recorder), runtime.start(Recorder)
    assert one.proxy() == one.proxy()
    assert hash(one.proxy()) == hash(one.proxy())
    assert one.proxy() != other.proxy()


def test_a_ref_equals_itself_only_and_can_be_a_key(runtime: Runtimes) -> None:
    one, other = runtime.start(Recorder), runtime.start(Recorder)
    assert one != other
    assert one.actor_urn != other.actor_urn
    assert one.actor_class is Recorder
    assert {one: 1, other: 2}[one] == 1
    assert one.proxy().actor_ref is one
    assert str(one) == f"Recorder ({one.actor_urn})"


def test_stop_waits_behind_what_was_sent_before_it(runtime: Runtimes) -> None:
    diary: list[str] = []
    ref = runtime.start(Hooked, diary)
    ref.tell("a")
    ref.tell("b")
    assert ref.stop(timeout=10) is True
    assert diary == ["started", "a", "b", "stopped"]
    assert not ref.is_alive()


def test_stop_without_blocking_gives_a_future(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    assert ref.stop(block=False).get(timeout=10) is True


def test_stopping_the_dead_says_false(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    ref.stop(timeout=10)
    assert ref.stop(timeout=10) is False


class Leaving(PooledActor):
    """Stops itself, and is asked more in the same breath: nothing can come between."""

    def __init__(self) -> None:
        super().__init__()
        self.handled: list[str] = []

    def on_receive(self, message: str) -> Any:
        self.handled.append(message)
        before = self.actor_ref.ask("before", block=False)
        self.stop()
        return self.handled, before, self.actor_ref.ask("after", block=False), self.actor_ref.stop(block=False)


def test_what_is_left_in_the_queue_at_a_stop_is_answered_with_actor_dead_error(runtime: Runtimes) -> None:
    ref = runtime.start(Leaving)
    handled, before, after, second_stop = ref.ask("leave", timeout=10)
    with pytest.raises(pykka.ActorDeadError, match="stopped before handling"):
        after.get(timeout=10)
    assert second_stop.get(timeout=10) is True, "it was being stopped"
    assert len(before.get(timeout=10)) == 4, "what was sent before the stop is handled"
    assert handled == ["leave", "before"]


def test_hooks_run_in_the_life_of_an_actor_that_fails(runtime: Runtimes) -> None:
    diary: list[str] = []
    ref = runtime.start(Hooked, diary)
    ref.tell("boom")
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("too late", timeout=10)
    assert diary == ["started", "boom", "failed of boom"]


def test_on_start_runs_before_the_first_message_without_any_message(runtime: Runtimes) -> None:
    diary: list[str] = []
    ref = runtime.start(Hooked, diary)
    assert ref.proxy().diary.get(timeout=10) == ["started"]


def test_the_dead_cannot_be_told_asked_or_proxied(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    ref.stop(timeout=10)
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.tell("hello?")
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.ask("hello?", timeout=10)
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.proxy()
    future = ref.ask("hello?", block=False)
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=10)


def test_actor_stopped_is_an_event_that_is_set_at_the_end(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    event = ref.actor_stopped
    assert not event.is_set()
    ref.stop(timeout=10)
    assert event.is_set()
    assert ref.actor_stopped.is_set()


def test_futures_can_be_mapped_filtered_reduced_and_joined(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)

    def ask(value: Any) -> Any:
        return ref.ask(value, block=False)

    assert ask(20).map(lambda n: n + 1).get(timeout=10) == 21
    assert ask([1, 2, 3]).filter(lambda n: n > 1).get(timeout=10) == [2, 3]
    assert ask([1, 2, 3]).reduce(lambda a, b: a + b).get(timeout=10) == 6
    assert ask("a").join(ask("b"), ask("c")).get(timeout=10) == ["a", "b", "c"]
    assert pykka.get_all([ask(1), ask(2)], timeout=10) == [1, 2]


def test_pykkas_own_messages_can_be_sent_without_a_proxy(runtime: Runtimes) -> None:
    ref = runtime.start(Recorder)
    call = pykka.messages.ProxyCall(attr_path=("add",), args=(1,), kwargs={"b": 1})
    assert ref.ask(call, timeout=10) == 2


def test_a_plain_pykka_actor_and_one_of_ours_talk_to_each_other(pool: PoolRuntime) -> None:
    class Host(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> Any:
            return ours.ask(message, timeout=10)

    ours = pool.start(Recorder)
    host = Host.start()
    try:
        assert host.ask("over there", timeout=10) == "over there"
    finally:
        host.stop(timeout=10)


def test_starting_without_a_runtime_says_what_to_write_instead() -> None:
    with pytest.raises(RuntimeError, match=r"write runtime\.start\(Recorder, \.\.\.\)"):
        Recorder.start()
    with pytest.raises(RuntimeError, match=r"write runtime\.start\(Recorder, \.\.\.\)"):
        Recorder()
