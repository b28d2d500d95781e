"""Requests as nobody's browser makes them, to every route of an application, and what is answered."""

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, unquote_to_bytes, urlencode

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "GREENROOM")
WAIT_S = 30.0

Headers_ = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a server hands it on."""

    method: str
    path: str  # as it is on the wire: quoted
    query: bytes = b""
    headers: Headers_ = ()
    body: bytes = b""

    def having(self, **headers: str | bytes) -> "Asked":
        """The same with these headers in place of what it had of their names."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = [(name, value) for name, value in self.headers if name not in named]
        new = [(name, value.encode() if isinstance(value, str) else value) for name, value in named.items()]
        return dataclasses.replace(self, headers=(*kept, *new))

    @property
    def header(self) -> Headers:
        return Headers(raw=[(name.encode(), value) for name, value in self.headers])

    def scope(self, address: str) -> Scope:
        path = unquote_to_bytes(self.path)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path.decode(errors="replace"),
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "root_path": "",
            "headers": [(name.encode(), value) for name, value in self.headers],
            "client": (address, 1),
            "server": ("127.0.0.1", 8764),
        }


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Headers
    body: bytes

    def says(self, word: str) -> bool:
        """Whether it stands anywhere in the answer."""
        heads = b"\n".join(name + b": " + value for name, value in self.headers.raw)
        return word.encode() in heads or word.encode() in self.body


async def ask(app: ASGIApp, asked: Asked, address: str = "127.0.0.1") -> Answered:
    """Ask; where an answer may have no end, the line is cut when it begins. What is raised is raised."""
    told: list[Message] = []
    coming: list[Message] = [
        {"type": "http.request", "body": asked.body[:7], "more_body": True},
        {"type": "http.request", "body": asked.body[7:], "more_body": False},
    ]
    enough = asyncio.Event()

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)
        sized = any(name == b"content-length" for name, _ in message.get("headers", ()))
        if message["type"] == "http.response.body" or not sized:
            enough.set()

    async with asyncio.timeout(WAIT_S):
        await app(asked.scope(address), receive, send)
    first = told[0]
    assert first["type"] == "http.response.start"
    body = b"".join(message.get("body", b"") for message in told[1:])
    return Answered(first["status"], Headers(raw=first["headers"]), body)


def routes_of(app: ASGIApp) -> Iterator[Route]:
    """Every route of an application, also within what stands before it."""
    while not isinstance(app, Starlette):
        app = app._app  # type: ignore[attr-defined]
    for route in app.routes:
        assert isinstance(route, Route), f"teach the walk what a {type(route).__name__} is"
        yield route


def plain_asks(routes: Sequence[Route], known: Mapping[str, Mapping[str, str]]) -> Iterator[Asked]:
    """Ask for each route by each of its methods, in the way that it is made for.

    `known` says, of each route, what its parts are; that of "" serves for all that have no row of their own.
    """
    for route in routes:
        for method in sorted(route.methods or ()):
            yield Asked(method, route.path_format.format(**{**known[""], **known.get(route.path, {})}))


NASTY = (
    "", "0", "-1", "9" * 30, "9" * 5000, "nan", "inf", "1e999", "\0", "\ud800", "é", "\u202e", "%", "%00", "'", '"><b>', "{{1}}",
    "../..", "..\\", "a b", "a/b", "//", "http://[", "[::1]", "\r\nset-cookie: a=b", "٣", "²", "ß" * 300, "true", "null", "[]", "{}",
)  # fmt: skip
"""What has broken other houses."""

BESIDE = ("/", "//", "/..", "%00", "%2e%2e/", "%3f", ";x", "%ff", "/.")
"""What may follow a path that leads somewhere."""


@dataclass(frozen=True, slots=True)
class Known:
    """What makes sense to an application: from it requests are made that do, almost."""

    parts: Sequence[str]
    fields: Mapping[str, Sequence[str]]
    headers: Mapping[str, Sequence[str]]
    always: Mapping[str, str]
    """Headers without which nothing passes: they are mostly right."""


class Asker:
    """Makes up requests to the routes of an application; of one seed, the same."""

    def __init__(self, dice: Random, routes: Sequence[Route], known: Known) -> None:
        self.dice, self.routes, self.known = dice, routes, known

    def ask(self) -> Asked:
        dice, route = self.dice, self.dice.choice(self.routes)
        method = dice.choice(METHODS if self.seldom() else sorted(route.methods or METHODS))
        headers = [
            (name, self.raw(good))
            for name, good in self.known.headers.items()
            if name not in self.known.always and dice.random() < 0.4
        ]
        headers += [
            (name, self.raw(self.known.headers[name]) if self.seldom() else value.encode())
            for name, value in self.known.always.items()
        ]
        return Asked(method, self.path(route), self.written(), tuple(headers), self.written())

    def seldom(self) -> bool:
        return self.dice.random() < 0.1

    def noise(self) -> bytes:
        return self.dice.randbytes(self.dice.randrange(40))

    def piece(self, good: Sequence[str]) -> str:
        """Mostly what makes sense."""
        if good and self.dice.random() < 0.7:
            return self.dice.choice(good)
        return self.dice.choice(NASTY) if self.dice.random() < 0.7 else self.noise().decode("latin-1")

    def raw(self, good: Sequence[str]) -> bytes:
        """A header's value, of what a server lets through."""
        return bytes(each for each in self.piece(good).encode(errors="replace") if each >= 32 and each != 127)

    def written(self) -> bytes:
        """A query, or a form: each field perhaps several times, perhaps not at all."""
        if self.seldom():
            return self.noise()
        names = self.dice.choices(tuple(self.known.fields), k=self.dice.randrange(6))
        pairs = [(self.piece(()) if self.seldom() else name, self.piece(self.known.fields[name])) for name in names]
        return urlencode(pairs, errors="replace").encode()

    def path(self, route: Route) -> str:
        """A path that leads to a route, mostly."""
        parts = {
            name: quote(self.piece(self.known.parts), safe="", errors="replace") for name in route.param_convertors
        }
        path = route.path_format.format(**parts)
        return path + self.dice.choice(BESIDE) if self.seldom() else path
