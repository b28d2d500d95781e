"""The web chat as a counterpart: its server is the platform itself, so what is visible is what a browser is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from tests.platforms.conformance.counterpart import ANN, Ability, Attached, Counterpart, Lacks, Visible

from greenroom.actors.ports import History
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.web import WebChat

AGAIN_S = 0.02
"""A browser's pause before it tries again."""

_OURS = "the server is ours, and in the same process"
_ONE = "a chat is one person's"
WEB_LACKS: Lacks = {
    Ability.OWN: "only persons write there",
    Ability.CLASS: _OURS,
    Ability.RATE: _OURS,
    Ability.REFUSED: _OURS,
    Ability.RECONNECT: "browsers come to it; it connects to nobody",
    Ability.SPLIT: "a million characters fit into one message",
    Ability.REPLY: "a chat of one person needs none",
    Ability.THREADS: "each chat is one conversation",
    Ability.GROUPS: _ONE,
    Ability.REPLIES: _ONE,
    Ability.COMMANDS: _ONE,
    Ability.PERSONS: _ONE,
    Ability.EDITS: "what was said stands",
    Ability.DELETIONS: "what was said stands",
    Ability.ATTACHMENTS: "text only",
    Ability.TYPING: "words stream as they come",
}


class WebCounterpart(Counterpart):
    """See `Counterpart`."""

    sessions_per = SessionsPer.CHAT

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._former: WebChat | None = None
        self._port = 0
        self._numbers = count(1)
        self._said: dict[str, tuple[str, dict[str, str]]] = {}

    def platform(self, history: History) -> WebChat:
        if self._former is not None:
            self._former.close()  # It may have been killed before it served.
        chat = self._former = WebChat(history, port=self._port)
        self._client.base_url = httpx.URL(chat.bind())
        self._port = self._client.base_url.port or 0
        return chat

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        return await self._post(chat, {"text": text})

    async def _post(self, chat: str, body: dict[str, str]) -> str:
        message_id = f"m{next(self._numbers)}"
        self._said[message_id] = (chat, {"id": message_id, **body})
        await self.redeliver(message_id)
        return message_id

    async def redeliver(self, message_id: str) -> None:
        chat, body = self._said[message_id]
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._client.post(f"/chats/{chat}/messages", json=body)
                if answer.status_code in {200, 202}:
                    return
            await asyncio.sleep(AGAIN_S)

    async def visible(self, chat: str) -> list[Visible]:
        while True:
            with suppress(httpx.HTTPError):
                return [_visible(row) for row in await self._snapshot(chat) if not row["mine"]]
            await asyncio.sleep(AGAIN_S)

    async def _snapshot(self, chat: str) -> list[dict[str, Any]]:
        async with self._client.stream("GET", f"/chats/{chat}/events") as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    rows: list[dict[str, Any]] = json.loads(line.removeprefix("data: "))["messages"]
                    return rows
        raise httpx.ReadError("the stream ended before it told anything")

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        (row,) = [row for row in await self._snapshot(chat) if row["id"] == message_id]
        await self._post(chat, {"text": choice, "answers": row["choices"]["question"]})


def _visible(row: dict[str, Any]) -> Visible:
    return Visible(row["id"], row["text"], choices=tuple((row["choices"] or {}).get("texts", ())))


@asynccontextmanager
async def web(_: Path) -> AsyncIterator[Counterpart]:
    """Open the counterpart; its server comes with the first platform."""
    async with httpx.AsyncClient(timeout=5.0) as client:
        yield WebCounterpart(client)
