"""What may happen to a tool call, given what an earlier attempt left in the ledger (DESIGN section 1, row D). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from greenroom.actors.model import ToolPolicy, ToolRecord


@dataclass(frozen=True, slots=True)
class Call:
    """Call it: it was never called, or calling it again is harmless."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Do not call it: its outcome is stored."""

    result: str
    failed: bool


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Do not call it: it may have taken effect, and nobody knows."""


@dataclass(frozen=True, slots=True)
class AskFirst:
    """It may have taken effect; the user decides whether it is called again."""


def decide_tool(record: ToolRecord | None, policy: ToolPolicy) -> Call | Replay | InDoubt | AskFirst:
    """Decide by the policy under which the call is made now.

    >>> decide_tool(None, ToolPolicy.ONCE)
    Call()
    """
    if record is None:
        return Call()
    if record.result is not None:
        return Replay(record.result, record.failed)
    match policy:
        case ToolPolicy.PURE | ToolPolicy.KEYED:
            return Call()
        case ToolPolicy.ONCE:
            return InDoubt()
        case ToolPolicy.ASK:
            return AskFirst()
        case _:
            assert_never(policy)
