"""What `step` asks the shell to do once the facts are on disk: acts, in the imperative, performed in order."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.actors.events import Alarm
from greenroom.actors.facts import Fact
from greenroom.actors.model import Delivery, Generation, Message, OpenRun


@dataclass(frozen=True, slots=True)
class StartRun:
    """Call the agent. `new` are the user messages to be answered; `note` tells it of an interruption."""

    run: OpenRun
    new: tuple[Message, ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class CancelRun:
    """Stop the agent's coroutine; what it still says is late."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class Confirm:
    """Tell the waiting agent that what it reported under `key` is on disk; a question's answer comes with it."""

    generation: Generation
    key: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class OpenAnchor:
    """Let the delivery's placeholder be posted."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class ShowText:
    """Let the anchor say this for now. May be lost."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """The delivery's text is on disk: make it visible, exactly once."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class ArmAlarm:
    """Ring for this run in `after_s` seconds; replaces the one of the same name."""

    generation: Generation
    alarm: Alarm
    after_s: float


@dataclass(frozen=True, slots=True)
class CancelAlarms:
    """Silence all timers of the session."""


@dataclass(frozen=True, slots=True)
class ArmIdle:
    """Ring when nothing happened for `after_s` seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Rest:
    """Offer to be passivated: everything is on disk and nothing runs."""


@dataclass(frozen=True, slots=True)
class ReportRun:
    """Tell the supervisor that a run of this session is live, or is not any more."""

    live: bool


@dataclass(frozen=True, slots=True)
class ReportConcluded:
    """Tell whoever waits for an answer of this session to look."""


Act = (
    StartRun
    | CancelRun
    | Confirm
    | OpenAnchor
    | ShowText
    | Deliver
    | ArmAlarm
    | CancelAlarms
    | ArmIdle
    | Rest
    | ReportRun
    | ReportConcluded
)


@dataclass(frozen=True, slots=True)
class Effects:
    """Write all `facts` in one transaction; only then do the `acts`, in order."""

    facts: tuple[Fact, ...] = ()
    acts: tuple[Act, ...] = ()
