"""Real coding agents, installed with npm, before a model that is on this machine: permissions, files, stop, restart."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.scenarios import Match, Reply, StreamFault, ToolCall
from tests.platforms.agents.acp_stage import until_asked
from tests.platforms.agents.conformance.acp import AcpCounterpart
from tests.platforms.agents.conformance.stage import CHAT, Stage, policy
from tests.platforms.conformance import stand

from greenroom.platforms.agents.acp import AcpSettings, make
from greenroom.platforms.agents.tools.tool import Toolset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

INSTALL_S = 300.0
PATIENCE_S = 90.0
TO_THE_AGENT = Match(tools=True)
"""A request for the agent's next step; without tools it asks for a title, or such."""


@dataclass(frozen=True, slots=True)
class Coder:
    """A coding agent."""

    package: str
    program: str
    arguments: Sequence[str]
    writes: str  # the tool that writes a file
    path_and_text: tuple[str, str]  # what its arguments are called
    allow: str

    def env(self, model: str) -> Mapping[str, str]:
        return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model, "OPENAI_MODEL": "gpt-4o"}

    def configure(self, folder: Path, model: str) -> None:
        """Say in its own file, where it reads one, which model there is, and that it must ask."""
        local = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "local",
            "options": {"baseURL": model, "apiKey": "none"},
            "models": {"gpt-4o": {"name": "gpt-4o"}},
        }
        config = {
            "model": "local/gpt-4o",
            "share": "disabled",
            "autoupdate": False,
            "permission": {"edit": "ask"},
            "provider": {"local": local},
        }
        (folder / "opencode.json").write_text(json.dumps(config))


QWEN = Coder(
    "@qwen-code/qwen-code@0.15.10",
    "qwen",
    ("--acp", "--auth-type", "openai"),
    "write_file",
    ("file_path", "content"),
    "Allow",
)
OPENCODE = Coder("opencode-ai@1.18.33", "opencode", ("acp",), "write", ("filePath", "content"), "Allow once")


class CoderCounterpart(AcpCounterpart):
    def __init__(self, folder: Path, settings: AcpSettings) -> None:
        super().__init__(folder)
        self._made_of = settings

    def agent(self, tools: Toolset | None = None) -> Any:
        return make(self._made_of, self.folder)


def install(coder: Coder, place: Path) -> Path:
    """The program; it is installed once, and kept with pytest's cache."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    program = place / "node_modules" / ".bin" / coder.program
    if not program.exists():
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(place), coder.package]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot install {coder.package}: {done.stderr[-500:]}")
    return program


@pytest.mark.parametrize("coder", [QWEN, OPENCODE], ids=lambda coder: coder.program)
async def test_it_asks_before_it_writes_and_remembers_across_restarts(
    coder: Coder, llmock: LLMock, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert request.config.cache is not None
    program = install(coder, request.config.cache.mkdir(f"npm-{coder.program}"))
    monkeypatch.setattr(stand, "WAIT_S", PATIENCE_S)  # Its program takes a while to start.
    (work := tmp_path / "work").mkdir()
    coder.configure(work, llmock.base_url())
    settings = AcpSettings.model_validate(
        {
            "command": [str(program), *coder.arguments],
            "cwd": work,
            "home": "own",
            "env": coder.env(llmock.base_url()),
        }
    )
    stage = Stage(CoderCounterpart(tmp_path, settings), tmp_path, policy())
    await stage.start()
    try:
        await check_writes(stage, coder, llmock, work / "a.txt")
        await stage.kill_and_start()
        llmock.add(Reply(text="Still here.", match=TO_THE_AGENT))
        await stage.says("and now?")
        await stage.until_concluded("Still here.")
        told = json.dumps([each.body for each in llmock.requests[-2:]])
        assert "please write a.txt" in told
        await check_stops(stage, llmock)
    finally:
        await stage.stop()


def written(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def check_writes(stage: Stage, coder: Coder, llmock: LLMock, file: Path) -> None:
    path, text = coder.path_and_text
    call = ToolCall(coder.writes, {path: str(file), text: "hello"})
    llmock.add(Reply(tool_calls=(call,), match=TO_THE_AGENT), Reply(text="It is written.", match=TO_THE_AGENT))
    await stage.says("please write a.txt")
    await until_asked(stage)
    await stage.until_shown("May I?")
    assert not written(file)
    (asked,) = [each for each in await stage.shown(CHAT) if "May I?" in each.text]
    assert coder.allow in asked.choices
    await stage.says(coder.allow)
    await stage.until_concluded("It is written.")
    assert written(file) == "hello"


async def check_stops(stage: Stage, llmock: LLMock) -> None:
    fault = StreamFault("stall", after_chunks=3, stall_seconds=300.0, match=TO_THE_AGENT)
    llmock.add(Reply(text="Once upon a time there was a very long story.", match=TO_THE_AGENT), fault)
    await stage.says("tell me")
    await stage.until_shown("Once")
    await stage.says("/stop")
    await stage.until_shown("Stopped.")
    llmock.add(Reply(text="At your service.", match=TO_THE_AGENT))
    await stage.says("again")
    await stage.until_concluded("At your service.")
