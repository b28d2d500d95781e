"""How a scripted agent writes rows of its own, and how its host's summariser tells what no window shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from greenroom.actors.keys import own_row_key
from greenroom.actors.model import Message, Role
from greenroom.supervisor.sandbox.happening import AGENT

if TYPE_CHECKING:
    from greenroom.actors.ports import Turn
    from greenroom.supervisor.sandbox.world import World

WAYS = ("each", "all", "twice")
"""One by one, all at once, or all at once and then again from a copy."""

WRITTEN_ENDINGS = ("written", "lingering", "stumbling", "adding", "interim")
"""The agent writes its answer itself; and goes on; and raises; and says more; or writes no more than an interim row."""

LINGERS_S = 40.0
"""Longer than an agent may go on after it has concluded."""

FAILS_AT = 5
"""The summariser fails when the last row that it is given is one of so many."""


async def write_step(turn: Turn, world: World, step: str, how: str) -> None:
    """Write what one step did: a call, its result, a thought. The keys are in no order, and the same each time."""
    rows: list[dict[str, Any]] = [
        {"key": f"{step}.z", "role": "assistant", "text": "", "tool_calls": [{"key": f"{step}.call", "name": "look"}]},
        {"key": f"{step}.a", "role": "tool", "text": f"({step} row 1)", "tool_key": f"{step}.call"},
        {"key": f"{step}.m", "role": "assistant", "text": f"({step} row 2)"},
    ]
    parts = [[row] for row in rows] if how == "each" else [rows] * (2 if how == "twice" else 1)
    for part in parts:
        await _append(turn, world, part)
        await asyncio.sleep(0.2)


async def write_ending(turn: Turn, world: World, ending: str, answer: str) -> str | None:
    """End by a row of its own, or by what only looks like one."""
    name = f"answer to {turn.text.split()[0] if turn.text else 'nobody'} {answer}"[:150]
    row: dict[str, Any] = {"key": name, "role": "assistant", "text": answer, "finish": "stop"}
    if ending == "interim":
        calls = [{"key": f"{name}.call", "name": "look"}]
        row |= {"text": f"({name}, in a moment)".replace("<", "").replace(">", ""), "tool_calls": calls}
    await _append(turn, world, [row])
    await _append(turn, world, [dict(row)])
    if ending == "stumbling":
        raise RuntimeError("what came after the answer failed")
    if ending == "lingering":
        await asyncio.sleep(LINGERS_S)
    if ending == "adding":
        await asyncio.sleep(1)
        added = f"(and this to {name}, too)".replace("<", "").replace(">", "")
        world.added.add((str(turn.session), added))
        return added
    return answer


async def _append(turn: Turn, world: World, rows: Sequence[dict[str, Any]]) -> None:
    count = await turn.transcript.append_many(rows)
    world.note(AGENT, f"wrote {count} of {len(rows)} rows", str(turn.session))
    written = world.written.setdefault(str(turn.session), {})
    written |= dict.fromkeys(own_row_key(row["key"]) for row in rows)


async def summarise(rows: Sequence[Message]) -> str:
    """Say how many rows there are; fail now and then."""
    await asyncio.sleep(0.1)
    if rows[-1].seq % FAILS_AT == 0:
        raise RuntimeError("the summariser's model is not there")
    return f"summary of {len(rows)} rows up to {rows[-1].seq}"


def what_a_window_lacks(turn: Turn, rows: Sequence[Message]) -> str | None:
    """Say what is missing in a window: what the user waits to have answered, or the call of a result."""
    seqs = {row.seq for row in rows}
    missing = [row.seq for row in turn.new if row.seq not in seqs]
    if missing:
        return f"rows {missing}, which wait for an answer"
    called = {call.key for row in rows for call in row.tool_calls}
    cut = [row.seq for row in rows if row.role is Role.TOOL and row.tool_key not in called]
    return f"the calls of rows {cut}" if cut else None
