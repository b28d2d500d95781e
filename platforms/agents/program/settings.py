"""What can be set of an agent that is a program: the table `[agent.subprocess]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from greenroom.platforms.agents.settings import AgentSettings
from greenroom.platforms.chats.secret import Secret


class ProgramSettings(AgentSettings):
    """`command` is run once for each turn; no shell reads it."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    cwd: Path | None = None  # greenroom's own working folder
    env: dict[str, Secret] = Field(default_factory=dict)  # beside PATH, HOME and the like; nothing else of our own
    transcript: Annotated[int, Field(ge=0)] = 50  # rows of it that the program is given
