"""What every request to the live view passes before any page is asked: whose name, which site, who is signed in."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from greenroom.platforms.chats.web.guard import AllowedHosts, from_elsewhere
from greenroom.supervisor.view.sign_ins import SignIn, SignIns, TryLater

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "greenroom_view"
SIGN_IN = "/sign-in"

OPEN_PATHS = frozenset({SIGN_IN, "/livez", "/readyz"})
"""What anybody may ask who reaches the address: they say nothing of anybody's conversation."""

OPEN_FOLDER = "/assets/"

READING = frozenset({"GET", "HEAD"})

FORM_BYTES_MAX = 16 * 1024
"""Bytes of a form without the text that is to be sent: all that whoever is not signed in may send."""

CHAR_BYTES_MAX = len("%F0%9F%98%80")
"""Bytes of one character in a form, at most."""

FORM_S_MAX = 30.0
FIELDS_MAX = 32

SAFE_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # With no-referrer a browser sends its own forms with `Origin: null`.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""On every response that does not say otherwise itself."""


class Gate:
    """ASGI middleware. What passes has `request.state.sign_in` (None for a machine with the token) and `.form`."""

    def __init__(self, app: ASGIApp, sign_ins: SignIns, hosts: AllowedHosts, *, text_max: int) -> None:
        """Stand before `app`. `text_max`: characters of a text that whoever is signed in may send."""
        self._app, self._sign_ins, self._hosts = app, sign_ins, hosts
        self._order_bytes_max = FORM_BYTES_MAX + CHAR_BYTES_MAX * text_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        turned_away = await self._judge(request)
        await (self._app if turned_away is None else turned_away)(scope, receive, send_safely)

    async def _judge(self, request: Request) -> Response | None:
        """Say why a request is turned away; None when it may pass."""
        request.state.sign_in, request.state.form = None, {}
        if request.headers.get("host", "") not in self._hosts:
            return _refuse(421, "this server is not known by that name; add it to `hosts` in [view]")
        reading, open_to_all = request.method in READING, is_open(request.scope["path"])
        if not reading and from_elsewhere(request.headers):
            return _refuse(403, "pages of other sites may not give orders here")
        if not open_to_all and (turned_away := self._judge_sign_in(request)) is not None:
            return turned_away
        return None if reading else await self._judge_form(request, request.state.sign_in)

    def _judge_sign_in(self, request: Request) -> Response | None:
        request.state.sign_in = self._sign_ins.find(request.cookies.get(COOKIE))
        if request.state.sign_in is not None:
            return None
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and request.method in READING:  # A machine reads, and gives no orders.
            return self._judge_bearer(token.strip(), request)
        return ask_to_sign_in(request)

    def _judge_bearer(self, token: str, request: Request) -> Response | None:
        match self._sign_ins.judge(token, address=address_of(request)):
            case True:
                return None
            case TryLater(wait_s):
                return _refuse(
                    429, "too many wrong tokens came from your address", {"retry-after": str(int(wait_s) + 1)}
                )
            case _:
                return _refuse(401, "this is not the token", {"www-authenticate": "Bearer"})

    async def _judge_form(self, request: Request, sign_in: SignIn | None) -> Response | None:
        form = await read_form(request, FORM_BYTES_MAX if sign_in is None else self._order_bytes_max)
        if isinstance(form, Response):
            return form
        request.state.form = form
        if request.scope["path"] == SIGN_IN:
            return None  # The token itself is the proof.
        if sign_in is None or not hmac.compare_digest(form.get("proof", "").encode(), sign_in.proof.encode()):
            return _refuse(403, "this form is of another sign-in, or of none; go back, load the page again, and repeat")
        return None


def is_open(path: str) -> bool:
    """Whether a path is open to who is not signed in. It is the scope's: a URL is made of the Host header, too."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def address_of(request: Request) -> str:
    """Where a request comes from; a proxy's own address where there is one."""
    return request.client.host if request.client is not None else "unknown"


def ask_to_sign_in(request: Request) -> Response:
    """Lead a browser to the sign-in page, and from there to what it wanted; tell others that they must."""
    if request.method not in READING:
        return _refuse(401, "sign in first")
    if "hx-request" in request.headers:  # Part of a page that is open: the whole page goes.
        return Response(status_code=401, headers={"hx-redirect": SIGN_IN})
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{SIGN_IN}?to={quote(request.scope['path'])}", 303)
    return _refuse(401, "sign in, or send the token: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})


async def read_form(request: Request, bytes_max: int) -> Mapping[str, str] | Response:
    """Read what a form sent; of a field that came twice, the last."""
    kind = Headers(scope=request.scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return _refuse(415, "send a form")
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_S_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    return _refuse(413, f"a form has at most {bytes_max} bytes", {"connection": "close"})
    except TimeoutError:
        return _refuse(408, "the form took too long to arrive", {"connection": "close"})
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        return _refuse(400, "this is no form")
    return dict(pairs)


def _refuse(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{why}\n", status, headers)
