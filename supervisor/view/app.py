"""The application of the live view: the gate, the pages behind it, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from greenroom.actors.ports import BusyError
from greenroom.supervisor.view import house_pages, ordering, overview, session_pages, signing_in
from greenroom.supervisor.view.gate import Gate
from greenroom.supervisor.view.rendering import Pages
from greenroom.supervisor.view.saying import WORDS

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from greenroom.supervisor.view.desk import Desk

MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}

KEEP_ASSETS_S = 3600


def make_app(desk: Desk, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Make the application. `more` are further routes; what they answer asks for a sign-in or the token.

    A path that anybody may ask stands in `gate.OPEN_PATHS`.
    """
    pages = Pages(WORDS)
    app = Starlette(
        routes=[
            *signing_in.routes(desk, pages),
            *overview.routes(desk, pages),
            *session_pages.routes(desk, pages),
            *ordering.routes(desk, pages),
            *house_pages.routes(desk, pages),
            *_states(desk),
            *more,
            _assets(),
        ],
        exception_handlers={
            HTTPException: partial(_say_what_is_wrong, pages),
            BusyError: partial(_say_what_is_wrong, pages),
            ClientDisconnect: partial(_say_what_is_wrong, pages),
        },
    )
    app.router.redirect_slashes = False  # It would send the browser where the Host header says.
    return Gate(app, desk.sign_ins, desk.hosts, text_max=desk.text_max)


def _states(desk: Desk) -> list[BaseRoute]:
    """What whoever watches over processes asks."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        problem = await desk.ready()
        return PlainTextResponse("ready\n" if problem is None else f"{problem}\n", 200 if problem is None else 503)

    return [Route("/livez", livez), Route("/readyz", readyz)]


def _assets() -> BaseRoute:
    parts: Mapping[str, bytes] = {
        each.name: each.read_bytes()
        for each in (files(__package__) / "assets").iterdir()
        if each.name.rpartition(".")[2] in MEDIA_TYPES
    }

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in parts:
            raise HTTPException(404, "there is no such file")
        headers = {"cache-control": f"max-age={KEEP_ASSETS_S}"}
        return Response(parts[name], media_type=MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)

    return Route("/assets/{name}", asset)


async def _say_what_is_wrong(pages: Pages, request: Request, error: Exception) -> Response:
    match error:
        case HTTPException(status_code=status, detail=why):
            headers = error.headers or {}
        case BusyError():
            status, why, headers = 503, str(error), {"retry-after": "1"}
        case _:
            status, why, headers = 400, "the request broke off", {}
    if "text/html" not in request.headers.get("accept", "") or "hx-request" in request.headers:
        return PlainTextResponse(f"{why}\n", status, headers)
    page = pages.show(request, "problem.html", status=status, number=status, why=why)
    page.headers.update(headers)
    return page
