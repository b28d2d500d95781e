"""What stands on one opening of the store, and falls with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykka import ActorDeadError

from greenroom.actors.runtime import MailboxFull

if TYPE_CHECKING:
    from greenroom.actors.keeper import Keeper
    from greenroom.actors.ref import Ref
    from greenroom.supervisor.owned import OwnedStore
    from greenroom.supervisor.tree_actor import TreeActor


@dataclass(frozen=True, slots=True)
class Storey:
    """What stands on one opening of the store, and falls with it."""

    store: OwnedStore
    tree: Ref[TreeActor]
    keeper: Keeper | None

    def tell(self, message: object) -> None:
        """Tell the tree; one that is gone is being replaced, and reads the rows."""
        try:
            self.tree.tell(message)
        except (ActorDeadError, MailboxFull):
            return
