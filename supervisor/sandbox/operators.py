"""What an operator orders of sessions, drawn from a seed: at any moment, some of it twice or while nothing runs."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.commands import Command
from greenroom.actors.facts import InboundStored
from greenroom.actors.model import Receipt
from greenroom.storage.offline import write_unserved
from greenroom.storage.rows import Contradiction
from greenroom.supervisor.operations import order_inbound
from greenroom.supervisor.sandbox.happening import PROCESS
from greenroom.supervisor.sandbox.people import Plan

if TYPE_CHECKING:
    from greenroom.actors.model import SessionKey
    from greenroom.supervisor.sandbox.parts import Parts
    from greenroom.supervisor.sandbox.world import World

ORDERS = (Command.STOP, Command.SUSPEND, Command.RESUME, Command.RESUME, Command.RETRY, Command.SEND, Command.SEND)
SPANS_S = (10.0, 100.0, 1_000.0)


def draw_orders(world: World, dice: random.Random, parts: Parts) -> list[Plan]:
    """A third of all worlds have an operator who orders something."""
    chats = [chat for network in world.networks for chat in network.chats]
    span_s, plans = dice.choice(SPANS_S), list[Plan]()
    for n in range(1, dice.choice((0, 0, 0, 0, 2, 4)) + 1):
        chat, command, at = dice.choice(chats), dice.choice(ORDERS), dice.uniform(0.0, span_s)
        again_s = dice.choice((None, None, 0.0, 30.0))
        if parts.happens(f"x{n}"):
            plans.append(Plan(at, len(plans), partial(order, world, chat, command, f"x{n}")))
            if again_s is not None and parts.happens(f"x{n}.again"):
                plans.append(Plan(at + again_s, len(plans), partial(order, world, chat, command, f"x{n}")))
    return plans


def order(world: World, chat: SessionKey, command: Command, order_id: str) -> None:
    """Order it of the process that lives, or write it down where none does. The same id again is the same order."""
    text = f"{order_id} from whoever runs this" if command is Command.SEND else ""
    inbound = order_inbound(chat, command, text, order_id)
    if inbound.update_id in world.archive.updates:
        return  # Nobody orders the same again so late.
    if inbound.update_id not in world.ordered:
        world.ordered[inbound.update_id] = (chat, text)
        world.retries[str(chat)] += command is Command.RETRY
    world.moved.pop(str(chat), None)  # Whatever begins now is new.
    world.fault("operator: orders something", f"{command.value} of {chat}")
    if world.order is not None:
        world.order(chat, command, partial(_hear, world, inbound.update_id), text, order_id)
    elif world.runtime is None:
        _write_down(world, InboundStored(inbound, world.wall))


def _hear(world: World, update_id: str, answer: Receipt | Exception) -> None:
    if isinstance(answer, Receipt):
        world.note(PROCESS, f"takes the order {update_id}")
        world.taken.add(update_id)


def _write_down(world: World, fact: InboundStored) -> None:
    from greenroom.supervisor.sandbox.life import PATH  # noqa: PLC0415 - which lives in this world

    try:
        write_unserved(PATH, fact, vfs=world.disk.vfs_name)
    except Contradiction:
        return  # Nobody has written in this chat yet.
    world.fault("operator: orders while the process is down")
    world.taken.add(fact.inbound.update_id)
