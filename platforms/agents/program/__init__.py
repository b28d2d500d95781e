"""Any program as an agent: it speaks lines of JSON on its standard input and output (docs/agent-protocol.md)."""

from __future__ import annotations

from pathlib import Path

from greenroom.actors.ports import Agent
from greenroom.platforms.agents.program.program import ProgramAgent
from greenroom.platforms.agents.program.settings import ProgramSettings
from greenroom.platforms.agents.tools.tool import Toolset
from greenroom.platforms.processes.orphans import end_orphans

__all__ = ["ProgramSettings", "make"]


def make(settings: ProgramSettings, _folder: Path, tools: Toolset) -> Agent:
    """Make the agent of `[agent.subprocess]`. What programs of a killed greenroom left is ended."""
    end_orphans()
    return ProgramAgent(settings, tools)
