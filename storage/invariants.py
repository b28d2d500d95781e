"""What must be true of the rows of any database, as questions whose answers are what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.storage.pruning import PARTS

_REPAIR = "`greenroom stop`, then `greenroom doctor --repair`"
_BACKUP = "it cannot be made up for; restore a backup if it matters"


@dataclass(frozen=True, slots=True)
class Invariant:
    """`sql` finds what breaks it, `says` puts a row of that into words."""

    name: str
    sentence: str
    sql: str
    says: str
    means: str
    do: str


_ORPHANS = " UNION ALL ".join(
    (
        *(
            f"SELECT '{table}', session_id, count(*) FROM {table}"  # noqa: S608 - constants
            " WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = session_id) GROUP BY session_id"
            for table in ("dead_letters", *PARTS, "routes")
        ),
        (
            "SELECT 'dead_letters', delivery, 1 FROM dead_letters"
            " WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.key = delivery)"
        ),
        (
            "SELECT 'sessions', predecessor, 1 FROM sessions AS s WHERE predecessor IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = s.predecessor)"
        ),
    )
)

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "the_owner_is_known",
        "the store has a name, and one owner whose boot is on record",
        "SELECT 'the name of the store' WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'uid') UNION ALL"
        " SELECT 'the owner' WHERE NOT EXISTS (SELECT 1 FROM ownership WHERE shard = 0) UNION ALL"
        " SELECT 'the boot of epoch ' || epoch FROM ownership WHERE epoch > 0"
        " AND NOT EXISTS (SELECT 1 FROM boots WHERE boots.epoch = ownership.epoch)",
        "{} is missing",
        "nothing can tell a process that was overtaken from the owner",
        _REPAIR,
    ),
    Invariant(
        "nothing_is_of_the_future",
        "no row was written under an epoch that has not begun",
        "SELECT 'runs', max(epoch) FROM runs HAVING max(epoch) > (SELECT epoch FROM ownership) UNION ALL"
        " SELECT 'boots', max(epoch) FROM boots HAVING max(epoch) > (SELECT epoch FROM ownership)",
        "{} has epoch {}",
        "an older copy of the owner's row was put back: two processes may have believed to own the store",
        _REPAIR,
    ),
    Invariant(
        "no_row_points_nowhere",
        "what belongs to a session, or to a delivery, has it",
        _ORPHANS,
        "{} has rows of {}, which is not there ({})",
        "rows were deleted by hand, or could not be saved from a damaged file; nobody can reach these",
        _REPAIR,
    ),
    Invariant(
        "one_run_is_open_at_most",
        "at most one run of a session is open, and it is its last one",
        "SELECT session_id, runs.generation FROM runs JOIN sessions ON sessions.id = session_id"
        " WHERE open = 1 AND runs.generation <> sessions.generation",
        "session {}: run {} is open and is not its last",
        "work that is over may be taken for work that was interrupted",
        _REPAIR,
    ),
    Invariant(
        "generations_are_counted",
        "a session's generation is that of its last run",
        "SELECT sessions.id, sessions.generation, max(runs.generation) FROM sessions"
        " JOIN runs ON runs.session_id = sessions.id GROUP BY sessions.id"
        " HAVING sessions.generation <> max(runs.generation)",
        "session {} counts {} runs, the last is {}",
        "the next run would be refused, or rows of an old one taken for its own",
        _REPAIR,
    ),
    Invariant(
        "transcripts_have_no_gap",
        "the rows of a transcript are numbered from 1 without gaps",
        "SELECT session_id, count(*), max(seq) FROM messages GROUP BY session_id HAVING count(*) <> max(seq)",
        "session {} has {} messages, numbered up to {}",
        "messages are lost; the agent reads a conversation with holes in it",
        _BACKUP,
    ),
    Invariant(
        "answers_cover_what_was_said",
        "what concludes work names a message of its user that stands before it",
        "SELECT session_id, seq, answers_upto FROM messages AS m INDEXED BY messages_concluding"
        " WHERE answers_upto IS NOT NULL AND (answers_upto > seq OR answers_upto > 0 AND NOT EXISTS (SELECT 1"
        " FROM messages WHERE session_id = m.session_id AND seq = m.answers_upto AND role = 'user'))",
        "session {}: message {} answers up to {}, which is none of its user's",
        "a message may be answered twice, or taken for answered",
        _BACKUP,
    ),
    Invariant(
        "what_was_taken_is_in_the_transcript",
        "an inbound that was handed to a run is a message of its user",
        "SELECT id, session_id, seq FROM inbox INDEXED BY inbox_handled WHERE generation IS NOT NULL"
        " AND seq IS NOT NULL AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = session_id) AND NOT EXISTS"
        " (SELECT 1 FROM messages WHERE messages.session_id = inbox.session_id AND messages.seq = inbox.seq)",
        "inbound {} of session {} became message {}, which is not there",
        "what somebody wrote is lost to the agent; its text is still in the inbox (`greenroom export`)",
        _BACKUP,
    ),
    Invariant(
        "a_chat_leads_to_its_newest_session",
        "each chat has one route, to a session of its own that no other one has followed",
        "SELECT routes.key, session_id FROM routes JOIN sessions ON sessions.id = session_id"
        " WHERE routes.key <> sessions.key OR EXISTS (SELECT 1 FROM sessions AS s WHERE s.predecessor = session_id)"
        " UNION ALL SELECT key, max(id) FROM sessions"
        " WHERE because IS NOT 'imported' AND key NOT IN (SELECT key FROM routes) GROUP BY key",
        "{} does not lead where it must; its newest session may be {}",
        "what is written there goes into an old conversation, or begins one that knows nothing of it",
        _REPAIR,
    ),
    Invariant(
        "what_waits_can_be_answered",
        "what waits to be handed to a run waits in the session that its chat leads to",
        "SELECT id, session_id FROM inbox INDEXED BY inbox_waiting WHERE generation IS NULL"
        " AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = session_id)"
        " AND NOT EXISTS (SELECT 1 FROM routes WHERE routes.session_id = inbox.session_id)",
        "inbound {} waits in session {}, which no chat leads to",
        "somebody waits for an answer that may never come",
        _REPAIR,
    ),
    Invariant(
        "what_is_owed_has_its_row",
        "the words of an answer that is owed are in the transcript",
        "SELECT key, session_id FROM deliveries AS d INDEXED BY deliveries_owed"
        " WHERE state NOT IN ('delivered', 'dead') AND text IS NOT NULL AND kind <> 'line'"
        " AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.session_id = d.session_id AND m.role <> 'user'"
        " AND length(m.text) > 0 AND instr(d.text, m.text) > 0)",
        "delivery {} of session {} says what the transcript does not",
        "a person will read what the agent does not know that it said",
        "it is sent by the next start; `greenroom dead purge DELIVERY` gives it up",
    ),
    Invariant(
        "a_letter_is_of_a_dead_delivery",
        "only what is dead has a dead letter",
        "SELECT delivery, state FROM dead_letters JOIN deliveries ON deliveries.key = delivery WHERE state <> 'dead'",
        "{} has a letter and is {}",
        "`greenroom dead list` names what is not dead",
        _REPAIR,
    ),
    Invariant(
        "lists_can_be_read",
        "what is kept as JSON is JSON",
        "SELECT 'deliveries', id FROM deliveries WHERE NOT json_valid(message_ids) UNION ALL"
        " SELECT 'messages', id FROM messages WHERE NOT json_valid(coalesce(tool_calls, '[]'))"
        " OR NOT json_valid(coalesce(attachments, '[]')) UNION ALL"
        " SELECT 'questions', id FROM questions WHERE NOT json_valid(choices) UNION ALL"
        " SELECT 'processes', id FROM processes WHERE NOT json_valid(command) OR NOT json_valid(patterns)",
        "{} row {} holds something else",
        "the session that it belongs to cannot be served",
        _BACKUP,
    ),
)
