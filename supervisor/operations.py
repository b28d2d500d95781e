"""What whoever runs the service does to a session: gives it back, or orders something of it as its user could.

An order is an inbound, as its user's would be: on disk before it is acknowledged, carried out once, also by the next
process. `docs/decisions/0015` tells why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenroom.actors.model import Inbound
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.supervisor.foreign import walled
from greenroom.supervisor.tree_words import ReleaseOrdered

if TYPE_CHECKING:
    from greenroom.actors.commands import Command
    from greenroom.actors.model import Receipt, SessionId, SessionKey
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.store import Store
    from greenroom.supervisor.answers import Answers
    from greenroom.supervisor.reception import Reception


NO_SESSION = "there is no session {0}; `greenroom sessions` lists them"

CUT_OFF = (
    "the service fell, or ended, while session {0} was being released: it may be. To release it twice does no harm"
)

Release = Callable[[BusyError | RefusedError | None], None]
"""Hears what kept a session from being given back; None: it is."""


def order_inbound(key: SessionKey, command: Command, text: str, order_id: str) -> Inbound:
    """Make an order an inbound of its chat. The same id is the same order, and carried out once."""
    return Inbound(key, f"operator.{order_id}", text, ordered=command)


SESSION_ID_MAX = 2**63 - 1
"""No row has a larger number."""


def is_session_number(number: object) -> bool:
    """Whether a session could have this number: hosts and other processes say what they like.

    >>> is_session_number(1), is_session_number(True), is_session_number("1"), is_session_number(2**63)
    (True, False, False, False)
    """
    return type(number) is int and 0 < number <= SESSION_ID_MAX


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
        self._lock = threading.Lock()
        self._releases: dict[SessionId, list[Release]] = {}  # by whom each was ordered

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

    def release(self, session_id: SessionId, then: Release) -> None:
        """Give a session back that was set aside; what is open in it is decided again. Twice is once.

        `then` hears what kept it: RefusedError, there is no such session; BusyError, not now.
        """
        if not is_session_number(session_id):
            walled("release", then, None)(RefusedError(NO_SESSION.format(session_id)))
            return
        with self._lock:
            self._releases.setdefault(session_id, []).append(walled("release", then, None))
        if self._store() is None:
            self._end_release(session_id, BusyError("the store is closed, or being opened again; try again"))
        else:
            self._tell(ReleaseOrdered(session_id))

    def hear_release(self, session_id: SessionId, answer: Committed | Refused) -> None:
        """A session was given back, on disk; or that was refused."""
        if isinstance(answer, Committed):
            self._answers.take_back(session_id)
            self._end_release(session_id, None)
        else:
            never = answer.kind is RefusalKind.CONFLICT
            self._end_release(session_id, RefusedError(answer.detail) if never else BusyError(answer.detail))

    def fall(self) -> None:
        """Whoever was ordered falls: those who wait hear that it may have been carried out."""
        for session_id in tuple(self._releases):
            self._end_release(session_id, BusyError(CUT_OFF.format(session_id)))

    def _end_release(self, session_id: SessionId, why_not: BusyError | RefusedError | None) -> None:
        with self._lock:
            waiting = self._releases.pop(session_id, [])
        for then in waiting:
            then(why_not)
