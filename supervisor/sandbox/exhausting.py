"""Tells a story again and again, with the process dying at each point of it in turn. No sampling, no dice.

A point is an operation of the disk (the process is killed there, or the power fails and what was not synced is lost, or
is torn), or a call to the platform (before its effect, or after it and without its answer). A second point is counted
from the death at the first, its next start included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from greenroom.platforms.fakes.platform import Seen
from greenroom.storage.faulty_disk import Fault, FaultKind, Loss
from greenroom.supervisor.sandbox.scenario import NeverRestsError, PlatformFault, Scenario
from greenroom.supervisor.sandbox.scripts import Script, play, told


class Death(StrEnum):
    """How the process dies, and where."""

    KILLED = "killed at operation"
    UNSYNCED = "power lost at operation"
    TORN = "power lost, writes torn, at operation"
    BEFORE = "killed before call"
    AFTER = "killed after call"


LOSSES = {Death.KILLED: Loss.NOTHING, Death.UNSYNCED: Loss.UNSYNCED, Death.TORN: Loss.RANDOM}
CALLS = (Death.BEFORE, Death.AFTER)


@dataclass(frozen=True, slots=True)
class Point:
    """The nth operation of the disk, or call to the platform, and how the process dies there."""

    death: Death
    nth: int

    def __str__(self) -> str:
        """In words."""
        return f"{self.death.value} {self.nth}"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a story. `operations` and `calls` are those after the last death."""

    wrong: tuple[str, ...]
    deaths: int
    operations: int
    calls: int
    story: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """A story that did not end as it should when the process died at these points."""

    script: str
    points: tuple[Point, ...]
    what: tuple[str, ...]

    def __str__(self) -> str:
        """For people."""
        where = ", then ".join(str(point) for point in self.points) or "without any death"
        return f"{self.script}: {where}: {'; '.join(self.what)}"


Progress = Callable[[int, int], None]
"""Hears how many stories were told, and of how many that are known so far."""


def _nobody(_done: int, _known: int) -> None:
    """Nobody wants to know."""


def walk(script: Script, *, pairs: bool = False, thin: bool = False, heard: Progress = _nobody) -> Iterator[Wrong]:
    """Tell a story with each death that it has, or with each pair of deaths; yields those that end wrong.

    `thin`, and always for pairs: at each operation of the disk one of the three deaths, in turn, instead of all.
    """
    whole = tell(script)
    if whole.wrong:
        yield Wrong(script.row, (), whole.wrong)
        return
    firsts = list(points_of(whole, thin=thin or pairs))
    done, known = 0, len(firsts)
    for first in firsts:
        once = tell(script, [first])
        seconds = list(points_of(once, thin=True)) if pairs else []
        done, known = done + 1, known + len(seconds)
        heard(done, known)
        if once.wrong:
            yield Wrong(script.row, (first,), once.wrong)
        for second in seconds:
            twice = tell(script, [first, second])
            done += 1
            heard(done, known)
            if twice.wrong:
                yield Wrong(script.row, (first, second), twice.wrong)


def points_of(whole: Told, *, thin: bool = False) -> Iterator[Point]:
    """Each point at which the process can die in a story that was told, after the deaths that it was told with."""
    for nth in range(1, whole.operations + 1):
        deaths = list(LOSSES)
        yield from (Point(death, nth) for death in ([deaths[nth % len(deaths)]] if thin else deaths))
    for nth in range(1, whole.calls + 1):
        yield from (Point(death, nth) for death in CALLS)


def tell(script: Script, deaths: Sequence[Point] = ()) -> Told:
    """Tell a story in which the process dies at these points, one after the other."""
    with script.make() as room:
        fate = _Fate(room, deaths)
        try:
            play(room, script, fate.bury)
            wrong = told(room, script)
        except NeverRestsError as error:
            wrong = [f"it_comes_to_rest: {error}"]
        missed = [f"it did not die: {point}" for point in fate.due]
        return Told((*wrong, *missed), room.world.crashes, fate.operations, fate.calls, room.history())


class _Fate:
    """Lets the process die where it is due, and counts what happens in between, over all its lives."""

    def __init__(self, room: Scenario, deaths: Sequence[Point]) -> None:
        self.due = list(deaths)
        self.calls = 0
        self._room = room
        self._deaths = room.world.crashes
        self._counted = 0  # operations since the last death, on disks of lives that ended in order
        room.world.choose = self._choose
        self._mount()

    @property
    def operations(self) -> int:
        """The operations of the disk since the last death."""
        return self._counted + self._disk.operations - self._mounted_at

    def bury(self, room: Scenario) -> None:
        """End what is left of the process, and watch over the next one.

        It may die while it closes the store: that is a point too. Raises NeverRestsError if it lives on.
        """
        if room.life is not None and room.life.lives():
            raise NeverRestsError("it was told to end, and lives on")
        room.crash(self._loss)
        self._counted = self.operations
        if room.world.crashes != self._deaths:
            self._deaths, self._counted, self.calls = room.world.crashes, 0, 0
            self.due = self.due[1:]
        self._mount()

    def _mount(self) -> None:
        """Plan the next death on the disk that the next process finds."""
        self._disk = disk = self._room.world.disk
        self._mounted_at, self._loss = disk.operations, Loss.NOTHING
        if self.due and self.due[0].death in LOSSES:
            self._loss = LOSSES[self.due[0].death]
            disk.inject(Fault(FaultKind.CUT, nth=self.due[0].nth - self._counted))

    def _choose(self, _: Seen) -> PlatformFault | None:
        self.calls += 1
        room, point = self._room, self.due[0] if self.due else None
        if point is None or point.nth != self.calls or room.life is None or not room.life.lives():
            return None
        if point.death is Death.BEFORE:
            room.world.kill("killed before a call had its effect")
        if point.death is Death.AFTER:
            room.life.runtime.timers.arm("crash", 0.1, lambda: room.world.kill("killed after a call had its effect"))
            return PlatformFault.HANGS_AFTER
        return None
