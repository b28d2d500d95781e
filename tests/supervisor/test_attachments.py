"""Platforms and their outboxes, used from several threads."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from greenroom import HostedChat, Supervisor, Turn
from greenroom.actors.entry import DeliveryPolicy
from greenroom.actors.model import DeliveryClass
from greenroom.actors.outbox_words import PlatformDown, PlatformUp
from greenroom.actors.ports import Traits
from greenroom.actors.virtual_time import SimClock
from greenroom.supervisor.attachments import Attachments
from greenroom.supervisor.policy import Policy

ACCOUNT = ("web", "me")


class Wire:
    name, account = ACCOUNT
    traits = Traits(DeliveryClass.NATIVE_KEY)


class SeenLock:
    """A lock that says when somebody comes to it."""

    def __init__(self, come: threading.Event) -> None:
        self._come, self._lock = come, threading.Lock()

    def __enter__(self) -> None:
        self._come.set()
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: object, at: TracebackType | None) -> None:
        self._lock.release()


class Boxes:
    """A runtime and the refs it gives: an outbox that is told it is down meets a platform that connects just then."""

    actor_urn = "urn:outbox"

    def __init__(self) -> None:
        self.clock, self.heard, self.come = SimClock(0.0), list[Any](), threading.Event()
        self.attachments = Attachments(self, Policy(), lambda _: None)  # type: ignore[arg-type]
        self.connecting = threading.Thread(target=self._connect)

    def start(self, *_args: Any, **_kwargs: Any) -> Boxes:
        return self

    def tell(self, message: Any) -> None:
        if isinstance(message, PlatformDown):
            self.come.clear()
            self.connecting.start()
            assert self.come.wait(10)
        self.heard.append(message)

    def _connect(self) -> None:
        self.attachments.turn(ACCOUNT, None)
        self.come.set()


def test_an_outbox_that_is_opened_while_its_platform_connects_knows_that_it_is_up() -> None:
    boxes = Boxes()
    boxes.attachments._lock = SeenLock(boxes.come)  # type: ignore[assignment]
    boxes.attachments.attach(Wire(), None, lambda _: False, DeliveryPolicy.EXACTLY_ONCE)  # type: ignore[arg-type]
    boxes.attachments.build(object())  # type: ignore[arg-type]
    boxes.connecting.join(10)
    assert isinstance(boxes.heard[-1], PlatformUp)


def test_a_host_that_attached_nothing_is_told_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def agent(turn: Turn) -> str:
        return turn.text

    with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        for number in ("1", "2"):
            room.answer(room.accept(chat="mine:me:1", id=number, text="hello", timeout_s=20), timeout_s=20)
    (told,) = [each.getMessage() for each in caplog.records if "nothing is attached" in each.getMessage()]
    assert told.startswith("nothing is attached for mine:me: ")
    assert told.endswith('room.attach(HostedChat("mine", "me"))')


def test_who_carries_messages_itself_hears_nothing_of_that(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def agent(turn: Turn) -> str:
        return turn.text

    with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        room.attach(HostedChat("mine", "me"))
        room.answer(room.accept(chat="mine:me:1", id="1", text="hello", timeout_s=20), timeout_s=20)
    assert "nothing is attached" not in caplog.text
