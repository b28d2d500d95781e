"""The fake Slack as a process of its own: it can be killed, and remembers what it had shown and what it owes.

`python -m greenroom.platforms.fakes.slack_process PORT JOURNAL`. Persons reach it at `/persons/say` and
`/persons/visible`, with JSON. What took effect is in the journal before anybody is told, as one line for one request:
a process that is killed in between has done all of it, or nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from greenroom.platforms.fakes.slack import FakeSlack, Line
from greenroom.platforms.fakes.slack_envelopes import Envelope, Envelopes
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

Entry = dict[str, Any]
"""One thing that is true now: `line`, `envelope`, `acknowledged` or `said`."""


class RememberedEnvelopes(Envelopes):
    """Tells `note` of what is to be told, and what need not be any more."""

    def __init__(self, notes: list[Entry], *, ack_s: float) -> None:
        """`notes` is added to."""
        super().__init__(ack_s=ack_s)
        self._notes = notes

    def add(self, kind: str, payload: dict[str, Any]) -> str:
        """See `Envelopes.add`."""
        envelope_id = super().add(kind, payload)
        self._notes.append({"envelope": envelope_id, "kind": kind, "payload": payload})
        return envelope_id

    def acknowledge(self, envelope_id: str) -> None:
        """See `Envelopes.acknowledge`."""
        super().acknowledge(envelope_id)
        self._notes.append({"acknowledged": envelope_id})

    def restore(self, envelope_id: str, kind: str, payload: dict[str, Any]) -> None:
        """Have an envelope as it was known before."""
        self.pending[envelope_id] = Envelope(kind, payload, envelope_id)


class SlackProcess(FakeSlackServer):
    """Serves a `FakeSlack`, and writes down what changes it."""

    def __init__(self, port: int, journal: Path, *, ack_s: float = 1.0) -> None:
        """Do again what the journal holds; a last line that was torn never took effect."""
        self._notes: list[Entry] = []
        self._said: dict[str, tuple[str, str]] = {}  # what each person's id named: the channel, and the time
        remembered = RememberedEnvelopes(self._notes, ack_s=ack_s)
        super().__init__(FakeSlack(), port=port, envelopes=remembered)
        whole = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
        whole = [line for line in whole if line.endswith(b"\n")]
        for line in whole:
            for entry in json.loads(line):
                self._restore(entry, remembered)
        remembered.hurry()
        journal.write_bytes(b"".join(whole))
        self._journal = journal
        self.slack.changed = lambda line: self._notes.append({"line": asdict(line)})

    def application(self) -> web.Application:
        """See `FakeSlackServer.application`."""
        app = super().application()
        app.router.add_post("/persons/say", self._say)
        app.router.add_post("/persons/visible", self._visible)
        return app

    def settle(self) -> None:
        """Write down what took effect since the last time."""
        if self._notes:
            with self._journal.open("ab", buffering=0) as file:
                file.write(json.dumps(self._notes).encode() + b"\n")
            self._notes.clear()

    def _restore(self, entry: Entry, envelopes: RememberedEnvelopes) -> None:
        match entry:
            case {"line": line}:
                self.slack.restore(Line(**line))
            case {"envelope": envelope_id, "kind": kind, "payload": payload}:
                envelopes.restore(envelope_id, kind, payload)
            case {"acknowledged": envelope_id}:
                envelopes.pending.pop(envelope_id, None)
            case {"said": said, "channel": channel, "ts": ts}:
                self._said[said] = (channel, ts)

    async def _say(self, request: web.Request) -> web.Response:
        """Somebody writes, or writes again what has the same id: then it is delivered again."""
        it = await request.json()
        channel = it["channel"]
        self.slack.invite(it["user"], it["user"].title())
        self.slack.open_channel(channel, "im" if channel.startswith("D") else "channel")
        if it["id"] in self._said:
            self.slack.redeliver(*self._said[it["id"]])
        else:
            ts = self.slack.say(channel, it["text"], user=it["user"], thread=it.get("thread"))
            self._said[it["id"]] = (channel, ts)
            self._notes.append({"said": it["id"], "channel": channel, "ts": ts})
        self.settle()
        return web.json_response({"ts": self._said[it["id"]][1]})

    async def _visible(self, request: web.Request) -> web.Response:
        it = await request.json()
        return web.json_response([{"id": line.ts, "text": line.text} for line in self.slack.visible(it["channel"])])


async def serve(port: int, journal: Path) -> None:
    """Serve for ever."""
    async with SlackProcess(port, journal):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
