"""When each platform account last had a message acknowledged, from what commits made true since this process began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.facts import InboundStored

if TYPE_CHECKING:
    from greenroom.actors.store import GroupCommitted


class Lately:
    """Heard on the storage thread, read on another. An acknowledgement follows its commit at once."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._acknowledged: dict[str, float] = {}

    def hear(self, group: GroupCommitted) -> None:
        """Take in what a commit made true."""
        for fact in group.facts:
            if isinstance(fact, InboundStored):
                self._acknowledged[f"{fact.inbound.key.platform}:{fact.inbound.key.account}"] = group.at

    def acknowledged_at(self, account: str) -> float | None:
        """When it was, in UTC epoch seconds, for an account such as `telegram:me`; None: not yet."""
        return self._acknowledged.get(account)
