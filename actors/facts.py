"""What a session asks the store to make true: facts, in the past tense. All facts of one write are one transaction.

Storage turns each class into bound SQL (`storage/statements.py`). A fact that was written before is recognised by
its key and changes nothing.
"""

from __future__ import annotations

from msgspec import Struct

from greenroom.actors.model import (
    Budget,
    Delivery,
    DeliveryKind,
    Ending,
    Epoch,
    FailCause,
    FreshCause,
    Generation,
    Inbound,
    InboxId,
    InterruptReason,
    Lapse,
    Message,
    OpenRun,
    Question,
    Seq,
    SessionId,
    SessionKey,
    Spent,
    Tail,
    ToolCall,
)
from greenroom.actors.pairing_facts import PairingFact
from greenroom.actors.process_facts import ProcessFact


class InboundStored(Struct, frozen=True):
    """A platform's message is on disk. Makes session and route when the key is new. Yields a `Receipt`.

    Refused (CROWDED) when `backlog_max` messages of its session wait already to be handed to a run, and
    (STALE_WRITER) when `epoch` is given and over.
    """

    inbound: Inbound
    at: float
    backlog_max: int | None = None
    epoch: Epoch | None = None


class InboundTaken(Struct, frozen=True):
    """Stored inbound became the user message `seq`; it will not be handed to another run."""

    session_id: SessionId
    inbox_id: InboxId
    generation: Generation
    seq: Seq


class InboundSettled(Struct, frozen=True):
    """A stored inbound is done with and became no row: withdrawn, a change of another one, a late press, an order.

    `refusal` says why an order of whoever runs the service was not carried out: nobody else is told.
    """

    session_id: SessionId
    inbox_id: InboxId
    generation: Generation
    refusal: str | None = None


class RunOpened(Struct, frozen=True):
    """A run starts: the session's generation is now the run's. Refused unless it is the next one."""

    session_id: SessionId
    run: OpenRun
    tail: Tail


class RunProgressed(Struct, frozen=True):
    """The running agent gave a sign of life. `tail` is kept with the run so that a boot decides by index alone."""

    session_id: SessionId
    generation: Generation
    at: float
    tail: Tail
    attempt: int


class RunMarked(Struct, frozen=True):
    """An open run will not be finished by this process, and why. Written before a drain waits."""

    session_id: SessionId
    generation: Generation
    reason: InterruptReason


class RunClosed(Struct, frozen=True):
    """The work is concluded, or given up: nothing of it will be resumed."""

    session_id: SessionId
    generation: Generation
    ending: Ending
    at: float
    failed_by: FailCause | Budget | None = None


class RunSpent(Struct, frozen=True):
    """What the agent reported to have spent on the run's work so far, attempts before it included.

    Calls of tools are counted in the ledger.
    """

    session_id: SessionId
    generation: Generation
    spent: Spent


class MessageAppended(Struct, frozen=True):
    """A row of the transcript."""

    session_id: SessionId
    epoch: Epoch
    message: Message


class ToolStarted(Struct, frozen=True):
    """A tool is about to be called. Durable before the call. A repeated start of the same key counts attempts."""

    session_id: SessionId
    epoch: Epoch
    generation: Generation
    work: Generation
    call: ToolCall
    at: float


class ToolEnded(Struct, frozen=True):
    """A tool's outcome. Never overwritten: the first stored result of a key stands."""

    session_id: SessionId
    generation: Generation
    key: str
    result: str
    failed: bool
    at: float


class DoubtTold(Struct, frozen=True):
    """That nobody knows a call's outcome was told: to the agent, or to the user who then said yes.

    Before this, work to come meets the doubt; after it, only the work in which it was told does.
    """

    session_id: SessionId
    key: str
    at: float


class QuestionAsked(Struct, frozen=True):
    """The agent waits for the user."""

    session_id: SessionId
    epoch: Epoch
    generation: Generation
    work: Generation
    question: Question
    at: float


class QuestionAnswered(Struct, frozen=True):
    """The user's words that answered a question."""

    session_id: SessionId
    key: str
    answer: str
    at: float


class QuestionLapsed(Struct, frozen=True):
    """A question is over without an answer: what its user says from now on answers something else, or nothing."""

    session_id: SessionId
    key: str
    lapse: Lapse
    at: float


class DeliveryOpened(Struct, frozen=True):
    """Something will have to become visible. Repeated with the same key it changes nothing."""

    epoch: Epoch
    generation: Generation
    delivery: Delivery


class DeliveryFilled(Struct, frozen=True):
    """The text of an open delivery is known, and by that what it says. Never replaces a text that is there."""

    key: str
    text: str
    at: float
    kind: DeliveryKind


class DeliveryMoved(Struct, frozen=True):
    """A delivery's row as its actor now knows it: state, the platform's message ids, attempts, when to try again."""

    delivery: Delivery
    at: float
    error: str | None = None


class DeliveryRevived(Struct, frozen=True):
    """Whoever runs the service has a delivery sent again that was given up, or at once what waits for its next try.

    It may have had its effect: from here on its outcome counts as unknown, and it is sent as such a one is. Refused for
    what is delivered, has no text yet, or asks what nobody waits for any more.
    """

    delivery: Delivery
    at: float


class DeliveryDropped(Struct, frozen=True):
    """Whoever runs the service gave a delivery up that was owed, or wants no letter kept of one that is dead."""

    delivery: Delivery
    at: float


class DecisionStored(Struct, frozen=True):
    """A resume decision: the rule of the table by its name, with all inputs as JSON."""

    session_id: SessionId
    epoch: Epoch
    generation: Generation
    rule: str
    outcome: str
    inputs: str
    at: float


class SessionQuarantined(Struct, frozen=True):
    """The session is left alone until an operator releases it."""

    session_id: SessionId
    reason: str
    at: float


class RestartsCounted(Struct, frozen=True):
    """What a session's actor has left of its restarts, as JSON; None: it made progress and begins anew."""

    session_id: SessionId
    budget: str | None


class SessionReleased(Struct, frozen=True):
    """An operator gave a session back to its user that was set aside. What was counted against it is forgotten."""

    session_id: SessionId
    at: float


class SessionSuspended(Struct, frozen=True):
    """The session's user or an operator asked that it never wakes by itself."""

    session_id: SessionId
    at: float


class SessionSucceeded(Struct, frozen=True):
    """A chat's conversation begins anew: a new session has its route and all that waits; the old one stays readable.

    Refused while a run is open. Yields a `Receipt` that names the new session, and no inbound.
    """

    session_id: SessionId  # the old one
    because: FreshCause
    at: float


class RowsForgotten(Struct, frozen=True):
    """Rows of bookkeeping grew old, and nothing needs them any more. `storage/forgetting.py` says which may go."""

    table: str
    ids: tuple[int, ...]


class SessionsForgotten(Struct, frozen=True):
    """Whoever runs the service had conversations of one chat forgotten: no row of them is left, nor a route to them.

    Refused while an agent works in one of them, or a background process of it lives. What comes later of them, from
    whom ever, finds no session and is refused.
    """

    key: SessionKey
    ids: tuple[SessionId, ...]
    at: float


class SuspensionLifted(Struct, frozen=True):
    """The session's user lets it go on."""

    session_id: SessionId


class InboundRefused(Struct, frozen=True):
    """Chats that are not allowed wrote, `count` times. Only a counter by platform and account: no words, no transcript.

    `key` is of one of them, `at` of the last time.
    """

    key: SessionKey
    at: float
    count: int = 1


Fact = (
    InboundStored
    | InboundTaken
    | InboundSettled
    | RunOpened
    | RunProgressed
    | RunMarked
    | RunClosed
    | RunSpent
    | MessageAppended
    | ToolStarted
    | ToolEnded
    | DoubtTold
    | QuestionAsked
    | QuestionAnswered
    | QuestionLapsed
    | DeliveryOpened
    | DeliveryFilled
    | DeliveryMoved
    | DeliveryRevived
    | DeliveryDropped
    | DecisionStored
    | SessionQuarantined
    | RestartsCounted
    | SessionReleased
    | SessionSuspended
    | SessionSucceeded
    | RowsForgotten
    | SessionsForgotten
    | SuspensionLifted
    | InboundRefused
    | ProcessFact
    | PairingFact
)
