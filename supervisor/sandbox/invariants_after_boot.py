"""What must be true whenever a boot has made its decisions, each promise a named function with one sentence.

They read rows and the world, never the house. What must be true at the end as well is in `invariants.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from greenroom.actors.model import SessionKey
from greenroom.platforms.fakes.chat_server import ChatMessage
from greenroom.storage.rows import read_attachments
from greenroom.supervisor.sandbox.networks import Network
from greenroom.supervisor.sandbox.world import World

TOKEN = re.compile(r"<(\w+)>")

Check = Callable[[apsw.Connection, World], Iterator[str]]

_OF_THE_FILE: set[Check] = set()


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, and where."""

    invariant: str  # the name of the promise
    detail: str  # where it was broken

    def __str__(self) -> str:
        """Name and place in one line."""
        return f"{self.invariant}: {self.detail}"


def check(checks: tuple[Check, ...], db: apsw.Connection, world: World) -> list[Violation]:
    """Run these checks: on a copy of the rows that are there or were forgotten, but for what is said of the file."""
    whole = world.archive.whole(db)
    return [
        Violation(each.__name__, detail)
        for each in checks
        for detail in each(db if each in _OF_THE_FILE else whole, world)
    ]


def of_the_file(each: Check) -> Check:
    """Say that a promise is about what lies on the disk, and not about what was ever said."""
    _OF_THE_FILE.add(each)
    return each


def rows(db: apsw.Connection, sql: str, *bindings: Any) -> list[Any]:
    """Read rows."""
    return db.execute(sql, bindings).fetchall()


def visible(world: World) -> Iterator[tuple[Network, SessionKey, ChatMessage]]:
    """Everything that persons see of the bot."""
    for network in world.networks:
        for chat in network.chats:
            for message in network.server.visible(chat):
                yield network, chat, message


def nothing_acknowledged_is_lost(db: apsw.Connection, world: World) -> Iterator[str]:
    """What a platform was told is safe is on disk."""
    stored = {update_id for (update_id,) in rows(db, "SELECT update_id FROM inbox")}
    for network in world.networks:
        for update_id in sorted(network.server.acknowledged - stored - world.knocks):
            yield f"{update_id} was acknowledged on {network.name} and is not stored"


def every_open_run_is_decided(db: apsw.Connection, world: World) -> Iterator[str]:
    """Each run that an older boot left open has a decision of this boot."""
    if world.overtaken_at is not None:
        return  # This boot is not the owner any more; what is open is another's to decide.
    for session, generation in rows(
        db,
        "SELECT session_id, generation FROM runs WHERE open = 1 AND epoch < (SELECT epoch FROM ownership)"
        " AND NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.session_id = runs.session_id"
        " AND decisions.epoch = (SELECT epoch FROM ownership))",
    ):
        yield f"run {generation} of session {session} has no decision"


def transcripts_have_no_gap(db: apsw.Connection, _: World) -> Iterator[str]:
    """The rows of a transcript are numbered from 1 without gaps: the count of messages is the number of rows."""
    for session, count, last in rows(
        db, "SELECT session_id, count(*), max(seq) FROM messages GROUP BY session_id HAVING count(*) <> max(seq)"
    ):
        yield f"session {session} has {count} rows, the last is number {last}"


def one_run_is_open_at_most(db: apsw.Connection, _: World) -> Iterator[str]:
    """A session has at most one open run, and it is of the session's current generation."""
    for session, count in rows(db, "SELECT session_id, sum(open) FROM runs GROUP BY session_id HAVING sum(open) > 1"):
        yield f"session {session} has {count} open runs"
    for session, generation in rows(
        db,
        "SELECT runs.session_id, runs.generation FROM runs JOIN sessions ON sessions.id = runs.session_id"
        " WHERE runs.open = 1 AND runs.generation <> sessions.generation",
    ):
        yield f"run {generation} of session {session} is open and not its newest"


def work_is_concluded_once(db: apsw.Connection, _: World) -> Iterator[str]:
    """Concluding rows cover ever later messages: nothing is answered twice, nothing out of order.

    One that covers no more than the one before concludes what a background process told since.
    """
    for session, seq, upto, before in rows(
        db,
        "SELECT session_id, seq, answers_upto, before FROM (SELECT session_id, seq, answers_upto, lag(answers_upto)"
        " OVER concluding AS before, lag(seq) OVER concluding AS last FROM messages WHERE answers_upto IS NOT NULL"
        " WINDOW concluding AS (PARTITION BY session_id ORDER BY seq)) AS it"
        " WHERE answers_upto < before OR (answers_upto = before AND NOT EXISTS (SELECT 1 FROM messages AS news"
        " WHERE news.session_id = it.session_id AND kind = 'process' AND news.seq BETWEEN last AND it.seq))",
    ):
        yield f"row {seq} of session {session} answers up to {upto}, which row {before} was covered before"


def one_note_for_each_interruption(db: apsw.Connection, _: World) -> Iterator[str]:
    """A run begins with at most one recovery note."""
    for session, generation, count in rows(
        db,
        "SELECT session_id, generation, count(*) FROM messages WHERE kind = 'recovery_note'"
        " GROUP BY session_id, generation HAVING count(*) > 1",
    ):
        yield f"run {generation} of session {session} has {count} notes"


def attempts_are_counted(db: apsw.Connection, _: World) -> Iterator[str]:
    """The next attempt at the same work has the next number, unless the one before got somewhere.

    After an outage of what it needs, and when its user's message ended it, it has the same one. One that was set aside
    and released counts as 0. One that was drained, or around which the house fell while the process lived, need not
    count.
    """
    for session, generation, attempt, before in rows(
        db,
        "SELECT session_id, generation, attempt, before FROM (SELECT session_id, work, generation, attempt,"
        " lag(attempt) OVER work AS before, lag(generation) OVER work AS former, lag(interrupted_by) OVER work AS mark,"
        " lag(epoch) OVER work AS life FROM runs WINDOW work AS (PARTITION BY session_id, work ORDER BY generation))"
        " AS it WHERE before IS NOT NULL AND attempt > 0"
        " AND attempt <> max(1, before + (mark NOT IN ('provider_error', 'user_wrote') IS NOT 0))"
        " AND NOT (attempt = before AND (mark IS NOT NULL OR"
        " (SELECT ending NOT IN ('clean', 'unclean') FROM boots WHERE boots.epoch = life)))"
        " AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.session_id = it.session_id"
        " AND messages.generation >= former AND (role = 'tool' OR kind = 'question'))",
    ):
        yield f"run {generation} of session {session} is attempt {attempt}, the one before was {before}"


def attempts_are_bounded(db: apsw.Connection, world: World) -> Iterator[str]:
    """Work that got nowhere so often does not go on by itself once more."""
    if world.policy is None:
        return
    for session, generation, attempt in rows(
        db,
        "SELECT session_id, generation, attempt FROM runs WHERE cause = 'resume' AND attempt > ?",
        world.policy.attempts_max,
    ):
        yield f"run {generation} of session {session} is attempt {attempt}"


def a_run_has_its_cause(db: apsw.Connection, _: World) -> Iterator[str]:
    """A run is opened for what somebody said, for what a process told, or by a decision to go on; never for nothing."""
    for session, generation, cause in rows(
        db,
        "SELECT session_id, generation, cause FROM runs WHERE NOT"
        " CASE cause WHEN 'provider_retry' THEN"
        " EXISTS (SELECT 1 FROM runs AS former WHERE former.session_id = runs.session_id"
        " AND former.generation = runs.generation - 1 AND former.interrupted_by = 'provider_error')"
        " WHEN 'process' THEN EXISTS (SELECT 1 FROM messages WHERE messages.session_id = runs.session_id"
        " AND messages.generation = runs.generation AND kind = 'process')"
        " WHEN 'command' THEN"
        " EXISTS (SELECT 1 FROM inbox WHERE inbox.session_id = runs.session_id"
        " AND inbox.generation = runs.generation - 1 AND command IN ('resume', 'retry'))"
        " WHEN 'resume' THEN"
        " EXISTS (SELECT 1 FROM decisions WHERE decisions.session_id = runs.session_id"
        " AND decisions.epoch = runs.epoch AND decisions.generation = runs.generation - 1 AND rule = 'RESUME')"
        " ELSE EXISTS (SELECT 1 FROM inbox WHERE inbox.session_id = runs.session_id"
        " AND inbox.generation = runs.generation) END",
    ):
        yield f"run {generation} of session {session} was opened for nothing, its cause is said to be {cause}"


def kept_tails_are_true(db: apsw.Connection, _: World) -> Iterator[str]:
    """The tail kept with an open run names the transcript's last row."""
    for session, kept, last in rows(
        db,
        "SELECT session_id, tail_seq, (SELECT max(seq) FROM messages WHERE messages.session_id = runs.session_id)"
        " AS last FROM runs WHERE open = 1 AND tail_seq <> last",
    ):
        yield f"session {session}: the open run says row {kept}, the transcript ends in {last}"


def an_orderly_end_marks_its_runs(db: apsw.Connection, world: World) -> Iterator[str]:
    """A run that an orderly end cut short says so: its boot cannot be taken for one that died."""
    if any(kind.startswith("actor") for kind in world.faults):
        return  # A session that was about to be started again has no run to be marked.
    for session, generation in rows(
        db,
        "SELECT runs.session_id, generation FROM runs JOIN boots USING (epoch) WHERE open = 1"
        " AND boots.ending = 'clean'"
        " AND interrupted_by IS NULL AND tail_kind <> 'ASKED' AND NOT EXISTS (SELECT 1 FROM questions"
        " WHERE questions.session_id = runs.session_id AND questions.work = runs.work AND answer IS NULL)",
    ):
        yield f"run {generation} of session {session} was left by a clean end without a mark"


def resumes_are_bounded(db: apsw.Connection, world: World) -> Iterator[str]:
    """Not more runs go on by themselves at once than the policy allows; one that asked has freed its place."""
    if world.policy is None or any(kind.startswith("actor") for kind in world.faults):
        return  # The run of a session that died stays open and keeps no place.
    live = rows(
        db,
        "SELECT count(*) FROM runs WHERE open = 1 AND cause = 'resume' AND interrupted_by IS NULL"
        " AND epoch = (SELECT epoch FROM ownership) AND NOT EXISTS (SELECT 1 FROM questions"
        " WHERE questions.session_id = runs.session_id AND questions.generation = runs.generation)",
    )[0][0]
    if live > world.policy.resume_concurrency:
        yield f"{live} resumed runs live at once, {world.policy.resume_concurrency} may"


def a_line_is_said_once(db: apsw.Connection, _: World) -> Iterator[str]:
    """A chat is told of one thing once, however often the process starts.

    Of each press that was late, and of each message that was passed on, it is told by itself; of those that wait in a
    session that was set aside, see `of_what_waits_aside_is_told_once`.
    """
    for session, text, count in rows(
        db,
        "SELECT session_id, text, count(*) FROM deliveries WHERE kind = 'line' AND key NOT LIKE '%.over.%'"
        " AND key NOT LIKE 'command.%' AND key NOT LIKE '%.steered.%' AND key NOT LIKE 'aside.%'"
        " GROUP BY session_id, generation, text HAVING count(*) > 1",
    ):
        yield f"session {session} is told {count} times: {text!r}"


def nothing_is_shown_before_it_is_stored(db: apsw.Connection, world: World) -> Iterator[str]:
    """An answer that a person could read is on disk, whenever the process died."""
    stored: dict[str, set[str]] = {}
    for chat, text in rows(
        db,
        "SELECT sessions.key, text FROM deliveries JOIN sessions ON sessions.id = session_id WHERE text IS NOT NULL",
    ):
        stored.setdefault(chat, set()).update(TOKEN.findall(text))
    for _network, chat, message in visible(world):
        shown = {token for text in message.texts for token in TOKEN.findall(text)}
        if missing := shown - stored.get(str(chat), set()):
            yield f"{chat} showed an answer to {sorted(missing)}; no delivery has it"


def an_answer_comes_after_its_question(db: apsw.Connection, _: World) -> Iterator[str]:
    """What answers a question was said after it was asked."""
    for session, prompt, answer in rows(
        db,
        "SELECT session_id, prompt, answer FROM questions WHERE answer IS NOT NULL AND NOT EXISTS (SELECT 1 FROM inbox"
        " WHERE inbox.session_id = questions.session_id AND (inbox.id > after_inbox OR change IS NOT NULL)"
        " AND (instr(inbox.text, answer) > 0 OR inbox.command IN ('approve', 'deny')))",
    ):
        yield f"session {session}: {prompt!r} is answered by {answer!r}, which was said before"


def what_came_with_a_message_is_kept(db: apsw.Connection, world: World) -> Iterator[str]:
    """The references that came with a message are in its inbox row, and in the transcript's row that it became."""
    for update_id, inboxed, said in rows(
        db,
        "SELECT update_id, inbox.attachments, iif(messages.id IS NULL, inbox.attachments, messages.attachments)"
        " FROM inbox LEFT JOIN messages ON messages.session_id = inbox.session_id"
        " AND messages.key = 'user.' || inbox.id",
    ):
        came = world.attached.get(update_id, ())
        if not read_attachments(inboxed) == read_attachments(said) == came:
            yield f"{update_id} came with {came}; stored are {inboxed} and {said}"


ROWS_AFTER_BOOT: tuple[Check, ...] = (
    nothing_acknowledged_is_lost,
    every_open_run_is_decided,
    transcripts_have_no_gap,
    one_run_is_open_at_most,
    work_is_concluded_once,
    kept_tails_are_true,
    one_note_for_each_interruption,
    attempts_are_counted,
    attempts_are_bounded,
    a_run_has_its_cause,
    an_orderly_end_marks_its_runs,
    resumes_are_bounded,
    a_line_is_said_once,
    nothing_is_shown_before_it_is_stored,
    an_answer_comes_after_its_question,
    what_came_with_a_message_is_kept,
)
