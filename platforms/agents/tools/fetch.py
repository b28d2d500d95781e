"""Pages of the web, for a model: GET, over http and https, without a way into the network that greenroom stands in.

Each name is resolved here, its address is judged, and that very address is connected to: what a name means cannot
change in between. Each redirect is judged as well. Proxies of the environment are not used: they would resolve names
themselves.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import httpx
from msgspec import Meta
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from greenroom.actors.model import ToolPolicy
from greenroom.actors.output import keep_ends
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.addresses import Address, is_public, read_address
from greenroom.platforms.agents.tools.typed import Args, Kit, typed_tool

AGENT = "greenroom (https://pypi.org/project/greenroom)"
MARGIN_S = 5.0
TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "application/yaml")
SUFFIXES = ("+json", "+xml")
URL_MAX = 4_000

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host."""


class FetchSettings(ToolSettings):
    """Pages of the web: `[tools.fetch]`."""

    private: bool = False  # addresses of this machine and of its own network may be fetched, too
    timeout_s: PositiveFloat = 30.0  # how long one page may take, with all redirects
    bytes_max: PositiveInt = 2_000_000  # the longest page; the rest is not read
    shown_max: PositiveInt = 50_000  # characters of a page that the model is given
    redirects_max: NonNegativeInt = 5  # redirects that one look may follow


class FetchArgs(Args, frozen=True):
    """Which page."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_MAX, description="Beginning with https:// or http://")]


class ForbiddenError(ValueError):
    """A URL that may not be fetched. The message is for a model."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def make(settings: FetchSettings) -> Kit:
    """Offer the fetching of pages."""
    fetcher = Fetcher(settings, resolve, (lambda _: True) if settings.private else is_public)

    async def fetch(_turn: Turn, args: FetchArgs) -> str:
        """Fetch a page of the web by GET and tell its text as it is, with its status and the address it came from."""
        return await fetcher.fetch(args.url)

    limit_s = settings.timeout_s + MARGIN_S
    return Kit(typed_tool(fetch, FetchArgs, ToolPolicy.PURE, approve=settings.approve, timeout_s=limit_s))


class Fetcher:
    """Fetches one page after the other, each with a connection of its own."""

    def __init__(self, settings: FetchSettings, resolve: Resolve, allows: Callable[[Address], bool]) -> None:
        """Nothing is connected yet, and no connection is kept: names that share an address share none."""
        self._settings, self._resolve, self._allows = settings, resolve, allows
        self._client = httpx.AsyncClient(
            trust_env=False,
            timeout=None,  # noqa: S113 - it is `timeout_s`, over all of it
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def fetch(self, url: str) -> str:
        """Follow redirects to a page. Raises ForbiddenError, OSError, httpx.HTTPError."""
        try:
            return await self._fetch(url)
        except TimeoutError as error:
            msg = f"no whole answer within {self._settings.timeout_s:g} s"
            raise ConnectionError(msg) from error

    async def _fetch(self, url: str) -> str:
        async with asyncio.timeout(self._settings.timeout_s):
            for _ in range(self._settings.redirects_max + 1):
                wanted = httpx.URL(url)
                response = await self._client.send(await self._request(wanted), stream=True)
                try:
                    if not response.has_redirect_location:
                        return await self._read(wanted, response)
                    url = str(wanted.join(response.headers["location"]))
                finally:
                    await response.aclose()
        msg = f"more than {self._settings.redirects_max} redirects"
        raise ForbiddenError(msg)

    async def _request(self, url: httpx.URL) -> httpx.Request:
        """What is asked for, at an address that was judged; certificates are still those of the name."""
        if url.scheme not in {"http", "https"} or not url.host:
            msg = f"only http:// and https:// can be fetched, not {str(url)[:200]}"
            raise ForbiddenError(msg)
        if url.userinfo:
            raise ForbiddenError("a URL with a password in it is not fetched")
        address = await self._find(url)
        headers = {"host": url.netloc.decode("ascii"), "user-agent": AGENT, "accept-encoding": "identity"}
        extensions = {"sni_hostname": url.raw_host.decode("ascii")}
        return httpx.Request("GET", url.copy_with(host=str(address)), headers=headers, extensions=extensions)

    async def _find(self, url: httpx.URL) -> Address:
        host = url.raw_host.decode("ascii").strip("[]")
        addresses = [read_address(each) for each in await self._resolve(host, url.port or 0)]
        allowed = [each for each in addresses if self._allows(each)]
        if not allowed:
            msg = f"{url.host} is in a private network: it is not fetched"
            raise ForbiddenError(msg)
        return allowed[0]

    async def _read(self, url: httpx.URL, response: httpx.Response) -> str:
        kind = response.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
        head = f"{response.status_code} {response.reason_phrase}, {kind}, {url}"
        if not kind.startswith(TEXTUAL) and not kind.endswith(SUFFIXES):
            return f"{head}\n\n(no text)"
        if (packed := response.headers.get("content-encoding", "identity")) != "identity":
            return f"{head}\n\n(packed as {packed}, which was not asked for)"
        content, cut = await self._read_bytes(response)
        shown = keep_ends(_decode(content, response.charset_encoding), self._settings.shown_max)
        note = f"\n[only its first {self._settings.bytes_max:,} bytes were read]" if cut else ""
        return f"{head}\n\n{shown}{note}"

    async def _read_bytes(self, response: httpx.Response) -> tuple[bytes, bool]:
        most, content = self._settings.bytes_max, bytearray()
        async for chunk in response.aiter_raw():  # As it was sent: what is packed cannot grow here.
            content += chunk
            if len(content) > most:
                return bytes(content[:most]), True
        return bytes(content), False


def _decode(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", errors="replace")
    except LookupError:  # Servers say what they like.
        return content.decode("utf-8", errors="replace")
