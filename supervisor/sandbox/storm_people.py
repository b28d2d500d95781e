"""A person at the web chat, over its own HTTP: a page that reconnects for ever, messages with ids."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

RECONNECT_S = 0.05
"""How soon a client tries again; a pause between attempts, never a way to wait for an outcome."""

ACKNOWLEDGED = {200, 202}
BUSY = 503


@dataclass(slots=True)
class Person:
    """One chat as its person sees it: what is visible, by message id, in the order in which it first appeared."""

    address: str
    chat: str
    visible: dict[str, dict[str, Any]] = field(default_factory=dict)
    notices: list[str | None] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def watch(self) -> None:
        """Keep the page open for ever, through every restart of the server."""
        timeout = httpx.Timeout(5.0, read=20.0)
        async with httpx.AsyncClient(timeout=timeout) as client:
            while True:
                with suppress(httpx.HTTPError):
                    await self._listen(client)
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", f"{self.address}/chats/{self.chat}/events") as response:
            event = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in {"snapshot", "upsert", "notice"}:
                    await self._see(event, json.loads(line.removeprefix("data: ")))

    async def _see(self, event: str, data: dict[str, Any]) -> None:
        async with self.changed:
            for message in data["messages"] if event == "snapshot" else [data] if event == "upsert" else []:
                self.visible[message["id"]] = message
            notice = data.get("notice" if event == "snapshot" else "text")
            if event != "upsert" and notice != (self.notices or [None])[-1]:
                self.notices.append(notice)
            self.changed.notify_all()

    async def say(self, client: httpx.AsyncClient, message_id: str, text: str, *, answers: str | None = None) -> bool:
        """Post a message until it is acknowledged; says whether it was there before. Raises RuntimeError if refused."""
        while True:
            with suppress(httpx.HTTPError):
                response = await self.offer(client, message_id, text, answers=answers)
                if response.status_code in ACKNOWLEDGED:
                    repeated: bool = response.json()["repeated"]
                    return repeated
                if response.status_code != BUSY:  # Busy is not acknowledged, and to be sent again.
                    raise RuntimeError(f"{message_id} was refused: {response.status_code} {response.text}")
            await asyncio.sleep(RECONNECT_S)

    @property
    def answers(self) -> list[str]:
        """What the bot said and will not change any more."""
        return [each["text"] for each in self.visible.values() if not each["mine"] and each["final"]]

    async def offer(
        self, client: httpx.AsyncClient, message_id: str, text: str, *, answers: str | None = None
    ) -> httpx.Response:
        """Post a message once, whatever becomes of it. `answers` is the question whose button was pressed."""
        url = f"{self.address}/chats/{self.chat}/messages"
        pressed = {} if answers is None else {"answers": answers}
        return await client.post(url, json={"id": message_id, "text": text, **pressed})

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until `condition()` holds of what is visible. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(condition)


@asynccontextmanager
async def watched(person: Person) -> AsyncIterator[Person]:
    """Keep a person's page open."""
    watching = asyncio.create_task(person.watch())
    try:
        yield person
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a browser of their own."""

    person: Person
    client: httpx.AsyncClient
    asked: dict[str, str] = field(default_factory=dict)  # the questions whose buttons were pressed, by their labels

    @property
    def answers(self) -> list[str]:
        """What the bot said and will not change any more."""
        return self.person.answers

    @property
    def visible(self) -> object:
        """All that was ever seen, as it was told last."""
        return self.person.visible

    async def say(self, message_id: str, text: str) -> bool:
        """Post until it is acknowledged; says whether it was there before."""
        return await self.person.say(self.client, message_id, text)

    async def press(self, message_id: str, text: str, *, under: str) -> bool:
        """Press a button of the question that has these words, also again when it is not there any more. See `say`."""
        for shown in self.person.visible.values():
            if under in shown["text"] and shown["choices"] is not None:
                self.asked[under] = shown["choices"]["question"]
        return await self.person.say(self.client, message_id, text, answers=self.asked.get(under))

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until `condition()` holds of what is visible. Raises TimeoutError."""
        await self.person.until(condition, timeout_s)
