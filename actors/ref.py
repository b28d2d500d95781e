"""The handle on an actor: pykka's `ActorRef`, without the weak reference, the copies and the global registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pykka import ActorDeadError, ActorRef
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from greenroom.actors.answer import Answer

if TYPE_CHECKING:
    import threading

    from greenroom.actors.mailbox import Mailbox
    from greenroom.actors.pooled import PooledActor

A = TypeVar("A", bound="PooledActor")


class Ref(ActorRef[A]):
    """Tell, ask, proxy, stop as in pykka, and `kill`. One ref per actor: equality is identity.

    `tell` and `ask` raise `MailboxFull` in the caller when too much waits already.
    """

    __slots__ = ("_mailbox", "actor_class")

    def __init__(self, mailbox: Mailbox, actor_class: type[A]) -> None:
        # pykka's own __init__ would copy five attributes of the actor; a million idle sessions pay for each.
        self._mailbox = mailbox
        self.actor_class = actor_class

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        return self._mailbox.runtime.urn(self._mailbox.number)

    @property
    def actor_inbox(self) -> Mailbox:  # type: ignore[override]
        return self._mailbox

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        return self._mailbox.stopped

    def _actor_weakref(self) -> A | None:  # type: ignore[override]
        return self._mailbox.actor  # type: ignore[return-value]

    def is_alive(self) -> bool:
        return self._mailbox.alive

    def tell(self, message: Any) -> None:
        mailbox = self._mailbox
        if not mailbox.alive:
            msg = f"{self} not found"
            raise ActorDeadError(msg)
        # An envelope sent as a message is told inside one of ours, or it would be taken for an ask.
        mailbox.enqueue(Envelope(message) if type(message) is Envelope else message, message)

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        mailbox = self._mailbox
        answer: Answer[Any] = Answer(mailbox.runtime.wait)
        if mailbox.alive:
            mailbox.enqueue(Envelope(message, answer), message)
        else:
            error = ActorDeadError(f"{self} not found")
            answer.set_exception((ActorDeadError, error, None))
        return answer.get(timeout=timeout) if block else answer

    def kill(self) -> Answer[None]:
        """Stop without handling what waits: each waiting ask gets `ActorDeadError`. The answer is set at its end.

        The message being handled is finished first, and `on_stop` runs; from this call on the actor is not alive.
        """
        mailbox = self._mailbox
        answer: Answer[None] = Answer(mailbox.runtime.wait)
        mailbox.kill()
        mailbox.enqueue(Envelope(_ActorStop(), answer), _ActorStop())
        return answer
