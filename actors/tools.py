"""What may happen to a tool call, given what an earlier attempt left in the ledger. Pure.

Why there is something: its row is on disk before the call (docs/architecture.md, invariant 7).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, assert_never

from msgspec import Struct

from greenroom.actors.model import ToolCall, ToolPolicy, ToolRecord
from greenroom.actors.store import Ledger

MAY_HAVE_HAPPENED = frozenset({ToolPolicy.ONCE, ToolPolicy.ASK})
"""Policies under which a call without a result is in doubt, and not simply made again."""

TOOK_EFFECT = "[took effect]"
"""How the stored failure of a call begins whose tool worked, and only its result could not be kept."""


class Call(Struct, frozen=True):
    """Call it: it was never called, or calling it again is harmless."""


class Replay(Struct, frozen=True):
    """Do not call it: its outcome is stored."""

    result: str
    failed: bool


class InDoubt(Struct, frozen=True):
    """Do not call it: it may have taken effect by the calls of these keys, and nobody knows."""

    doubts: tuple[str, ...]


class AskFirst(Struct, frozen=True):
    """It may have taken effect by the calls of these keys; the user decides whether it is called again."""

    doubts: tuple[str, ...]
    attempts: int  # of this very call; each is asked about anew


def decide_tool(call: ToolCall, ledger: Ledger) -> Call | Replay | InDoubt | AskFirst:
    """Decide by the policy under which the call is made now.

    In doubt are also calls of earlier work with the same name and arguments, until an agent was told of the doubt:
    a user who was told "write again" repeats the request, and must not repeat its effect unknowingly.

    >>> decide_tool(ToolCall("1.1.tool.x.0", "pay", "{}", ToolPolicy.ONCE), Ledger())
    Call()
    """
    own = next((record for record in ledger.tools if record.call.key == call.key), None)
    if own is not None and own.result is not None:
        return Replay(own.result, own.failed)
    doubts = tuple(record.call.key for record in (*ledger.doubts, *ledger.tools) if _is_doubt(record, call))
    match call.policy:
        case ToolPolicy.PURE | ToolPolicy.KEYED:
            return Call()
        case ToolPolicy.ONCE:
            return InDoubt(doubts) if doubts else Call()
        case ToolPolicy.ASK:
            return AskFirst(doubts, 0 if own is None else own.attempts) if doubts else Call()
        case _:
            assert_never(call.policy)


def _is_doubt(record: ToolRecord, call: ToolCall) -> bool:
    if record.result is not None and not record.result.startswith(TOOK_EFFECT):
        return False
    alike = (record.call.name, record.call.args) == (call.name, call.args)
    return record.call.key == call.key or (alike and record.call.policy in MAY_HAVE_HAPPENED)


def takes_key(fn: Callable[..., Any], *, by_any_name: bool) -> bool:
    """Say whether a tool's function takes an `idempotency_key`; `by_any_name` also counts `**kwargs`."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):  # Built in: it cannot be looked into.
        return False
    any_name = by_any_name and any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    return "idempotency_key" in parameters or any_name
