"""What whoever runs the service does to a session: gives it back, or orders something of it as its user could.

An order is an inbound, as its user's would be: on disk before it is acknowledged, carried out once, also by the next
process. `docs/decisions/0015` tells why.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.facts import SessionReleased
from greenroom.actors.model import Inbound
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.supervisor.tree_words import SessionFreed

if TYPE_CHECKING:
    from greenroom.actors.commands import Command
    from greenroom.actors.model import Receipt, SessionId, SessionKey
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.store import Store
    from greenroom.supervisor.answers import Answers
    from greenroom.supervisor.reception import Reception


def order_inbound(key: SessionKey, command: Command, text: str, order_id: str) -> Inbound:
    """Make an order an inbound of its chat. The same id is the same order, and carried out once."""
    return Inbound(key, f"operator.{order_id}", text, ordered=command)


class Operations:
    """Done to the store that is open now. Called from any thread; answers come by callback."""

    def __init__(
        self,
        runtime: Runtime,
        reception: Reception,
        answers: Answers,
        store: Callable[[], Store | None],
        tell: Callable[[object], None],
    ) -> None:
        """`store` gives the store that is open now, `tell` tells the tree that stands on it."""
        self._runtime = runtime
        self._reception = reception
        self._answers = answers
        self._store = store
        self._tell = tell

    def order(
        self,
        key: SessionKey,
        command: Command,
        then: Callable[[Receipt | Exception], None],
        *,
        text: str = "",
        order_id: str | None = None,
    ) -> None:
        """Order something of a chat's session; `then` hears when that is on disk, or why it is not.

        RefusedError: it never will be. BusyError: not now.
        """
        name = f"{self._runtime.random.getrandbits(128):032x}" if order_id is None else order_id
        self._reception.order(order_inbound(key, command, text, name), then)

    def release(self, session_id: SessionId, then: Callable[[BusyError | RefusedError | None], None]) -> None:
        """Give a session back that was set aside; what is open in it is decided again.

        `then` hears what kept it: RefusedError, there is no such session; BusyError, not now.
        """
        store = self._store()
        if store is None:
            then(BusyError("the store is closed, or being opened again; try again"))
            return
        fact = SessionReleased(session_id, self._runtime.clock.now())
        store.write((fact,), partial(self._released, session_id, then))

    def _released(
        self,
        session_id: SessionId,
        then: Callable[[BusyError | RefusedError | None], None],
        answer: Committed | Refused,
    ) -> None:
        if isinstance(answer, Refused):
            never = answer.kind is RefusalKind.CONFLICT
            then(RefusedError(answer.detail) if never else BusyError(answer.detail))
            return
        self._answers.take_back(session_id)
        self._tell(SessionFreed(session_id))
        then(None)
