"""Platforms of a running daemon: what keeps one away is said at the start and by `status`, and heals without a restart."""

import os
import signal

import pytest
from tests.supervisor.cli.shell import CONFIG, Shell

GATE = """
import asyncio
from pathlib import Path

from greenroom.actors.model import DeliveryClass
from greenroom.actors.ports import MisconfiguredError, Traits
from greenroom.platforms.chats.account import AccountSettings
from greenroom.platforms.chats.hosted import HostedChat
from greenroom.platforms.chats.secret import Secret

class Gates(AccountSettings):
    token: Secret

class Gate(HostedChat):
    def __init__(self, settings):
        super().__init__("gate", settings.account)
        self.traits, self.token = Traits(DeliveryClass.EDIT_ANCHOR, edits=True), settings.token
    async def edit(self, *_): pass
    async def run(self, door):
        if self.token.get_secret_value() != "sesame":
            raise MisconfiguredError("the token is wrong; write the right one into its file")
        await super().run(door)

def make(settings: Gates, folder: Path) -> Gate:
    return Gate(settings)
"""


@pytest.fixture
def gated(shell: Shell) -> Shell:
    (shell.home / "gate.py").write_text(GATE)
    folder = shell.home / "gate-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: gate\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[greenroom.platforms]\ngate = gate:make\n")
    two = (
        '[platforms.gate.one]\ntoken = "file:one"\n[platforms.gate.two]\ntoken = "sesame"\npromise = "at_least_once"\n'
    )
    quick = "[policy]\nrestart_backoff_s = 0.01\nrestart_backoff_max_s = 0.05\n"
    (shell.home / "greenroom.toml").write_text(CONFIG + quick + two)
    (shell.home / "one").write_text("mellon\n")
    path = os.pathsep.join([str(shell.home), *filter(None, [shell.env.get("PYTHONPATH")])])
    return Shell(shell.home, shell.env | {"PYTHONPATH": path}, shell.daemons)


def test_a_wrong_token_is_told_and_cured_while_everything_else_runs(gated: Shell) -> None:
    daemon = gated.up()
    wrong = "gate:one is not connected: the token is wrong; write the right one into its file"
    assert f"greenroom: platform {wrong}\n" in daemon.said
    assert "greenroom: platform gate:two is connected\n" in daemon.said
    told = gated.run("status").stdout
    assert f"{wrong} (since " in told
    assert "gate:two is connected (since " in told
    daemon.say("oslo", "hello")
    daemon.see("oslo", "echo: hello")
    (gated.home / "one").write_text("sesame\n")
    while not all(each["connected"] for each in gated.json("status")["connections"]):
        pass  # Each look starts a process; the platform is tried again twenty times a second.
    offered = {each["account"]: each["delivery"] for each in gated.json("status")["connections"]}
    assert offered == {"one": "edit_anchor", "two": "none", "local": "edit_anchor"}  # The second one promises less.
    assert daemon.end(signal.SIGTERM) == 0
    assert gated.json("status", code=3)["connections"] is None


def test_a_configured_platform_is_checked_before_anything_starts(gated: Shell) -> None:
    (gated.home / "one").unlink()
    for command in ("up", "config check"):
        told = gated.run(*command.split(), code=2).stderr
        assert "platforms.gate.one.token: the file " in told
        assert "one cannot be read: No such file or directory" in told
