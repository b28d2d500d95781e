"""What one step is about to write and do. Used only inside `step`: made at its start, read out at its end."""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import Act, ArmAlarm, Deliver, Effects, OpenAnchor, ReportConcluded, ReportRun
from greenroom.actors.events import Alarm
from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryOpened,
    Fact,
    InboundSettled,
    InboundTaken,
    MessageAppended,
    RunProgressed,
)
from greenroom.actors.keys import answer_key, line_key, tool_result_row_key, user_message_key
from greenroom.actors.lines import CUT_RESULT
from greenroom.actors.model import (
    Attachment,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Generation,
    InboxId,
    Message,
    MessageKind,
    OpenRun,
    Role,
    Seq,
    StoredInbound,
    ToolCall,
)
from greenroom.actors.rules import Rules
from greenroom.actors.state import Asking, Idle, Interrupted, Phase, Running, Session
from greenroom.actors.tail import extend_tail

TYPING_FIRST_S = 0.5
"""An answer that comes sooner needs nobody who types."""


class Draft:
    """Collects facts and acts while a step decides; keeps the tail true to the rows it adds.

    It has the fields of `Session`, open to change, so that a step copies the state once and not once a change.
    """

    __slots__ = (
        "active_at",
        "acts",
        "awaited",
        "because",
        "commands",
        "cursor",
        "draining",
        "epoch",
        "facts",
        "generation",
        "id",
        "in_doubt",
        "key",
        "looking",
        "now",
        "phase",
        "quarantined",
        "spent",
        "succeeded",
        "suspended",
        "tail",
        "told_aside",
        "told_excess",
        "waiting",
    )

    def __init__(self, session: Session, now: float) -> None:
        """Start from a state; nothing is written yet."""
        self.id = session.id
        self.key = session.key
        self.epoch = session.epoch
        self.generation = session.generation
        self.tail = session.tail
        self.phase = session.phase
        self.cursor = session.cursor
        self.waiting = session.waiting
        self.quarantined = session.quarantined
        self.draining = session.draining
        self.awaited = session.awaited
        self.spent = session.spent
        self.told_excess = session.told_excess
        self.told_aside = session.told_aside
        self.active_at = session.active_at
        self.in_doubt = session.in_doubt
        self.because = session.because
        self.succeeded = session.succeeded
        self.suspended = session.suspended
        self.commands = session.commands
        self.looking = session.looking
        self.now = now
        self.facts: list[Fact] = []
        self.acts: list[Act] = []

    def result(self) -> tuple[Session, Effects]:
        """Give the new state and what must happen."""
        session = Session(
            self.id,
            self.key,
            self.epoch,
            self.generation,
            self.tail,
            self.phase,
            self.cursor,
            self.waiting,
            self.quarantined,
            self.draining,
            self.awaited,
            self.spent,
            self.told_excess,
            self.told_aside,
            self.active_at,
            self.in_doubt,
            self.because,
            self.succeeded,
            self.suspended,
            self.commands,
            self.looking,
        )
        return session, Effects(tuple(self.facts), tuple(self.acts))

    def write(self, *facts: Fact) -> None:
        """Add facts, in order."""
        self.facts.extend(facts)

    def do(self, *acts: Act) -> None:
        """Add acts, in order."""
        self.acts.extend(acts)

    def move(self, phase: Phase) -> None:
        """Change the phase."""
        self.phase = phase

    def append(  # noqa: PLR0913 - a row of the transcript has this many columns
        self,
        key: str,
        role: Role,
        text: str,
        *,
        kind: MessageKind = MessageKind.TEXT,
        finish: str | None = None,
        answers_upto: Seq | None = None,
        author: str | None = None,
        tool_calls: tuple[ToolCall, ...] = (),
        tool_key: str | None = None,
        attachments: tuple[Attachment, ...] = (),
        at: float | None = None,
    ) -> Message:
        """Add a row to the transcript, under the session's current generation, said now unless `at` says when."""
        message = Message(
            seq=Seq(self.tail.seq + 1),
            generation=self.generation,
            key=key,
            role=role,
            text=text,
            at=self.now if at is None else at,
            kind=kind,
            finish=finish,
            answers_upto=answers_upto,
            author=author,
            tool_calls=tool_calls,
            tool_key=tool_key,
            attachments=attachments,
        )
        self.facts.append(MessageAppended(self.id, self.epoch, message))
        if role is Role.USER or role is Role.ASSISTANT:
            self.active_at = self.now
        self.tail = extend_tail(self.tail, message)
        return message

    def note(self, key: str, text: str, kind: MessageKind) -> None:
        """Add a row of our own for the agent, at any time: it makes nothing look fresh, and no run begins for it."""
        self.append(key, Role.SYSTEM, text, kind=kind)
        self.keep_tail()

    def append_user(self, inbound: StoredInbound) -> Message:
        """Make a stored inbound the user's message; it will not be handed to another run."""
        message = self.append(
            user_message_key(inbound.id),
            Role.USER,
            inbound.text,
            author=inbound.author,
            attachments=inbound.attachments,
        )
        self.write(InboundTaken(self.id, inbound.id, self.generation, message.seq))
        self.write(*(InboundSettled(self.id, edit, self.generation) for edit in inbound.edits))
        return message

    def take_waiting(self, before: InboxId) -> int:
        """Make what waits and came before this inbound messages of the user; says how many.

        Who pressed a button of a question said nothing to go on with: of that no message is made.
        """
        taken = [inbound for inbound in self.waiting if inbound.id < before]
        self.waiting = self.waiting[len(taken) :]
        said = 0
        for inbound in taken:
            if inbound.answers is None:
                self.append_user(inbound)
                said += 1
            else:
                self.write(InboundSettled(self.id, inbound.id, self.generation))
                self.do(ReportConcluded())
        return said

    def close_calls(self, generation: Generation, *, at: float | None = None) -> None:
        """Give each call of that run that has no result a row that says so: models refuse a transcript without."""
        self.in_doubt = self.in_doubt or bool(self.tail.open_calls)  # What is known of them is read with the session.
        for key in sorted(self.tail.open_calls):
            self.append(tool_result_row_key(key, generation), Role.TOOL, CUT_RESULT, tool_key=key, at=at)

    def answer_key(self, phase: Running | Asking | Interrupted) -> str:
        """Name the delivery of the segment that is not finished."""
        return answer_key(self.id, phase.run.work, phase.segment)

    def delivery(
        self, phase: Running | Asking | Interrupted, kind: DeliveryKind, *, text: str | None, state: DeliveryState
    ) -> Delivery:
        """Make the row of the outbox for that segment."""
        return Delivery(
            key=self.answer_key(phase),
            session_id=self.id,
            session=self.key,
            kind=kind,
            text=text,
            state=state,
            reply_to=phase.run.reply_to,
            created_at=self.now,
        )

    def anchor(self, phase: Running | Asking) -> Running | Asking:
        """Make sure that the work has its delivery row, so that a placeholder can be posted."""
        if phase.anchored:
            return phase
        delivery = self.delivery(phase, DeliveryKind.ANSWER, text=None, state=DeliveryState.OPEN)
        self.write(DeliveryOpened(self.epoch, self.generation, delivery))
        self.do(OpenAnchor(delivery))
        moved = replace(phase, anchored=True)
        self.move(moved)
        return moved

    def fill(
        self, phase: Running | Asking | Interrupted, kind: DeliveryKind, text: str, choices: tuple[str, ...] = ()
    ) -> None:
        """Let that segment become visible with this text: the row and its text are one transaction with the rest."""
        delivery = self.delivery(phase, kind, text=text, state=DeliveryState.PENDING)
        if choices:
            delivery = replace(delivery, choices=choices)
        if phase.anchored:
            self.write(DeliveryFilled(delivery.key, text, self.now, kind))
        else:
            self.write(DeliveryOpened(self.epoch, self.generation, delivery))
        self.do(Deliver(delivery))

    def say_line(self, what: str, text: str, *, reply_to: str | None) -> None:
        """Let one line of our own become visible, that belongs to no run; once for this generation."""
        self.say(line_key(self.id, self.generation, what), text, reply_to=reply_to)

    def say(self, key: str, text: str, *, reply_to: str | None) -> None:
        """Let words of our own become visible, once for this key."""
        pending, kind = DeliveryState.PENDING, DeliveryKind.LINE
        delivery = Delivery(key, self.id, self.key, kind, text, pending, reply_to=reply_to, created_at=self.now)
        self.write(DeliveryOpened(self.epoch, self.generation, delivery))
        self.do(Deliver(delivery))

    def report_over(self) -> None:
        """Say that nothing runs here any more; once the process is to end, nothing will."""
        self.do(ReportRun(live=False, for_good=self.draining is not None))

    def stamp(self, run: OpenRun) -> None:
        """Write down that the agent gave a sign of life, and how the transcript ends now."""
        self.active_at = self.now
        self.write(RunProgressed(self.id, run.generation, self.now, self.tail, run.attempt))

    def keep_tail(self) -> None:
        """Let the end kept with the open run be the transcript's, without saying that the run progressed."""
        if not isinstance(self.phase, Idle):
            run = self.phase.run
            self.write(RunProgressed(self.id, run.generation, run.last_progress_at, self.tail, run.attempt))

    def hear(self, rules: Rules) -> None:
        """A sign of life: the silence is counted anew."""
        if rules.silent_max_s > 0:
            self.do(ArmAlarm(self.generation, Alarm.SILENCE, rules.silent_max_s))

    def arm_run(self, rules: Rules) -> None:
        """Set the timers of the run that works now."""
        generation = self.generation
        self.do(
            ArmAlarm(generation, Alarm.PLACEHOLDER, rules.placeholder_after_s),
            ArmAlarm(generation, Alarm.NOTICE, rules.notice_first_s),
        )
        if rules.typing_every_s > 0:
            self.do(ArmAlarm(generation, Alarm.TYPING, min(TYPING_FIRST_S, rules.typing_every_s)))
        if rules.silent_max_s > 0:
            self.do(ArmAlarm(generation, Alarm.SILENCE, rules.silent_max_s))
        if rules.run_max_s > 0:
            self.do(ArmAlarm(generation, Alarm.LIMIT, rules.run_max_s))
