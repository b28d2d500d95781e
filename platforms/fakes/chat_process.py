"""The chat server as a process of its own, behind a Unix socket: it can be killed, and remembers what it had shown.

`python -m greenroom.platforms.fakes.chat_process SOCKET JOURNAL`. A request is one line of JSON on a connection of its
own, and so is the answer; `listen` alone is answered with a line whenever there may be updates. What took effect is in
the journal before it is answered, and is done again when the next process starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from greenroom.actors.model import Inbound, SessionKey
from greenroom.actors.ports import Outgoing, SendRefusedError, TargetGoneError
from greenroom.platforms.fakes.chat_server import FakeChatServer

LINE_MAX_BYTES = 16 * 1024 * 1024


class ChatProcess:
    """Serves a `FakeChatServer`, and writes down what changes it."""

    def __init__(self, journal: Path) -> None:
        """Do again what the journal holds; a last line that was torn never took effect."""
        self.server = FakeChatServer()
        self._changes: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "post": self._post,
            "edit": self._edit,
            "say": self._say,
            "acknowledge": self._acknowledge,
        }
        self._questions: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "find": self._find,
            "updates": self._updates,
            "visible": self._visible,
        }
        self._bells: set[asyncio.Event] = set()
        whole = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
        whole = [line for line in whole if line.endswith(b"\n")]
        for line in whole:
            self._perform(json.loads(line))
        with journal.open("wb") as file:
            file.writelines(whole)
        self._journal = journal

    @property
    def listeners(self) -> int:
        """How many wait for updates."""
        return len(self._bells)

    async def serve(self, socket: str) -> None:
        """Serve for ever, where one that was killed may have left its socket."""
        with suppress(FileNotFoundError):
            os.unlink(socket)  # noqa: PTH108 - no folder is looked at, and nothing waits
        server = await asyncio.start_unix_server(self._hear, socket, limit=LINE_MAX_BYTES)
        async with server:
            await server.serve_forever()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            line = await reader.readline()
            if line.endswith(b"\n"):  # Else whoever began to ask was killed.
                await self._serve(json.loads(line), reader, writer)
        writer.close()

    async def _serve(self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request["do"] == "listen":
            await self._ring(reader, writer)
        else:
            writer.write(json.dumps(self._answer(request)).encode() + b"\n")
            await writer.drain()

    async def _ring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the other end is gone."""
        bell, gone = asyncio.Event(), asyncio.create_task(reader.read())
        self._bells.add(bell)
        try:
            while not gone.done():
                bell.clear()
                writer.write(b"{}\n")
                await writer.drain()
                rung = asyncio.create_task(bell.wait())
                await asyncio.wait({rung, gone}, return_when=asyncio.FIRST_COMPLETED)
                rung.cancel()
        finally:
            gone.cancel()
            self._bells.discard(bell)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"is": self._perform(request, journal=True)}
        except (TargetGoneError, SendRefusedError) as error:
            return {"refused": type(error).__name__, "why": str(error)}

    def _perform(self, request: dict[str, Any], *, journal: bool = False) -> Any:
        change = self._changes.get(request["do"])
        if change is None:
            return self._questions[request["do"]](request)
        result = change(request)
        if journal:
            with self._journal.open("ab", buffering=0) as file:
                file.write(json.dumps(request).encode() + b"\n")
        return result

    # What can be asked for

    def _post(self, it: dict[str, Any]) -> str:
        return self.server.post(Outgoing(SessionKey.parse(it["session"]), it["key"], it["text"], it["reply_to"]))

    def _edit(self, it: dict[str, Any]) -> None:
        self.server.edit(SessionKey.parse(it["session"]), it["id"], it["text"])

    def _find(self, it: dict[str, Any]) -> str | None:
        return self.server.find(SessionKey.parse(it["session"]), it["key"])

    def _say(self, it: dict[str, Any]) -> None:
        self.server.say(SessionKey.parse(it["session"]), it["id"], it["text"])
        for bell in self._bells:
            bell.set()

    def _acknowledge(self, it: dict[str, Any]) -> None:
        self.server.acknowledge(Inbound(SessionKey.parse(it["session"]), it["id"], ""))

    def _updates(self, _: dict[str, Any]) -> list[dict[str, str]]:
        return [
            {"session": str(each.key), "id": each.update_id, "text": each.text} for each in self.server.unacknowledged()
        ]

    def _visible(self, it: dict[str, Any]) -> list[dict[str, Any]]:
        shown = self.server.visible(SessionKey.parse(it["session"]))
        return [{"id": each.id, "texts": each.texts} for each in shown]


if __name__ == "__main__":
    asyncio.run(ChatProcess(Path(sys.argv[2])).serve(sys.argv[1]))
