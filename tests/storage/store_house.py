"""A store on a real disk with somebody who waits for its answers. Used by the store's tests."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from greenroom.actors.facts import Fact, InboundStored, MessageAppended, RunOpened
from greenroom.actors.model import (
    Epoch,
    Generation,
    Inbound,
    Message,
    OpenRun,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.retention import KEEP_ALL, Retention
from greenroom.actors.store import ReadAnswer
from greenroom.storage.lock import Held
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.store import SqliteStore, StoreHooks
from greenroom.storage.writer import Place

WAIT_S = 20.0
KEY = SessionKey("web", "bot", "1")


class Waiter:
    """Collects answers from storage threads."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, answer: Any) -> None:
        with self._changed:
            self.answers.append(answer)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.answers) >= count, WAIT_S), self.answers
            return list(self.answers)

    def wait_until(self, seen: Callable[[list[Any]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: seen(self.answers), WAIT_S), self.answers


class House:
    """One process's life with a store, in this process."""

    def __init__(self, path: Path, backlog_max: int | None = None, retention: Retention = KEEP_ALL) -> None:
        self.path = path
        self.runtime = PoolRuntime(threads=1)
        self.troubles, self.fenced, self.failures = Waiter(), Waiter(), Waiter()
        self.runtime.on_failure(self.failures)
        try:
            self.store = SqliteStore.open(
                Place(str(path)),
                self.runtime,
                version="1.2",
                backlog_max=backlog_max,
                retention=retention,
                hooks=StoreHooks(self.troubles, lambda: self.fenced("fenced")),
            )
        except (CannotOpen, Held):
            self.runtime.close(WAIT_S)
            raise

    def offer(self, *facts: Fact) -> Waiter:
        answer = Waiter()
        self.store.write(facts, answer)
        return answer

    def write(self, *facts: Fact) -> Any:
        return self.offer(*facts).wait(1)[0]

    def read(self, query: Any) -> ReadAnswer:
        answer = Waiter()
        self.store.read(query, answer)
        found: ReadAnswer = answer.wait(1)[0]
        return found

    def close(self) -> bool:
        clean = self.store.close("the test is over")
        self.runtime.close(WAIT_S)
        return clean


def inbound(number: int = 1, chat: str = "1") -> InboundStored:
    return InboundStored(Inbound(SessionKey("web", "bot", chat), f"{chat}.{number}", "hello"), 1.0)


def opened(epoch: Epoch, session: int = 1, generation: int = 1) -> RunOpened:
    number = Generation(generation)
    return RunOpened(SessionId(session), OpenRun(number, epoch, number, RunCause.INBOUND, 1, 2.0, 2.0), Tail())


def said(epoch: Epoch, seq: int, text: str = "words") -> MessageAppended:
    return MessageAppended(SessionId(1), epoch, Message(Seq(seq), Generation(1), f"k{seq}", Role.USER, text, 2.0))


def hold(gate: threading.Event) -> Callable[[object], None]:
    """A listener that keeps the storage thread busy until the gate opens."""

    def then(_answer: object) -> None:
        assert gate.wait(WAIT_S)

    return then


def count(path: Path, table: str) -> int:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(f"SELECT count(*) FROM {table}").get
    db.close()
    assert isinstance(found, int)
    return found
