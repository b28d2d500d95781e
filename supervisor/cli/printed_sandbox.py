"""What the commands that try greenroom print for programs with `--json`; see `printed.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from greenroom.supervisor.sandbox.happening import Happening
from greenroom.supervisor.sandbox.invariants_after_boot import Violation
from greenroom.supervisor.sandbox.storm_tally import Tally


class Replayed(Struct, frozen=True):
    """The story of one seed."""

    seed: int  # that draws the story
    omitted: tuple[str, ...]  # parts that were left out
    parts: tuple[str, ...]  # parts that it has
    trace: str  # the same for two runs that are the same
    replay: str  # the command that tells it again
    history: tuple[Happening, ...]  # everything that happened, in order
    violations: tuple[Violation, ...]  # promises that were broken; if any, the exit code is 1


class WalkedScript(Struct, frozen=True):
    """One script, told with a death at every point."""

    script: str  # its name, as `--only` takes it
    stories: int  # how often it was told


class WrongStory(Struct, frozen=True):
    """A story that ended otherwise than without a death."""

    script: str  # its script
    points: tuple[str, ...]  # where the process died, in words
    what: tuple[str, ...]  # what was wrong, in sentences


class Exhausted(Struct, frozen=True):
    """What became of all stories when the process died at every point."""

    stories: int  # so many were told
    violations: int  # so many ended wrong; then the exit code is 1
    seconds: float  # how long it took
    scripts: tuple[WalkedScript, ...]  # each script that was told
    wrong: tuple[WrongStory, ...]  # the stories that ended wrong


class Mutant(Struct, frozen=True):
    """A bug that was planted, and hunted."""

    name: str  # its name
    caught: bool  # whether a promise was seen broken
    seeds: int  # so many were run until then
    invariant: str | None  # the promise that caught it


class Mutants(Struct, frozen=True):
    """What became of the planted bugs. The exit code is 1 if one survived."""

    mutants: tuple[Mutant, ...]  # in the order in which they were hunted


class Measurement(Struct, frozen=True):
    """One figure of a benchmark."""

    what: str  # what was measured
    value: float  # in `unit`
    unit: str  # such as MB, or 1/s
    target: str  # what it should be; may be empty
    met: bool | None  # whether it is; null where there is nothing to reach
    beside: str  # what it is compared with; may be empty


class Measured(Struct, frozen=True):
    """What this machine makes of greenroom."""

    python: str  # the version of Python
    machine: str  # the operating system and the kind of processor
    quick: bool  # whether sizes were small
    failed: tuple[str, ...]  # benchmarks that did not end; if any, the exit code is 1
    figures: tuple[Measurement, ...]  # in the order in which they were measured


@dataclass
class Drawn:
    """Which storm it was."""

    seed: int  # that draws what is said and done
    minutes: float  # how long it raged
    chats: int  # so many people wrote
    kept: Path | None  # the folder with the evidence; null if nothing was broken


@dataclass
class Storm(Tally, Drawn):
    """What happened in a storm."""
