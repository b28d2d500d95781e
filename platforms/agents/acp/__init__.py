"""Any agent that speaks the Agent Client Protocol, as a child process: `[agent.acp]`, with the extra `acp`."""

from __future__ import annotations

from pathlib import Path

from greenroom.platforms.agents.acp.agent import AcpAgent
from greenroom.platforms.agents.acp.settings import AcpSettings
from greenroom.platforms.processes.orphans import end_orphans

__all__ = ["AcpSettings", "make"]


def make(settings: AcpSettings, folder: Path) -> AcpAgent:
    """Make the agent. Nothing is started before it has something to do; what a killed greenroom left is ended."""
    end_orphans()
    return AcpAgent(settings, folder / "acp")
