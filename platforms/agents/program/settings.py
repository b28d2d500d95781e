"""What can be set of an agent that is a program: the table `[agent.subprocess]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from greenroom.platforms.agents.settings import AgentSettings
from greenroom.platforms.chats.secret import Secret


class ProgramSettings(AgentSettings):
    """A program that speaks lines of JSON: `command` is run once for each turn, and no shell reads it."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]  # the program and its arguments
    cwd: Path | None = None  # where it works; else greenroom's own working folder
    env: dict[str, Secret] = Field(default_factory=dict)  # added to PATH, HOME and the like
    transcript: Annotated[int, Field(ge=0)] = 50  # rows of the transcript that the program is given
