"""How a transcript ends. `extend_tail` is the only place that knows; `classify_tail` is its fold. Pure and total."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from greenroom.actors.model import Message, MessageKind, Role, Tail, TailKind, ToolCall

FINISHES = frozenset({"stop", "end", "end_turn", "complete", "completed"})
"""The finish reasons by which models say that they concluded. Anything else (length, none) is a text cut short."""


def classify_tail(messages: Iterable[Message], start: Tail = Tail()) -> Tail:
    """Say how a transcript ends. Exactly one kind is true of any sequence of rows.

    `start` is the tail of the rows before these; to classify, the rows since the last concluding one suffice.

    >>> classify_tail([]).kind
    <TailKind.EMPTY: 'nothing was ever said'>
    """
    return reduce(extend_tail, messages, start)


def extend_tail(tail: Tail, message: Message) -> Tail:
    """Add one row. A row of our own (a recovery note, a system prompt) never makes old work look fresh."""
    match message.role:
        case Role.USER:
            return Tail(TailKind.USER, message.at, message.seq, message.seq, tail.answered_upto, tail.open_calls)
        case Role.ASSISTANT:
            return _after_assistant(tail, message)
        case Role.TOOL:
            return _after_tool(tail, message)
        case Role.SYSTEM:
            return _after_system(tail, message)
        case _:
            assert_never(message.role)


def is_final(message: Message) -> bool:
    """Say whether an assistant row concludes."""
    return message.kind is MessageKind.TEXT and concludes(message.text, message.finish, message.tool_calls)


def concludes(text: str, finish: str | None, tool_calls: tuple[ToolCall, ...] = ()) -> bool:
    """Say whether what an agent says is an answer: an explicit finish, words, and no calls that wait for results."""
    return finish is not None and finish.lower() in FINISHES and bool(text.strip()) and not tool_calls


def _after_assistant(tail: Tail, message: Message) -> Tail:
    """Take a row of the agent. A call that it makes beside an open question does not end that."""
    if is_final(message):
        return _concluded(tail, message, TailKind.FINAL)
    kind = TailKind.TOOL_CALLS if message.tool_calls else TailKind.PARTIAL
    asking = message.kind is MessageKind.QUESTION or (tail.asking and bool(message.tool_calls))
    if asking:
        kind = TailKind.ASKED
    calls = tail.open_calls.union([call.key for call in message.tool_calls])
    return Tail(kind, message.at, message.seq, tail.user_seq, tail.answered_upto, calls, asking)


def _after_tool(tail: Tail, message: Message) -> Tail:
    """Take a result. It does not end an open question: the one that timed out, or a call that ran beside it."""
    calls = tail.open_calls - {message.tool_key} if message.tool_key is not None else tail.open_calls
    kind = TailKind.TOOL_CALLS if calls else TailKind.TOOL_RESULTS
    if tail.kind is TailKind.ASKED:
        kind = TailKind.ASKED
    return replace(tail, kind=kind, at=message.at, seq=message.seq, open_calls=calls)


def _after_system(tail: Tail, message: Message) -> Tail:
    match message.kind:
        case MessageKind.RECOVERY_NOTE:
            return replace(tail, kind=TailKind.RECOVERY_NOTE, seq=message.seq, asking=False)
        case MessageKind.LAPSED:
            return replace(tail, seq=message.seq, asking=False)
        case MessageKind.STOPPED:
            return _concluded(tail, message, TailKind.STOPPED)
        case MessageKind.FAILED:
            return _concluded(tail, message, TailKind.FAILED)
        case MessageKind.PROCESS:
            return replace(tail, kind=TailKind.PROCESS, at=message.at, seq=message.seq)
        case MessageKind.TEXT | MessageKind.QUESTION | MessageKind.CHANGED | MessageKind.OPERATOR | MessageKind.SUMMARY:
            return replace(tail, seq=message.seq)
        case _:
            assert_never(message.kind)


def _concluded(tail: Tail, message: Message, kind: TailKind) -> Tail:
    """Close the work. A user message that landed during the run and is not covered still waits."""
    upto = tail.user_seq if message.answers_upto is None else message.answers_upto
    answered = max(tail.answered_upto, upto)
    waits = tail.user_seq > answered
    return Tail(TailKind.USER if waits else kind, message.at, message.seq, tail.user_seq, answered)
