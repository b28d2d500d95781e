"""The house as a whole: what happens now, its platforms and storage, its lives, and letters that never arrived."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from greenroom.storage.boots import read_boots
from greenroom.storage.letters import read_letters
from greenroom.storage.views import StoreStatus, read_store_status
from greenroom.supervisor.view.freshness import POLL_S, Seen, nothing_new

if TYPE_CHECKING:
    from pathlib import Path

    import apsw
    from starlette.requests import Request

    from greenroom.supervisor.view.desk import Desk
    from greenroom.supervisor.view.rendering import Pages

ENTRIES = 300
"""Entries of the feed on a page."""

LETTERS = 200
BOOTS = 100


class Disk(Struct, frozen=True):
    """What the store takes of its disk, in bytes."""

    status: StoreStatus
    wal: int
    free: int
    total: int


def routes(desk: Desk, pages: Pages) -> list[BaseRoute]:
    """Each page, and the part of it that is told anew."""
    shown = _HousePages(desk, pages)
    found: list[BaseRoute] = []
    for name in ("feed", "letters", "platforms", "storage", "restarts"):
        found.append(Route(f"/{name}", partial(shown.page, name)))
        found.append(Route(f"/{name}/live", partial(shown.live, name)))
    return found


class _HousePages:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk, self._pages = desk, pages

    async def page(self, name: str, request: Request) -> Response:
        return await self._show(name, request, f"{name}.html", 0.0)

    async def live(self, name: str, request: Request) -> Response:
        # How platforms stand is told by no commit; it is in memory, so the page is made whenever it is asked for.
        if name != "platforms" and (nothing := nothing_new(request, self._desk)) is not None:
            return nothing
        return await self._show(name, request, f"{name}_live.html", POLL_S)

    async def _show(self, name: str, request: Request, template: str, within_s: float) -> Response:
        seen, now = Seen.now(self._desk), self._desk.now()
        given = await self._given(name, within_s)
        again = f"/{name}/live?{urlencode(seen.asked())}"
        return self._pages.show(request, template, again=again, now=now, **given)

    async def _given(self, name: str, within_s: float) -> dict[str, Any]:
        """What a page is made of."""
        desk, answer = self._desk, self._desk.reading.answer
        match name:
            case "feed":
                return {"entries": desk.feed.since(max(0, desk.feed.last - ENTRIES))[::-1]}
            case "letters":
                return {"letters": await answer("letters", partial(read_letters, limit=LETTERS), within_s=within_s)}
            case "platforms":
                outboxes = await desk.outboxes()
                given = {"connections": desk.connections(), "outboxes": outboxes, "lately": desk.lately}
                return given | {"problem": await desk.ready(), "depths": desk.depths()}
            case "restarts":
                return {"boots": await answer("boots", partial(read_boots, last=BOOTS), within_s=within_s)}
            case _:
                disk = await answer("disk", partial(_look_at_disk, path=desk.database), within_s=within_s)
                return {"disk": disk, "minutes": desk.hour.minutes(desk.now()), "depths": desk.depths()}


def _look_at_disk(db: apsw.Connection, *, path: Path) -> Disk:
    usage, wal = shutil.disk_usage(path.parent), path.with_name(path.name + "-wal")
    return Disk(read_store_status(db), wal.stat().st_size if wal.exists() else 0, usage.free, usage.total)
