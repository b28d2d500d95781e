"""The agents and the tools that there are, and making those that a configuration asks for.

An agent is offered as `make(settings: ITS_SETTINGS, folder: Path, tools: Toolset)`, tools as `make(settings, folder)`;
a server of the Model Context Protocol is a table of its own, `[mcp.NAME]`, made by `make(settings, folder, NAME)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from greenroom.platforms.agents.settings import AgentSettings, ToolSettings
from greenroom.platforms.agents.tools.tool import Tools, Toolset
from greenroom.supervisor.daemon.config import Config, Tables
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot
from greenroom.supervisor.daemon.config_settings import read_table
from greenroom.supervisor.daemon.shelf import BuiltIn, Shelf, Wanted, call_make

OWN_KINDS = ("demo", "python")
"""Kinds of agents that have no table."""

AGENTS = Shelf(
    "kind of agent",
    "greenroom.agents",
    AgentSettings,
    {
        "acp": BuiltIn("greenroom.platforms.agents.acp:make", needs="agent-client-protocol", extra="acp"),
        "openai": BuiltIn("greenroom.platforms.agents.openai:make", needs="openai", extra="openai"),
        "subprocess": BuiltIn("greenroom.platforms.agents.program:make"),
    },
    OWN_KINDS,
)
"""Entry points under `greenroom.agents` are named as the tables below `[agent]`."""

TOOLS = Shelf(
    "set of tools",
    "greenroom.tools",
    ToolSettings,
    {
        "clock": BuiltIn("greenroom.platforms.agents.tools.clock:make"),
        "fetch": BuiltIn("greenroom.platforms.agents.tools.fetch:make", needs="httpx", extra="tools"),
        "files": BuiltIn("greenroom.platforms.agents.tools.files:make"),
        "memory": BuiltIn("greenroom.platforms.agents.tools.memory:make"),
        "processes": BuiltIn("greenroom.platforms.agents.tools.processes:make"),
        "shell": BuiltIn("greenroom.platforms.agents.tools.shell:make"),
    },
)
"""Entry points under `greenroom.tools` are named as the tables below `[tools]`."""

MCP = Shelf(
    "server of tools",
    "greenroom.mcp",
    ToolSettings,
    {"mcp": BuiltIn("greenroom.platforms.agents.mcp:make", needs="mcp", extra="mcp")},
)


def read_agent(config: Config | Tables) -> Wanted | None:
    """Judge the table of the agent that is asked for; None for a kind that has none. Raises ConfigError."""
    kind = config.agent.chosen
    if kind in OWN_KINDS:
        return None
    named = config.spot("agent", kind if kind in config.agent.tables else "kind")
    return _read(AGENTS, config, kind, ("agent", kind), config.agent.tables.get(kind, {}), named)


def read_tools(config: Config | Tables) -> list[Wanted]:
    """Judge every table of tools. Raises ConfigError with every mistake."""
    wanted: list[Wanted] = []
    problems: list[str] = []
    for shelf, kind, path, table in _tables(config):
        try:
            wanted.append(_read(shelf, config, kind, path, table, config.spot(*path)))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return wanted


def make_agent(config: Config, wanted: Wanted) -> Any:
    """Make the agent with its tools; nothing is opened before its first run. Raises ConfigError with every mistake."""
    folder, tables = config.database.parent, read_tools(config)
    if tables and len(inspect.signature(wanted.make).parameters) < len(("settings", "folder", "tools")):
        refuse_tools(config, wanted.name)
    problems: list[str] = []
    sets: list[Toolset] = []
    for each in tables:
        try:
            sets.append(call_make(each.make, each.settings, folder, each.path[-1]))
        except Exception as error:  # Invariant: one table's mistake does not hide the next one's.
            problems.append(each.spot.say(f"cannot be made: {type(error).__name__}: {error}"))
    tools, agent = Tools(*sets), None
    try:
        agent = call_make(wanted.make, wanted.settings, folder, tools)
    except Exception as error:  # Invariant: the same.
        problems.append(wanted.spot.say(f"cannot be made: {type(error).__name__}: {error}"))
    if problems:
        raise ConfigError(problems)
    return Equipped(agent, tools)


def refuse_tools(config: Config, agent: str) -> None:
    """Tools that no agent would be given are a mistake. Raises ConfigError."""
    problem = f"{agent} takes no tools from the configuration; remove the table, or choose another agent"
    if told := [config.spot(*path).say(problem) for _, _, path, _ in _tables(config)]:
        raise ConfigError(told)


class Equipped:
    """An agent and the tools that it was given: they are closed together."""

    def __init__(self, agent: Any, tools: Toolset) -> None:
        """Nothing is opened."""
        self.agent, self.tools = agent, tools

    async def __call__(self, turn: Any) -> Any:
        """See `ports.Agent`."""
        return await self.agent(turn)

    async def close(self) -> None:
        """End what they keep open."""
        try:
            if close := getattr(self.agent, "close", None):
                await close()
        finally:
            await self.tools.close()


def _tables(config: Config | Tables) -> Iterator[tuple[Shelf, str, tuple[str, ...], Mapping[str, Any]]]:
    for name, table in config.tools.items():
        yield TOOLS, name, ("tools", name), table
    for name, table in config.mcp.items():
        yield MCP, "mcp", ("mcp", name), table


def _read(
    shelf: Shelf, config: Config | Tables, kind: str, path: tuple[str, ...], table: Mapping[str, Any], spot: Spot
) -> Wanted:
    make = shelf.find(kind, spot)
    folder = Path.cwd() if config.file is None else config.file.parent
    settings = read_table(shelf.settings_of(make, spot), table, path, folder, config.spot)
    return Wanted(kind, settings, make, path, spot)
