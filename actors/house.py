"""What a session's actor is given to live with. Made once by the supervisor; the same for all sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from greenroom.actors.acts import Showing
from greenroom.actors.floor import Floor
from greenroom.actors.keeper import Keeper
from greenroom.actors.model import Generation, SessionId, SessionKey
from greenroom.actors.ports import Agent, Summarise
from greenroom.actors.ref import Ref
from greenroom.actors.rules import Rules
from greenroom.actors.store import Store


class Surroundings(Protocol):
    """Whom a session's actor tells: the outbox of its platform, and the tree. Every call returns at once."""

    def deliver(self, session: SessionKey, act: Showing) -> None:
        """Hand an act to the outbox of the session's platform account."""

    def shows_typing(self, session: SessionKey) -> bool:
        """Whether the session's platform can show that somebody is typing."""

    def report_run(self, session_id: SessionId, *, live: bool, for_good: bool) -> None:
        """Say that a run became live, or that none is; `for_good`: nor will one be, since the process is to end."""

    def report_succeeded(self, session: SessionKey, successor: SessionId) -> None:
        """Say that another session has this chat from here on, and what waits in it."""

    def report_released(self, session_id: SessionId, interrupted: Generation | None) -> None:
        """Say that the session was given back, as was ordered; this run of it, if any, is to be decided about again."""

    def report_concluded(self, session: SessionKey) -> None:
        """Say that work was concluded, for those who wait for an answer."""

    def offer_rest(self, actor: Ref[Any], told: int) -> None:
        """Offer to be passivated, having handled `told` messages of the tree. Late offers are not their successor's."""


@dataclass(frozen=True, slots=True)
class House:
    """The parts of the house that a session uses."""

    store: Store
    agent: Agent
    rules: Rules
    around: Surroundings
    floor: Floor = field(default_factory=Floor)
    keeper: Keeper | None = None  # of background processes; without one there are none
    summarise: Summarise | None = None

    def end_unwanted(self, session_id: SessionId) -> None:
        """End those background processes of a session that its user wants ended, as its rows say."""
        if self.keeper is not None:
            self.keeper.end_unwanted(session_id)
