"""What a request's end tells of what became of it, at a server that is gone as soon as it was asked."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mautrix.errors import MatrixConnectionError

from greenroom.actors.ports import NotSentError
from greenroom.platforms.chats.matrix.errors import read_failure
from greenroom.platforms.chats.matrix.homeserver import Homeserver, session

ROOM = "!room:localhost"
SENT = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"event_id":"$first"}'


@asynccontextmanager
async def dying(asked: list[str]) -> AsyncIterator[Homeserver]:
    """A server that answers once, takes one request more on the same connection, and is gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answers in (True, False):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            asked.append(head.split()[0].decode())
            if answers:
                writer.write(SENT)
        server.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, session() as opened:
        yield Homeserver(opened, f"http://{host}:{port}", token="t", user="@bot:localhost", device="d")


async def failed(server: Homeserver, key: str) -> Exception:
    with pytest.raises(MatrixConnectionError) as told:
        await server.send(ROOM, {"msgtype": "m.text", "body": "..."}, key)
    return read_failure(told.value)


async def test_a_send_that_a_server_takes_before_it_goes_is_in_doubt_and_not_repeated() -> None:
    """aiohttp repeats it by itself, meets nobody, and raises that: the placeholder of an answer stood there unknown."""
    asked: list[str] = []
    async with dying(asked) as server:
        assert await server.send(ROOM, {"msgtype": "m.text", "body": "1"}, "k1") == "$first"
        assert isinstance(await failed(server, "k2"), TimeoutError)
        assert isinstance(await failed(server, "k3"), NotSentError)  # Nobody is there any more.
    assert asked == ["PUT", "PUT"]
