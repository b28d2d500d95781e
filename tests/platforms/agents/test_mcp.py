"""Tools of real servers, over a child's pipes and over HTTP; the servers are killed, also in the middle of a call."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.agents.caller import Caller, calling

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.mcp import make
from greenroom.platforms.agents.mcp.settings import McpSettings
from greenroom.platforms.agents.tools import clock

PROGRAM = Path(__file__).with_name("mcp_server.py")
WAIT_S = 30.0
LOOK_S = 0.01


class Shop:
    """A server with its files, however it is reached."""

    def __init__(self, folder: Path, *, http: bool) -> None:
        self.folder = folder
        self.port = free_port() if http else None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def settings(self) -> dict[str, Any]:
        command = (sys.executable, str(PROGRAM), str(self.folder))
        return {"command": command} if self.port is None else {"url": f"http://127.0.0.1:{self.port}/mcp"}

    def effects(self, name: str) -> list[str]:
        path = self.folder / "effects"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line.split()[1] for line in lines if line.split()[0] == name]

    def pids(self) -> list[int]:
        path = self.folder / "starts"
        return [int(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []

    async def start(self) -> None:
        """Over HTTP somebody else starts it."""
        if self.port is None:
            return
        command = (sys.executable, str(PROGRAM), str(self.folder), str(self.port))
        self._process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(WAIT_S):
            while not listens(self.port):  # noqa: ASYNC110 - another process rings no bell
                await asyncio.sleep(LOOK_S)

    async def kill(self) -> None:
        pid = self.pids()[-1]
        born = read_birth(pid)
        os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()
        async with asyncio.timeout(WAIT_S):
            while is_alive(pid, born):  # noqa: ASYNC110 - the same
                await asyncio.sleep(LOOK_S)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def until_effects(self, name: str, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.effects(name)) < count:  # noqa: ASYNC110 - the same
                await asyncio.sleep(LOOK_S)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["stdio", "http"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    (folder := tmp_path / "shop").mkdir()
    shop = Shop(folder, http=request.param == "http")
    await shop.start()
    yield shop
    await shop.stop()


@asynccontextmanager
async def using(shop: Shop, folder: Path, **settings: Any) -> AsyncIterator[Caller]:
    tools = make(McpSettings(**shop.settings, **settings), folder, "shop")
    async with calling(folder, tools) as caller:
        yield caller


async def test_a_servers_tools_are_offered_with_policies_and_called(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GREENROOM_TEST_KEY", "hidden")
    more: dict[str, Any] = {} if shop.port else {"env": {"SHOP_TOKEN": "value"}}
    policies = {"recite": "ask", "draw": "keyed"}
    async with using(
        shop, tmp_path, policies=policies, approve=["recite"], result_max=1000, timeout_s=2, **more
    ) as caller:
        await check_calls(caller, shop)
        check_offered(caller)
        check_warned(caplog.records)
        await check_failures(caller)
        if not shop.port:
            names = (await caller.told("shop_secrets")).split(",")
            assert ("SHOP_TOKEN" in names, "GREENROOM_TEST_KEY" in names) == (True, False)
        await check_patience(caller, shop)
    assert len(shop.pids()) == 1


async def check_calls(caller: Caller, shop: Shop) -> None:
    assert await caller.told("shop_greet", name="Ada", turn=2) == "hello Adahello Ada"
    assert json.loads(await caller.told("shop_label", name="x")) == {"named": "x"}
    assert await caller.told("shop_book", seat="7a") == "booked 7a"
    assert await caller.told("shop_draw") == "[image, image/png, about 300 bytes: not shown]"
    assert await caller.told("shop_pay", amount=3) == "paid 3"
    assert shop.effects("book")[0].count("-") >= 1, "a key, filled in here"


def check_offered(caller: Caller) -> None:
    tools = {each.name: each for each in caller.offered}
    assert {name: tool.policy for name, tool in tools.items()} == {
        "shop_greet": ToolPolicy.PURE,
        "shop_label": ToolPolicy.PURE,
        "shop_pay": ToolPolicy.ONCE,
        "shop_book": ToolPolicy.KEYED,
        "shop_draw": ToolPolicy.ONCE,  # it takes no key
        "shop_recite": ToolPolicy.ASK,
        "shop_fail": ToolPolicy.ONCE,
        "shop_secrets": ToolPolicy.ONCE,
    }
    assert [name for name, tool in tools.items() if tool.approve] == ["shop_recite"]
    assert tools["shop_greet"].says == "Greet somebody."
    shown = tools["shop_book"].parameters
    assert (list(shown["properties"]), shown["required"]) == (["seat"], ["seat"])


def check_warned(records: Sequence[logging.LogRecord]) -> None:
    """Each run was offered the tools, and it is said once what is wrong with them."""
    assert [record.getMessage() for record in records if record.name == "greenroom.mcp"] == [
        "mcp.shop: draw takes no idempotency_key, so it is `once`",
        "mcp.shop: order is left out: its schema has over 64,000 characters",
    ]


async def check_failures(caller: Caller) -> None:
    assert "the paint is wet" in await caller.refused("shop_fail")
    assert "characters are not kept" in await caller.told("shop_greet", name="Ada", turn=1000)
    assert "name" in await caller.refused("shop_greet", nome="Ada")


async def check_patience(caller: Caller, shop: Shop) -> None:
    """What takes too long is given up, and what is stopped as well; the server goes on for others."""
    (shop.folder / "hold").touch()
    told = await caller.refused("shop_pay", amount=4)
    assert "shop did not answer within 2 s. It may or may not have taken effect" in told
    await caller.says(json.dumps({"name": "shop_pay", "args": {"amount": 5}}))
    await shop.until_effects("pay", 3)
    await caller.says("/stop")
    assert await caller.told("shop_greet", name="Ada") == "hello Ada"


async def test_killed_in_the_middle_of_a_call_it_is_told_so_and_started_again(shop: Shop, tmp_path: Path) -> None:
    async with using(shop, tmp_path) as caller:
        assert await caller.told("shop_greet", name="Ada") == "hello Ada"
        (shop.folder / "hold").touch()
        refused = asyncio.create_task(caller.refused("shop_pay", amount=3))
        await shop.until_effects("pay", 1)
        await shop.kill()
        told = await refused
        assert "shop was lost in the middle of the call" in told
        assert "It may or may not have taken effect" in told
        (shop.folder / "hold").unlink()
        await shop.start()
        assert await until_told(caller, "shop_greet", name="Bob") == "hello Bob"
        assert await caller.told("shop_pay", amount=4) == "paid 4"
        assert len(shop.effects("pay")) == 2
        assert len(shop.pids()) == 2
        ours = [] if shop.port else [(pid, read_birth(pid)) for pid in shop.pids()]
    assert not any(is_alive(*each) for each in ours), "nothing of it is left when greenroom ends"


async def until_told(caller: Caller, name: str, /, **args: Any) -> str:
    """A server that somebody else starts anew is found by the next attempts."""
    async with asyncio.timeout(WAIT_S):
        while (used := await caller.call(name, **args)).failed:
            assert "may or may not" not in used.text
    return used.text


async def test_a_server_that_cannot_be_started_offers_nothing_and_ends_no_run(tmp_path: Path) -> None:
    broken = make(McpSettings(command=("/nowhere/server",)), tmp_path, "broken")
    silent = make(McpSettings(command=("sleep", "300"), start_s=0.2), tmp_path, "silent")
    gone = make(McpSettings(url=f"http://127.0.0.1:{free_port()}/mcp"), tmp_path, "gone")
    babbling = make(McpSettings(command=("yes", "no message"), start_s=5.0), tmp_path, "babbling")
    async with calling(tmp_path, broken, silent, gone, babbling, clock.make(clock.ClockSettings())) as caller:
        assert "UTC" in await caller.told("current_time")
        assert [each.name for each in caller.offered] == ["current_time"]


@pytest.mark.parametrize(
    "settings, problem",
    [
        ({}, "must have either command"),
        ({"command": ["a"], "url": "http://b"}, "must have either command"),
        ({"url": "ftp://b"}, "must begin with http"),
        ({"command": ["a"], "headers": {"x": "y"}}, "headers are for a url"),
        ({"url": "http://b", "env": {"x": "y"}}, "env and cwd are for a command"),
        ({"command": ["a"], "policies": {"x": "twice"}}, "policies.x"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        McpSettings(**settings)
