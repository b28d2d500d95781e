"""What must be true of transcripts that agents write themselves, and of those that have grown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from greenroom.actors.keys import covered_by
from greenroom.actors.tail import FINISHES
from greenroom.supervisor.sandbox.agents import SLIP
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows, visible

if TYPE_CHECKING:
    import apsw

    from greenroom.supervisor.sandbox.world import World

_ROW = re.compile(r"^\((?P<step>\S+) row (?P<number>\d)\)$")


def a_row_is_written_once(db: apsw.Connection, _: World) -> Iterator[str]:
    """What an agent wrote itself is in the transcript once, however often it was flushed, and by which attempt."""
    for session, text, count in rows(
        db,
        "SELECT session_id, text, count(*) FROM messages WHERE key LIKE 'own.%' AND text <> ''"
        " GROUP BY session_id, text HAVING count(*) > 1",
    ):
        yield f"session {session} has {count} rows {text!r}"


def written_rows_have_no_gap(db: apsw.Connection, _: World) -> Iterator[str]:
    """The rows of one step are there from the first on, in the order in which they were written."""
    steps: dict[tuple[int, str], list[int]] = {}
    for session, text in rows(db, "SELECT session_id, text FROM messages WHERE key LIKE 'own.%' ORDER BY seq"):
        if match := _ROW.match(text):
            steps.setdefault((session, match["step"]), []).append(int(match["number"]))
    for (session, step), numbers in steps.items():
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"session {session}: rows of {step} are {numbers}"


def what_was_written_is_kept(db: apsw.Connection, world: World) -> Iterator[str]:
    """A row of which its agent was told that it is on disk is on disk, whenever the process died."""
    for chat, keys in world.written.items():
        found = rows(
            db,
            "SELECT messages.key FROM messages JOIN sessions ON sessions.id = session_id WHERE sessions.key = ?",
            chat,
        )
        for key in keys.keys() - {key for (key,) in found}:
            yield f"{chat}: {key!r} was confirmed and is not stored"


def an_answer_concludes(db: apsw.Connection, _: World) -> Iterator[str]:
    """A row of the agent that answers something says that it concludes, and is no call: no interim row is an answer."""
    for session, seq, finish, calls in rows(
        db,
        "SELECT session_id, seq, finish, tool_calls FROM messages WHERE role = 'assistant' AND answers_upto NOT NULL",
    ):
        if finish not in FINISHES or calls is not None:
            yield f"row {seq} of session {session} is an answer, its finish is {finish!r}, its calls {calls}"


def what_is_taken_back_is_gone(db: apsw.Connection, _: World) -> Iterator[str]:
    """Words that the agent took back are in no answer."""
    for session, seq, text in rows(
        db,
        "SELECT session_id, seq, text FROM messages WHERE role = 'assistant' AND answers_upto NOT NULL AND text LIKE ?",
        f"% {SLIP})%",
    ):
        yield f"row {seq} of session {session} still says {text!r}"


def work_has_one_answer(db: apsw.Connection, _: World) -> Iterator[str]:
    """A piece of work has one concluding row, whoever wrote it, and one delivery that shows it."""
    for session, work, count in rows(
        db,
        "SELECT runs.session_id, work, count(*) FROM messages JOIN runs ON runs.session_id = messages.session_id"
        " AND runs.generation = messages.generation WHERE role = 'assistant' AND finish IS NOT NULL"
        " AND finish <> 'tool_calls' AND tool_calls IS NULL GROUP BY runs.session_id, work HAVING count(*) > 1",
    ):
        yield f"work {work} of session {session} has {count} answers"


def what_is_answered_has_its_row(db: apsw.Connection, _: World) -> Iterator[str]:
    """The text of an answer that is shown, or will be, is that of a row that concludes, or of a question.

    An anchor may also say that the conversation was set aside: that concludes nothing.
    """
    for key, text in rows(
        db,
        "SELECT key, text FROM deliveries AS d WHERE kind = 'answer' AND text IS NOT NULL"
        " AND text NOT LIKE '%set this conversation aside%'"
        " AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.session_id = d.session_id AND answers_upto NOT NULL"
        " AND instr(d.text, m.text) > 0) AND NOT EXISTS (SELECT 1 FROM questions AS q"
        " WHERE q.session_id = d.session_id AND instr(d.text, prompt) > 0)",
    ):
        yield f"{key} says {text!r}, of which no row knows"


def what_is_added_is_shown(db: apsw.Connection, world: World) -> Iterator[str]:
    """What an agent says after the answer that it wrote itself is shown: where nothing died meanwhile, always."""
    for chat, text in () if world.faults else world.added:
        found = rows(
            db,
            "SELECT 1 FROM messages JOIN deliveries ON deliveries.session_id = messages.session_id"
            " AND instr(deliveries.text, messages.text) > 0 WHERE messages.key LIKE 'added.%' AND messages.text = ?",
            text,
        )
        if not found:
            yield f"{chat} never saw {text!r}"


def summaries_go_forward(db: apsw.Connection, _: World) -> Iterator[str]:
    """A summary stands for rows before it, and for more of them than the one before."""
    covered: dict[int, list[int]] = {}
    for session, seq, key in rows(db, "SELECT session_id, seq, key FROM messages WHERE kind = 'summary' ORDER BY seq"):
        covered.setdefault(session, []).append(covered_by(key))
        if covered_by(key) >= seq:
            yield f"row {seq} of session {session} stands for {key!r}, which comes after it"
    for session, many in covered.items():
        if any(former >= later for former, later in pairwise(many)):
            yield f"the summaries of session {session} stand for {many}"


def a_summary_is_for_the_agent(db: apsw.Connection, world: World) -> Iterator[str]:
    """What stands for older rows is never shown to a person."""
    summaries = {text for (text,) in rows(db, "SELECT DISTINCT text FROM messages WHERE kind = 'summary'")}
    for _network, chat, message in visible(world):
        if shown := [text for text in summaries if any(text in each for each in message.texts)]:
            yield f"{chat} was shown {shown}"


TRANSCRIPT_AFTER_BOOT: tuple[Check, ...] = (
    a_row_is_written_once,
    written_rows_have_no_gap,
    what_was_written_is_kept,
    an_answer_concludes,
    what_is_taken_back_is_gone,
    work_has_one_answer,
    what_is_answered_has_its_row,
    summaries_go_forward,
)
TRANSCRIPT_AT_THE_END: tuple[Check, ...] = (a_summary_is_for_the_agent, what_is_added_is_shown)
