"""Whoever runs the service has conversations forgotten while the house stands.

The transaction that deletes them is refused while anything works in them, so that it races with nothing: what works is
ordered to stop, as its person could, and the transaction is tried again. Once it is on disk there is no session any
more that a late write could be of.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

from greenroom.actors.commands import Command
from greenroom.actors.facts import SessionsForgotten
from greenroom.actors.outbox_words import Forgotten
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.store import Committed, Kin, KinOf, ReadFailed, RefusalKind, Refused
from greenroom.storage.requests import Scrubbed
from greenroom.supervisor.access import CLOSED
from greenroom.supervisor.operations import NO_SESSION, is_session_number

if TYPE_CHECKING:
    from greenroom.actors.model import SessionId
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.store import ReadAnswer
    from greenroom.supervisor.answers import Answers
    from greenroom.supervisor.operations import Operations
    from greenroom.supervisor.owned import OwnedStore

TRIES_MAX = 30
TRY_AGAIN_S = 0.5
"""What was ordered to stop is waited for so long, which is longer than a background process is given to end."""


class Forgot(Struct, frozen=True):
    """What was forgotten, and what of the files was scrubbed."""

    kin: Kin
    scrubbed: Scrubbed

    @property
    def ids(self) -> tuple[SessionId, ...]:
        """The sessions."""
        return self.kin.ids


Then = Callable[[Forgot | Exception], None]

CLOSED_MEANWHILE = "greenroom was closed meanwhile: it may be forgotten; look when it runs again"


class Erasing:
    """Done to the store that is open now. Called from any thread; answers come by callback."""

    def __init__(
        self,
        runtime: Runtime,
        operations: Operations,
        answers: Answers,
        store: Callable[[], OwnedStore | None],
        tell: Callable[[Forgotten], None],
    ) -> None:
        """`tell` reaches the outbox of a chat."""
        self._runtime = runtime
        self._operations = operations
        self._answers = answers
        self._store = store
        self._tell = tell
        self._numbers = count()
        self._waiting: dict[int, Then] = {}

    def forget(self, session_id: SessionId, then: Then, *, whole_chat: bool) -> None:
        """Forget a session, or all of its chat. `then` hears what was; RefusedError (never), or BusyError (not now)."""
        number = next(self._numbers)
        self._waiting[number] = then
        told = partial(self._tell_end, number)
        store = self._store()
        if store is None:
            told(BusyError(CLOSED))
        elif not is_session_number(session_id):
            told(RefusedError(NO_SESSION.format(session_id)))
        else:
            store.port.read(KinOf(session_id, whole_chat), partial(self._found, session_id, told))

    def end(self) -> None:
        """No try follows any more: those who wait hear that it may have been done."""
        for number in tuple(self._waiting):
            self._tell_end(number, BusyError(CLOSED_MEANWHILE))

    def _tell_end(self, number: int, answer: Forgot | Exception) -> None:
        if (then := self._waiting.pop(number, None)) is not None:
            then(answer)

    def _found(self, session_id: SessionId, then: Then, answer: ReadAnswer) -> None:
        match answer:
            case Kin():
                self._try(answer, then, tries=1)
            case ReadFailed(why):
                then(BusyError(why))
            case _:
                then(RefusedError(NO_SESSION.format(session_id)))

    def _try(self, kin: Kin, then: Then, tries: int) -> None:
        store = self._store()
        if store is None:
            then(BusyError(CLOSED))
            return
        fact = SessionsForgotten(kin.key, kin.ids, self._runtime.clock.now())
        store.port.write((fact,), partial(self._written, store, kin, then, tries))

    def _written(self, store: OwnedStore, kin: Kin, then: Then, tries: int, answer: Committed | Refused) -> None:
        if isinstance(answer, Committed):
            self._tell(Forgotten(kin.key, frozenset(kin.ids)))
            self._answers.forget(kin.ids)
            store.scrub(lambda scrubbed: then(Forgot(kin, scrubbed)))
        elif answer.kind is not RefusalKind.CONFLICT or tries >= TRIES_MAX:
            then(BusyError(f"{answer.detail}; try again"))
        else:
            if tries == 1:
                self._operations.order(kin.key, Command.STOP, _ignore)
            again = partial(self._try, kin, then, tries + 1)
            self._runtime.timers.arm(("forget", next(self._numbers)), TRY_AGAIN_S, again)


def _ignore(_: object) -> None:
    """Whether it came to rest is seen by the next try."""
