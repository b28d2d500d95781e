"""Bugs of the field, planted in how orders are carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenroom.actors import commanding, session
from greenroom.actors.acts import CancelAlarms, CancelRun
from greenroom.actors.facts import InboundSettled, RunClosed, SessionSucceeded
from greenroom.actors.model import Ending
from greenroom.actors.state import IDLE, Asking, Running
from greenroom.storage import reading, statements
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap
from greenroom.supervisor.tree_actor import TreeActor

if TYPE_CHECKING:
    import apsw

    from greenroom.actors.draft import Draft
    from greenroom.actors.model import Receipt, StoredInbound
    from greenroom.supervisor.sandbox.scenario import Scenario


def _without_a_row(_: Any) -> Any:
    def stop_run(draft: Draft, phase: Any) -> None:
        draft.do(CancelAlarms(), CancelRun(draft.generation))
        draft.report_over()
        draft.write(RunClosed(draft.id, phase.run.generation, Ending.STOPPED, draft.now))
        draft.move(IDLE)

    return stop_run


def _in_memory_only(real: Any) -> Any:
    def stop(draft: Draft, inbound: StoredInbound) -> None:
        if isinstance(draft.phase, Running | Asking):
            draft.do(CancelAlarms(), CancelRun(draft.generation))
            draft.report_over()
            draft.move(IDLE)
        real(draft, inbound)

    return stop


def _writes_nothing(_: Any) -> Any:
    return lambda _db, _fact: None


def _passes_on_orders_alone(real: Any) -> Any:
    def pass_on(tree: Any, session_id: Any, key: Any, event: Any) -> None:
        if not tree._drain or event.inbound.command is not None:  # noqa: SLF001
            real(tree, session_id, key, event)

    return pass_on


def _finds_nothing(_: Any) -> Any:
    return lambda _db, _session_id: None


def _looks_only_while_aside(real: Any) -> Any:
    def read(db: Any, session_id: Any) -> Any:
        aside = "SELECT 1 FROM sessions WHERE id = ? AND coalesce(quarantined_at, suspended_at) IS NOT NULL"
        return real(db, session_id) if db.execute(aside, (session_id,)).fetchone() else None

    return read


def _keeps_the_route(real: Any) -> Any:
    def succeeded(db: apsw.Connection, fact: SessionSucceeded) -> Receipt:
        (route,) = db.execute("SELECT key, session_id FROM routes WHERE session_id = ?", (fact.session_id,)).fetchall()
        receipt: Receipt = real(db, fact)
        db.execute("UPDATE routes SET session_id = ?2 WHERE key = ?1", route)
        return receipt

    return succeeded


def _serves_although_suspended(real: Any) -> Any:
    def may_begin(draft: Draft) -> bool:
        suspended, draft.suspended = draft.suspended, False
        begins: bool = real(draft)
        draft.suspended = suspended
        return begins

    return may_begin


def _stops_what_hangs(room: Scenario, _seed: int) -> None:
    """A person stops what hangs; the process dies soon after."""
    room.says("m1 hang")
    room.advance(5)
    room.says("/stop")
    room.advance(1)
    room.restart()


def _begins_anew(room: Scenario, _seed: int) -> None:
    """A person begins anew, and writes."""
    room.says("m1 answer")
    room.advance(5)
    room.says("/new")
    room.advance(1)
    room.says("m2 answer")


def _writes_while_suspended(room: Scenario, _seed: int) -> None:
    """A person suspends what hangs, and writes."""
    room.says("m1 hang")
    room.advance(5)
    room.says("/suspend")
    room.advance(1)
    room.says("m2 hang")
    room.advance(1)
    room.world.mistakes.extend(str(each) for each in room.broken(at_rest=False))
    room.says("/stop")


def _stops_what_was_said_in_a_drain(room: Scenario, _seed: int) -> None:
    """While another chat keeps the process from ending, a person writes, and thinks better of it."""
    room.says("m1 answer")
    room.says("m2 doze answer", 2)
    room.advance(5)
    room.order_drain()
    room.advance(1)
    room.says("m3 answer")
    room.advance(1)
    room.says("/stop")
    room.advance(1)
    room.crash()


def _writes_on_after_a_restart(room: Scenario, _seed: int) -> None:
    """A person suspends, and writes before and after the process dies."""
    room.says("/suspend")
    room.says("m1 answer")
    room.advance(1)
    room.restart()
    room.says("m2 answer")
    room.advance(1)
    room.world.mistakes.extend(str(each) for each in room.broken(at_rest=False))
    room.says("/resume")


MUTANTS = (
    Mutant(
        "stop writes no row",
        "the run is closed, and the transcript does not say that its person stopped it",
        (Swap(commanding, "stop_run", _without_a_row),),
        frozenset({"what_is_stopped_stays_so", "what_is_stored_is_answered"}),
        story(_stops_what_hangs),
    ),
    Mutant(
        "stop only in memory",
        "the agent is cancelled, and on disk its run goes on",
        (Swap(commanding, "_stop", _in_memory_only),),
        frozenset(
            {
                "what_is_stopped_stays_so",
                "what_is_stored_is_answered",
                "no_run_stays_open",
                "it_comes_to_rest",
                "no_phantom_run",
            }
        ),
        story(_stops_what_hangs),
    ),
    Mutant(
        "an order is carried out again",
        "nothing on disk says that an order was carried out, so that the next start does it again",
        (Swap(statements.STATEMENTS, InboundSettled, _writes_nothing),),
        frozenset({"an_order_has_one_reply", "an_order_is_carried_out"}),
        story(_stops_what_hangs),
    ),
    Mutant(
        "new keeps the route",
        "a new conversation is made, and the chat goes on leading to the old one",
        (Swap(statements.STATEMENTS, SessionSucceeded, _keeps_the_route),),
        frozenset({"a_chat_leads_to_its_newest_session"}),
        story(_begins_anew),
    ),
    Mutant(
        "a suspended session serves",
        "a message starts a run although its session is suspended",
        (Swap(session, "_may_begin", _serves_although_suspended),),
        frozenset({"what_is_suspended_begins_nothing"}),
        story(_writes_while_suspended),
    ),
    Mutant(
        "told at each start that it is suspended",
        "only the memory of a process knows that who waits was told so",
        (Swap(reading, "read_told_aside", _finds_nothing),),
        frozenset({"of_what_waits_aside_is_told_once"}),
        story(_writes_on_after_a_restart),
    ),
    Mutant(
        "told again that it is suspended",
        "whoever wakes between two suspensions does not know that who waits was told of the first",
        (Swap(reading, "read_told_aside", _looks_only_while_aside),),
        frozenset({"what_is_visible_has_its_row"}),
        story(stories_aside.is_suspended_twice, policy=Policy(idle_s=stories_aside.IDLE_S)),
    ),
    Mutant(
        "a drain keeps messages to itself",
        "a session that lives hears of orders in a drain, and not of what was said before them",
        (Swap(TreeActor, "_pass_on", _passes_on_orders_alone),),
        frozenset({"a_stop_knows_what_came_before"}),
        story(_stops_what_was_said_in_a_drain, policy=Policy(drain_s=60.0)),
    ),
)
