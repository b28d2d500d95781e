"""What can be set of a server of tools: the table `[mcp.NAME]`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.tool import RESULT_MAX
from greenroom.platforms.chats.secret import Secret

URL = re.compile(r"https?://[^\s/]+.*")


class McpSettings(ToolSettings):
    """A server: a `command` that is run, or a `url` that is asked. Its tools are named here as it names them."""

    approve: bool | frozenset[str] = False  # type: ignore[assignment]
    """Its person is asked before each call: of all its tools, or of these."""
    command: tuple[str, ...] = ()  # the program and its arguments; no shell reads it
    cwd: Path | None = None  # where the program works; else greenroom's own working folder
    env: dict[str, Secret] = Field(default_factory=dict)  # added to PATH, HOME and the like
    url: str = ""  # where a server is asked by HTTP, instead of a command
    headers: dict[str, Secret] = Field(default_factory=dict)  # sent with each request
    policies: dict[str, ToolPolicy] = Field(default_factory=dict)
    """What a crash may repeat of a call, by the server's own names of its tools; else by `hints`."""
    hints: bool = True  # where `policies` says nothing, what the server says of its tools is believed
    only: frozenset[str] = frozenset()  # which of its tools are offered; none named: all
    prefix: bool = True  # its tools are called NAME_TOOL here, and not just TOOL
    timeout_s: PositiveFloat = 60.0  # how long one call may take
    start_s: PositiveFloat = 15.0  # how long is waited for a server that starts
    result_max: PositiveInt = RESULT_MAX  # characters of one result; the rest is cut

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError('must have either command = ["program", "argument"] or url = "https://..."')
        if self.url and not URL.fullmatch(self.url):
            raise ValueError("url: must begin with http:// or https://")
        if self.url and (self.env or self.cwd):
            raise ValueError("env and cwd are for a command; a url has headers")
        if self.command and self.headers:
            raise ValueError("headers are for a url; a command has env")
        return self

    def asks_before(self, tool: str) -> bool:
        """Whether its person is asked before each call of a tool."""
        return self.approve if isinstance(self.approve, bool) else tool in self.approve
