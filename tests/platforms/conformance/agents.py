"""Agents that the suite's tests put behind a platform, beside the stand's `echo`."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

from tests.platforms.conformance.stand import WAIT_S, Agent, Gate, echo

from greenroom import Turn


def noting(answered: list[str]) -> Agent:
    """An agent that says it all again, and notes for what it was run."""

    async def agent(turn: Turn) -> str:
        answered.extend(each.text for each in turn.new)
        return await echo(turn)

    return agent


def read_file(where: str) -> str:
    """Read it as an agent does: it is a path, or a URL that anybody may ask for."""
    if not where.startswith("http"):
        return Path(where).read_text(encoding="utf-8")
    with urlopen(where, timeout=WAIT_S) as answer:
        return str(answer.read().decode())


def echo_behind(gate: Gate) -> Agent:
    """An agent that says it all again, once it is let through."""

    async def agent(turn: Turn) -> str:
        await gate.passed()
        return await echo(turn)

    return agent
