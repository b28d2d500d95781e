"""Which interrupted sessions are decided, which wait for their platform, and which are resumed now. No I/O, no clock.

At most `policy.resume_concurrency` resumed runs live at once, most recent first; a user who writes is never queued
behind them, since that session's own next run handles both.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from greenroom.actors.facts import DecisionStored, DeliveryFilled, DeliveryOpened, Fact, MessageAppended, RunClosed
from greenroom.actors.model import Epoch, Generation, InterruptReason, SessionId, SessionKey
from greenroom.actors.store import Unfinished
from greenroom.supervisor.consequences import decision_facts
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import (
    Decision,
    Quarantine,
    Resume,
    ResumeInputs,
    Skip,
    Wait,
    Why,
    decide_resume,
    inputs_from,
)

Account = tuple[str, str]
"""Platform and account: what a session's answers need to be connected."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One session's decision, the inputs it was made from, and what becomes true with it."""

    unfinished: Unfinished
    inputs: ResumeInputs
    decision: Decision
    facts: tuple[Fact, ...]

    @property
    def changes(self) -> bool:
        """Whether more becomes true with it than that it was decided."""
        return any(not isinstance(fact, DecisionStored) for fact in self.facts)

    @property
    def speaks(self) -> bool:
        """Whether the chat gets a line with it: then the outbox has to look."""
        return any(isinstance(fact, DeliveryOpened | DeliveryFilled) for fact in self.facts)

    @property
    def concludes(self) -> bool:
        """Whether the work is over with it: then who waits for an answer has to look."""
        return any(isinstance(fact, MessageAppended | RunClosed) for fact in self.facts)

    @property
    def sets_aside(self) -> bool:
        """Whether nothing will be answered in this session before an operator releases it."""
        return isinstance(self.decision, Quarantine) or self.decision == Skip(Why.QUARANTINED)

    @property
    def gives_up(self) -> bool:
        """Whether it is set aside because its actor's restarts are spent."""
        return isinstance(self.decision, Quarantine) and self.decision.crashing

    @property
    def serves_inbound(self) -> bool:
        """Whether messages, or news of processes, may be handed to a run now, or orders be carried out."""
        if self.decision == Skip(Why.NOT_ALLOWED):
            return False
        waits = self.unfinished.waiting + self.unfinished.untold > 0
        return self.unfinished.commands > 0 or (waits and not self.sets_aside)


@dataclass(frozen=True, slots=True)
class Resumable:
    """A session whose turn has come to go on by itself."""

    session_id: SessionId
    key: SessionKey
    reason: InterruptReason | str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision needs and only the living process knows."""

    epoch: Epoch
    unclean_boots: int
    connected: Callable[[SessionKey], bool]


class Recovery:
    """Keeps the order of resumes. Used by the tree alone."""

    def __init__(self, policy: Policy) -> None:
        """Start with nothing open."""
        self._policy = policy
        self._queue: OrderedDict[SessionId, Resumable] = OrderedDict()
        self._resuming: set[SessionId] = set()
        self._held: dict[Account, dict[SessionId, Generation | None]] = {}  # with the run that is interrupted

    def decide(self, items: Iterable[Unfinished], now: float, around: Circumstances) -> list[Decided]:
        """Decide each, by the one table. Nothing comes of it before `remember`, when the decision is on disk."""
        return [self._decide(item, now, around) for item in items if item.run is not None or item.tail.unanswered]

    def give_up(self, items: Iterable[Unfinished], now: float, around: Circumstances) -> list[Decided]:
        """Set these sessions aside: their actor's restarts are spent."""
        decision = Quarantine(self._policy.restarts_max, crashing=True)
        return [self._decided(item, self._inputs(item, now, around), decision, around) for item in items]

    def _decide(self, item: Unfinished, now: float, around: Circumstances) -> Decided:
        inputs = self._inputs(item, now, around)
        return self._decided(item, inputs, decide_resume(inputs, self._policy), around)

    def _decided(self, item: Unfinished, inputs: ResumeInputs, decision: Decision, around: Circumstances) -> Decided:
        facts = decision_facts(item, decision, inputs, self._policy, epoch=around.epoch)
        return Decided(item, inputs, decision, facts)

    def _inputs(self, item: Unfinished, now: float, around: Circumstances) -> ResumeInputs:
        return inputs_from(
            item,
            now=now,
            epoch=around.epoch,
            allowed=self._policy.allows(item.key),
            connected=around.connected(item.key),
            unclean_boots=around.unclean_boots,
        )

    def remember(self, decided: Decided) -> None:
        """Queue what is to be resumed, and keep what waits for its platform. Of two decisions the later one stands."""
        session_id, key = decided.unfinished.session_id, decided.unfinished.key
        self.overtaken(session_id)
        match decided.decision:
            case Resume(reason):
                self._queue[session_id] = Resumable(session_id, key, reason)
            case Wait():
                run = decided.unfinished.run
                held = self._held.setdefault((key.platform, key.account), {})
                held[session_id] = None if run is None else run.generation
            case Skip() | Quarantine():
                pass

    def next(self) -> Resumable | None:
        """Take the next session to be resumed, if there is one and room for it."""
        if not self._queue or len(self._resuming) >= self._policy.resume_concurrency:
            return None
        session_id, resumable = self._queue.popitem(last=False)
        self._resuming.add(session_id)
        return resumable

    def ended(self, session_id: SessionId) -> None:
        """A run of this session is over, or waits for its user: its place is free."""
        self._resuming.discard(session_id)

    def died(self, session_id: SessionId) -> None:
        """Its actor did. What is open in it is another run by now, maybe, and is to be decided about."""
        self.ended(session_id)
        self.overtaken(session_id)

    def overtaken(self, session_id: SessionId) -> None:
        """A run lives in the session, which goes on with the interrupted work, whatever it was opened for."""
        self._queue.pop(session_id, None)
        for held in self._held.values():
            held.pop(session_id, None)

    def followed(self, key: SessionKey) -> None:
        """The chat's conversation began anew: what was to go on in the one before does not."""
        for session_id in [each.session_id for each in self._queue.values() if each.key == key]:
            self.overtaken(session_id)

    def release(self, account: Account) -> dict[SessionId, Generation | None]:
        """Give back the sessions that waited for this platform account, and their runs: to be decided about again."""
        return self._held.pop(account, {})

    def clear(self) -> None:
        """Resume nothing more: the process is about to end."""
        self._queue.clear()
        self._held.clear()
