"""Bugs of the field, planted in how conversations begin anew, and in what comes with messages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import opening, session, succeeding
from greenroom.actors.acts import ReportReleased
from greenroom.actors.facts import SessionReleased, SessionSucceeded
from greenroom.actors.model import FreshCause, SessionId
from greenroom.storage import forgetting, pruning, reading, statements
from greenroom.supervisor import consequences
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.invariants import Violation
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.scenario import DeliveryClass, Scenario, SessionKey
from greenroom.supervisor.sandbox.swap import Swap
from greenroom.supervisor.tree_actor import TreeActor

if TYPE_CHECKING:
    import apsw

    from greenroom.actors.draft import Draft
    from greenroom.actors.model import Receipt, Snapshot
    from greenroom.actors.store import Unfinished

HOUR_S = 3_600.0
TWO = (DeliveryClass.EDIT_ANCHOR, DeliveryClass.EDIT_ANCHOR)
IDLE = Policy(reset="idle", reset_after_s=4 * HOUR_S, attempts_max=9, unclean_boots_max=99)


def _counts_from_the_boot(real: Any) -> Any:
    """A session that is read from disk was active just now."""

    def read(db: apsw.Connection, session_id: SessionId) -> Snapshot | None:
        snapshot: Snapshot | None = real(db, session_id)
        began = db.execute("SELECT max(started_at) FROM boots").get
        return snapshot and replace(snapshot, active_at=max(snapshot.active_at or 0.0, began))

    return read


def _looks_at_no_doubt(real: Any) -> Any:
    def reset_if_due(draft: Draft, rules: Any) -> bool:
        draft.in_doubt = False
        return bool(real(draft, rules))

    return reset_if_due


def _leaves_what_waits(real: Any) -> Any:
    def succeeded(db: apsw.Connection, fact: SessionSucceeded) -> Receipt:
        waiting = db.execute("SELECT id FROM inbox WHERE session_id = ? AND generation IS NULL", (fact.session_id,))
        ids = [each for (each,) in waiting.fetchall()]
        receipt: Receipt = real(db, fact)
        db.executemany("UPDATE inbox SET session_id = ? WHERE id = ?", [(fact.session_id, each) for each in ids])
        return receipt

    return succeeded


def _says_nothing(_: Any) -> Any:
    return lambda *_args, **_words: None


def _only_writes(_: Any) -> Any:
    def release(draft: Draft) -> None:
        draft.write(SessionReleased(draft.id, draft.now))
        draft.do(ReportReleased(draft.generation))

    return release


def _cuts_with_each_message(_: Any) -> Any:
    return lambda _active_at, _said_at, rules: FreshCause(rules.reset) if rules.reset != "none" else None


def _comes_back_later(room: Scenario, _seed: int) -> None:
    """A person writes, and writes again long after; the process is started anew between."""
    room.says("m1 answer")
    room.rest()
    room.crash()
    room.stays_down(3 * HOUR_S)
    room.boot()
    room.advance(2 * HOUR_S)
    room.says("m2 answer")


def _comes_back_to_a_doubt(room: Scenario, seed: int) -> None:
    """The process dies in a call that may have taken effect; its person comes back long after."""
    room.says("m1 once answer")
    room.steps(40 + seed)
    room.crash()
    room.stays_down(5 * HOUR_S)
    room.boot()
    room.rest()
    room.advance(5 * HOUR_S)
    room.says("m2 answer")


def _forgets_attachments(_: Any) -> Any:
    return lambda _attachments: None


def _is_released(room: Scenario, seed: int) -> None:
    stories_aside.is_given_back(room, seed, words="m1 hang")


def _names_it_apart(real: Any) -> Any:
    def name(unfinished: Unfinished) -> str:
        key: str = real(unfinished)
        return key if unfinished.anchored else f"{key}.expired"

    return name


def _forgets_what_is_young(real: Any) -> Any:
    return lambda self, db, kind, _before: real(self, db, kind, 1e12)


def _forgets_what_is_open(real: Any) -> Any:
    return tuple(dataclasses.replace(kind, may_go="1") for kind in real)


def _forgets_what_waits(real: Any) -> Any:
    return tuple(
        dataclasses.replace(kind, may_go=kind.may_go.split(" AND NOT EXISTS (SELECT 1 FROM inbox")[0]) for kind in real
    )


def _writes_while_it_is_suspended(seed: int) -> tuple[Violation, ...]:
    """A person suspends, writes, and is told; another chat goes on for hours, and then the process is started anew."""
    with Scenario(seed=seed + 1, policy=Policy(keep_deliveries_days=0.01)) as room:
        room.says("/suspend")
        room.says("m1 answer")
        for n in range(2, 5):
            room.advance(HOUR_S)
            room.says(f"m{n} answer", 2)
            room.advance(5)
        room.restart()
        room.rest()
        return tuple(room.broken())


def _is_asked_and_takes_its_time(seed: int) -> tuple[Violation, ...]:
    """The agent asks; the process is started anew; another chat goes on for longer than decisions are kept."""
    with Scenario(seed=seed + 1, policy=Policy(keep_decisions_days=0.01, keep_questions_days=0.01)) as room:
        room.says("m1 question answer")
        room.advance(5)
        room.crash()
        room.boot()
        for n in range(2, 6):
            room.advance(HOUR_S)
            room.says(f"m{n} answer", 2)
            room.advance(5)
        return tuple(room.broken(at_rest=False))  # The question is open still.


def _prunes_whatever_was_followed(_: Any) -> Any:
    return "SELECT ?1 > 0"


def _begins_anew_while_nobody_is_reached(seed: int) -> tuple[Violation, ...]:
    """A person begins anew while the platform is gone, so that answers are owed; another chat goes on for hours."""
    with Scenario(seed=seed + 1, platforms=TWO, policy=Policy(keep_sessions_days=0.01, idle_s=5.0)) as room:
        room.says("m1 answer")
        room.advance(5)
        room.disconnects()
        room.says("m2 answer")
        room.says("/new")
        for n in range(3, 7):
            room.advance(HOUR_S)
            room.says(f"m{n} answer", SessionKey("p2", "bot", "chat1"))
            room.advance(5)
        return tuple(room.broken(at_rest=False))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "what is owed is pruned",
        "a conversation that is over goes by its age alone, with what its person has not read yet",
        (Swap(pruning, "_MAY_GO", _prunes_whatever_was_followed),),
        frozenset({"nothing_owed_is_forgotten"}),
        _begins_anew_while_nobody_is_reached,
    ),
    Mutant(
        "what is young is forgotten",
        "old rows are forgotten whatever their age, and an update that comes again is taken for a new one",
        (Swap(forgetting.Forgetting, "_look_at", _forgets_what_is_young),),
        frozenset({"nothing_young_is_forgotten"}),
    ),
    Mutant(
        "what is needed is forgotten",
        "old rows are forgotten although something is open that asks for them",
        (Swap(forgetting, "_KINDS", _forgets_what_is_open),),
        frozenset({"nothing_open_is_forgotten"}),
        _is_asked_and_takes_its_time,
    ),
    Mutant(
        "the line is forgotten before its message",
        "old deliveries go although a message still waits: who wrote it is told again that it does, at each start",
        (Swap(forgetting, "_KINDS", _forgets_what_waits),),
        frozenset({"nothing_is_shown_twice", "what_is_visible_has_its_row"}),
        _writes_while_it_is_suspended,
    ),
    Mutant(
        "the answer takes the notice's place",
        "work that was set aside and released is answered where its person read that it was set aside",
        (Swap(reading, "count_segments", lambda _: lambda *_args: 0),),
        frozenset({"nothing_dies_without_cause"}),
        story(_is_released, policy=Policy(attempts_max=9, unclean_boots_max=99, placeholder_after_s=0.0)),
    ),
    Mutant(
        "a release is only written",
        "an operator releases a session while the process lives, and its actor goes on as before",
        (Swap(session, "release", _only_writes),),
        frozenset({"what_is_stored_is_answered", "no_run_stays_open"}),
        story(_is_released, policy=Policy(attempts_max=9, unclean_boots_max=99)),
    ),
    Mutant(
        "who gives old work up tells it under a name of their own",
        "the supervisor and a living session that does not hear of it give the same work up, and each tells its person",
        (Swap(consequences, "_answer_key", _names_it_apart), Swap(TreeActor, "_replace", lambda _: lambda *_: None)),
        frozenset({"a_line_is_said_once"}),
        story(stories_aside.is_given_back_late),
    ),
    Mutant(
        "attachments are lost on the way",
        "what came with a message is stored with the inbound, and not given to the agent",
        (Swap(statements, "write_attachments", _forgets_attachments),),
        frozenset({"what_came_with_a_message_is_kept"}),
    ),
    Mutant(
        "a boot counts as activity",
        "the age of a conversation is counted from the start of the process, so that restarts keep it for ever",
        (Swap(reading, "read_snapshot", _counts_from_the_boot),),
        frozenset({"a_conversation_ends_when_it_is_due"}),
        story(_comes_back_later, policy=IDLE),
    ),
    Mutant(
        "a reset forgets a doubt",
        "a conversation begins anew though nobody knows what became of a call of the old one",
        (Swap(session, "reset_if_due", _looks_at_no_doubt),),
        frozenset({"nothing_open_is_left_behind"}),
        story(_comes_back_to_a_doubt, policy=IDLE),
    ),
    Mutant(
        "a reset loses its message",
        "the message that begins a new conversation stays with the old one",
        (Swap(statements.STATEMENTS, SessionSucceeded, _leaves_what_waits),),
        frozenset({"nothing_open_is_left_behind", "what_is_stored_is_answered"}),
        story(_comes_back_later, policy=IDLE),
    ),
    Mutant(
        "a reset says nothing",
        "a conversation begins anew, and its person is not told",
        (Swap(opening, "tell_of_beginning", _says_nothing),),
        frozenset({"a_new_conversation_is_told_once"}),
        story(_comes_back_later, policy=IDLE),
    ),
    Mutant(
        "a reset with each message",
        "every message begins a new conversation",
        (Swap(succeeding, "decide_reset", _cuts_with_each_message),),
        frozenset({"a_new_conversation_was_due"}),
    ),
)
