"""A pykka actor that borrows its thread: a million may live, a handful run."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import pykka
from pykka import ActorDeadError
from pykka._envelope import Envelope
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from greenroom.actors.answer import Answer
from greenroom.actors.runtime import Failure, Falls, Where

if TYPE_CHECKING:
    import threading

    from greenroom.actors.mailbox import Mailbox
    from greenroom.actors.ref import Ref
    from greenroom.actors.runtime import Runtime

_OF_PYKKA = frozenset({_ActorStop, ProxyCall, ProxyGetAttr, ProxySetAttr})


class Letter:
    """One message of a batch, and the way to answer it if it was asked."""

    __slots__ = ("_reply_to", "message")

    def __init__(self, message: Any, reply_to: pykka.Future[Any] | None) -> None:
        self.message = message
        self._reply_to = reply_to

    @property
    def asked(self) -> bool:
        """Whether somebody still waits for an answer."""
        return self._reply_to is not None

    def answer(self, value: Any) -> None:
        """Give the asker its answer; for a told message, and a second time, it does nothing."""
        reply_to, self._reply_to = self._reply_to, None
        if reply_to is not None:
            with suppress(queue.Full):  # The asker holds the future and has set it itself.
                reply_to.set(value)

    def fail(self, error: BaseException) -> None:
        """Raise `error` at the asker."""
        reply_to, self._reply_to = self._reply_to, None
        if reply_to is not None:
            with suppress(queue.Full):
                reply_to.set_exception((type(error), error, error.__traceback__))


class PooledActor(pykka.Actor):
    """A `pykka.Actor` started by `Runtime.start`. Every failure is reported there, and none ever leaves the actor.

    An error in a tell kills the actor, in an ask it goes to the caller and the actor lives, as in pykka. A
    `BaseException` that is no `Exception` kills this actor in both cases, and only this one; the caller of the ask
    gets `ActorDeadError`.
    """

    dedicated_thread: ClassVar[bool] = False
    """Give every actor of this class a thread of its own: it waits for something slow."""

    falls: ClassVar[Falls] = Falls.NOTHING
    """What falls with an actor of this class."""

    _has_on_start: ClassVar[bool] = False
    _takes_batches: ClassVar[bool] = False
    _actor_ref: Ref[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._has_on_start = cls.on_start is not pykka.Actor.on_start
        cls._takes_batches = cls.on_receive_many is not PooledActor.on_receive_many

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        # The runtime has given this instance its ref before it calls __init__: `self.runtime` works in there already.
        if not hasattr(self, "_actor_ref"):
            _refuse_start(type(self))

    @classmethod
    def start(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: an actor of ours belongs to a runtime, not to the process."""
        _refuse_start(cls)

    @staticmethod
    def _create_actor_inbox() -> NoReturn:
        msg = "the runtime makes the mailbox"
        raise NotImplementedError(msg)

    @staticmethod
    def _create_future() -> Answer[Any]:
        return Answer()

    def _start_actor_loop(self) -> None:
        """Run `on_start` before any message; an actor without one costs nothing until it is told something."""
        self._mailbox.started = not self._has_on_start
        self._mailbox.release(run=self._has_on_start)

    @property
    def _mailbox(self) -> Mailbox:
        return self._actor_ref._mailbox  # noqa: SLF001 - actor, ref and mailbox are one

    @property
    def runtime(self) -> Runtime:
        """The world this actor lives in."""
        return self._mailbox.runtime

    @property
    def actor_ref(self) -> Ref[Self]:
        """The one ref of this actor."""
        return self._actor_ref

    def hear(self, message: object) -> None:
        """Tell this actor something, from any thread. A dead one hears nothing: only rows count."""
        with suppress(ActorDeadError):
            self._actor_ref.tell(message)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        return self._actor_ref.actor_urn

    @property
    def actor_inbox(self) -> Mailbox:  # type: ignore[override]
        return self._mailbox

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        return self._mailbox.stopped

    def on_receive_many(self, letters: list[Letter]) -> None:
        """May be overridden instead of `on_receive`, to handle everything that waits at once.

        Asked letters that are not answered when it returns are answered `None`. If it raises, the actor dies, since
        nobody knows which letters were handled; who was not answered yet gets the error.
        """
        raise NotImplementedError

    def _take_turn(self, most: int) -> None:
        mailbox = self._mailbox
        if not mailbox.started:
            mailbox.started = mailbox.alive  # An actor killed before its on_start gets no on_stop either.
            if mailbox.alive:
                self._begin()
        if self._takes_batches and mailbox.alive:
            self._receive_many(most)
        else:
            batch = mailbox.batch or mailbox.refill()
            left = min(most, len(batch))
            while left and mailbox.alive:
                left -= 1
                self._receive(batch.pop())
        if mailbox.killed and mailbox.started:
            self._stop()

    def _begin(self) -> None:
        try:
            self.on_start()
        except BaseException as error:  # Invariant: a failure stays inside its actor, and is reported.
            self._die(Where.ON_START, error)

    def _receive(self, item: Any) -> None:
        """Handle one message as pykka's loop does."""
        message, reply_to = (item.message, item.reply_to) if type(item) is Envelope else (item, None)
        try:
            answer = self._handle_receive(message) if type(message) in _OF_PYKKA else self.on_receive(message)
        except BaseException as error:  # Invariant: a failure stays inside its actor, and is reported.
            if reply_to is None:
                self._die(Where.TELL, error)
            elif isinstance(error, Exception):
                Letter(message, reply_to).fail(error)
                self._report(Where.ASK, error)
            else:
                Letter(message, reply_to).fail(self._dead_of(error))
                self._die(Where.ASK, error)
        else:
            if reply_to is not None:
                Letter(message, reply_to).answer(answer)

    def _receive_many(self, most: int) -> None:
        """Handle up to `most` messages, each run of ordinary ones as one batch; pykka's own messages part the runs."""
        batch = self._mailbox.refill()
        letters: list[Letter] = []
        for _ in range(min(most, len(batch))):
            item = batch.pop()
            message, reply_to = (item.message, item.reply_to) if type(item) is Envelope else (item, None)
            if type(message) not in _OF_PYKKA:
                letters.append(Letter(message, reply_to))
                continue
            self._receive_batch(letters)
            if self._mailbox.alive:
                self._receive(item)
            else:
                batch.append(item)
            letters = []
            if not self._mailbox.alive:
                return
        self._receive_batch(letters)

    def _receive_batch(self, letters: list[Letter]) -> None:
        if not letters:
            return
        try:
            self.on_receive_many(letters)
        except BaseException as error:  # Invariant: a failure stays inside its actor, and is reported.
            refusal = error if isinstance(error, Exception) else self._dead_of(error)
            for letter in letters:
                letter.fail(refusal)
            self._die(Where.TELL, error)
        else:
            for letter in letters:
                letter.answer(None)

    def _stop(self) -> None:
        """Stop now, without processing the rest: pykka's answer to a stop message, and what a kill ends in."""
        self._mailbox.end()
        try:
            self.on_stop()
        except BaseException as error:  # Invariant: a failure stays inside its actor, and is reported.
            self._report(Where.ON_STOP, error)

    def _die(self, where: Where, error: BaseException) -> None:
        self._mailbox.end()
        if where is not Where.ON_START:  # As in pykka: what never started has nothing to clean up.
            try:
                self.on_failure(type(error), error, error.__traceback__)
            except BaseException as second:  # Invariant: a failure stays inside its actor, and is reported.
                self._report(Where.ON_FAILURE, second)
        self._report(where, error)

    def _report(self, where: Where, error: BaseException) -> None:
        ref = self._actor_ref
        alive = self._mailbox.alive
        failure = Failure(where, type(self).__name__, ref.actor_urn, ref, error, stopped=not alive, falls=self.falls)
        self._mailbox.runtime.report(failure)

    def _dead_of(self, error: BaseException) -> ActorDeadError:
        dead = ActorDeadError(f"{self} died of {error!r}")
        dead.__cause__ = error
        return dead


def _refuse_start(cls: type[PooledActor]) -> NoReturn:
    name = cls.__name__
    msg = f"{name} is a PooledActor and lives in a runtime: write runtime.start({name}, ...), not {name}.start(...)"
    raise RuntimeError(msg)
