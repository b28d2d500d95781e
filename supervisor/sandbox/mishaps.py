"""What happens to a living process: each accident is done to it from outside, at the step that the seed chose."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from greenroom.actors.facts import MessageAppended
from greenroom.actors.model import Epoch, Generation, Message, Role, Seq, SessionId
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.storage.faulty_disk import Fault, FaultKind
from greenroom.supervisor.sandbox.faults import (
    DAY_S,
    DISK_FAULTS,
    HEALS_AFTER_S,
    VICTIMS,
    Accident,
    Accidents,
    draw_disk_fault,
)
from greenroom.supervisor.sandbox.invariants import rows

if TYPE_CHECKING:
    from greenroom.actors.simulation import SimRuntime
    from greenroom.supervisor.sandbox.life import Life
    from greenroom.supervisor.sandbox.world import World

HOUR_S = 3_600.0

HELD = "SELECT id FROM sessions WHERE quarantined_at IS NOT NULL OR suspended_at IS NOT NULL"


class Mishaps:
    """Does accidents to the lives of one world."""

    def __init__(self, world: World, accidents: Accidents) -> None:
        """`accidents` are those that wait in the methods of actors."""
        self._world = world
        self._accidents = accidents
        accidents.struck = world.fault
        self._epochs: list[Epoch] = []

    def remember(self, epoch: Epoch) -> None:
        """A process owns the store under this epoch now."""
        self._epochs.append(epoch)

    def happen(self, life: Life, accident: Accident, dice: random.Random) -> None:
        """Let it happen now. `dice` decide what the seed did not draw before."""
        world, runtime = self._world, life.runtime
        if accident in VICTIMS:
            self._accidents.plan(accident)
            if accident is Accident.RECEIVER_RAISES:  # It hears nothing else than that its coroutine has ended.
                self._break_off(dice)
        elif accident is Accident.RECEIVER_BREAKS:
            self._break_off(dice)
        elif accident in DISK_FAULTS:
            disk, fault = world.disk, draw_disk_fault(dice, accident)
            if accident is Accident.DISK_BUSY:
                disk.inject(Fault(FaultKind.IO_ERROR, "write"))  # Then the file is opened again, and is held.
            disk.inject(fault)
            world.planned[fault] = accident.value
            runtime.timers.arm(("sandbox", accident), dice.choice(HEALS_AFTER_S), disk.heal)
        else:
            self._happen_outside(life, accident, dice)

    def _happen_outside(self, life: Life, accident: Accident, dice: random.Random) -> None:
        runtime = life.runtime
        if accident is not Accident.TAKE_OVER:  # Which may find the store in trouble, and come to nothing.
            self._world.fault(accident.value)
        match accident:
            case Accident.TIMER_RAISES:
                runtime.timers.arm("sandbox", 0.0, _raise)
            case Accident.DISCONNECT:
                self._disconnect(runtime, dice)
            case Accident.CLOCK_BACK:
                runtime.jump_wall(-DAY_S)
            case Accident.CLOCK_FORWARD:
                runtime.jump_wall(DAY_S)
            case Accident.SLEEP:
                self._world.resting.clear()  # The timers of a run may ring before its agent has begun.
                self._world.sleeps.append((runtime.clock.now(), HOUR_S))
                self._world.late.outlast(HOUR_S)
                self._world.mail.outlast(HOUR_S)
            case Accident.MESSAGE_REMOVED | Accident.BLOCKED:
                self._harass(accident, dice)
            case Accident.RELEASE:
                self._release(life)
            case Accident.ZOMBIE:
                self._wake_zombie(life)
            case Accident.TAKE_OVER:
                life.be_taken_over()
            case _:
                pass

    def _break_off(self, dice: random.Random) -> None:
        told = partial(self._world.fault, Accident.RECEIVER_BREAKS.value)
        dice.choice(self._world.networks).server.break_off(told)

    def _disconnect(self, runtime: SimRuntime, dice: random.Random) -> None:
        wire = dice.choice(self._world.wires)
        if wire.door is not None:
            wire.door.disconnected("the network is gone")
            runtime.timers.arm(("sandbox", wire.name), dice.choice((0.5, 40.0)), wire.door.connected)

    def _harass(self, accident: Accident, dice: random.Random) -> None:
        network = dice.choice(self._world.networks)
        chat = dice.choice(network.chats)
        if accident is Accident.BLOCKED:
            if dice.random() < 0.2:
                network.server.block(chat)
        elif shown := network.server.visible(chat):
            network.server.delete(dice.choice(shown).id)

    def _release(self, life: Life) -> None:
        """An operator gives back whatever was set aside, or suspended."""
        found = life.look(lambda db: rows(db, HELD))
        for (session_id,) in found or ():
            life.core.operations.release(SessionId(session_id), lambda _: None)

    def _wake_zombie(self, life: Life) -> None:
        """An older owner offers a row through the living store: the fence refuses it, whatever it believes."""
        store = life.core.store
        if store is None or len(self._epochs) < 2:
            return
        found: list[tuple[Any, ...]] | None = life.look(lambda db: rows(db, "SELECT id, generation FROM sessions"))
        if found:
            session_id, generation = SessionId(found[0][0]), Generation(found[0][1])
            row = Message(Seq(9_999), generation, "zombie", Role.ASSISTANT, "boo", 0.0, finish="stop")
            store.write((MessageAppended(session_id, self._epochs[-2], row),), self._hear_zombie)

    def _hear_zombie(self, answer: Committed | Refused) -> None:
        if not isinstance(answer, Refused) or answer.kind is RefusalKind.CONFLICT:
            self._world.break_promise("a_stale_writer_is_refused", str(answer))


def _raise() -> None:
    msg = "an accident in a timer"
    raise RuntimeError(msg)
