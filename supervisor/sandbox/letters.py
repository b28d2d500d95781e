"""What an operator does to single deliveries, drawn from a seed: has them sent again, gives them up, at any moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import apsw

from greenroom.actors.facts import DeliveryDropped, DeliveryRevived
from greenroom.actors.model import Delivery
from greenroom.storage.faulty_disk import Loss
from greenroom.storage.letters import read_delivery_named
from greenroom.storage.offline import write_unserved
from greenroom.storage.rows import Contradiction
from greenroom.storage.sqlite import open_reader
from greenroom.supervisor.sandbox.happening import PROCESS
from greenroom.supervisor.sandbox.people import Plan

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.parts import Parts
    from greenroom.supervisor.sandbox.world import World

T = TypeVar("T")

SPANS_S = (10.0, 100.0, 1_000.0)
DEEDS = ("resend", "resend", "drop")
WORTH_IT = "SELECT key FROM deliveries WHERE text IS NOT NULL AND state IN ({}) ORDER BY id"
RESENDS = WORTH_IT.format("'dead', 'unknown', 'retry'")
DROPS = WORTH_IT.format("'dead', 'unknown', 'retry', 'pending', 'sending'")


def draw_letters(world: World, dice: random.Random, parts: Parts) -> list[Plan]:
    """Half of all worlds have an operator who looks after what is owed or dead."""
    plans, span_s = list[Plan](), dice.choice(SPANS_S)
    for n in range(1, dice.choice((0, 0, 2, 6)) + 1):
        deed, which, at = dice.choice(DEEDS), dice.randrange(8), dice.uniform(0.0, span_s)
        if parts.happens(f"l{n}"):
            plans.append(Plan(at, len(plans), partial(look_after, world, deed, which)))
    return plans


def look_after(world: World, deed: str, which: int) -> None:
    """Do this to one of the deliveries for which it is worth it, if there is any."""
    keys = _keys(world, RESENDS if deed == "resend" else DROPS)
    if keys:
        (resend if deed == "resend" else drop)(world, keys[which % len(keys)])


def resend(world: World, key: str) -> None:
    """Have it sent again. Unless that is refused it counts as given up no more: who dies does not say what it wrote."""
    found = _read(world, key)
    if found is not None:
        world.mail.resent[str(found.session)] += 1
        world.fault("operator: has something sent again", key)
        since = world.mail.dropped.pop(key, None)
        if world.letters is not None:
            world.letters.resend(key, partial(_resent, world, key, since))
        elif _written_down(world, DeliveryRevived(found, world.wall)):
            _resent(world, key, since, found)
        elif since is not None:
            world.mail.dropped[key] = since


def drop(world: World, key: str) -> None:
    """Give it up."""
    found = _read(world, key)
    if found is not None:
        world.mail.dropping.add(key)
        world.fault("operator: gives something up", key)
        if world.letters is not None:
            world.letters.drop(key, partial(_dropped, world))
        elif _written_down(world, DeliveryDropped(found, world.wall)):
            _dropped(world, found)


def _resent(world: World, key: str, since: float | None, answer: Delivery | Exception) -> None:
    if isinstance(answer, Delivery):
        world.note(PROCESS, f"will send {key} again")
        world.mail.dropped.pop(key, None)  # If it was given up since the order: that came first.
    elif since is not None:
        world.mail.dropped.setdefault(key, since)


def _dropped(world: World, answer: Delivery | Exception) -> None:
    if isinstance(answer, Delivery):
        world.note(PROCESS, f"gives {answer.key} up")
        world.mail.dropped[answer.key] = world.now


def _keys(world: World, sql: str) -> list[str]:
    return [str(key) for (key,) in _look(world, lambda db: db.execute(sql).fetchall()) or ()]


def _read(world: World, key: str) -> Delivery | None:
    return _look(world, lambda db: read_delivery_named(db, key))


def _look(world: World, fn: Callable[[apsw.Connection], T]) -> T | None:
    """Read from the store of the living process, or from the disk that the last one left."""
    if world.look is not None:
        return world.look(fn)
    if world.runtime is not None:
        return None
    with world.disk.reboot(Loss.NOTHING, seed=0) as copy:
        db = open_reader(_path(), vfs=copy.vfs_name)
        try:
            return fn(db)
        finally:
            db.close()


def _written_down(world: World, fact: DeliveryRevived | DeliveryDropped) -> bool:
    if world.runtime is not None:
        return False
    try:
        write_unserved(_path(), fact, vfs=world.disk.vfs_name)
    except Contradiction:
        return False
    world.fault("operator: looks after deliveries while the process is down")
    return True


def _path() -> str:
    from greenroom.supervisor.sandbox.life import PATH  # noqa: PLC0415 - which lives in this world

    return PATH
