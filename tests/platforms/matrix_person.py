"""A person at a home server, by mautrix's client: what she says, and what the server shows her."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from aiohttp import ClientSession
from mautrix.api import Method
from mautrix.api import Path as ApiPath
from mautrix.client import ClientAPI
from mautrix.types import DeviceID, EventID, EventType, RoomID, UserID
from msgspec import Struct
from tests.platforms.synapse import Signed, Synapse

PAGE = "1000"
LOOK_S = 0.02
_numbers = count(1)


class Post(Struct, frozen=True):
    """A message as its readers see it: after all edits. `was` is what it said before."""

    id: str
    text: str
    thread: str | None = None
    reply_to: str | None = None
    key: str | None = None
    was: tuple[str, ...] = ()
    html: str | None = None


def posts_of(events: Iterable[dict[str, Any]], author: str) -> list[Post]:
    """What an author said in a room, oldest first, after all edits and without what was removed."""
    posts: dict[str, Post] = {}
    for event in events:
        if event["sender"] != author or event["type"] != "m.room.message" or not event["content"]:
            continue
        content = event["content"]
        relation = content.get("m.relates_to", {})
        if relation.get("rel_type") == "m.replace":
            if (before := posts.get(relation["event_id"])) is not None:
                new = content["m.new_content"]
                posts[before.id] = Post(
                    before.id, new["body"], before.thread, before.reply_to, before.key,
                    (*before.was, before.text), new.get("formatted_body"),
                )  # fmt: skip
            continue
        thread = relation["event_id"] if relation.get("rel_type") == "m.thread" else None
        falls_back = thread is not None and relation.get("is_falling_back")
        reply_to = None if falls_back else relation.get("m.in_reply_to", {}).get("event_id")
        posts[event["event_id"]] = Post(
            event["event_id"], content["body"], thread, reply_to, content.get("io.greenroom.key"),
            html=content.get("formatted_body"),
        )  # fmt: skip
    return list(posts.values())


class Person:
    """One user on one device."""

    def __init__(self, server: Synapse, signed: Signed, session: ClientSession) -> None:
        self.signed, self.user, self._url = signed, signed.user, server.url
        self._client = ClientAPI(
            UserID(signed.user),
            DeviceID(signed.device),
            base_url=server.url,
            token=signed.token,
            client_session=session,
            default_retry_count=0,
        )

    async def called(self, name: str, room: str | None = None) -> None:
        """Take a display name, and wait until a room knows it."""
        await self._client.set_displayname(name)
        while room is not None and (await self.names(room))[self.user] != name:  # noqa: ASYNC110 - the server rings no bell
            await asyncio.sleep(LOOK_S)

    async def room(self, *guests: "Person", encrypted: bool = False, public: bool = False) -> str:
        """Open a room, and invite."""
        state: list[Any] = []
        if public:
            state = [{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "public"}}]
        if encrypted:
            content = {"algorithm": "m.megolm.v1.aes-sha2"}
            state = [{"type": "m.room.encryption", "state_key": "", "content": content}]
        users = [UserID(guest.user) for guest in guests]
        return str(await self._client.create_room(invitees=users, initial_state=state))

    async def upgrades(self, room: str) -> str:
        """End a room; the one as which it goes on."""
        path = ApiPath.v3.rooms[room].upgrade
        answer = await self._client.api.request(Method.POST, path, {"new_version": "10"})
        return str(answer["replacement_room"])

    async def ends(self, room: str, replacement: str) -> None:
        """Say, by hand, that a room goes on as another."""
        content = {"body": "This room has been replaced", "replacement_room": replacement}
        await self._client.send_state_event(RoomID(room), EventType.find("m.room.tombstone"), content)  # type: ignore[arg-type]

    async def invites(self, room: str, guest: "Person") -> None:
        await self._client.invite_user(RoomID(room), UserID(guest.user))

    async def memberships(self, room: str, other: "Person") -> list[str]:
        """What another was in a room, one after the other."""
        came = [each for each in await self.events(room) if each.get("state_key") == other.user]
        return [each["content"]["membership"] for each in came if each["type"] == "m.room.member"]

    async def joins(self, room: str) -> None:
        await self._client.join_room_by_id(RoomID(room))

    async def kicks(self, room: str, guest: "Person") -> None:
        await self._client.kick_user(RoomID(room), UserID(guest.user))

    async def says(
        self, room: str, text: str, more: dict[str, Any] | None = None, transaction: str | None = None
    ) -> str:
        """Write; the event's id."""
        return await self.sends(room, {"msgtype": "m.text", "body": text, **(more or {})}, transaction)

    async def sends(
        self, room: str, content: dict[str, Any], transaction: str | None = None, kind: str = "m.room.message"
    ) -> str:
        """Send whatever it is."""
        said = self._client.send_message_event(
            RoomID(room), EventType.find(kind), content, transaction or f"t{next(_numbers)}"  # type: ignore[arg-type]
        )  # fmt: skip
        return str(await said)

    async def edits(self, room: str, event_id: str, text: str) -> str:
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return await self.says(room, f"* {text}", {"m.new_content": new, "m.relates_to": relation})

    async def removes(self, room: str, event_id: str) -> None:
        await self._client.redact(RoomID(room), EventID(event_id))

    async def attaches(
        self, room: str, name: str, file: bytes, media_type: str, more: dict[str, Any] | None = None
    ) -> str:
        """Send a file."""
        url = str(await self._client.upload_media(file, media_type, name))
        info = {"mimetype": media_type, "size": len(file)}
        return await self.sends(room, {"msgtype": "m.file", "body": name, "url": url, "info": info, **(more or {})})

    async def signs_out(self, token: str) -> None:
        """End the device of a token."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self._client.api.session.post(f"{self._url}/_matrix/client/v3/logout", headers=headers) as answer:
            answer.raise_for_status()

    async def position(self) -> str:
        """Where the server's stream is now, for this user."""
        only = {"room": {"timeline": {"limit": 1}, "state": {"types": []}}, "account_data": {"types": []}}
        answer = await self._ask(ApiPath.v3.sync, timeout="0", filter=json.dumps(only))
        return str(answer["next_batch"])

    async def members(self, room: str) -> set[str]:
        return set(await self.names(room))

    async def names(self, room: str) -> dict[str, str | None]:
        """The members of a room, by name."""
        answer = await self._ask(ApiPath.v3.rooms[room].joined_members)
        return {user: about["display_name"] for user, about in answer["joined"].items()}

    async def typing(self, room: str) -> list[str]:
        """Who is shown typing in a room now."""
        only = {"room": {"rooms": [room], "timeline": {"limit": 1}}}
        answer = await self._ask(ApiPath.v3.sync, timeout="0", filter=json.dumps(only))
        joined = answer.get("rooms", {}).get("join", {}).get(room, {})
        shown = [each for each in joined.get("ephemeral", {}).get("events", []) if each["type"] == "m.typing"]
        return [user for each in shown for user in each["content"]["user_ids"]]

    async def posts(self, room: str, author: str) -> list[Post]:
        """Read an author's messages, oldest first, as they are now."""
        return posts_of(await self.events(room), author)

    async def events(self, room: str) -> list[dict[str, Any]]:
        """Read all that happened in a room, oldest first."""
        events: list[dict[str, Any]] = []
        page: str | None = ""
        while page is not None:
            asked = {"dir": "f", "limit": PAGE} | ({"from": page} if page else {})
            answer = await self._ask(ApiPath.v3.rooms[room].messages, **asked)
            events += answer["chunk"]
            page = answer.get("end") if answer["chunk"] else None
        return events

    async def until_says(self, room: str, author: str, *texts: str) -> list[Post]:
        """Wait until an author's messages are these."""
        async with asyncio.timeout(20):
            posts = await self.posts(room, author)
            while [each.text for each in posts] != list(texts):
                await asyncio.sleep(LOOK_S)
                posts = await self.posts(room, author)
        return posts

    async def _ask(self, path: Any, **query: str) -> Any:
        return await self._client.api.request(Method.GET, path, query_params=query)


@asynccontextmanager
async def persons(server: Synapse, *names: str) -> AsyncIterator[list[Person]]:
    """Register users whose names begin like this; each test has its own."""
    async with ClientSession() as session:
        made = []
        for name in names:
            signed = await asyncio.to_thread(server.register, f"{name}{next(_numbers)}")
            made.append(Person(server, signed, session))
            await made[-1].called(name)
        yield made
