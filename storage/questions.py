"""Questions to users: how they are written, and read with what became of their delivery."""

import json

import apsw

from greenroom.actors.facts import QuestionAnswered, QuestionAsked, QuestionLapsed
from greenroom.actors.model import Generation, InboxId, Lapse, Question, SessionId
from greenroom.storage.rows import Row, must_agree, one_row

# One whose delivery is a dead letter has lapsed, whether or not a process lived that could write so.
_QUESTION = """
SELECT key, prompt, choices, answer, after_inbox, asked_at, timeout_s, delivery, coalesce(lapsed,
    (SELECT 'undelivered' FROM deliveries WHERE deliveries.key = questions.delivery AND deliveries.state = 'dead'))
FROM questions WHERE session_id = ? AND work = ?
"""


def question_asked(db: apsw.Connection, fact: QuestionAsked) -> None:
    question = fact.question
    db.execute(
        "INSERT INTO questions (session_id, work, epoch, generation, key, prompt, choices, after_inbox, asked_at,"
        " timeout_s, delivery) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, key) DO NOTHING",
        (
            fact.session_id,
            fact.work,
            fact.epoch,
            fact.generation,
            question.key,
            question.prompt,
            json.dumps(question.choices, ensure_ascii=False),
            question.after,
            fact.at,
            question.timeout_s,
            question.delivery,
        ),
    )
    if not db.changes():
        sql = "SELECT prompt FROM questions WHERE session_id = ? AND key = ?"
        row = one_row(db, sql, (fact.session_id, question.key))
        must_agree(row, (question.prompt,), f"question {question.key!r} was asked in other words")


def question_answered(db: apsw.Connection, fact: QuestionAnswered) -> None:
    db.execute(
        "UPDATE questions SET answer = ?, answered_at = ?"
        " WHERE session_id = ? AND key = ? AND answer IS NULL AND lapsed IS NULL",
        (fact.answer, fact.at, fact.session_id, fact.key),
    )
    if not db.changes():
        sql = "SELECT answer FROM questions WHERE session_id = ? AND key = ?"
        row = one_row(db, sql, (fact.session_id, fact.key))
        must_agree(row, (fact.answer,), f"question {fact.key!r} was answered otherwise, is over, or was never asked")


def question_lapsed(db: apsw.Connection, fact: QuestionLapsed) -> None:
    db.execute(
        "UPDATE questions SET lapsed = ?, lapsed_at = ?"
        " WHERE session_id = ? AND key = ? AND answer IS NULL AND lapsed IS NULL",
        (fact.lapse, fact.at, fact.session_id, fact.key),
    )
    if not db.changes():
        sql = "SELECT lapsed FROM questions WHERE session_id = ? AND key = ?"
        otherwise = f"question {fact.key!r} was answered, is over for another reason, or was never asked"
        must_agree(one_row(db, sql, (fact.session_id, fact.key)), (fact.lapse,), otherwise)


def read_open_question(db: apsw.Connection, session_id: SessionId, work: Generation) -> Question | None:
    """The newest that has no answer; whether somebody may still answer it is in it."""
    row = one_row(db, f"{_QUESTION} AND answer IS NULL ORDER BY id DESC LIMIT 1", (session_id, work))
    return None if row is None else _read(row)


def read_questions(db: apsw.Connection, session_id: SessionId, work: Generation) -> tuple[Question, ...]:
    """All of a piece of work, in the order in which they were asked."""
    return tuple(map(_read, db.execute(f"{_QUESTION} ORDER BY id", (session_id, work))))


def _read(row: Row) -> Question:
    key, prompt, choices, answer, after, asked_at, timeout_s, delivery, lapsed = row
    return Question(
        key,
        prompt,
        tuple(json.loads(choices)),
        answer,
        InboxId(after),
        asked_at,
        timeout_s,
        None if lapsed is None else Lapse(lapsed),
        delivery,
    )
