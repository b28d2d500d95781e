"""Prints docs/session.md from `step` itself: `python -m tests.actors.session_table > docs/session.md`."""

from __future__ import annotations

import sys

from msgspec.structs import replace

from greenroom.actors.acts import Effects
from greenroom.actors.agent_rows import AgentRow
from greenroom.actors.commands import Command
from greenroom.actors.events import (
    Added,
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
    Listened,
    Matched,
    PastRead,
    ProcessHeard,
    ProcessOver,
    Progressed,
    PutOff,
    Rang,
    Released,
    Reported,
    Resumed,
    RetryRang,
    RowsWritten,
    RunEnded,
    SpawnPlanned,
    SpendingReported,
    Spoke,
    Summarised,
    ToolCalled,
    ToolReturned,
    ToolWithheld,
    Undelivered,
    WatchDropped,
    Woke,
)
from greenroom.actors.model import (
    Epoch,
    Generation,
    InboxId,
    InterruptReason,
    Lapse,
    Message,
    OpenRun,
    Question,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Snapshot,
    Spent,
    StoredInbound,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.process import Awaited, Match, Order, ProcessEnding, ProcessId, ProcessState
from greenroom.actors.rules import Rules
from greenroom.actors.session import Session, open_session, step
from greenroom.actors.store import Past

INTRODUCTION = """# What moves a session

This page is printed from `step` (`actors/session.py`) by `tests/actors/session_table.py`, and a test fails when it is
not current. Each row is one event told to a session in one phase. The cell says the phase afterwards, then the facts
that are written as one transaction, then, after the arrow, the acts that are performed in this order once the facts are
on disk. A dash means that nothing changes. In each phase but `Running` and `Asking` nothing of a run is heard at all, and
in these two only what carries the session's current generation: everything else is late and changes nothing.

Read a row from left to right as the promise it keeps: `Running` and `RunEnded(Answered)` writes the answer's row, its
delivery and the end of the run together, so that an answer can be neither sent and lost nor stored and unsent; only then
is the delivery handed to the outbox. What waits when a run ends starts the next one in the same transaction
(`Running, message waits`). `Interrupted` is what a dead process leaves behind: a run that is open on disk and works
nowhere. With a question open it is the user's turn, and only the answer starts a run; one that has lapsed (timed out, or never
delivered) starts none either, but the user's next message is a message like any other then.
"""

S, G = SessionId(1), Generation(1)
NOW = 1_000.0
MESSAGE = StoredInbound(InboxId(9), "hello", None, NOW)
PROCESS = ProcessId("1.1")
AWAITED = (Awaited(PROCESS, G, ("make",), notify=True),)
RETRY = replace(MESSAGE, id=InboxId(1), command=Command.RETRY)
ASKED_BEFORE = Message(Seq(1), G, "user.1", Role.USER, "hello", NOW)
CARRIED_OUT = (Command.STATUS, Command.STOP, Command.NEW, Command.SUSPEND, Command.RESUME)
"""The orders that differ; the others are one reply."""
CALL = ToolCall("key", "clock", "{}", ToolPolicy.PURE)
QUESTION = Question("question", "Which?", timeout_s=600.0, asked_at=NOW, delivery="1.1.answer")
RUN = OpenRun(G, Epoch(1), G, RunCause.INBOUND, 1, NOW, NOW)
EMPTY = Snapshot(S, SessionKey("web", "bot", "ann"), Epoch(1), Generation(0), Tail(), awaited=AWAITED)
OPEN = replace(EMPTY, generation=G, run=RUN, tail=Tail(TailKind.USER, NOW, Seq(1), Seq(1)))
ASKED = replace(OPEN, tail=Tail(TailKind.ASKED, NOW, Seq(2), Seq(1), asking=True))


def _after(session: Session, *events: Event) -> Session:
    for event in events:
        session, _ = step(session, event, NOW, Rules())
    return session


IDLE = open_session(EMPTY)
RUNNING = _after(IDLE, Arrived(replace(MESSAGE, id=InboxId(1))))
PHASES: dict[str, Session] = {
    "Idle": IDLE,
    "Idle, /retry asks for the past": _after(IDLE, Arrived(RETRY)),
    "Interrupted": open_session(OPEN),
    "Interrupted, question open": open_session(replace(ASKED, question=QUESTION, segment=1)),
    "Interrupted, question lapsed": open_session(
        replace(ASKED, question=replace(QUESTION, lapsed=Lapse.TIMED_OUT), segment=1)
    ),
    "Interrupted, put off": _after(RUNNING, RunEnded(G, PutOff("overloaded"))),
    "Running": RUNNING,
    "Running, message waits": _after(RUNNING, Arrived(replace(MESSAGE, id=InboxId(2)))),
    "Running, draining": _after(RUNNING, Drained(InterruptReason.SHUTDOWN_TIMEOUT)),
    "Asking": _after(RUNNING, Asked(G, QUESTION, "")),
}
EVENTS: dict[str, Event] = {
    "Arrived": Arrived(MESSAGE),
    **{f"Arrived(/{command})": Arrived(replace(MESSAGE, command=command)) for command in CARRIED_OUT},
    "Woke": Woke(),
    "Released": Released(),
    "Resumed": Resumed(InterruptReason.RESTART_INTERRUPTED),
    "Drained": Drained(InterruptReason.SHUTDOWN_TIMEOUT),
    "CutShort": CutShort(),
    "PastRead(/retry)": PastRead(RETRY.id, Past(request=(ASKED_BEFORE,))),
    "IdleRang": IdleRang(),
    "Undelivered": Undelivered(QUESTION.delivery),
    "LifeShown": LifeShown(G),
    "Spoke": Spoke(G, "words"),
    "Reported": Reported(G, "remark"),
    "Progressed": Progressed(G),
    "Listened": Listened(G, "steering.1"),
    "SpendingReported": SpendingReported(G, "spending.1", Spent(model_calls=1)),
    "ToolCalled": ToolCalled(G, CALL),
    "ToolCalled(once too often)": ToolCalled(G, CALL, nth=20),
    "ToolWithheld": ToolWithheld(G, CALL, ("key",)),
    "ToolReturned": ToolReturned(G, CALL, "1", failed=False),
    "RowsWritten": RowsWritten(G, "rows.1", (AgentRow("t", Role.ASSISTANT, "Hm."),)),
    "RowsWritten(conclusion)": RowsWritten(G, "rows.1", (AgentRow("a", Role.ASSISTANT, "answer", "stop"),)),
    "Summarised": Summarised(G, Seq(1), "in short"),
    "Asked": Asked(G, QUESTION, ""),
    "RunEnded(Answered)": RunEnded(G, Answered("answer")),
    "RunEnded(Answered, cut short)": RunEnded(G, Answered("ans", "length")),
    "RunEnded(Answered, empty)": RunEnded(G, Answered("")),
    "RunEnded(Failed)": RunEnded(G, Failed("(line)")),
    "RunEnded(Cancelled)": RunEnded(G, Cancelled()),
    "RunEnded(PutOff)": RunEnded(G, PutOff("overloaded")),
    "RetryRang": RetryRang(G),
    "SpawnPlanned": SpawnPlanned(G, Order(PROCESS, ("make",), notify=True)),
    "ProcessHeard": ProcessHeard(G, PROCESS),
    "Matched": Matched(G, Epoch(1), PROCESS, Match("READY")),
    "ProcessOver": ProcessOver(PROCESS, ProcessEnding(ProcessState.ENDED, 0)),
    "WatchDropped": WatchDropped(PROCESS),
    "Added": Added(Generation(0), "more"),
    **{f"Rang({alarm.name})": Rang(G, alarm, question=QUESTION.key) for alarm in Alarm},
}


def page() -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *(_chapter(name, session) for name, session in PHASES.items())))


def _chapter(name: str, session: Session) -> str:
    rows = [f"| {event} | {_cell(session, what)} |" for event, what in EVENTS.items()]
    return "\n".join((f"## {name}\n", "| event | what becomes of it |", "|---|---|", *rows, ""))


def _cell(session: Session, event: Event) -> str:
    if isinstance(event, Asked) and event.question.key in repr(session.phase):
        event = replace(event, question=replace(event.question, key="another"))
    after, effects = step(session, event, NOW, Rules())
    if after == session and effects == Effects():
        return "-"
    facts = " ".join(type(fact).__name__ for fact in effects.facts) or "nothing"
    acts = " ".join(type(act).__name__ for act in effects.acts) or "nothing"
    return f"**{type(after.phase).__name__}**: {facts} → {acts}"


if __name__ == "__main__":
    sys.stdout.write(page())
