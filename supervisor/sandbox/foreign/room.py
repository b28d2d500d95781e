"""What is outside of a foreign bot: its person, its platform, its model, the effects of its tool. It outlives kills.

Everything is a line in one file that is only ever appended to, and flushed to the disk before anyone goes on. A point
that the plan names ends the process there, as SIGKILL does.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from threading import Event
from typing import Any

UPDATE = "u1"
TOKEN = "<m1>"  # noqa: S105 - marks the answer
THINKS_S = 0.05
"""How long a model takes: what a framework writes in the background has its time, as it would have."""


class Room:
    """One world in one folder. `kill_at` names the point at which this process dies; None: it lives on."""

    def __init__(self, folder: Path, kill_at: str | None = None) -> None:
        self.folder = folder
        self._kill_at = kill_at
        self._log = folder / "world.jsonl"

    def reach(self, point: str) -> None:
        """Die here, if this is the point."""
        if point == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, what: str, **columns: Any) -> None:
        """Something happened in the world; it is on disk when this returns."""
        line = json.dumps({"what": what, **columns}).encode() + b"\n"
        file = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def read(self, what: str) -> list[dict[str, Any]]:
        """All that happened of one kind, oldest first."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [each for each in map(json.loads, lines) if each["what"] == what]

    # -- the platform ----------------------------------------------------------------------------------------------

    def poll(self) -> list[tuple[str, str]]:
        """What the person wrote and the bot has not acknowledged: (update id, text)."""
        done = {each["update"] for each in self.read("acknowledged")}
        updates = [(each["update"], each["text"]) for each in self.read("said") if each["update"] not in done]
        if updates:
            self.reach("A")
        return updates

    def acknowledge(self, update: str) -> None:
        """Never give this update again (a poll with the next offset, in most chats)."""
        self.write("acknowledged", update=update)
        self.reach("acknowledged")

    def show(self, key: str, text: str) -> None:
        """Send. A platform with idempotency keys shows one key once; the judge reads both ways."""
        self.reach("G")
        self.write("shown", key=key, text=text)
        self.reach("H")

    # -- the model and its tool ------------------------------------------------------------------------------------

    def call_model(self, result: str | None) -> str:
        """Ask the model: without a result it wants a tool call and gives its id, with one it gives the answer."""
        if result is None:
            self.write("asked")
            Event().wait(THINKS_S)
            call = f"call_{len(self.read('asked'))}"  # A model that is asked again calls under another id.
            self.reach("C first")
            return call
        self.reach("E")
        Event().wait(THINKS_S)
        answer = f"The order is {result} {TOKEN}"
        self.reach("C second")
        return answer

    def pay(self, call: str) -> str:
        """Have the effect; the receiver keeps the call's id."""
        self.write("effect", call=call)
        self.reach("D")
        return "paid 7"
