"""Fills the table for other systems, where they are installed: each in processes of its own, really killed.

They have no delivery classes and no tool policies of their own. One run is therefore read in several ways: on a
platform that shows one key once, and on one that shows all; by a tool whose effect may be repeated, by one that knows
the call by its id, and by one that must not be called again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from greenroom.actors.model import DeliveryClass, ToolPolicy
from greenroom.supervisor.sandbox.matrix import TOOL_POINTS, Column, Outcome, Point, Run, tally

PLATFORMS = (DeliveryClass.NATIVE_KEY, DeliveryClass.NONE)
POLICIES = (ToolPolicy.PURE, ToolPolicy.KEYED, ToolPolicy.ONCE)
TRY_S = 120
"""How long one try of all points may take before a system counts as one that does not run here."""

POINTS = {
    "A": Point.A,
    "B": Point.B,
    "C first": Point.C,
    "C second": Point.C,
    "E": Point.E,
    "G": Point.G,
    "H": Point.H,
    "I": Point.I,
}
"""Where the points of `foreign/room.py` belong; D is read once for each policy."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A system with its driver in `foreign/`. Some acknowledge an update before they work on it, others after."""

    name: str
    driver: str
    packages: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    acknowledges_first: bool = False

    def version(self) -> str:
        """The installed version; empty for what needs no package. Raises PackageNotFoundError."""
        found = [version(package) for package in self.packages]
        return found[0] if found else ""


_GRAPH = ("langgraph", "langgraph-checkpoint-sqlite")
FOREIGN = (
    Foreign("LangGraph sync", "langgraph_bot", _GRAPH, ("durability=sync",)),
    Foreign("LangGraph async", "langgraph_bot", _GRAPH, ("durability=async",)),
    Foreign("LangGraph exit", "langgraph_bot", _GRAPH, ("durability=exit",)),
    Foreign("DBOS", "dbos_bot", ("dbos",), acknowledges_first=True),
    Foreign("OpenAI Agents", "agents_bot", ("openai-agents",)),
    Foreign("plain loop", "loop_bot", acknowledges_first=True),
)


class DoesNotRun(Exception):
    """A system could not be tried; the message says why."""


def try_foreign(system: Foreign, *, tries: int = 1) -> Column:
    """Kill it at every point. Raises DoesNotRun if it is not installed, or fails without being killed."""
    try:
        found = system.version()
    except PackageNotFoundError as error:
        raise DoesNotRun(f"{error.name} is not installed") from error
    worlds = _run(system, tries)
    return tally(system.name, found, (run for each in worlds for run in read_runs(*each, system)), PLATFORMS)


def _run(system: Foreign, tries: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    nursery = "greenroom.supervisor.sandbox.foreign.nursery"
    command = [sys.executable, "-m", nursery, system.driver, str(tries), *system.arguments]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TRY_S * tries, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DoesNotRun(f"it did not end within {TRY_S * tries} s") from error
    if ended.returncode != 0:
        raise DoesNotRun((ended.stderr.strip() or "it failed without a word").splitlines()[-1])
    for point, worlds in json.loads(ended.stdout.splitlines()[-1]).items():
        yield from ((point, world) for world in worlds if world is not None)


def read_runs(point: str, world: list[dict[str, Any]], system: Foreign) -> Iterator[Run]:
    """Judge one world in every way in which it can be read."""
    calls = [line["call"] for line in world if line["what"] == "effect"]
    shown = [line["key"] for line in world if line["what"] == "shown"]
    for platform in PLATFORMS:
        visible = len(set(shown) if platform is DeliveryClass.NATIVE_KEY else shown)
        for place, policy in _places(point, system):
            yield Run(place, platform, judge(calls, visible, policy), f"killed at {point}")


def _places(point: str, system: Foreign) -> Iterator[tuple[Point, ToolPolicy]]:
    if point == "D":
        yield from ((TOOL_POINTS[policy], policy) for policy in POLICIES)
    elif point == "acknowledged":
        yield (Point.C if system.acknowledges_first else Point.I), ToolPolicy.ONCE
    else:
        yield POINTS[point], ToolPolicy.ONCE


def judge(calls: list[str], visible: int, policy: ToolPolicy) -> Outcome:
    """What the person has: from the effects, each with its call's id, and the messages that are visible.

    >>> judge(["call_1", "call_1"], 1, ToolPolicy.ONCE), judge(["call_1", "call_1"], 1, ToolPolicy.KEYED)
    (<Outcome.DOUBLED: 'doubled'>, <Outcome.ONCE: 'once'>)
    """
    if not calls or not visible:
        return Outcome.LOST
    effects = {ToolPolicy.PURE: 1, ToolPolicy.KEYED: len(set(calls))}.get(policy, len(calls))
    return Outcome.DOUBLED if max(effects, visible) > 1 else Outcome.ONCE
