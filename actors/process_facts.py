"""What is to be made true about background processes: facts, as those in `facts.py`."""

from __future__ import annotations

from msgspec import Struct

from greenroom.actors.model import Epoch, Generation, SessionId
from greenroom.actors.process import Leader, Order, ProcessEnding, ProcessId


class ProcessPlanned(Struct, frozen=True):
    """A process is about to be started. Durable before it is."""

    session_id: SessionId
    epoch: Epoch
    generation: Generation
    order: Order
    at: float


class ProcessBegan(Struct, frozen=True):
    """A process was started; by this it is found again when nobody watches it any more."""

    session_id: SessionId
    id: ProcessId
    leader: Leader


class ProcessEnded(Struct, frozen=True):
    """A process is over. `ending.output` is all that is kept of its output. The first ending of a process stands."""

    session_id: SessionId
    id: ProcessId
    ending: ProcessEnding
    at: float


class ProcessConsumed(Struct, frozen=True):
    """The agent was told how a process ended, or looked for itself: nothing more is told of it."""

    session_id: SessionId
    id: ProcessId


class WatchGivenUp(Struct, frozen=True):
    """A process matched its patterns too often: they are watched no more, its end is told instead."""

    session_id: SessionId
    id: ProcessId


class ProcessesDismissed(Struct, frozen=True):
    """The user of a session wants nothing that runs for it in the background: it is ended, and never told of."""

    session_id: SessionId


ProcessFact = ProcessPlanned | ProcessBegan | ProcessEnded | ProcessConsumed | WatchGivenUp | ProcessesDismissed
