"""What retention took from the disk: a world remembers those rows, so that its promises can still ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from greenroom.actors.facts import RowsForgotten
from greenroom.actors.retention import DAY_S
from greenroom.storage.forgetting import Forgetting
from greenroom.storage.rows import Row
from greenroom.supervisor.sandbox.sheet import insertion, shared_sheet
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.world import World

    Look = Callable[..., RowsForgotten | None]


@dataclass(frozen=True, slots=True)
class _Table:
    """What is to be known of its rows before they go."""

    name: str
    since: str = "NULL"  # when a row became old; without, it goes with a session that another one followed
    owed: str = "0"  # whether somebody still waits for it
    session: str = "session_id"
    numbered: bool = False  # numbers never come again; rows of the others come back under numbers before all there are

    @property
    def look(self) -> str:
        """Whose row it is, since when it is old, whether it is owed; and all of it."""
        return f"SELECT {self.session}, {self.since}, {self.owed}, * FROM {self.name} WHERE rowid = ?"  # noqa: S608 - constants


_TABLES = {
    each.name: each
    for each in (
        _Table("boots", "coalesce(ended_at, started_at)", session="NULL", numbered=True),
        _Table("sessions", session="id", numbered=True),
        _Table("inbox", "at", "generation IS NULL", numbered=True),
        _Table("decisions", "at"),
        _Table("deliveries", "coalesce(delivered_at, created_at)", "state NOT IN ('delivered', 'dead')"),
        _Table("questions", "coalesce(answered_at, lapsed_at, asked_at)"),
        _Table("processes", "coalesce(ended_at, started_at)"),
        *map(_Table, ("tool_calls", "messages", "runs")),
    )
}


class Archive:
    """Of one world, over all its lives. Planted from outside: the house knows nothing of it."""

    def __init__(self) -> None:
        """Nothing is forgotten yet."""
        self.updates: set[str] = set()  # what was sent, and the house knows no more: nobody sends it again so late
        self._rows: dict[_Table, dict[Row, None]] = {}  # in the order in which they went
        self._followers: dict[int, int] = {}  # a session that went -> the one that took its place

    @contextmanager
    def planted(self, world: World) -> Iterator[None]:
        """Hear of all that is forgotten meanwhile."""
        with Swap(Forgetting, "look", lambda real: self._listening(real, world)).planted():
            yield

    def whole(self, db: apsw.Connection) -> apsw.Connection:
        """Its rows, and what was forgotten back in its place: a copy, until the next one is made in this process."""
        sheet = shared_sheet()
        sheet.write(db)
        for table, remembered in self._rows.items():
            for back, row in enumerate(remembered, -len(remembered)):
                _put_back(sheet.db, table, row, row[0] if table.numbered else back)
        for former, follower in self._followers.items():
            sheet.db.execute("UPDATE sessions SET predecessor = ? WHERE id = ?", (former, follower))
        return sheet.db

    def _listening(self, real: Look, world: World) -> Look:
        def look(forgetting: Forgetting, db: apsw.Connection, *, now: float, monotonic: float) -> RowsForgotten | None:
            found = real(forgetting, db, now=now, monotonic=monotonic)
            if found is None:
                return None
            ids = tuple(number for number in found.ids if not _still_comes(db, found.table, number, world))
            for number in ids:
                self._remember(db, _TABLES[found.table], number, world)
            return RowsForgotten(found.table, ids) if ids else None  # It is asked again with the next write.

        return look

    def _remember(self, db: apsw.Connection, table: _Table, number: int, world: World) -> None:
        rows: list[Row] = db.execute(table.look, (number,)).fetchall()
        ((session, since, owed, *values),) = rows
        self._rows.setdefault(table, {})[tuple(values)] = None
        where = f"{table.name} {number} of session {session}"
        if db.execute("SELECT 1 FROM runs WHERE session_id = ? AND open = 1", (session,)).get:
            world.break_promise("nothing_open_is_forgotten", f"{where}, which has work")
        if owed:
            world.break_promise("nothing_owed_is_forgotten", where)
        if not (_is_old(table, since, world) or _was_followed(db, session, world)):
            world.break_promise("nothing_young_is_forgotten", where)
        if table.name == "inbox":
            self._expire(_update_of(db, number), world)
        if table.name == "sessions":
            self._followers[number] = db.execute("SELECT id FROM sessions WHERE predecessor = ?", (number,)).get

    def _expire(self, update_id: str, world: World) -> None:
        self.updates.add(update_id)
        for network in world.networks:
            network.server.expire(update_id)


def _update_of(db: apsw.Connection, number: int) -> str:
    return str(db.execute("SELECT update_id FROM inbox WHERE id = ?", (number,)).get)


def _still_comes(db: apsw.Connection, table: str, number: int, world: World) -> bool:
    """Whether a platform still sends it: none does so for longer than hosts keep what came, but our days are short."""
    if table != "inbox":
        return False
    update_id = _update_of(db, number)
    servers = [network.server for network in world.networks]
    return any(each.update_id == update_id for server in servers for each in server.unacknowledged())


def _is_old(table: _Table, since: float | None, world: World) -> bool:
    """Whether rows of this table are forgotten in time, and this one is older than that."""
    kept_s = DAY_S * getattr(world.policy, f"keep_{table.name}_days", 0.0)
    return bool(kept_s and since is not None and world.wall_now - since >= kept_s)


def _was_followed(db: apsw.Connection, session: int | None, world: World) -> bool:
    """Whether sessions are forgotten in time, and another one took this one's place longer ago than that."""
    kept_s = 0.0 if world.policy is None else DAY_S * world.policy.keep_sessions_days
    followed = db.execute("SELECT created_at FROM sessions WHERE predecessor = ?", (session,)).get
    routed = db.execute("SELECT 1 FROM routes WHERE session_id = ?", (session,)).get
    return bool(kept_s and followed and not routed and world.wall_now - followed >= kept_s)


def _put_back(copy: apsw.Connection, table: _Table, row: Row, number: int) -> None:
    """Its deletion may have come to nothing: then it is there, perhaps changed since, and stays as it is."""
    if [row] != [tuple(there[3:]) for there in copy.execute(table.look, (row[0],)).fetchall()]:
        copy.execute(insertion(table.name, len(row), unless_there=True), (number, *row[1:]))
