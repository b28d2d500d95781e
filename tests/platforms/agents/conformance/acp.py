"""An agent of the Agent Client Protocol: its other side is a program of its own, and follows the script there."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, assert_never

from tests.platforms.agents.conformance.counterpart import (
    AskUser,
    CallTool,
    Counterpart,
    Die,
    EndWithoutFinish,
    Exit,
    Garbage,
    Hang,
    Lacks,
    Property,
    Say,
    Spend,
    Step,
)
from tests.tidy.source import ROOT

from greenroom.actors.births import is_alive, read_birth
from greenroom.platforms.agents.acp import AcpSettings, make
from greenroom.platforms.agents.acp.wire import STRAY_MAX
from greenroom.platforms.agents.tools.tool import Toolset

PROGRAM = ROOT / "tests" / "platforms" / "agents" / "acp_scripted.py"
GO = "go"
YES_OR_NO = (("Allow", "allow_once"), ("Reject", "reject_once"))


class AcpCounterpart(Counterpart):
    """The folder in which the program finds its script, and notes what it hears."""

    def __init__(self, folder: Path, ability: str = "load") -> None:
        self.folder, self.ability = folder, ability
        self.settings: dict[str, Any] = {}

    def agent(self, tools: Toolset | None = None) -> Any:
        command = (sys.executable, "-S", str(PROGRAM), str(self.folder), self.ability)
        return make(AcpSettings(command=command, end_s=0.2, **self.settings), self.folder / "beside")

    def will(self, *steps: Step) -> str:
        self.script(*(each for step in steps for each in self._told(step)))
        return GO

    def script(self, *steps: tuple[str, Any]) -> None:
        new = self.folder / "script.new"
        new.write_text(json.dumps(steps))
        new.replace(self.folder / "script.json")

    def messages(self, method: str = "") -> list[dict[str, Any]]:
        """What it was sent so far; with a method, the calls of that."""
        file = self.folder / "heard.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        heard: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [each for each in heard if not method or each.get("method") == method]

    def prompts(self) -> list[str]:
        """The words of each prompt, and what it points to."""
        asked = [each["params"]["prompt"] for each in self.messages("session/prompt")]
        return ["\n".join(block.get("text") or block["uri"] for block in blocks) for blocks in asked]

    def heard(self) -> str:
        answers = [str(each.get("result", "")) for each in self.messages() if "method" not in each]
        return "\n".join([*self.prompts(), *answers])

    async def at_work(self) -> bool:
        file = self.folder / "at_work"
        marks = file.read_text().split() if file.exists() else []
        counts: dict[str, int] = {}
        for pid, sign in zip(marks[::2], marks[1::2], strict=True):
            counts[pid] = counts.get(pid, 0) + (1 if sign == "+" else -1)
        return any(count and is_alive(int(pid), read_birth(int(pid))) for pid, count in counts.items())

    def _told(self, step: Step) -> list[tuple[str, Any]]:
        match step:
            case Say(text):
                return [("say", text)]
            case AskUser(prompt, choices):
                return [("ask", (prompt, [(each, "allow_once") for each in choices] or YES_OR_NO))]
            case Spend(tokens):
                return [("spend", tokens)]
            case Hang():
                return [("hang", None)]
            case Die():
                return [("die", 3)]
            case Exit():
                return [("die", 0)]
            case Garbage():
                return [("raw", "\xff\xfe?\n" * (STRAY_MAX + 1)), ("hang", None)]
            case EndWithoutFinish():
                return [("finish", "max_tokens")]
            case CallTool():
                msg = f"an agent of the protocol cannot {step}"
                raise NotImplementedError(msg)
            case _:
                assert_never(step)


_OWN = "its tools are its own, and run in its process; tests/platforms/agents/test_acp.py has its permissions"
ACP_LACKS: Lacks = dict.fromkeys(
    (Property.TOOLS, Property.POLICIES, Property.APPROVAL, Property.STOP_TOOL, Property.STOP_CHILD), _OWN
)


@asynccontextmanager
async def acp(folder: Path) -> AsyncIterator[AcpCounterpart]:
    (folder / "beside").mkdir()
    yield AcpCounterpart(folder)
