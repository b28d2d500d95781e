"""What every runtime does: make actors, number them, know which live, and pass every failure on."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from greenroom.actors.mailbox import Mailbox
from greenroom.actors.ref import Ref
from greenroom.actors.runtime import MAILBOX_MAX, Depth, Failure, Runtime, RuntimeClosed, Where

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenroom.actors.answer import Answer
    from greenroom.actors.mailbox import Ready
    from greenroom.actors.pooled import PooledActor

A = TypeVar("A", bound="PooledActor")

logger = logging.getLogger("greenroom.actors")


class HostingRuntime(Runtime):
    """The part of a runtime that mailboxes, refs and actors see."""

    def __init__(self, name: str) -> None:
        """`name` tells this runtime's actors from every other's in their URNs."""
        self.name = name
        self.scheduling = threading.Lock()
        """Held for a few instructions whenever a mailbox changes hands."""
        self.living: dict[int, Mailbox] = {}
        """Every actor lives until it is stopped, in the order of their start; a ref need not be kept."""
        self._callbacks: list[Callable[[Failure], None]] = []
        self._started = 0
        self._closed = False

    @abstractmethod
    def wait(self, answer: Answer[Any], timeout: float | None) -> bool:
        """Wait for an answer; False if it did not come in time."""

    @abstractmethod
    def _ready_for(self, actor_class: type[PooledActor], number: int) -> Ready:
        """Where the mailbox of a new actor goes when it has something to do."""

    def start(self, actor_class: type[A], *args: Any, mailbox_max: int = MAILBOX_MAX, **kwargs: Any) -> Ref[A]:
        """See `Runtime.start`."""
        if mailbox_max < 1:
            msg = f"mailbox_max: must be at least 1, got {mailbox_max}; remove it to use the default {MAILBOX_MAX}"
            raise ValueError(msg)
        with self.scheduling:
            self._refuse_if_closed(f"start {actor_class.__name__}")
            self._started = number = self._started + 1
        actor = actor_class.__new__(actor_class)
        mailbox = Mailbox(self, number=number, limit=mailbox_max)
        actor._actor_ref = ref = Ref(mailbox, actor_class)  # noqa: SLF001 - before __init__, so that it may use them
        mailbox.actor = actor
        try:
            actor.__init__(*args, **kwargs)  # type: ignore[misc]
            with self.scheduling:  # Who closes meanwhile kills it, or it does not begin.
                self._refuse_if_closed(f"start {actor_class.__name__}")
                self.living[number] = mailbox
            mailbox.ready = self._ready_for(actor_class, number)
        except BaseException:  # Whoever was given the ref in there must not wait for an actor that never was.
            mailbox.discard()
            raise
        actor._start_actor_loop()  # noqa: SLF001
        return ref

    def _refuse_if_closed(self, what: str) -> None:
        if self._closed:
            msg = f"cannot {what}: the runtime {self.name} is closed"
            raise RuntimeClosed(msg)

    def kill_all(self) -> list[Answer[None]]:
        """Kill every actor, the last started first."""
        actors = [mailbox.actor for mailbox in reversed(tuple(self.living.values()))]
        return [actor.actor_ref.kill() for actor in actors if actor is not None]

    def ended(self, mailbox: Mailbox) -> None:
        """Forget an actor; its mailbox says so, once."""
        self.living.pop(mailbox.number, None)

    def urn(self, number: int) -> str:
        """An actor's name, unique in the world for a pool and in the simulation for a seed."""
        return f"urn:greenroom:{self.name}:{number}"

    def depths(self) -> dict[str, Depth]:
        """See `Runtime.depths`."""
        waiting: dict[str, list[int]] = {}
        for mailbox in tuple(self.living.values()):
            if (actor := mailbox.actor) is not None:
                waiting.setdefault(type(actor).__name__, []).append(len(mailbox))
        return {name: Depth(len(each), sum(each), max(each)) for name, each in waiting.items()}

    def on_failure(self, callback: Callable[[Failure], None]) -> None:
        """See `Runtime.on_failure`."""
        self._callbacks.append(callback)

    def report(self, failure: Failure) -> None:
        """Pass a failure to everyone who wants to know; to the log if nobody does."""
        if not self._callbacks:
            logger.error("%s of %s failed", failure.where, failure.actor, exc_info=failure.error)
        for callback in tuple(self._callbacks):
            try:
                callback(failure)
            except BaseException:  # A listener's error must not end the thread that carries other actors.
                logger.exception("the failure callback failed for %r", failure)

    def report_timer(self, key: object, error: BaseException) -> None:
        """A timer's `ring` raised."""
        self.report(Failure(Where.TIMER, repr(key), "", None, error, stopped=False))

    def report_loop(self, name: str, error: BaseException) -> None:
        """Something posted to a loop, or a job that nobody waits for, raised."""
        self.report(Failure(Where.LOOP, name, "", None, error, stopped=False))
