"""The requests that are made of a home server, on mautrix's client. Answers are raw: whoever asks reads them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerDisconnectedError,
)
from mautrix.api import HTTPAPI, Method, Path
from mautrix.client import ClientAPI
from mautrix.errors import MatrixConnectionError, make_request_error
from mautrix.types import ContentURI, DeviceID, EventType, RoomID, SpecVersions, UserID

from greenroom.actors.ports import RetryLaterError
from greenroom.platforms.chats.matrix.sync import FILTER, PAGE_FILTER

requests = logging.getLogger("greenroom.platform.matrix.requests")
requests.setLevel(logging.INFO)  # Below, mautrix tells what people say.

SYNC_S = 30.0
"""How long a home server may wait for something to tell."""

SILENCE_S = 20.0
"""How much longer it may say nothing at all; then the connection is taken for broken."""

CONNECT_S = 10.0
PAGE = 50
"""Events on a page of a room's past."""

PIECE_BYTES = 64 * 1024
TYPING_S = 8.0
TOO_MANY = 429
UNTOLD_S = 5.0
"""How long to stay away from a home server that says only that it is too much."""


class Homeserver:
    """One device's sight of its home server. Raises what mautrix raises, and RetryLaterError for a rate limit."""

    def __init__(self, session: ClientSession, url: str, *, token: str = "", user: str = "", device: str = "") -> None:
        """Without a token only `login` can be asked."""
        api = HTTPAPI(url, token, client_session=session, default_retry_count=0, log=requests)  # type: ignore[arg-type]
        self._client = ClientAPI(UserID(user), DeviceID(device), api)
        self._api, self._session = api, session

    @property
    def user(self) -> str:
        """Who is signed in."""
        return str(self._client.mxid)

    async def login(self, password: str) -> str:
        """Sign the device in; the access token."""
        answer = await self._client.login(password=password, device_name="greenroom")
        return str(answer.access_token)

    async def whoami(self) -> tuple[str, str]:
        """Ask who is signed in, and on which device (empty: the token has none)."""
        answer = await self._api.request(Method.GET, Path.v3.account.whoami)
        return str(answer["user_id"]), str(answer.get("device_id") or "")

    async def sync(self, since: str | None, wait_s: float) -> Any:
        """Ask what happened since; at once, if `wait_s` is 0."""
        return await self._client.sync(since, int(wait_s * 1000), FILTER)  # type: ignore[arg-type]

    async def page(self, room: str, since: str, until: str) -> Any:
        """Read a page of a room's past: backwards from `since` to `until`."""
        asked = {"from": since, "to": until, "dir": "b", "limit": str(PAGE), "filter": PAGE_FILTER}
        return await self._api.request(Method.GET, Path.v3.rooms[room].messages, query_params=asked)

    async def event(self, room: str, event_id: str) -> Any:
        """Read one event."""
        return await self._api.request(Method.GET, Path.v3.rooms[room].event[event_id])

    async def names(self, room: str) -> dict[str, str | None]:
        """Read who is in a room, by what name."""
        answer = await self._api.request(Method.GET, Path.v3.rooms[room].joined_members)
        return {str(user): about.get("display_name") for user, about in answer["joined"].items()}

    async def send(self, room: str, content: dict[str, Any], transaction: str | None = None) -> str:
        """Send a message; its id. Repeated under the same transaction it is not sent again."""
        sent = self._client.send_message_event(
            RoomID(room), EventType.ROOM_MESSAGE, content, transaction or token_hex(16)  # type: ignore[arg-type]
        )  # fmt: skip
        return str(await sent)

    async def download(self, url: str) -> AsyncIterator[bytes]:
        """Fetch a file (mxc://), piece by piece. Raises ValueError for what is no address of one."""
        self._api.parse_mxc_uri(url)
        authenticated = bool((await self._client.versions()).supports(SpecVersions.V111))
        address = self._api.get_download_url(ContentURI(url), authenticated=authenticated)
        headers = {"Authorization": f"Bearer {self._api.token}"} if authenticated else {}
        try:
            async with self._session.get(address, headers=headers) as answer:
                if not answer.ok:
                    raise make_request_error(answer.status, "", None, answer.reason)
                async for piece in answer.content.iter_chunked(PIECE_BYTES):
                    yield piece
        except ClientError as error:
            raise MatrixConnectionError(type(error).__name__) from error

    async def join(self, room: str) -> None:
        """Accept an invitation."""
        await self._client.join_room_by_id(RoomID(room))

    async def follow(self, room: str, server: str) -> None:
        """Come into a room uninvited; `server` is one that knows it."""
        await self._client.join_room(RoomID(room), [server], max_retries=0)

    async def created(self, room: str) -> Any:
        """Read how a room began."""
        return await self._api.request(Method.GET, Path.v3.rooms[room].state["m.room.create"])

    async def leave(self, room: str) -> None:
        """Decline an invitation, or go."""
        await self._client.leave_room(RoomID(room))

    async def typing(self, room: str) -> None:
        """Show for a few seconds that we are typing."""
        await self._client.set_typing(RoomID(room), int(TYPING_S * 1000))


@asynccontextmanager
async def session() -> AsyncIterator[ClientSession]:
    """Open what all requests of one life go through."""
    timeout = ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SYNC_S + SILENCE_S)
    async with ClientSession(timeout=timeout, middlewares=(_heed_limits, _ask_once)) as opened:
        yield opened


async def _ask_once(request: ClientRequest, ask: ClientHandlerType) -> ClientResponse:
    """Keep the library from repeating a PUT by itself when a connection breaks.

    If its second try reaches nobody, it raises that alone, and it would seem that nothing was sent by the first.
    https://www.rfc-editor.org/rfc/rfc9112.html#name-retrying-requests
    """
    try:
        return await ask(request)
    except (ClientConnectorError, ConnectionTimeoutError):
        raise  # It never got as far as asking.
    except (ClientOSError, ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise ClientConnectionError(f"{type(error).__name__}: {error}") from error  # Which is none that it repeats.


async def _heed_limits(request: ClientRequest, ask: ClientHandlerType) -> ClientResponse:
    """Raise RetryLaterError where the server says that it is too much: mautrix forgets for how long."""
    answer = await ask(request)
    if answer.status != TOO_MANY:
        return answer
    async with answer:
        try:
            told = await answer.json(content_type=None)
            wait_s = float(told["retry_after_ms"]) / 1000
        except (ValueError, KeyError, TypeError):
            after = answer.headers.get("Retry-After", "")
            wait_s = float(after) if after.isdecimal() else UNTOLD_S
    raise RetryLaterError(wait_s)
