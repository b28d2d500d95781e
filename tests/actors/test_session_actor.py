"""The shell of a session: what is on disk comes first, and nothing is left when it rests."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import pytest

from greenroom.actors.acts import Deliver, OpenAnchor, Showing, ShowText, ShowTyping
from greenroom.actors.events import Added, Arrived, Drained, IdleRang, Released, TreeEvent, Woke
from greenroom.actors.facts import Fact, InboundStored, RunOpened
from greenroom.actors.house import House
from greenroom.actors.model import Epoch, Generation, Inbound, InterruptReason, SessionId, SessionKey, StoredInbound
from greenroom.actors.ports import Turn
from greenroom.actors.ref import Ref
from greenroom.actors.rules import Rules
from greenroom.actors.runtime import Failure
from greenroom.actors.session_actor import AGENTS_LOOP, SessionActor, StoreUnreadableError
from greenroom.actors.simulation import SimRuntime
from greenroom.actors.store import (
    Committed,
    Query,
    ReadAnswer,
    ReadFailed,
    RefusalKind,
    Refused,
    StoreRefusedError,
    TranscriptOf,
)
from greenroom.storage.faulty_disk import Disk
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place

KEY = SessionKey("web", "bot", "ann")
S = SessionId(1)


class HeldStore:
    """The real store, whose commits may be held back or refused on their way; nothing else is changed."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.held: list[Callable[[], None]] | None = None
        self.refusal: Refused | None = None
        self.unreadable = False

    @property
    def epoch(self) -> Epoch:
        return self._store.epoch

    @property
    def uid(self) -> str:
        return self._store.uid

    def accept(self, inbound: Inbound, at: float, then: Callable[[Committed | Refused], None]) -> None:
        self._store.accept(inbound, at, then)

    def write(self, facts: Sequence[Fact], then: Callable[[Committed | Refused], None]) -> None:
        if self.refusal is not None:
            then(self.refusal)
        elif self.held is not None:
            self.held.append(lambda: self._store.write(facts, then))
        else:
            self._store.write(facts, then)

    def read(self, query: Query, then: Callable[[ReadAnswer], None]) -> None:
        if self.unreadable:
            then(ReadFailed("the disk is gone"))
        else:
            self._store.read(query, then)


class Around:
    """The surroundings, which write down what they are told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.typing = True

    def shows_typing(self, session: SessionKey) -> bool:
        assert session == KEY
        return self.typing

    def deliver(self, session: SessionKey, act: Showing) -> None:
        assert session == KEY
        self.heard.append(act)

    def report_run(self, session_id: SessionId, *, live: bool, for_good: bool) -> None:
        assert not (live and for_good)
        self.heard.append((session_id, "live" if live else "over"))

    def report_concluded(self, session: SessionKey) -> None:
        self.heard.append((session, "concluded"))

    def report_released(self, session_id: SessionId, interrupted: Generation | None) -> None:
        self.heard.append((session_id, "released"))

    def report_succeeded(self, session: SessionKey, successor: SessionId) -> None:
        self.heard.append((session, f"succeeded by {successor}"))

    def offer_rest(self, actor: Ref[Any], told: int) -> None:
        self.heard.append((actor.actor_class, "rest", told))


class Stage:
    def __init__(self, seed: int = 1) -> None:
        self.disk = Disk(seed)
        self.runtime = SimRuntime(seed)
        self.failures: list[Failure] = []
        self.runtime.on_failure(self.failures.append)
        self.real = SqliteStore.open(Place("/bot.db", vfs=self.disk.vfs_name), self.runtime, version="test")
        self.store = HeldStore(self.real)
        self.around = Around()
        self.seen: list[str] = []
        self.turns: list[weakref.ref[Turn]] = []
        self.house = House(self.store, self.agent, Rules(), self.around)
        self.said = 0

    def __enter__(self) -> Self:
        self.disk.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.runtime.close(60)
        self.real.abandon()
        self.disk.__exit__(None, None, None)

    async def agent(self, turn: Turn) -> str:
        self.seen.append(turn.text)
        self.turns.append(weakref.ref(turn))
        if turn.text == "hang":
            await turn.ask_user("?")
        return f"re {turn.text}"

    def start(self) -> Ref[SessionActor]:
        ref: Ref[SessionActor] = self.runtime.start(SessionActor, self.house, S)
        return ref

    def store_inbound(self, text: str) -> StoredInbound:
        self.said += 1
        answers: list[Any] = []
        self.real.write((InboundStored(Inbound(KEY, f"u{self.said}", text), self.runtime.clock.now()),), answers.append)
        while not answers:
            assert self.runtime.step()
        return StoredInbound(answers[0].receipts[0].inbox_id, text, None, self.runtime.clock.now())

    def settle(self, seconds: float = 5) -> None:
        self.runtime.advance(seconds)

    def rows(self) -> list[str]:
        answers: list[Any] = []
        self.real.read(TranscriptOf(S, 100), answers.append)
        while not answers:
            assert self.runtime.step()
        return [row.text for row in answers[0]]


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_done_before_it_is_on_disk_and_what_comes_meanwhile_waits_its_turn(seed: int) -> None:
    with Stage(seed) as stage:
        first, second = stage.store_inbound("a"), stage.store_inbound("b")
        stage.store.held = []
        actor = stage.start()
        actor.tell(Arrived(first))
        actor.tell(Arrived(second))
        stage.settle()
        (commit,) = stage.store.held
        assert (stage.seen, stage.around.heard) == ([], [])
        stage.store.held = None
        commit()
        stage.settle()
        assert stage.seen == ["a\nb"], "both were there when it was loaded"
        assert stage.rows() == ["a", "b", "re a\nb"]
        live, delivered, concluded, over = [
            it for it in stage.around.heard if not isinstance(it, ShowText | OpenAnchor)
        ]
        assert (live, concluded, over) == ((S, "live"), (KEY, "concluded"), (S, "over"))
        assert isinstance(delivered, Deliver)


def test_what_the_store_refuses_kills_the_actor_and_is_not_done() -> None:
    with Stage() as stage:
        inbound = stage.store_inbound("a")
        stage.store.refusal = Refused(RefusalKind.STALE_WRITER, "somebody else owns it")
        actor = stage.start()
        actor.tell(Arrived(inbound))
        stage.settle()
        assert [type(failure.error) for failure in stage.failures] == [StoreRefusedError]
        assert not actor.is_alive()
        assert (stage.seen, stage.around.heard, stage.rows()) == ([], [], [])


def test_what_cannot_be_loaded_dies_and_says_why() -> None:
    with Stage() as stage:
        stage.store.unreadable = True
        stage.start()
        stage.settle()
        (failure,) = stage.failures
        assert isinstance(failure.error, StoreUnreadableError)
        assert "the disk is gone" in str(failure.error)


def test_a_rest_is_offered_with_the_count_of_what_was_handled_and_not_of_what_waits() -> None:
    with Stage() as stage:
        inbound = stage.store_inbound("a")
        stage.store.held = []
        actor = stage.start()
        actor.tell(Arrived(inbound))
        stage.settle()
        actor.tell(IdleRang())
        actor.tell(Woke())
        stage.settle()
        held, stage.store.held = stage.store.held, None
        for commit in held:
            commit()
        stage.settle(1_000)
        assert [it for it in stage.around.heard if isinstance(it, tuple) and "rest" in it] == [
            (SessionActor, "rest", 2)
        ]


def test_what_comes_of_a_run_that_nobody_waits_for_any_more_is_not_added() -> None:
    """Found by seed 1724034220: who had stopped it, and whose actor went to rest, had a message that nobody sent."""
    with Stage() as stage:
        inbound = stage.store_inbound("a")
        actor = stage.start()
        actor.tell(Arrived(inbound))
        stage.settle()
        actor.tell(Added(Generation(1), "By the way.", None))
        stage.settle()
        assert stage.rows() == ["a", "re a"]


def test_what_an_agent_added_and_waits_for_a_commit_forbids_to_rest() -> None:
    """Found by seed 1754016768: the actor was stopped over the commit of it, and its outbox heard at the next start."""
    with Stage() as stage:
        gate = asyncio.Event()

        async def adds(turn: Turn) -> str:
            await turn.transcript.append_many([{"key": "k", "role": "assistant", "text": "re a", "finish": "stop"}])
            await gate.wait()
            return "By the way."

        stage.house = replace(stage.house, agent=adds)
        actor = stage.start()
        actor.tell(Arrived(stage.store_inbound("a")))
        stage.settle()
        held: list[Callable[[], None]] = []
        stage.store.held = held
        actor.tell(Released())
        actor.tell(IdleRang())
        stage.settle(1)
        stage.runtime.loop(AGENTS_LOOP).post(gate.set)
        stage.settle(1)
        stage.store.held = None
        for commit in held:
            commit()
        stage.settle(100)
        assert stage.rows() == ["a", "re a", "By the way."]
        before_it_rests = stage.around.heard[: stage.around.heard.index((SessionActor, "rest", 2))]
        assert sum(isinstance(it, Deliver) for it in before_it_rests) == 2


def test_a_stashed_message_forbids_the_rest_that_was_offered_before_it() -> None:
    with Stage() as stage:
        stage.store_inbound("a")
        actor = stage.start()
        events: tuple[IdleRang | TreeEvent, ...] = (
            Drained(InterruptReason.RESTART_TIMEOUT),
            IdleRang(),
            Woke(),
        )
        for event in events:  # All are stashed: the session is not loaded yet.
            actor.tell(event)
        stage.settle(1)
        assert stage.around.heard[:2] == [(S, "over"), (SessionActor, "rest", 1)]


def test_a_rested_session_leaves_no_object_behind_and_comes_back_from_the_store() -> None:
    with Stage() as stage:
        actor = stage.start()
        actor.tell(Arrived(stage.store_inbound("a")))
        stage.settle(1_000)
        assert stage.around.heard[-1] == (SessionActor, "rest", 1)
        alive = weakref.ref(actor._actor_weakref())
        actor.stop(block=False)
        stage.settle()
        del actor
        gc.collect()
        assert alive() is None
        assert len(stage.runtime.timers) == 0
        stage.start().tell(Arrived(stage.store_inbound("b")))
        stage.settle()
        assert stage.rows() == ["a", "re a", "b", "re b"]


def test_a_session_that_ends_takes_its_run_along_but_not_the_timers_of_its_successor() -> None:
    with Stage() as stage:
        first = stage.start()
        first.tell(Arrived(stage.store_inbound("hang")))
        stage.settle()
        second = stage.start()
        second.tell(Woke())
        stage.settle()
        first.stop(block=False)
        stage.settle(1_000)
        assert (SessionActor, "rest", 1) in stage.around.heard, "its idle timer rang"


def test_a_dead_actor_s_late_commit_disturbs_nobody() -> None:
    with Stage() as stage:
        inbound = stage.store_inbound("a")
        stage.store.held = []
        actor = stage.start()
        actor.tell(Arrived(inbound))
        stage.settle()
        actor.kill()
        stage.settle()
        held, stage.store.held = stage.store.held, None
        for commit in held:
            commit()
        stage.settle()
        assert stage.failures == []
        assert stage.rows() == ["a"]
        assert stage.seen == []


def test_the_facts_of_a_step_are_one_write() -> None:
    with Stage() as stage:
        inbound = stage.store_inbound("a")
        written: list[Sequence[Fact]] = []
        pass_on = stage.store.write

        def write(facts: Sequence[Fact], then: Callable[[Committed | Refused], None]) -> None:
            written.append(facts)
            pass_on(facts, then)

        stage.store.write = write  # type: ignore[method-assign]
        stage.start().tell(Arrived(inbound))
        stage.settle(0.5)
        assert isinstance(written[0][0], RunOpened)
        assert len(written) == 2, "one for the run's beginning, one for its end"


def test_a_run_that_is_over_leaves_nothing_in_memory_while_its_session_idles() -> None:
    with Stage() as stage:
        ref = stage.start()
        ref.tell(Arrived(stage.store_inbound("a")))
        stage.settle()
        assert stage.rows() == ["a", "re a"]
        gc.collect()
        assert [turn() for turn in stage.turns] == [None]
        assert ref.is_alive()


@pytest.mark.parametrize("seen", [True, False])
def test_an_alarm_for_typing_is_armed_where_typing_can_be_seen(*, seen: bool) -> None:
    async def slow(_turn: Turn) -> str:
        await asyncio.sleep(60)
        return "done"

    with Stage() as stage:
        stage.around.typing = seen
        stage.house = House(stage.store, slow, Rules(typing_every_s=4.0), stage.around)
        stage.start().tell(Arrived(stage.store_inbound("a")))
        stage.settle(30)
        assert bool([act for act in stage.around.heard if isinstance(act, ShowTyping)]) is seen
        stage.settle(60)
        assert stage.rows() == ["a", "done"]
