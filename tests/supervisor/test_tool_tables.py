"""The tables of tools that the docs show are ones that can be configured."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from tests.tidy.source import ROOT

from greenroom.supervisor.daemon.composing import load_agent
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.equipping import MCP, TOOLS, Equipped, read_tools
from greenroom.supervisor.daemon.offering import load_checked

BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
HEAD = "[store]\npath = 'bot.db'\n[agent.subprocess]\ncommand = ['true']\n"


def shown(page: str) -> str:
    """All tables of tools on a page, for a machine that has other folders."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    text = "\n".join(block for block in blocks if block.startswith(("[tools.", "[mcp.")))
    return re.sub(r'root = "[^"]*"', 'root = "root"', text)


@pytest.mark.parametrize("page", ["README.md", "docs/agents.md"])
def test_what_the_docs_show_can_be_configured(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("root").mkdir()
    Path("tickets.token").write_text("secret", encoding="utf-8")
    Path("greenroom.toml").write_text(HEAD + shown(page), encoding="utf-8")
    config = load_checked(Path("greenroom.toml"))
    agent = load_agent(config)
    assert isinstance(agent, Equipped)
    asyncio.run(agent.close())
    kinds = {each.kind for each in read_tools(config)}
    assert kinds <= {*TOOLS.built_in, *MCP.built_in}
    assert page == "README.md" or kinds == {*TOOLS.built_in, *MCP.built_in}, "each has its table in the docs"


def test_a_root_that_is_not_there_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("greenroom.toml").write_text(f"{HEAD}[tools.files]\nroot = 'nowhere'\n[mcp.x]\ncommand = ['a']\n[mcp.y]\n")
    with pytest.raises(ConfigError) as caught:
        load_agent(load_checked(Path("greenroom.toml")))
    assert "must have either command" in str(caught.value)
    Path("greenroom.toml").write_text(f"{HEAD}[tools.files]\nroot = 'nowhere'\n")
    with pytest.raises(ConfigError, match=r"there is no folder .*nowhere"):
        load_agent(load_checked(Path("greenroom.toml")))
