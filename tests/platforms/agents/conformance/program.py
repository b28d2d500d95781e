"""A program as agent: another process, that reads what it is to do from a file, and writes into others what it hears."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.platforms.agents.conformance.counterpart import Counterpart, Step

from greenroom.actors.births import is_alive
from greenroom.platforms.agents.program import ProgramSettings, make
from greenroom.platforms.agents.tools.tool import Toolset

GO = "go"
PROGRAM = """
import json, sys, time

def tell(kind, **fields):
    print(json.dumps({"type": kind} | fields), flush=True)

def hear():
    line = sys.stdin.readline()
    with open("heard.txt", "a", encoding="utf-8") as heard:
        heard.write(json.loads(line).get("text", "") + "\\n" + (json.loads(line).get("recovery_note") or "") + "\\n")

with open("pids.txt", "a") as pids:
    with open("/proc/self/stat") as stat:
        pids.write(stat.read().replace("\\n", "") + "\\n")
hear()
with open("steps.json", encoding="utf-8") as steps:
    steps = json.load(steps)
for kind, fields in steps:
    match kind:
        case "Say":
            tell("say", **fields)
        case "CallTool":
            tell("tool", **fields)
            hear()
        case "AskUser":
            tell("ask", **fields)
            hear()
        case "Spend":
            tell("spent", calls=1, **fields)
        case "Hang":
            time.sleep(600)
        case "Die":
            raise ZeroDivisionError
        case "Exit":
            sys.exit(3)
        case "Garbage":
            print("Thinking...", flush=True)
            time.sleep(600)
        case "EndWithoutFinish":
            sys.exit(0)
tell("answer")
"""


class ProgramCounterpart(Counterpart):
    """See `Counterpart`. Whoever begins the work anew begins it from its first step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def agent(self, tools: Toolset) -> Any:
        command = (sys.executable, "-c", PROGRAM)
        return make(ProgramSettings(command=command, cwd=self._folder), self._folder, tools)

    def will(self, *steps: Step) -> str:
        written = json.dumps([(type(step).__name__, msgspec.to_builtins(step)) for step in steps])
        (self._folder / "steps.json").write_text(written, encoding="utf-8")
        return GO

    def heard(self) -> str:
        path = self._folder / "heard.txt"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    async def at_work(self) -> bool:
        return any(is_alive(pid, birth) for pid, birth in self._processes())

    def _processes(self) -> list[tuple[int, str]]:
        path = self._folder / "pids.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(line.split()[0]), line.rpartition(")")[2].split()[19]) for line in lines]


@asynccontextmanager
async def program(folder: Path) -> AsyncIterator[Counterpart]:
    yield ProgramCounterpart(folder)
