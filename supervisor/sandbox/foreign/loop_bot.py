"""The control: the bot that everybody writes first. It fetches in the background, and keeps history after a send.

As in python-telegram-bot, whose Updater puts updates on a queue in memory and asks for the next ones, which tells
the platform that the former have arrived.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.foreign.room import Room

PACKAGES: tuple[str, ...] = ()


def live(room: Room) -> None:
    """Serve what there is, then return."""
    db = sqlite3.connect(room.folder / "bot.sqlite")
    db.execute("CREATE TABLE IF NOT EXISTS history (role TEXT, text TEXT)")
    for update, text in room.poll():
        room.acknowledge(update)
        call = room.call_model(None)
        result = room.pay(call)
        answer = room.call_model(result)
        room.show(f"{update}-answer", answer)
        with db:
            db.executemany("INSERT INTO history VALUES (?, ?)", [("user", text), ("assistant", answer)])
        room.reach("I")
    db.close()
