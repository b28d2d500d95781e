"""What the tests of `step` begin with: a session, what it is told, and what comes of it."""

from typing import Any

from msgspec.structs import replace

from greenroom.actors.acts import (
    Effects,
)
from greenroom.actors.events import (
    Arrived,
    Asked,
    Event,
)
from greenroom.actors.model import (
    Epoch,
    Generation,
    InboxId,
    OpenRun,
    Question,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Snapshot,
    StoredInbound,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.rules import Rules
from greenroom.actors.session import Asking, Running, Session, open_session, step

S, E, G1, G2 = SessionId(1), Epoch(3), Generation(1), Generation(2)
KEY = SessionKey("web", "bot", "ann")
RULES = Rules()
NOW = 1_000.0
CALL = ToolCall("1.1.tool.x.0", "clock", "{}", ToolPolicy.PURE)
QUESTION = Question("1.1.question.x.0", "Which?", ("red", "blue"))


def said(number: int, text: str = "hello", at: float = NOW) -> StoredInbound:
    return StoredInbound(InboxId(number), text, "Ann", at, reply_to=f"m{number}")


def fresh(**changes: Any) -> Session:
    return open_session(replace(Snapshot(S, KEY, E, Generation(0), Tail()), **changes))


def after(session: Session, *events: Event, now: float = NOW, rules: Rules = RULES) -> tuple[Session, Effects]:
    """The state after these events, and the effects of the last one."""
    effects = Effects()
    for event in events:
        session, effects = step(session, event, now, rules)
    return session, effects


def running() -> Session:
    return after(fresh(), Arrived(said(1)))[0]


def of(kind: type[Any], effects: Effects) -> list[Any]:
    return [each for each in (*effects.facts, *effects.acts) if type(each) is kind]


def kinds(effects: Effects) -> list[str]:
    return [type(each).__name__ for each in (*effects.facts, *effects.acts)]


def run(**changes: Any) -> OpenRun:
    return replace(OpenRun(G1, Epoch(2), G1, RunCause.INBOUND, 1, 900.0, 950.0, reply_to="m1"), **changes)


INTERRUPTED = Tail(TailKind.USER, 900.0, Seq(1), Seq(1))


def asking() -> Session:
    return after(running(), Asked(G1, QUESTION, "Well."))[0]


def interrupted_asking(**changes: Any) -> Session:
    question = replace(QUESTION, after=InboxId(2))
    tail = Tail(TailKind.ASKED, 900.0, Seq(2), Seq(1), asking=True)
    return fresh(**{"generation": G1, "run": run(), "tail": tail, "question": question, "segment": 1, **changes})


def phase_run(session: Session) -> OpenRun:
    assert isinstance(session.phase, Running | Asking)
    return session.phase.run
