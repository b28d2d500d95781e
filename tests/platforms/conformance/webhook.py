"""A program that speaks with the agent by webhooks, as a counterpart: it signs, it is told, or it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from time import time
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from tests.platforms.conformance.counterpart import ANN, Ability, Attached, Call, Counterpart, Lacks, Visible

from greenroom.actors.ports import History
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.web.server import listen, serving
from greenroom.platforms.chats.webhook import Webhook
from greenroom.platforms.chats.webhook.settings import WebhookSettings
from greenroom.platforms.chats.webhook.signing import sign, verify
from greenroom.platforms.fakes.platform import Fault

AGAIN_S = 0.02
"""A client's pause before it tries again."""

SECRET = "whsec_c2VzYW1lIHNlc2FtZSBzZXNhbWU="

_CLIENT = "who posts decides what is for the agent"
POSTED_LACKS: Lacks = {
    Ability.OWN: "only what its clients post is heard",
    Ability.RECONNECT: "clients come to it; it keeps no connection",
    Ability.STREAM: "an answer is told when it is whole",
    Ability.TYPING: "there is nobody to see it",
    Ability.GROUPS: _CLIENT,
    Ability.REPLIES: _CLIENT,
    Ability.COMMANDS: _CLIENT,
    Ability.PERSONS: _CLIENT,
}
_ASKED = "the answers are asked for; nothing is called"
ASKED_LACKS: Lacks = {
    **POSTED_LACKS,
    Ability.CLASS: _ASKED,
    Ability.RATE: _ASKED,
    Ability.REFUSED: _ASKED,
    Ability.SPLIT: "an answer of any length is one",
    Ability.REPLY: "the answers of a chat come in order, and name no message",
}

Told = dict[str, Any]


class WebhookCounterpart(Counterpart):
    """See `Counterpart`. With `posts` answers come by callback; `knows_ids` says whether one counts twice."""

    sessions_per = SessionsPer.CHAT

    def __init__(self, folder: Path, client: httpx.AsyncClient, *, posts: bool, knows_ids: bool) -> None:
        self._folder, self._client, self._posts, self._knows_ids = folder, client, posts, knows_ids
        self._port, self._address, self.receiver = 0, "", ""
        self._former: Webhook | None = None
        self._numbers = count(1)
        self._said: dict[str, Told] = {}
        self._told: list[Told] = []
        self._faults: list[Fault] = []
        self.app = Starlette(
            routes=[Route("/told", self._hear, methods=["POST"]), Route("/files/{name}", self._give_file)]
        )

    def platform(self, history: History) -> Webhook:
        callback = f"{self.receiver}/told" if self._posts else None
        settings = WebhookSettings.model_validate(
            {"secret": SECRET, "port": self._port, "callback": callback, "callback_knows_ids": self._knows_ids}
        )
        self.close()
        platform = self._former = Webhook(settings, history)
        self._address = platform.bind()
        self._port = int(self._address.rpartition(":")[2])
        return platform

    def close(self) -> None:
        """Close what the last platform listens on: it may have been killed before it served."""
        if self._former is not None:
            self._former.close()

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        body: Told = {"chat": chat, "text": text, "author": author, "thread": thread}
        if attached is not None:
            name = f"{next(self._numbers)}-{attached.path.name}"
            await asyncio.to_thread((self._folder / name).write_bytes, attached.path.read_bytes())
            body["attachments"] = [{"url": f"{self.receiver}/files/{name}", "media_type": attached.media_type}]
        return await self._say(body)

    async def _say(self, body: Told) -> str:
        message_id = f"m{next(self._numbers)}"
        self._said[message_id] = body
        await self.redeliver(message_id)
        return message_id

    async def redeliver(self, message_id: str) -> None:
        while True:
            answer = await self._post("messages", self._said[message_id], message_id)
            if answer.status_code in {200, 202}:
                return
            await asyncio.sleep(AGAIN_S)

    async def _post(self, what: str, told: Told, request_id: str) -> httpx.Response:
        body = msgspec.json.encode(told)
        headers = {"content-type": "application/json", **sign(SECRET, request_id, time(), body)}
        with suppress(httpx.HTTPError):
            return await self._client.post(f"{self._address}/v1/{what}", content=body, headers=headers)
        return httpx.Response(503)

    async def visible(self, chat: str) -> list[Visible]:
        told = self._told if self._posts else await self._ask(chat)
        return [_visible(each) for each in told if each["chat"] == chat]

    async def _ask(self, chat: str) -> list[Told]:
        threads = {None, *(each["thread"] for each in self._said.values() if each["chat"] == chat)}
        answers: list[Told] = []
        for thread in sorted(threads, key=str):
            answer = httpx.Response(503)
            while answer.status_code != 200:
                answer = await self._post("answers", {"chat": chat, "thread": thread}, "ask")
                await asyncio.sleep(0)
            answers += answer.json()["answers"]
        return answers

    async def edits(self, message_id: str, text: str) -> None:
        await self._say({**self._said[message_id], "text": text, "change": {"kind": "edit", "of": message_id}})

    async def deletes(self, message_id: str) -> None:
        await self._say({**self._said[message_id], "text": "", "change": {"kind": "delete", "of": message_id}})

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        told = self._told if self._posts else await self._ask(chat)
        (question,) = [each["choices"]["question"] for each in told if each["id"] == message_id]
        await self._say({"chat": chat, "thread": None, "text": choice, "answers": question})

    async def fail(self, call: Call, fault: Fault) -> None:
        if call == "send":
            self._faults.append(fault)

    async def _hear(self, request: Request) -> Response:
        """What the receiver makes of an answer. What it says a connection would say that breaks."""
        body = await request.body()
        verify(SECRET, request.headers, body, time())
        told = msgspec.json.decode(body)
        fault = self._faults.pop(0) if self._faults else None
        match fault:
            case Fault.BREAKS_BEFORE:
                return Response(status_code=502)
            case Fault.NOT_SENT:
                return Response(status_code=503)
            case Fault.RETRY_LATER:
                return Response(status_code=429, headers={"retry-after": "1"})
            case Fault.REFUSED:
                return Response(status_code=410)
            case _:
                if not self._knows_ids or all(each["id"] != told["id"] for each in self._told):
                    self._told.append(told)
                return Response(status_code=204 if fault is None else 500)

    async def _give_file(self, request: Request) -> Response:
        return FileResponse(self._folder / request.path_params["name"])


def _visible(told: Told) -> Visible:
    choices = (told["choices"] or {}).get("texts", ())
    return Visible(told["id"], told["text"], told["thread"], told["reply_to"], tuple(choices))


def webhook(*, posts: bool, knows_ids: bool = False) -> Callable[[Path], AbstractAsyncContextManager[Counterpart]]:
    """Open a client, and the receiver of its answers."""

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Counterpart]:
        async with httpx.AsyncClient(timeout=5.0) as client:
            person = WebhookCounterpart(folder, client, posts=posts, knows_ids=knows_ids)
            listening = listen("127.0.0.1", 0)
            person.receiver = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with serving(person.app, listening):
                yield person
                person.close()

    return opened
