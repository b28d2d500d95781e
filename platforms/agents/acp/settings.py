"""What can be set of an agent that speaks the Agent Client Protocol: the table `[agent.acp]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from greenroom.platforms.agents.settings import AgentSettings
from greenroom.platforms.chats.secret import Secret
from greenroom.platforms.processes.child import END_S, Program

LINE_MAX = 16 * 1024 * 1024
"""Bytes of the longest message that the agent may send: a whole file may be in one."""


def _from_here(path: Path, info: ValidationInfo) -> Path:
    """A relative path counts from the configuration's folder."""
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path.expanduser()).absolute()


Place = Annotated[Path, AfterValidator(_from_here)]
Words = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AcpSettings(AgentSettings):
    """An agent of the Agent Client Protocol, one process for all chats."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]  # the program and its arguments; no shell reads it
    cwd: Place | None = None  # where it works; by default an empty folder beside the database
    env: Mapping[Words, Secret] = Field(default_factory=dict)
    """Added to PATH, HOME and the like, which is all that it inherits."""
    home: Literal["own"] | Place | None = None  # its HOME: "own", one beside the database; by default greenroom's
    auth_method: str = ""  # the method by which it is asked to sign in, where it needs that
    mode: str = ""  # the session mode that is chosen, where it has several
    auto_approve: bool = False  # what it asks permission for is allowed, and nobody is asked
    question_timeout_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How long a permission that it asks for waits for its person; 0: for ever; else as the policy says."""
    start_s: Seconds = 60.0  # how long it may take to start and to say hello
    session_s: Seconds = 60.0  # how long it may take to begin a session, or to load one
    obey_s: Seconds = 5.0  # how long it may take to end a prompt that was cancelled, while others of its sessions work
    end_s: Seconds = END_S  # time between asking it to end and ending it
    line_max: Annotated[int, Field(ge=1024)] = LINE_MAX  # bytes of the longest message that it may send

    def workplace(self, folder: Path) -> Path:
        """Where it works, given the folder that is this agent's own."""
        return folder / "work" if self.cwd is None else self.cwd

    def program(self, folder: Path) -> Program:
        """What is to be run. `env` is read now: a secret in a file may have changed."""
        home = None if self.home is None else folder / "home" if isinstance(self.home, str) else self.home
        return Program(
            name="the acp agent",
            command=self.command,
            cwd=self.workplace(folder),
            env={name: value.get_secret_value() for name, value in self.env.items()},
            home=home,
            line_max=self.line_max,
            end_s=self.end_s,
        )
