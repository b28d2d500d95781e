"""What `step` asks the shell to do once the facts are on disk: acts, in the imperative, performed in order."""

from __future__ import annotations

from msgspec import Struct

from greenroom.actors.budgets import Excess
from greenroom.actors.events import Alarm
from greenroom.actors.facts import Fact
from greenroom.actors.model import Delivery, Generation, InboxId, Lapse, Message, OpenRun


class StartRun(Struct, frozen=True):
    """Call the agent. `new` are the user messages to be answered; `note` tells it of an interruption.

    `news` are the rows that tell of background processes.
    """

    run: OpenRun
    new: tuple[Message, ...]
    note: str | None
    news: tuple[Message, ...] = ()


class CancelRun(Struct, frozen=True):
    """Stop the agent's coroutine; what it still says is late."""

    generation: Generation


class CallOff(Struct, frozen=True):
    """Do not call the agent of this run if it has not been called yet."""

    generation: Generation


Word = str | Lapse | Excess | tuple[Message, ...] | None
"""What an agent that waits is told: a question's answer, or that there is none; what steers it; that it is too much."""


class EndProcesses(Struct, frozen=True):
    """End those background processes of the session of which its rows say that its user wants them ended."""


class Confirm(Struct, frozen=True):
    """Tell the waiting agent that what it reported under `key` is on disk, and what it waits for."""

    generation: Generation
    key: str
    answer: Word = None


class OpenAnchor(Struct, frozen=True):
    """Let the delivery's placeholder be posted."""

    delivery: Delivery


class ShowText(Struct, frozen=True):
    """Let the anchor say this for now. May be lost."""

    key: str
    text: str


class ShowTyping(Struct, frozen=True):
    """Let the platform show for a moment that somebody is typing, if it can. May be lost, and never comes too late."""


class Deliver(Struct, frozen=True):
    """The delivery's text is on disk: make it visible, exactly once."""

    delivery: Delivery


class ArmAlarm(Struct, frozen=True):
    """Ring for this run in `after_s` seconds; replaces the one of the same name."""

    generation: Generation
    alarm: Alarm
    after_s: float
    question: str | None = None  # whose time it is


class CancelAlarms(Struct, frozen=True):
    """Silence all timers of the session."""


class ArmIdle(Struct, frozen=True):
    """Ring when nothing happened for `after_s` seconds."""

    after_s: float


class ArmRetry(Struct, frozen=True):
    """Ring in `after_s` seconds: then what this run could not do is tried again."""

    generation: Generation
    after_s: float


class Rest(Struct, frozen=True):
    """Offer to be passivated: everything is on disk and nothing runs."""


class ReportRun(Struct, frozen=True):
    """Tell the supervisor that a run of this session is live, or that none is; `for_good`: nor will one be."""

    live: bool
    for_good: bool = False


class ReportSucceeded(Struct, frozen=True):
    """Tell the supervisor that another session has the chat from here on."""


class ReportReleased(Struct, frozen=True):
    """Tell the supervisor that the session was given back: what is open in it is to be decided again.

    `interrupted`: the run that is open and that nobody works at; one that is begun from here on is another.
    """

    interrupted: Generation | None


class ReportConcluded(Struct, frozen=True):
    """Tell whoever waits for an answer of this session to look."""


Showing = OpenAnchor | ShowText | ShowTyping | Deliver
"""What is handed to the outbox of the session's platform account."""


class ReadPast(Struct, frozen=True):
    """Ask the store for what this order needs to know; `PastRead` brings it."""

    inbox_id: InboxId


Act = (
    StartRun
    | CancelRun
    | CallOff
    | EndProcesses
    | Confirm
    | OpenAnchor
    | ShowText
    | ShowTyping
    | Deliver
    | ArmAlarm
    | CancelAlarms
    | ArmIdle
    | ArmRetry
    | Rest
    | ReportRun
    | ReportConcluded
    | ReportReleased
    | ReportSucceeded
    | ReadPast
)


class Effects(Struct, frozen=True):
    """Write all `facts` in one transaction; only then do the `acts`, in order."""

    facts: tuple[Fact, ...] = ()
    acts: tuple[Act, ...] = ()
