"""One session: all that is kept of it, why it was resumed or was not, and the chart of a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from greenroom.actors.model import Generation, Seq, SessionId
from greenroom.storage.session_view import DecisionRow, SessionView, read_decisions, read_session_view
from greenroom.storage.views import PAGE_MAX
from greenroom.supervisor.sandbox.chart import draw
from greenroom.supervisor.view.freshness import POLL_S, Seen, nothing_new
from greenroom.supervisor.view.numbers import number_in, read_number
from greenroom.supervisor.view.offers import offers_for
from greenroom.supervisor.view.run_story import tell_run

if TYPE_CHECKING:
    import apsw
    from starlette.requests import Request

    from greenroom.supervisor.sandbox.happening import Happening
    from greenroom.supervisor.view.desk import Desk
    from greenroom.supervisor.view.rendering import Pages

LAST = 50
"""Rows of each kind that a page shows, from the newest back."""

CHART_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""A picture that brings its own colours, and can do nothing else."""


def routes(desk: Desk, pages: Pages) -> list[BaseRoute]:
    """The pages of one session."""
    shown = _SessionPages(desk, pages)
    return [
        Route("/sessions/{number}", shown.session),
        Route("/sessions/{number}/live", shown.live),
        Route("/sessions/{number}/runs/{run}", shown.run),
        Route("/sessions/{number}/runs/{run}/chart.svg", shown.chart),
    ]


class _SessionPages:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk, self._pages = desk, pages

    async def session(self, request: Request) -> Response:
        return await self._show(request, "session.html", within_s=0.0)

    async def live(self, request: Request) -> Response:
        number = SessionId(number_in(request, "number"))
        if (nothing := nothing_new(request, self._desk, about=number)) is not None:
            return nothing
        return await self._show(request, "session_live.html", within_s=POLL_S)

    async def _show(self, request: Request, template: str, *, within_s: float) -> Response:
        number, before, seen = SessionId(number_in(request, "number")), read_before(request), Seen.now(self._desk)
        view, decisions = await self._read(number, LAST, before, within_s=within_s)
        first = view.messages[0].seq if view.messages else 0
        asked = {**({"before": before} if before else {}), **seen.asked()}
        return self._pages.show(
            request,
            template,
            view=view,
            row=view.session,
            decisions=decisions,
            timers=await self._desk.timers(number),
            now=self._desk.now(),
            offers=offers_for(view.session.state),
            before=before,
            older=f"/sessions/{number}?before={first}#transcript" if first > 1 else None,
            again=f"/sessions/{number}/live?{urlencode(asked)}",
        )

    async def run(self, request: Request) -> Response:
        view, story, generation = await self._tell(request)
        return self._pages.show(request, "run.html", view=view, row=view.session, story=story, generation=generation)

    async def chart(self, request: Request) -> Response:
        view, story, generation = await self._tell(request)
        title = f"Session {view.session.id}, {view.session.key}: run {generation}"
        picture = Response(draw(story, title), media_type="image/svg+xml")
        picture.headers["content-security-policy"] = CHART_POLICY
        return picture

    async def _tell(self, request: Request) -> tuple[SessionView, tuple[Happening, ...], Generation]:
        number, generation = SessionId(number_in(request, "number")), Generation(number_in(request, "run"))
        view, decisions = await self._read(number, PAGE_MAX, None, within_s=0.0)
        story = tell_run(view, decisions, generation)
        if not story:
            raise HTTPException(404, f"nothing is kept any more of run {generation} of session {number}")
        return view, story, generation

    async def _read(
        self, number: SessionId, last: int, before: Seq | None, *, within_s: float
    ) -> tuple[SessionView, tuple[DecisionRow, ...]]:
        question = partial(_read, number=number, last=last, before=before)
        view, decisions = await self._desk.reading.answer(
            ("session", number, last, before), question, within_s=within_s
        )
        if view is None:
            raise HTTPException(404, f"there is no session {number} (any more)")
        return view, decisions


def read_before(request: Request) -> Seq | None:
    """From below which row of the transcript a page is asked for."""
    before = read_number(request.query_params.get("before", ""))
    return None if before is None else Seq(before)


def _read(
    db: apsw.Connection, *, number: SessionId, last: int, before: Seq | None
) -> tuple[SessionView | None, tuple[DecisionRow, ...]]:
    view = read_session_view(db, number, live=True, last=last, before=before)
    return view, read_decisions(db, number, last=last)
