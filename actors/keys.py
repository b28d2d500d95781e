"""Names that make a repeated write harmless. Pure: the same step of the same work always gets the same key.

A transcript row's key is unique in its session, a delivery's in the whole store. What belongs to a piece of work
carries the generation of its first attempt, so that a later attempt finds what an earlier one left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from greenroom.actors.model import Generation, InboxId, Seq, SessionId
from greenroom.actors.process import ProcessId

DIGEST_BYTES = 12
"""Enough that two different calls of one piece of work never share a key by chance."""


ASIDE = "aside"
"""What the line is called that tells who writes into a session that is set aside; see `aside_key`."""


ADDED = "added"
"""Names the line of what an agent said after the row by which it concluded, for `line_key`."""

FRESH = "fresh"
"""What the line is called that tells why a conversation is new."""


def answer_key(session_id: SessionId, work: Generation, segment: int = 0) -> str:
    """Name the delivery of one segment of a piece of work: an anchor first, the words later.

    Each question ends a segment; most work has only the first.
    """
    return f"{session_id}.{work}.answer.{segment}" if segment else f"{session_id}.{work}.answer"


def line_key(session_id: SessionId, generation: Generation, what: str) -> str:
    """Name a delivery of one line of our own, such as `quarantined`; it is said once for this generation."""
    return f"{session_id}.{generation}.{what}"


def aside_key(inbox_id: InboxId) -> str:
    """Name the line that tells who wrote this that it waits in a session which is set aside."""
    return f"{ASIDE}.{inbox_id}"


def reply_key(inbox_id: InboxId) -> str:
    """Name the delivery of the one reply to an order."""
    return f"command.{inbox_id}"


def over_what(inbox_id: InboxId) -> str:
    """Name the line by which a press is turned away, for `line_key`."""
    return f"over.{inbox_id}"


def stopped_key(inbox_id: InboxId) -> str:
    """Name the row by which an order concludes messages that no run had."""
    return f"stopped.{inbox_id}"


def retry_key(inbox_id: InboxId, number: int) -> str:
    """Name the row of a user's message that an order has run again."""
    return f"retry.{inbox_id}.{number}"


def question_key(session_id: SessionId, work: Generation, asked: str, k: int) -> str:
    """Name the k-th question (from 0) of a piece of work that asks just this.

    Keyed by what is asked and not by position, as tool calls are: no answer is ever taken for that to another question.
    """
    return f"{session_id}.{work}.question.{_digest(asked)}.{k}"


def tool_key(session_id: SessionId, work: Generation, name: str, args_json: str, k: int) -> str:
    """Name the k-th call (from 0) of a tool with these arguments in a piece of work.

    Keyed by what is called and not by position: an agent that goes another way after an interruption still meets
    the calls that it repeats. `args_json` is canonical, see `canonical_args`.
    """
    return f"{session_id}.{work}.tool.{_digest(f'{name}{chr(0)}{args_json}')}.{k}"


def work_key(session_id: SessionId, work: Generation, parts: Sequence[str]) -> str:
    """Name what an agent itself does in a piece of work, by these parts: other parts, or other work, other key."""
    return f"{session_id}.{work}.key.{_digest(json.dumps(parts))}"


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def canonical_args(args: Mapping[str, Any]) -> str:
    """Write a tool's arguments so that equal arguments are equal text. Raises TypeError or ValueError for no JSON."""
    return json.dumps(args, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def user_message_key(inbox_id: InboxId) -> str:
    """Name the row that an inbound becomes."""
    return f"user.{inbox_id}"


def changed_key(inbox_id: InboxId) -> str:
    """Name the row that tells of a change which came too late."""
    return f"changed.{inbox_id}"


def operator_key(inbox_id: InboxId) -> str:
    """Name the row that tells the agent what whoever runs the service said in the chat."""
    return f"operator.{inbox_id}"


def inbox_id_of(user_message: str) -> InboxId:
    """Read `user_message_key` backwards; 0 for a row that no inbound became, such as an imported one."""
    digits = user_message.removeprefix("user.")
    return InboxId(int(digits) if digits.isdecimal() else 0)


def process_key(process_id: ProcessId, generation: Generation | None = None) -> str:
    """Name the row that tells how a process ended; with a generation, the one that tells that run what it said."""
    return f"process.{process_id}" if generation is None else f"match.{process_id}.{generation}"


def dismissed_key(inbox_id: InboxId) -> str:
    """Name the row that tells which background processes were ended by this order."""
    return f"dismissed.{inbox_id}"


def note_key(generation: Generation) -> str:
    """Name the recovery note of a run: exactly one."""
    return f"note.{generation}"


def partial_key(generation: Generation) -> str:
    """Name the row of words that a run had said when it was cut short."""
    return f"partial.{generation}"


def question_row_key(question: str) -> str:
    """Name the row in which the agent asks; `question` is the question's key."""
    return f"asked.{question}"


def lapsed_row_key(question: str) -> str:
    """Name the row that says that a question is over without an answer; `question` is the question's key."""
    return f"lapsed.{question}"


def tool_call_row_key(tool: str, generation: Generation) -> str:
    """Name the row in which the agent calls a tool; `tool` is the call's key. Each attempt that calls has its own."""
    return f"called.{tool}.{generation}"


def tool_result_row_key(tool: str, generation: Generation) -> str:
    """Name the row that holds a tool's result, or that says that there is none; `tool` is the call's key."""
    return f"result.{tool}.{generation}"


def conclusion_key(work: Generation) -> str:
    """Name the row that concludes a piece of work (answer, failure, stop, expiry): there is exactly one."""
    return f"end.{work}"


def own_row_key(key: str) -> str:
    """Name a row that its agent writes under `key`, in this attempt or any other."""
    return f"own.{key}"


def own_key_of(row: str) -> str:
    """Read `own_row_key` backwards."""
    return row.removeprefix("own.")


def added_key(generation: Generation) -> str:
    """Name the row of what an agent said after the row by which it concluded that run."""
    return f"added.{generation}"


def summary_key(upto: Seq) -> str:
    """Name the summary that stands for all rows up to this one."""
    return f"summary.{upto}"


def covered_by(summary: str) -> Seq:
    """Read `summary_key` backwards."""
    return Seq(int(summary.removeprefix("summary.")))
