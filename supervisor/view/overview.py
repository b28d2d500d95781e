"""All sessions: how many stand where, and a page of those that are looked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from greenroom.actors.model import SessionId
from greenroom.storage.session_list import PART_MAX, Sought, count_states, read_listed, read_platforms
from greenroom.storage.views import SessionState
from greenroom.supervisor.view.freshness import POLL_S, Seen, nothing_new
from greenroom.supervisor.view.numbers import read_number
from greenroom.supervisor.view.saying import STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import apsw
    from starlette.requests import Request

    from greenroom.storage.views import SessionRow
    from greenroom.supervisor.view.desk import Desk
    from greenroom.supervisor.view.rendering import Pages

ROWS = 50
"""Sessions of one page."""


def routes(desk: Desk, pages: Pages) -> list[BaseRoute]:
    """The first page, and the part of it that is told anew."""

    async def overview(request: Request) -> Response:
        sought, before = read_sought(request)
        return await show(request, "sessions.html", sought, before, within_s=0.0)

    async def live(request: Request) -> Response:
        if (nothing := nothing_new(request, desk)) is not None:
            return nothing
        sought, before = read_sought(request)
        return await show(request, "sessions_live.html", sought, before, within_s=POLL_S)

    async def show(
        request: Request, template: str, sought: Sought, before: SessionId | None, *, within_s: float
    ) -> Response:
        seen = Seen.now(desk)
        counts = await desk.reading.answer("states", partial(count_states, live=True), within_s=within_s)
        platforms = await desk.reading.answer("platforms", read_platforms, within_s=within_s)
        rows: tuple[SessionRow, ...] = await desk.reading.answer(
            ("sessions", sought, before), partial(_read, sought=sought, before=before), within_s=within_s
        )
        shown, further = rows[:ROWS], len(rows) > ROWS
        return pages.show(
            request,
            template,
            sought=sought,
            before=before,
            rows=shown,
            counts=counts,
            states=STATES,
            platforms=platforms,
            now=desk.now(),
            first=None if before is None else _link(sought),
            older=_link(sought, before=shown[-1].id) if further else None,
            again="/sessions/live?" + urlencode({**asked(sought, before), **seen.asked()}),
            link=partial(_narrowed, sought),
        )

    return [Route("/", overview), Route("/sessions/live", live)]


def read_sought(request: Request) -> tuple[Sought, SessionId | None]:
    """What an address asks for. What makes no sense is not asked."""
    asked_for = request.query_params
    state = asked_for.get("state", "")
    platform, part = asked_for.get("platform", "")[:PART_MAX], asked_for.get("q", "").strip()[:PART_MAX]
    sought = Sought(SessionState(state) if state in set(SessionState) else None, platform or None, _writable(part))
    before = read_number(asked_for.get("before", ""))
    return sought, None if before is None else SessionId(before)


def asked(sought: Sought, before: int | None = None) -> Mapping[str, str]:
    """What an address says to ask for this."""
    said = {"state": sought.state and sought.state.value, "platform": sought.platform, "q": sought.part}
    return {name: str(value) for name, value in {**said, "before": before}.items() if value}


def _read(db: apsw.Connection, *, sought: Sought, before: SessionId | None) -> tuple[SessionRow, ...]:
    return read_listed(db, sought, live=True, before=before, limit=ROWS + 1)


def _narrowed(sought: Sought, state: SessionState | None) -> str:
    """The same with another state."""
    return _link(Sought(state, sought.platform, sought.part))


def _link(sought: Sought, before: int | None = None) -> str:
    said = asked(sought, before)
    return f"/?{urlencode(said)}" if said else "/"


def _writable(text: str) -> str:
    """Half a character is none, and SQLite takes none."""
    return text.encode(errors="replace").decode()
