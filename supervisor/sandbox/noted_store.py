"""An ear at the store: what was committed, by whom, and in which rows. It changes nothing and delays nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from greenroom.actors import facts as f
from greenroom.actors.pairing_facts import ChatPaired, ChatUnpaired, CodeMissed, CodeOffered
from greenroom.actors.store import Committed, Refused
from greenroom.supervisor.fact_words import rows_of, say
from greenroom.supervisor.owned import OwnedSqlite
from greenroom.supervisor.sandbox.floods import Floods
from greenroom.supervisor.sandbox.happening import PROCESS, STORE

if TYPE_CHECKING:
    from greenroom.actors.facts import Fact
    from greenroom.actors.model import Epoch, Inbound
    from greenroom.actors.store import Query, ReadAnswer, Store
    from greenroom.storage.store import SqliteStore
    from greenroom.supervisor.sandbox.world import World

Then = Callable[[Committed | Refused], None]


class NotedSqlite(OwnedSqlite):
    """A store that tells the world what it commits."""

    def __init__(self, store: SqliteStore, world: World) -> None:
        super().__init__(store)
        self._noted = NotedStore(store, world)

    @property
    def port(self) -> Store:
        """What actors use."""
        return self._noted


class NotedStore:
    """A `Store` around another."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._floods = Floods()

    @property
    def epoch(self) -> Epoch:
        """See `Store.epoch`."""
        return self._store.epoch

    @property
    def uid(self) -> str:
        """See `Store.uid`."""
        return self._store.uid

    def accept(self, inbound: Inbound, at: float, then: Then) -> None:
        """See `Store.accept`."""
        self._floods.hear(inbound, self._world)
        self._store.accept(inbound, at, self._noting((f.InboundStored(inbound, at),), then))

    def write(self, facts: Sequence[Fact], then: Then) -> None:
        """See `Store.write`."""
        self._store.write(facts, self._noting(facts, then))

    def read(self, query: Query, then: Callable[[ReadAnswer], None]) -> None:
        """See `Store.read`."""
        self._store.read(query, then)

    def _noting(self, facts: Sequence[Fact], then: Then) -> Then:
        def answered(answer: Committed | Refused) -> None:
            if facts:
                self._note(facts, answer)
            then(answer)

        return answered

    def _note(self, facts: Sequence[Fact], answer: Committed | Refused) -> None:
        sessions = self._world.sessions
        what = ", ".join(say(fact) for fact in facts)
        if isinstance(answer, Refused):
            self._world.note(self._who(facts), f"refused ({answer.kind.name}): {what}", STORE)
            return
        sessions.update((receipt.session_id, receipt.key) for receipt in answer.receipts)
        if any(receipt.repeated for receipt in answer.receipts):
            what += " (it was there)"
        rows = dict.fromkeys(row for fact in facts for row in rows_of(fact))
        self._world.note(self._who(facts), what, STORE, row=", ".join(rows))

    def _who(self, facts: Sequence[Fact]) -> str:
        for fact in facts:
            match fact:
                case f.InboundStored(inbound):
                    return inbound.key.platform
                case (
                    f.DeliveryOpened(delivery=delivery)
                    | f.DeliveryMoved(delivery)
                    | f.DeliveryRevived(delivery)
                    | f.DeliveryDropped(delivery)
                ):
                    return str(delivery.session)
                case f.SessionsForgotten(key):
                    return str(key)
                case f.DeliveryFilled() | f.InboundRefused() | f.RowsForgotten():
                    continue
                case CodeOffered() | CodeMissed() | ChatPaired() | ChatUnpaired():
                    continue
                case _ if fact.session_id in self._world.sessions:
                    return str(self._world.sessions[fact.session_id])
                case _:
                    continue
        return PROCESS
