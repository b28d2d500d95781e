"""Pages of the web for a model: bounded, and with no way into a private network."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.platforms.agents.caller import calling

from greenroom.platforms.agents.tools.addresses import is_public, read_address
from greenroom.platforms.agents.tools.fetch import Fetcher, FetchSettings, ForbiddenError, make

HERE = "127.0.0.1"
ELSEWHERE = "127.0.0.2"
PAGES = {
    "/": "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=latin-1\r\n\r\n<p>K\xe4se</p>",
    "/long": "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n" + "x" * 5000,
    "/missing": "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n\r\n{}",
    "/image": "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\nPNG",
    "/packed": "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n\r\nPK",
    "/away": "HTTP/1.1 302 Found\r\nlocation: /#there\r\n\r\n",
    "/inside": "HTTP/1.1 302 Found\r\nlocation: http://inside.example/\r\n\r\n",
    "/file": "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\n\r\n",
    "/round": "HTTP/1.1 302 Found\r\nlocation: /round\r\n\r\n",
}


class Site:
    """A server that has pages, and names for it."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.answering: set[asyncio.Task[None] | None] = set()
        self.names = {"site.example": [ELSEWHERE, HERE], "inside.example": [ELSEWHERE]}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answering.add(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        self.asked.append(next(line for line in head.splitlines() if line.lower().startswith("host:")))
        if path == "/never":
            await reader.read()
        else:
            writer.write(PAGES[path].encode("latin-1"))
        writer.close()
        await writer.wait_closed()

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        return self.names.get(host, [host])

    def fetcher(self, **settings: float) -> Fetcher:
        return Fetcher(FetchSettings(**settings), self.resolve, lambda address: str(address) == HERE)  # type: ignore[arg-type]

    def url(self, path: str) -> str:
        return f"http://site.example:{self.port}{path}"


@asynccontextmanager
async def serving() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.answer, HERE, 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site
        await asyncio.gather(*(each for each in site.answering if each))


async def test_a_page_is_told_with_its_status_and_where_it_is() -> None:
    async with serving() as site:
        fetch = site.fetcher().fetch
        assert await fetch(site.url("/")) == f"200 OK, text/html, {site.url('/')}\n\n<p>Käse</p>"
        assert await fetch(site.url("/away")) == f"200 OK, text/html, {site.url('/#there')}\n\n<p>Käse</p>"
        assert (await fetch(site.url("/missing"))).startswith("404 Not Found, application/problem+json")
        assert (await fetch(site.url("/image"))).endswith("(no text)")
        assert "packed as gzip" in await fetch(site.url("/packed"))
        assert set(site.asked) == {f"host: site.example:{site.port}"}


async def test_a_page_is_cut_at_its_limits() -> None:
    async with serving() as site:
        said = await site.fetcher(bytes_max=1000).fetch(site.url("/long"))
        assert said.count("x") == 1000 + 2  # two are of the words before it
        assert "only its first 1,000 bytes were read" in said
        assert (await site.fetcher(shown_max=100).fetch(site.url("/long"))).count("x") == 100 + 2
        with pytest.raises(ConnectionError, match=r"no whole answer within 0\.2 s"):
            await site.fetcher(timeout_s=0.2).fetch(site.url("/never"))


@pytest.mark.parametrize("path", ["/inside", "/file", "/round"])
async def test_a_redirect_leads_nowhere_else(path: str) -> None:
    async with serving() as site:
        with pytest.raises(ForbiddenError):
            await site.fetcher().fetch(site.url(path))
        assert len(site.asked) == (6 if path == "/round" else 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/", "http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://0/",
        "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://10.1.2.3/", "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data", "http://[fe80::1%25lo]/", "http://[fd00::1]/", "http://224.0.0.1/",
        "ftp://example.com/", "file:///etc/passwd", "example.com", "http://", "http://ann:secret@127.0.0.1/",
    ],
)  # fmt: skip
async def test_a_private_address_is_not_fetched_however_it_is_written(tmp_path: Path, url: str) -> None:
    async with calling(tmp_path, make(FetchSettings())) as caller:
        told = await caller.refused("fetch", url=url)
        assert told.startswith(("ForbiddenError", "gaierror", "InvalidURL", "UnsupportedProtocol")), told


@pytest.mark.parametrize(
    "text, public",
    [("8.8.8.8", True), ("2606:4700::1111", True), ("100.64.0.1", False), ("2002:7f00:1::", False), ("::7f00:1", False), ("0.0.0.0", False), ("255.255.255.255", False)],
)  # fmt: skip
def test_what_is_of_the_world(text: str, public: bool) -> None:
    assert is_public(read_address(text)) is public


async def test_where_it_is_allowed_the_house_itself_is_read(tmp_path: Path) -> None:
    async with serving() as site, calling(tmp_path, make(FetchSettings(private=True))) as caller:
        said = await caller.told("fetch", url=f"http://localhost:{site.port}/")
        assert said.endswith("<p>Käse</p>")
