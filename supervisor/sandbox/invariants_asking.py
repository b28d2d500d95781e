"""What must be true of questions, and of the buttons under them."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World

SLACK_S = 5.0
"""A loop, a commit and a slow disk may lie between an alarm and what is written of it."""


def an_answer_is_of_its_own_question(db: apsw.Connection, _: World) -> Iterator[str]:
    """A press of a button answers no question but its own."""
    for session, prompt, answer in rows(
        db,
        "SELECT session_id, prompt, answer FROM questions AS asked WHERE answer IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM inbox WHERE inbox.session_id = asked.session_id AND inbox.id > after_inbox"
        " AND (instr(inbox.text, answer) > 0 OR command IN ('approve', 'deny'))"
        " AND (answers IS NULL OR answers = asked.delivery))",
    ):
        yield f"session {session}: {prompt!r} is answered by {answer!r}, which was pressed under another question"


def a_question_has_one_end(db: apsw.Connection, _: World) -> Iterator[str]:
    """A question is answered, or over without an answer, and the transcript says so; never both."""
    for session, prompt, answer in rows(
        db,
        "SELECT session_id, prompt, answer FROM questions AS asked WHERE lapsed IS NOT NULL AND (answer IS NOT NULL"
        " OR NOT EXISTS (SELECT 1 FROM messages WHERE session_id = asked.session_id AND kind = 'lapsed'"
        " AND key = 'lapsed.' || asked.key))",
    ):
        yield f"session {session}: {prompt!r} is over without an answer, and has {answer!r}"


def a_question_ends_with_its_work(db: apsw.Connection, _: World) -> Iterator[str]:
    """When the work is concluded in which it was asked, however, a question is answered or over."""
    for session, prompt in rows(
        db,
        "SELECT session_id, prompt FROM questions AS asked WHERE answer IS NULL AND lapsed IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM runs WHERE runs.session_id = asked.session_id AND runs.work = asked.work AND open = 1)",
    ):
        yield f"session {session}: {prompt!r} is still open, and nothing waits for its answer"


def a_question_waits_as_long_as_it_says(db: apsw.Connection, world: World) -> Iterator[str]:
    """A question times out at its time: not without one, not before, and nothing said after it is its answer."""
    if any(kind.startswith(("disk", "clock", "host", "actor", "end")) for kind in world.faults):
        return  # Clocks jumped, or it was not written when it happened.
    for session, prompt, waited_s, timeout_s, lapsed in rows(
        db,
        "SELECT session_id, prompt, coalesce(lapsed_at, answered_at) - asked_at, timeout_s, lapsed FROM questions"
        " WHERE lapsed = 'timed_out' OR (answer IS NOT NULL AND timeout_s > 0)",
    ):
        if lapsed and not 0 < timeout_s <= waited_s + SLACK_S:
            yield f"session {session}: {prompt!r} timed out after {waited_s:.0f} s of {timeout_s:.0f}"
        if not lapsed and waited_s > timeout_s + SLACK_S:
            yield f"session {session}: {prompt!r} was answered after {waited_s:.0f} s of {timeout_s:.0f}"


def a_question_is_no_reason_to_resume(db: apsw.Connection, _: World) -> Iterator[str]:
    """What ends in a question, open or over, waits for its person: it is never resumed."""
    for session, generation, kind in rows(
        db,
        "SELECT session_id, generation, (SELECT kind FROM messages WHERE messages.session_id = runs.session_id"
        " AND messages.generation < runs.generation ORDER BY seq DESC LIMIT 1) AS last FROM runs"
        " WHERE cause = 'resume' AND last IN ('question', 'lapsed')",
    ):
        yield f"run {generation} of session {session} was resumed though the transcript ended in a row '{kind}'"


def a_press_is_no_message(db: apsw.Connection, _: World) -> Iterator[str]:
    """Of all presses on the buttons of a question one is handed to the agent at most: more change nothing."""
    for session, question, presses in rows(
        db,
        "SELECT session_id, answers, group_concat(update_id) FROM inbox WHERE answers IS NOT NULL AND seq IS NOT NULL"
        " GROUP BY session_id, answers HAVING count(*) > 1",
    ):
        yield f"session {session}: the agent was handed each of {presses}, which pressed a button of {question}"


def who_cannot_be_asked_is_not_waited_for(db: apsw.Connection, _: World) -> Iterator[str]:
    """An agent that waits for an answer hears when its question can never be seen.

    One that died, or was cut short, waits no more.
    """
    for session, prompt in rows(
        db,
        "SELECT questions.session_id, prompt FROM questions JOIN deliveries ON deliveries.key = delivery"
        " JOIN runs ON runs.session_id = questions.session_id AND runs.generation = questions.generation"
        " WHERE open = 1 AND interrupted_by IS NULL AND state = 'dead' AND answer IS NULL AND lapsed IS NULL"
        " AND runs.epoch = (SELECT epoch FROM ownership) AND NOT EXISTS (SELECT 1 FROM decisions"
        " WHERE decisions.session_id = runs.session_id AND decisions.generation = runs.generation)",
    ):
        yield f"session {session} waits for an answer to {prompt!r}, which nobody will see"


def what_asks_is_called_a_question(db: apsw.Connection, _: World) -> Iterator[str]:
    """A delivery that asks something says so, also in an anchor's place: what is over must not be asked again."""
    for key, kind in rows(
        db,
        "SELECT deliveries.key, kind FROM questions JOIN deliveries ON deliveries.key = delivery"
        " WHERE kind <> 'question'",
    ):
        yield f"{key} asks something, and is called {kind}"


ASKING_AFTER_BOOT: tuple[Check, ...] = (
    what_asks_is_called_a_question,
    an_answer_is_of_its_own_question,
    a_question_has_one_end,
    a_question_ends_with_its_work,
    a_question_waits_as_long_as_it_says,
    a_question_is_no_reason_to_resume,
    a_press_is_no_message,
)
ASKING_AT_THE_END: tuple[Check, ...] = (who_cannot_be_asked_is_not_waited_for,)
