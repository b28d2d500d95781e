"""A model with tools of an MCP server in a Telegram chat, on real threads and a real file, killed at each commit of its store."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw
import pytest
from llmock.scenarios import Reply, ToolCall
from llmock.testing import LLMockServer
from tests.platforms.agents.conformance.model import agent_of
from tests.platforms.agents.model_story import ScriptedModel
from tests.platforms.agents.test_mcp import Shop
from tests.platforms.conformance.stand import Stand, echo
from tests.platforms.conformance.telegram import telegram_polled

from greenroom import Turn
from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Conclusion
from greenroom.platforms.agents.mcp import make
from greenroom.platforms.agents.mcp.settings import McpSettings

CHAT = "1"
NAMES = ("m1", "m2")
WAIT_S = 20.0
SAMPLE = 0.6
"""Where in a conversation it is killed when there is no time for all of it."""

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .StreamableHTTPTransport:RuntimeWarning")
"""A process that is killed does not begin what the library of MCP was about to."""


class Moment(StrEnum):
    """When it dies, at a commit."""

    BEFORE = "before it is on disk"
    AFTER = "after it is on disk, and before anybody hears of it"


class Commits:
    """Counts the commits of one process, and lets its storage stand still for good at one of them."""

    def __init__(self, at: int | None = None, moment: Moment = Moment.BEFORE) -> None:
        self.count = 0
        self.reached, self.buried = threading.Event(), threading.Event()
        self._at, self._moment = at, moment

    def watch(self, connection: apsw.Connection) -> None:
        """See `apsw.connection_hooks`."""
        if connection.filename.endswith("bot.db") and not connection.readonly("main"):
            connection.set_commit_hook(self._commit)
            connection.set_profile(self._done)

    def _commit(self) -> bool:
        """Whether it is refused."""
        if self.buried.is_set():
            return True
        self.count += 1
        if self.count != self._at or self._moment is Moment.AFTER:
            return False
        self._stand_still()
        return True

    def _done(self, sql: str, _: int) -> None:
        if sql.startswith("COMMIT") and self.count == self._at and not self.reached.is_set():
            self._stand_still()

    def _stand_still(self) -> None:
        self.reached.set()
        assert self.buried.wait(WAIT_S)


class Mind:
    """The agent of one process."""

    def __init__(self, model: ScriptedModel, server: LLMockServer, folder: Path, shop: Shop) -> None:
        self._model = model
        policies = {"book": ToolPolicy.KEYED}
        self._tools = make(McpSettings(**shop.settings, policies=policies, prefix=False), folder, "shop")
        self._agent = agent_of(server, folder, self._tools)

    async def __call__(self, turn: Turn) -> Conclusion:
        await self._model.prepare(turn)
        return await self._agent(turn)

    async def close(self) -> None:
        await self._agent.close()
        await self._tools.close()


def buying(name: str) -> Iterator[Reply]:
    """What the model does for one message: two calls at once, of which one has a key; then one of policy `once`."""
    yield Reply("Looking.", (ToolCall("greet", {"name": name}), ToolCall("book", {"seat": name})))
    yield Reply("Paying.", (ToolCall("pay", {"amount": int(name[1:])}),))


class Telling(Stand):
    """The house; each of its processes has an agent of its own."""

    def __init__(self, person: Any, folder: Path, server: LLMockServer, shop: Shop, commits: Commits) -> None:
        super().__init__(person, folder, echo)
        self._server, self._shop, self.commits = server, shop, commits
        self._model = ScriptedModel(server, buying, looks=True)
        self.span = range(0)
        """The commits of an undisturbed conversation, without those of its beginning and end."""

    def make_agent(self) -> Any:
        return Mind(self._model, self._server, self.folder, self._shop)

    async def until_answered(self, name: str) -> bool:
        """Wait until a message is answered and all is at rest; False if its process died before."""

        async def looked() -> bool:
            if self.commits.reached.is_set():
                return True
            return f"<{name}>" in "\n".join(await self.texts(CHAT)) and self.at_rest()

        await self.until(looked)
        return not self.commits.reached.is_set()

    async def bury(self) -> None:
        """End what is left of a process whose storage stands still. The next one is not to die."""
        await asyncio.to_thread(self._wire().cut_off)
        self.commits.buried.set()
        await self.kill()
        self.commits = Commits()


@contextmanager
def watched(stand: Telling) -> Iterator[None]:
    """Let every connection that is opened be watched for the process that opens it."""

    def watch(connection: apsw.Connection) -> None:
        stand.commits.watch(connection)

    apsw.connection_hooks.append(watch)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(watch)


async def converse(stand: Telling) -> None:
    """Two messages, one after the other; a process that dies is followed by another."""
    await stand.start()
    begun = stand.commits.count
    for name in NAMES:
        await stand.person.says(CHAT, f"{name} please")
        while not await stand.until_answered(name):
            await stand.bury()
            await stand.start()
    stand.span = range(begun + 1, stand.commits.count + 1)


@pytest.fixture
def server() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A server of tools, that outlives whoever calls them."""
    shop = Shop(tmp_path, http=True)
    await shop.start()
    yield shop
    await shop.stop()


async def tell(folder: Path, server: LLMockServer, shop: Shop, commits: Commits) -> range:
    """Tell it, and look whether it ends as it should; gives the commits that there were."""
    await asyncio.to_thread(folder.mkdir)
    paid, booked = len(shop.effects("pay")), len(set(shop.effects("book")))
    async with telegram_polled(folder) as person:
        stand = Telling(person, folder, server, shop, commits)
        with watched(stand):
            try:
                await converse(stand)
            finally:
                if commits.reached.is_set():
                    commits.buried.set()
                await stand.stop()
        said = "\n".join(await stand.texts(CHAT))
    assert [said.count(f"<{name}>") for name in NAMES] == [1, 1], said
    assert len(shop.effects("pay")) - paid <= len(NAMES)
    assert len(set(shop.effects("book"))) - booked == len(NAMES)
    gc.collect()
    return stand.span


async def test_killed_at_a_commit_it_answers_once_and_no_tool_is_called_twice_that_must_not_be(
    server: LLMockServer, shop: Shop, tmp_path: Path
) -> None:
    span = await tell(tmp_path / "whole", server, shop, Commits())
    assert len(shop.effects("pay")) == len(NAMES)
    commits = Commits(span[int(len(span) * SAMPLE)], Moment.AFTER)
    await tell(tmp_path / "killed", server, shop, commits)
    assert commits.reached.is_set()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("moment", list(Moment))
async def test_killed_at_every_commit(server: LLMockServer, shop: Shop, tmp_path: Path, moment: Moment) -> None:
    for at in await tell(tmp_path / "whole", server, shop, Commits()):
        await tell(tmp_path / str(at), server, shop, Commits(at, moment))
