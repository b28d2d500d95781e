"""What can be set of every kind of agent, and of every set of tools: the base of each one's own settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class AgentSettings(BaseModel):
    """One kind of agent: the table `[agent.KIND]`. What it does not know it refuses.

    A kind is offered as a function `make(settings: ITS_SETTINGS, folder: Path, tools: Toolset) -> agent`, of which it
    leaves out what it does not need from the end. It may keep files of its own in `folder`, that of the database.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ToolSettings(BaseModel):
    """One set of tools: the table `[tools.NAME]`; it is made by `make(settings: ITS_SETTINGS, folder: Path)`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    approve: bool = False  # its person is asked before each call
