"""Who may speak to the web chat: no page of another site, and no name that was pointed at us."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def host_name(header: str) -> str | None:
    """Read the name in a Host header, without the port; None when there is none to read."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def is_address(name: str, *, loopback: bool) -> bool:
    """Tell whether a name is a literal IP address (and, if asked, one of this machine alone)."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not loopback


class AllowedHosts:
    """The names under which this server may be addressed.

    A browser that was tricked by DNS sends the attacker's name, never a literal address: so a server for loopback takes
    loopback's names, one for all interfaces takes any literal address, and other names have to be given.
    """

    def __init__(self, bound: str, named: Iterable[str] = ()) -> None:
        """Take the host that is bound, and the further names it is known by."""
        self._names = frozenset({"localhost", bound.lower().strip("[]"), *(name.lower() for name in named)})
        self._any_address = bound in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound

    def __contains__(self, header: str) -> bool:
        """Tell whether a Host header names this server."""
        name = host_name(header)
        return name is not None and (name in self._names or is_address(name, loopback=not self._any_address))


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser says that a page of another site sent this."""
    origin = headers.get("origin")
    if origin is not None and _place(origin) != headers.get("host", "").lower():
        return True
    return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def _place(origin: str) -> str | None:
    """Read host and port of an origin; None when there are none to read, as of a page without one."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


class Guard:
    """ASGI middleware: refuses what is not for us, and puts the safety headers on every response."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        """Stand before `app`."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE_HEADERS)
            await send(message)

        await self._judge(scope)(scope, receive, send_safely)

    def _judge(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._app
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            return JSONResponse({"error": "this server is not known by that name; add it to `hosts`"}, 421)
        if scope["path"].startswith("/chats/") and from_elsewhere(headers):
            return JSONResponse({"error": "pages of other sites may not use this chat"}, 403)
        return self._app
