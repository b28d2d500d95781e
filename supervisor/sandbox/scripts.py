"""Stories as data: who writes what and when. They can be told again with the process dying at any point.

with script.make() as room:
    room.disk_fails(FaultKind.CUT, nth=17)
    play(room, script)              # a process that dies on the way is started again
    assert told(room, script) == [] # the same is to be read as without the crash
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from greenroom.actors.model import DeliveryClass
from greenroom.supervisor.sandbox.invariants import TOKEN
from greenroom.supervisor.sandbox.scenario import NeverRestsError, Policy, Scenario

EDIT, KEY, LOOK, NONE = (
    DeliveryClass.EDIT_ANCHOR,
    DeliveryClass.NATIVE_KEY,
    DeliveryClass.RECONCILE,
    DeliveryClass.NONE,
)

DRAINS_S = 120.0
"""How long an orderly end may take."""

DEATHS_MAX = 10
"""How often a process may die before a line is said."""


@dataclass(frozen=True, slots=True)
class Line:
    """Somebody writes. `at` counts virtual seconds; `id` is given where an update comes again."""

    at: float
    text: str
    chat: int = 1
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A story in which every message is answered, whatever happens. `row` is the scenario that it comes from."""

    row: str
    lines: tuple[Line, ...]
    delivery: DeliveryClass = EDIT
    drains_at: float | None = None

    def make(self, seed: int = 1) -> Scenario:
        """The house in which it is told."""
        policy = Policy(attempts_max=100, unclean_boots_max=100, drain_s=2.0, transcript_window=1000)
        return Scenario(policy=policy, platforms=[self.delivery], seed=seed)


def play(room: Scenario, script: Script, bury: Callable[[Scenario], None] = Scenario.crash) -> None:
    """Let people write when they do; a process that dies is buried and started again, until all is done.

    `bury` ends what is left of a process that died, or that drained. Raises NeverRestsError.
    """
    for line in script.lines:
        _live(room, line.at, bury)
        room.says(line.text, line.chat, id=line.id)
    if script.drains_at is not None:
        _live(room, script.drains_at, bury)
        room.order_drain()
        room.advance(DRAINS_S)
        bury(room)
        room.boot()
    _live(room, None, bury)


def _live(room: Scenario, until: float | None, bury: Callable[[Scenario], None]) -> None:
    for _ in range(DEATHS_MAX):
        if room.life is not None and room.life.lives():
            room.rest() if until is None else room.advance(max(0.0, until - room.world.now))
        if room.life is not None and room.life.lives():
            return
        bury(room)
        room.boot()
    raise NeverRestsError("it dies again and again")


def told(room: Scenario, script: Script) -> list[str]:
    """What is not as it should be: promises, and messages whose answers are not to be read once and in order."""
    return [*(str(violation) for violation in room.broken()), *_misread(room, script)]


def _misread(room: Scenario, script: Script) -> Iterator[str]:
    for chat in sorted({line.chat for line in script.lines}):
        asked = list(dict.fromkeys(line.text.split()[0] for line in script.lines if line.chat == chat))
        shown = room.visible(chat)
        found = [token for text in shown for token in TOKEN.findall(text)]
        if script.delivery is DeliveryClass.NONE:
            found = list(dict.fromkeys(found))
        if found != asked:
            yield f"chat {chat} asked {asked} and reads {shown}"


SCRIPTS = (
    Script("S001", (Line(0, "m1 nap answer"),), drains_at=0.5),
    Script("S047", (Line(0, "m1 pure nap answer"),)),
    Script("S065", (Line(0, "m1 answer"),), KEY),
    Script("S066", (Line(0, "m1 answer"),), NONE),
    Script("S074", (Line(0, "m1 nap answer"), Line(1, "m2 answer")), drains_at=1.5),
    Script("S077", (Line(0, "m1 nap answer"), *(Line(1, f"m{n} answer") for n in range(2, 5)))),
    Script("S080", (Line(0, "m1 answer", id="u1"), Line(5, "m1 answer", id="u1"))),
    Script("S086", (Line(0, "m1 say nap answer"),)),
    Script("S088", (Line(0, "m1 answer"), Line(0, "m2 answer", chat=2)), LOOK),
    Script("S137", (Line(0, "m1 once keyed answer"),)),
    Script("S167", (Line(0, "m1 nap answer"), Line(0, "m2 nap answer", chat=2)), KEY),
)

SHORT = frozenset({"S065", "S066", "S080", "S086"})
"""Rows whose stories are short enough to be told with every pair of deaths."""
