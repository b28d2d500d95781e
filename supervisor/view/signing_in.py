"""The page that asks for the token, and the end of a sign-in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from greenroom.supervisor.view.gate import COOKIE, SIGN_IN, address_of
from greenroom.supervisor.view.sign_ins import TryLater

if TYPE_CHECKING:
    from starlette.requests import Request

    from greenroom.supervisor.view.desk import Desk
    from greenroom.supervisor.view.rendering import Pages

logger = logging.getLogger("greenroom.view")


def routes(desk: Desk, pages: Pages) -> list[BaseRoute]:
    """What whoever is not signed in sees."""

    async def ask(request: Request) -> Response:
        if desk.sign_ins.find(request.cookies.get(COOKIE)) is not None:
            return RedirectResponse("/", 303)
        return pages.show(request, "sign_in.html", to=own_path(request.query_params.get("to")), wrong=None)

    async def sign_in(request: Request) -> Response:
        form, address = request.state.form, address_of(request)
        to = own_path(form.get("to"))
        match desk.sign_ins.sign_in(form.get("token", "").strip(), address=address, name=form.get("name", "")):
            case None:
                logger.warning("the live view: a wrong token came from %s", address)
                return pages.show(request, "sign_in.html", status=401, to=to, wrong="This is not the token.")
            case TryLater(wait_s):
                wait = int(wait_s) + 1
                wrong = f"Too many wrong tokens came from your address. Try again in {wait} s."
                page = pages.show(request, "sign_in.html", status=429, to=to, wrong=wrong)
                page.headers["retry-after"] = str(wait)
                return page
            case str(key):
                signed_in = desk.sign_ins.find(key)
                logger.info("the live view: signed in: %s", "nobody" if signed_in is None else signed_in.who)
                onward = RedirectResponse(to, 303)
                onward.set_cookie(COOKIE, key, httponly=True, samesite="strict", secure=_is_encrypted(request))
                return onward

    async def sign_out(request: Request) -> Response:
        desk.sign_ins.sign_out(request.cookies.get(COOKIE))
        page = RedirectResponse(SIGN_IN, 303)
        page.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return page

    return [
        Route(SIGN_IN, ask),
        Route(SIGN_IN, sign_in, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def own_path(asked: str | None) -> str:
    r"""Where to go after signing in: a path of ours, whatever a link says.

    >>> own_path("/sessions/3"), own_path("//evil.example"), own_path("/\\evil.example"), own_path(None)
    ('/sessions/3', '/', '/', '/')
    """
    ours = asked is not None and asked.startswith("/") and asked.isprintable() and not {asked[1:2]} & {"/", "\\"}
    return asked if ours and asked is not None else "/"


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks TLS (with a proxy before us): its cookie then never goes without."""
    return request.headers.get("origin", "").startswith("https://")
