"""`step` under anything: every event at every moment, late ones and those of runs that never were included."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from greenroom.actors.acts import (
    ArmAlarm,
    CancelAlarms,
    CancelRun,
    Confirm,
    Deliver,
    Effects,
    OpenAnchor,
    ReportRun,
    Rest,
    StartRun,
)
from greenroom.actors.events import (
    Alarm,
    Answered,
    Arrived,
    Asked,
    Cancelled,
    CutShort,
    Drained,
    Event,
    Failed,
    IdleRang,
    LifeShown,
    Progressed,
    Rang,
    Reported,
    Resumed,
    RunEnded,
    RunEvent,
    Spoke,
    ToolCalled,
    ToolReturned,
    ToolWithheld,
    Woke,
)
from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryOpened,
    Fact,
    InboundTaken,
    MessageAppended,
    QuestionAnswered,
    QuestionAsked,
    RunClosed,
    RunMarked,
    RunOpened,
    RunProgressed,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.keys import answer_key, tool_call_row_key
from greenroom.actors.model import (
    Ending,
    Epoch,
    Generation,
    InboxId,
    InterruptReason,
    Message,
    OpenRun,
    Question,
    SessionId,
    SessionKey,
    Snapshot,
    StoredInbound,
    Tail,
    ToolCall,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.rules import Rules
from greenroom.actors.session import Asking, Idle, Interrupted, Running, Session, open_session, step
from greenroom.actors.tail import classify_tail

S, KEY = SessionId(1), SessionKey("web", "bot", "ann")
RULES = Rules(inbox_batch_max=3)
CONCLUDED = {Ending.ANSWERED, Ending.FAILED, Ending.EXPIRED}
REASONS = st.sampled_from(InterruptReason)
TEXTS = st.sampled_from(["", "  ", "yes", "Let me see."])
OUTCOMES = st.one_of(
    st.builds(Answered, TEXTS, st.sampled_from(["stop", "length", None])),
    st.builds(Failed, st.just("(It broke.)"), TEXTS),
    st.just(Cancelled()),
)
CALLS = st.builds(
    lambda n, policy: ToolCall(f"tool.{n}", "t", "{}", policy), st.integers(0, 2), st.sampled_from(ToolPolicy)
)
QUESTIONS = st.builds(lambda n: Question(f"question.{n}", "Which?"), st.integers(0, 10**6))


def words_of(generation: int) -> st.SearchStrategy[Any]:
    g = st.just(Generation(generation))
    return st.one_of(
        st.builds(LifeShown, g),
        st.builds(Spoke, g, TEXTS),
        st.builds(Reported, g, TEXTS),
        st.builds(Progressed, g),
        st.builds(RunEnded, g, OUTCOMES),
        st.builds(Rang, g, st.sampled_from(Alarm)),
    )


def run_events(generation: int) -> st.SearchStrategy[Any]:
    g = st.just(Generation(generation))
    return st.one_of(
        words_of(generation),
        st.builds(ToolCalled, g, CALLS),
        st.builds(ToolWithheld, g, CALLS, st.just(())),
        st.builds(ToolReturned, g, CALLS, st.just("1"), st.booleans()),
        st.builds(Asked, g, QUESTIONS, TEXTS),
    )


class Disk:
    """What the facts so far made true, kept as simply as can be."""

    def __init__(self) -> None:
        self.rows: list[Message] = []
        self.generation = Generation(0)
        self.open: RunOpened | None = None
        self.taken: list[InboxId] = []
        self.deliveries: dict[str, str | None] = {}
        self.questions: dict[str, tuple[Generation, Question, str | None]] = {}
        self.calls: dict[str, ToolCall] = {}
        self.results: set[str] = set()

    def write(self, fact: Fact) -> None:
        match fact:
            case MessageAppended(message=message):
                assert message.seq == len(self.rows) + 1, "rows are counted without gaps"
                assert message.key not in {row.key for row in self.rows}, message.key
                assert message.generation == self.generation, "the fence would refuse it"
                self.rows.append(message)
            case RunOpened():
                assert self.open is None, "the one before is closed first"
                assert fact.run.generation == self.generation + 1
                self.generation, self.open = fact.run.generation, fact
            case RunClosed(generation=generation):
                assert self.open is not None
                assert self.open.run.generation == generation
                self.open = None
            case RunProgressed(generation=generation) | RunMarked(generation=generation):
                assert self.open is not None
                assert self.open.run.generation == generation == self.generation
            case InboundTaken(inbox_id=inbox_id, generation=generation):
                assert generation == self.generation
                self.taken.append(inbox_id)
            case DeliveryOpened(generation=generation, delivery=delivery):
                assert generation == self.generation
                assert delivery.key not in self.deliveries
                self.deliveries[delivery.key] = delivery.text
            case DeliveryFilled(key, text):
                assert self.deliveries[key] is None
                self.deliveries[key] = text
            case QuestionAsked(work=work, question=question):
                self.questions[question.key] = (work, question, None)
            case QuestionAnswered(key=key, answer=answer):
                work, question, before = self.questions[key]
                assert before is None, "a question is answered once"
                self.questions[key] = (work, question, answer)
            case ToolStarted(call=call):
                self.calls[call.key] = call
            case ToolEnded(key=key):
                self.results.add(key)
            case _:
                pass

    def snapshot(self, epoch: Epoch, waiting: tuple[StoredInbound, ...], cursor: InboxId) -> Snapshot:
        """What the store would answer to the next process."""
        tail = classify_tail(self.rows)
        run = self.open.run if self.open is not None else None
        asked = [it for it in self.questions.values() if run is not None and it[0] == run.work]
        unanswered = [question for _, question, answer in asked if answer is None]
        anchored = run is not None and answer_key(S, run.work, len(asked)) in self.deliveries
        return Snapshot(
            *(S, KEY, epoch, self.generation, tail, run, waiting, cursor),
            question=unanswered[-1] if unanswered else None,
            segment=len(asked),
            anchored=anchored,
            calls=tuple(ToolRecord(self.calls[key]) for key in sorted(tail.open_calls)),
        )


class SessionMachine(RuleBasedStateMachine):
    """Lives a session through events, restarts and drains beside a disk that refuses what the real one would."""

    @initialize()
    def begin(self) -> None:
        self.disk = Disk()
        self.inbox: list[StoredInbound] = []
        self.epoch = Epoch(1)
        self.now = 1_000.0
        self.session: Session = open_session(Snapshot(S, KEY, self.epoch, Generation(0), Tail()))
        self.alarms: set[Alarm] = set()
        self.asked = 0

    def feed(self, event: Event) -> Effects:
        before = self.session
        self.session, effects = step(before, event, self.now, RULES)
        self.check_facts(before, effects)
        for fact in effects.facts:
            self.disk.write(fact)
        self.check_acts(before, event, effects)
        if isinstance(event, Arrived | Woke | RunEnded) and effects != Effects() and self.session.draining is None:
            assert not (isinstance(self.session.phase, Idle) and self.session.waiting), "what waits begins at once"
        return effects

    def check_facts(self, before: Session, effects: Effects) -> None:
        opened = [fact for fact in effects.facts if isinstance(fact, RunOpened)]
        assert len(opened) <= 1
        if opened and isinstance(before.phase, Interrupted) and before.phase.question is not None:
            assert any(isinstance(fact, QuestionAnswered) for fact in effects.facts), "nobody goes on unanswered"
        rows = [*self.disk.rows, *(fact.message for fact in effects.facts if isinstance(fact, MessageAppended))]
        last = [fact for fact in effects.facts if isinstance(fact, RunOpened | RunProgressed)][-1:]
        if last:
            assert last[0].tail == classify_tail(rows)
        for fact in effects.facts:
            assert getattr(fact, "epoch", self.epoch) == self.epoch
        answers = [f for f in effects.facts if isinstance(f, MessageAppended) and f.message.answers_upto is not None]
        shown = [f for f in effects.facts if isinstance(f, DeliveryFilled | DeliveryOpened) and text_of(f) is not None]
        closed = [f for f in effects.facts if isinstance(f, RunClosed) and f.ending in CONCLUDED]
        assert len(answers) == len(closed)
        assert len(shown) >= len(answers)

    def check_acts(self, before: Session, event: Event, effects: Effects) -> None:
        for act in effects.acts:
            match act:
                case ArmAlarm(alarm=alarm):
                    self.alarms.add(alarm)
                case CancelAlarms():
                    self.alarms.clear()
                case StartRun(run=run):
                    assert before.draining is None
                    assert run.generation == self.session.generation
                case Deliver(delivery):
                    assert self.disk.deliveries[delivery.key] == delivery.text
                case OpenAnchor(delivery):
                    assert delivery.key in self.disk.deliveries
                case Confirm() | CancelRun():
                    assert act.generation == before.generation
                case Rest():
                    assert isinstance(self.session.phase, Idle | Interrupted)
                case _:
                    pass
        reports = [act for act in effects.acts if isinstance(act, ReportRun)]
        assert not any(act.live for act in reports if before.draining is not None)
        assert all(act.for_good is (self.session.draining is not None) for act in reports if not act.live)
        live = [act.live for act in reports]
        if live and not isinstance(event, Resumed | Drained):
            assert live[-1] == isinstance(self.session.phase, Running)

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(after_s=st.sampled_from([0.0, 1.0, 4_000.0]))
    def time_passes(self, after_s: float) -> None:
        self.now += after_s

    @rule(told=st.booleans(), text=TEXTS)
    def somebody_writes(self, told: bool, text: str) -> None:
        inbound = StoredInbound(InboxId(len(self.inbox) + 1), text, None, self.now)
        self.inbox.append(inbound)
        self.feed(Arrived(inbound))
        if told:
            taken = list(self.disk.taken)
            self.feed(Arrived(inbound))
            assert self.disk.taken == taken

    @rule(event=st.one_of(st.just(Woke()), st.builds(Resumed, REASONS), st.just(IdleRang()), st.just(CutShort())))
    def the_tree_speaks(self, event: Event) -> None:
        if isinstance(event, CutShort) and self.session.draining is None:
            return
        self.feed(event)

    @precondition(lambda self: self.works())
    @rule(reason=REASONS, seldom=st.integers(0, 3))
    def a_drain_begins(self, reason: InterruptReason, seldom: int) -> None:
        if not seldom:
            self.feed(Drained(reason))

    @precondition(lambda self: self.works())
    @rule(data=st.data())
    def the_run_speaks(self, data: st.DataObject) -> None:
        self.feed(data.draw(words_of(self.session.generation)))

    @precondition(lambda self: self.works())
    @rule(call=CALLS)
    def the_run_calls_a_tool(self, call: ToolCall) -> None:
        """A turn calls a key once an attempt, and what has a result is replayed."""
        row = tool_call_row_key(call.key, self.session.generation)
        if call.key not in self.disk.results and row not in {message.key for message in self.disk.rows}:
            self.feed(ToolCalled(self.session.generation, call))

    @precondition(lambda self: self.works() and self.session.tail.open_calls)
    @rule(data=st.data(), failed=st.booleans())
    def a_tool_returns(self, data: st.DataObject, failed: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.session.tail.open_calls)))
        self.feed(ToolReturned(self.session.generation, self.disk.calls[key], "1", failed))

    @precondition(lambda self: isinstance(self.session.phase, Running))
    @rule(text=TEXTS)
    def the_run_asks(self, text: str) -> None:
        self.asked += 1
        self.feed(Asked(self.session.generation, Question(f"question.{self.asked}", "Which?"), text))

    def works(self) -> bool:
        return isinstance(self.session.phase, Running | Asking)

    @rule(data=st.data(), back=st.integers(1, 3))
    def an_older_run_speaks(self, data: st.DataObject, back: int) -> None:
        event = data.draw(run_events(self.session.generation - back))
        assert isinstance(event, RunEvent)
        before = self.session
        assert self.feed(event) == Effects()
        assert self.session == before

    @rule()
    def the_process_dies(self) -> None:
        self.die()

    @rule(reason=REASONS)
    def the_process_dies_and_the_work_goes_on(self, reason: InterruptReason) -> None:
        self.die()
        self.feed(Resumed(reason))

    def die(self) -> None:
        self.epoch = Epoch(self.epoch + 1)
        taken = set(self.disk.taken)
        waiting = tuple(inbound for inbound in self.inbox if inbound.id not in taken)
        self.session = open_session(self.disk.snapshot(self.epoch, waiting, InboxId(len(self.inbox))))
        self.alarms.clear()

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def the_tail_is_that_of_all_rows(self) -> None:
        if hasattr(self, "disk"):
            assert self.session.tail == classify_tail(self.disk.rows)

    @invariant()
    def each_message_is_handed_over_once_and_none_is_lost(self) -> None:
        if hasattr(self, "disk"):
            waiting = [inbound.id for inbound in self.session.waiting]
            assert len(set(self.disk.taken)) == len(self.disk.taken)
            assert sorted((*self.disk.taken, *waiting)) == [inbound.id for inbound in self.inbox]

    @invariant()
    def the_disk_knows_what_is_open(self) -> None:
        if hasattr(self, "disk"):
            phase = self.session.phase
            run: OpenRun | None = None if isinstance(phase, Idle) else phase.run
            assert (run is None) == (self.disk.open is None)
            if run is not None and self.disk.open is not None:
                assert run.generation == self.disk.open.run.generation == self.session.generation

    @invariant()
    def no_alarm_outlives_its_run(self) -> None:
        if hasattr(self, "disk") and isinstance(self.session.phase, Idle | Interrupted):
            assert self.alarms == set()


def text_of(fact: DeliveryFilled | DeliveryOpened) -> str | None:
    return fact.text if isinstance(fact, DeliveryFilled) else fact.delivery.text


TestSession = SessionMachine.TestCase
TestSession.settings = settings(stateful_step_count=30)
