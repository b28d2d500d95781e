"""What the tree is told and whom it tells: the words between it, its sessions, the store and the roof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenroom.actors.model import Receipt, SessionId, SessionKey, StoredInbound
from greenroom.actors.runtime import Failure, Solicited
from greenroom.actors.store import Committed, ReadAnswer, Refused
from greenroom.supervisor.drain import CloseBoot, Intent
from greenroom.supervisor.recovery import Account, Decided

if TYPE_CHECKING:
    from greenroom.actors.ref import Ref
    from greenroom.actors.session_actor import SessionActor


@dataclass(frozen=True, slots=True)
class Begin(Solicited):
    """Look at what is open, and decide."""


@dataclass(frozen=True, slots=True)
class Pulse(Solicited):
    """Say that you live: call `then`, which returns at once."""

    then: Callable[[None], None]


@dataclass(frozen=True, slots=True)
class InboundCommitted(Solicited):
    """An inbound is on disk: wake its session."""

    receipt: Receipt
    inbound: StoredInbound


@dataclass(frozen=True, slots=True)
class OpenRead(Solicited):
    """The store's answer to what is open."""

    answer: ReadAnswer
    of: SessionId | None  # None: of all, at a boot
    gave_up: bool = False  # its restarts are spent


@dataclass(frozen=True, slots=True)
class DecisionsWritten(Solicited):
    """Decisions are on disk: now they take effect."""

    decided: tuple[Decided, ...]
    answer: Committed | Refused
    boot: bool


@dataclass(frozen=True, slots=True)
class RunReported(Solicited):
    """A run of a session became live; or it ended, waits for its user, or never was."""

    session_id: SessionId
    live: bool


@dataclass(frozen=True, slots=True)
class RestOffered(Solicited):
    """A session is idle and has handled `told` messages of ours."""

    session_id: SessionId
    told: int


@dataclass(frozen=True, slots=True)
class ActorFailed(Solicited):
    """The runtime reports a failure."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class RestartDue(Solicited):
    """The back-off of a dead session is over, or its restarts are spent."""

    session_id: SessionId
    gave_up: bool = False


@dataclass(frozen=True, slots=True)
class Doomed(Solicited):
    """The store is closed and nobody has opened it again."""

    why: str


@dataclass(frozen=True, slots=True)
class PlatformConnected(Solicited):
    """A platform account can be reached."""

    account: Account


@dataclass(frozen=True, slots=True)
class PlatformDisconnected(Solicited):
    """A platform account cannot be reached."""

    account: Account


@dataclass(frozen=True, slots=True)
class DrainOrdered(Solicited):
    """The process is to end. Ordered again, it ends at once."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class DrainLooked(Solicited):
    """Something may have changed for the drain."""


@dataclass(slots=True)
class Ward:
    """A live session actor."""

    key: SessionKey
    ref: Ref[SessionActor]
    told: int = 0


@dataclass(frozen=True, slots=True)
class TreeHooks:
    """Whom the tree tells; each call returns at once."""

    take_up: Callable[[SessionKey], None]  # the outbox of this session's platform should read what is owed
    concluded: Callable[[SessionId], None]  # whoever waits for an answer of this session should look
    set_aside: Callable[[SessionId], None]  # and this one answers nothing more in this life of the process
    owed: Callable[[], int]  # deliveries that could be sent now and are not yet
    drained: Callable[[CloseBoot], None]
    began: Callable[[tuple[Decided, ...]], None]  # the boot's decisions are on disk
    fatal: Callable[[str], None]
