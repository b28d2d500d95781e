"""Rows and records: how the shared records lie in columns, for writing and for reading."""

import json
from collections.abc import Sequence
from sys import intern
from typing import Any

import apsw
import msgspec

from greenroom.actors.model import (
    Attachment,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Message,
    MessageKind,
    OpenRun,
    Role,
    RunCause,
    SessionId,
    SessionKey,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
)

Row = tuple[Any, ...]

MESSAGE_COLUMNS = (
    "seq, generation, key, role, text, at, kind, finish, answers_upto, author, tool_calls, tool_key, attachments"
)
RUN_COLUMNS = (
    "runs.generation, runs.epoch, runs.work, runs.cause, runs.attempt, runs.opened_at, runs.last_progress_at,"
    " runs.interrupted_by, runs.ending, runs.reply_to"
)
RUN_WIDTH = 10
TAIL_COLUMNS = "runs.tail_kind, runs.tail_at, runs.tail_seq, runs.user_seq, runs.answered_upto"
TAIL_WIDTH = 5
DELIVERY_COLUMNS = (
    "deliveries.key, deliveries.session_id, sessions.key, deliveries.kind, deliveries.text, deliveries.state,"
    " deliveries.message_ids, deliveries.attempts, deliveries.retry_at, deliveries.reply_to, deliveries.created_at,"
    " (SELECT choices FROM questions WHERE questions.delivery = deliveries.key)"
)

_ROLES = {role.value: role for role in Role}
_KINDS = {kind.value: kind for kind in MessageKind}
_CAUSES = {cause.value: cause for cause in RunCause}
_ENDINGS = {None: None} | {ending.value: ending for ending in Ending}
_TAIL_KINDS = {kind.name: kind for kind in TailKind}
_NO_CALLS: frozenset[str] = frozenset()


class Contradiction(Exception):
    """A fact disagrees with what is stored under the same key; nothing was written."""


class Crowded(Exception):
    """Too much of one session waits already; nothing was written, and later it may be."""


def one_row(db: apsw.Connection, sql: str, bindings: Sequence[Any]) -> Row | None:
    """The first row, or None."""
    rows = db.execute(sql, bindings).fetchall()
    return rows[0] if rows else None


def must_agree(row: Row | None, wanted: Row, otherwise: str) -> None:
    """Take a fact that was written before for repeated, if what is stored says the same. Raises Contradiction."""
    if row != wanted:
        raise Contradiction(otherwise)


def read_key(text: str) -> SessionKey:
    """A stored key; it was valid when it was stored."""
    if "%" not in text:
        platform, account, *chat = text.split(":")
        return SessionKey(intern(platform), intern(account), *chat)  # A million live sessions share these words.
    return SessionKey.parse(text)


def read_message(row: Row) -> Message:
    """From MESSAGE_COLUMNS."""
    seq, generation, key, role, text, at, kind, finish, answers_upto, author, calls, tool_key, attached = row
    return Message(
        seq,
        generation,
        key,
        _ROLES[role],
        text,
        at,
        _KINDS[kind],
        finish,
        answers_upto,
        author,
        read_calls(calls),
        tool_key,
        read_attachments(attached),
    )


def read_run(row: Row) -> OpenRun:
    """From RUN_COLUMNS. A boot reads thousands: the columns are Any, and go in as they are."""
    generation, epoch, work, cause, attempt, opened_at, progress_at, interrupted_by, ending, reply_to = row
    return OpenRun(
        generation,
        epoch,
        work,
        _CAUSES[cause],
        attempt,
        opened_at,
        progress_at,
        interrupted_by,
        _ENDINGS[ending],
        reply_to,
    )


def read_tail(row: Row) -> Tail:
    """From TAIL_COLUMNS. The calls without results are not kept there; the transcript has them."""
    kind, at, seq, user_seq, answered_upto = row
    return Tail(_TAIL_KINDS[kind], at, seq, user_seq, answered_upto, _NO_CALLS)


def knows_tail(row: Row) -> bool:
    """Whether TAIL_COLUMNS hold a kind of end that this version knows. If not, the transcript tells."""
    return row[0] in _TAIL_KINDS


def read_delivery(row: Row) -> Delivery:
    """From DELIVERY_COLUMNS, which name `deliveries` joined with its `sessions` row."""
    key, session_id, session, kind, text, state, message_ids, attempts, retry_at, reply_to, created_at, choices = row
    return Delivery(
        key,
        SessionId(session_id),
        read_key(session),
        DeliveryKind(kind),
        text,
        DeliveryState(state),
        tuple(json.loads(message_ids)),
        attempts,
        retry_at,
        reply_to,
        created_at,
        () if choices is None else tuple(json.loads(choices)),
    )


def write_calls(calls: tuple[ToolCall, ...]) -> str | None:
    """A message's tool calls as JSON; None for none."""
    if not calls:
        return None
    return json.dumps([_write_call(call) for call in calls], ensure_ascii=False)


def read_calls(text: str | None) -> tuple[ToolCall, ...]:
    """What `write_calls` wrote."""
    if text is None:
        return ()
    return tuple(
        ToolCall(key, name, args, ToolPolicy(policy), *beside) for key, name, args, policy, *beside in json.loads(text)
    )


def _write_call(call: ToolCall) -> list[str]:
    return [call.key, call.name, call.args, call.policy, *([call.beside] if call.beside else ())]


_attachments = msgspec.json.Decoder(tuple[Attachment, ...])


def write_attachments(attachments: tuple[Attachment, ...]) -> str | None:
    """References as JSON; None for none."""
    return msgspec.json.encode(attachments).decode() if attachments else None


def read_attachments(text: str | None) -> tuple[Attachment, ...]:
    """What `write_attachments` wrote."""
    return _attachments.decode(text) if text else ()
