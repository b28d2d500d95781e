"""A model with tools in a Telegram chat, on real threads and a real file, killed at each commit of its store."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw
import pytest
from llmock.testing import LLMockServer
from tests.platforms.agents.conformance.model import agent_of
from tests.platforms.agents.model_story import NAME, ScriptedModel
from tests.platforms.conformance.stand import Stand, echo
from tests.platforms.conformance.telegram import telegram_polled

from greenroom import Turn
from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Conclusion
from greenroom.platforms.agents.tools.tool import Tool

CHAT = "1"
POLICIES = (ToolPolicy.PURE, ToolPolicy.KEYED, ToolPolicy.ONCE)
WAIT_S = 20.0
SAMPLE = (0.3, 0.7)
"""Where in a conversation it is killed when there is no time for all of it."""


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


class Effects:
    """Tools whose effects are counted outside of any process that may die."""

    def __init__(self) -> None:
        self.of: Counter[tuple[str, str, str]] = Counter()

    async def offer(self) -> Sequence[Tool]:
        return [Tool(policy.value, "Does it.", NAME, policy, self._make(policy)) for policy in POLICIES]

    async def close(self) -> None:
        pass

    def _make(self, policy: ToolPolicy) -> Any:
        async def work(_: Turn, name: str) -> str:
            self.of[policy.value, name, ""] += 1
            return f"{name} done"

        async def work_under(_: Turn, name: str, idempotency_key: str) -> str:
            self.of[policy.value, name, idempotency_key] += 1
            return f"{name} done"

        return work_under if policy is ToolPolicy.KEYED else work


class Telling(Stand):
    """The house; each of its processes has an agent of its own."""

    def __init__(self, person: Any, folder: Path, server: LLMockServer, commits: Commits) -> None:
        super().__init__(person, folder, echo)
        self.effects, self.server, self.commits = Effects(), server, commits
        self._model = ScriptedModel(server, looks=True)

    def make_agent(self) -> Any:
        real = agent_of(self.server, self.folder, self.effects)

        async def agent(turn: Turn) -> Conclusion:
            await self._model.prepare(turn)
            return await real(turn)

        return agent

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
    for name in ("m1", "m2"):
        await stand.person.says(CHAT, f"{name} please")
        while not await stand.until_answered(name):
            await stand.bury()
            await stand.start()


@pytest.fixture
def server() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


def folder_in(place: Path, name: object) -> Path:
    folder = place / str(name)
    folder.mkdir()
    return folder


async def tell(folder: Path, server: LLMockServer, commits: Commits) -> Telling:
    async with telegram_polled(folder) as person:
        stand = Telling(person, folder, server, commits)
        with watched(stand):
            try:
                await converse(stand)
            finally:
                commits.buried.set()
                await stand.stop()
        said = "\n".join(await stand.texts(CHAT))
    assert [said.count(f"<{name}>") for name in ("m1", "m2")] == [1, 1], said
    made = {what: count for what, count in stand.effects.of.items() if what[0] == ToolPolicy.ONCE}
    assert all(count == 1 for count in made.values()), made
    keys = {what for what in stand.effects.of if what[0] == ToolPolicy.KEYED}
    assert len(keys) == 2, keys
    return stand


async def test_killed_at_a_commit_it_answers_once_and_no_tool_is_called_twice_that_must_not_be(
    server: LLMockServer, tmp_path: Path
) -> None:
    whole = Commits()
    stand = await tell(folder_in(tmp_path, "whole"), server, whole)
    assert sorted(what[:2] for what in stand.effects.of) == sorted(
        (policy.value, n) for policy in POLICIES for n in ("m1", "m2")
    )
    for n, part in enumerate(SAMPLE):
        commits = Commits(int(whole.count * part), list(Moment)[n % 2])
        await tell(folder_in(tmp_path, part), server, commits)
        assert commits.reached.is_set()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("moment", list(Moment))
async def test_killed_at_every_commit(server: LLMockServer, tmp_path: Path, moment: Moment) -> None:
    whole = Commits()
    await tell(folder_in(tmp_path, "whole"), server, whole)
    for at in range(1, whole.count + 1):
        await tell(folder_in(tmp_path, at), server, Commits(at, moment))
