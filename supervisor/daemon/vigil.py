"""The look that is taken now and then: is it ready, does it live; and the service manager is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from greenroom.supervisor.connections import Connection, describe_connection
from greenroom.supervisor.daemon.readiness import Readiness
from greenroom.supervisor.daemon.sd_notify import Notifier

LOOK_EVERY_S = 10.0
"""How often it is looked; sooner where the service manager's watchdog is impatient."""

LOOKS_A_WATCHDOG = 3
"""How many looks fit between two barks: one that fails is not the end."""


async def keep_vigil(readiness: Readiness, notifier: Notifier, standing: Callable[[], str]) -> None:
    """Look until cancelled. The watchdog is fed only after storage and actors have answered."""
    every_s = LOOK_EVERY_S
    if notifier.watchdog_s is not None:
        every_s = min(every_s, notifier.watchdog_s / LOOKS_A_WATCHDOG)
    while True:
        found = await readiness.look()
        status = found.wrong or standing()
        if found.stuck:
            notifier.tell(status=status)
        else:
            notifier.alive(status)
        await asyncio.sleep(every_s)


def describe_standing(doing: str, connections: Iterable[Connection]) -> str:
    """Say what it does, and which platforms are out of reach.

    >>> describe_standing("serving", [Connection("telegram", "me", 0.0, why_not="the token is wrong")])
    'serving; telegram:me is not connected: the token is wrong'
    """
    lost = [describe_connection(each) for each in connections if not each.connected]
    return "; ".join((doing, *lost))
