"""How much an agent of the Agent Client Protocol may ask for at once."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from tests.platforms.stage import WAIT_S

from greenroom.platforms.agents.acp.wire import OPEN_MAX, Broken, ChildWire
from greenroom.platforms.processes.child import Program, start_child

ASKING = """
import json, sys
for number in range(5000):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "method": "what"}))
sys.stdout.flush()
READING
"""


async def heard(reading: str, result: Any, *, answers: bool) -> tuple[int, Broken | None]:
    """Hear all that a child asks, answer it or not, and say why it was heard no further."""
    child = await start_child(Program("asking", (sys.executable, "-c", ASKING.replace("READING", reading))))
    wire, count = ChildWire(child, lambda: 1), 0
    sending = set[asyncio.Task[None]]()
    async with asyncio.timeout(WAIT_S):
        while (message := await wire.receive()) is not None:
            count += 1
            if answers:
                sending.add(asyncio.create_task(wire.send({"id": message["id"], "result": result})))
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    await child.end()
    return count, wire.broken


async def test_what_is_answered_at_once_may_be_any_number() -> None:
    assert await heard("for _ in range(5000): sys.stdin.readline()", None, answers=True) == (5_000, None)


@pytest.mark.parametrize(
    "reading, answers",
    [("for _ in range(5000): sys.stdin.readline()", False), ("import time; time.sleep(600)", True)],
    ids=["nobody has answered yet", "it reads no answer"],
)
async def test_what_waits_is_no_more_than_a_crowd(reading: str, *, answers: bool) -> None:
    count, broken = await heard(reading, "x" * 10_000, answers=answers)
    assert broken is Broken.CROWD
    assert OPEN_MAX <= count < 5_000
