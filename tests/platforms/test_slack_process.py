"""The fake Slack that can be killed: what it showed and owes outlives it, whole requests at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.platforms.slack_stage import ACK_S, ANN, DM, connected
from tests.platforms.stage import Stage

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import Outgoing
from greenroom.platforms.fakes.slack_process import SlackProcess

HOME = SessionKey("slack", "me", DM)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[SlackProcess]:
    """One life of the server, in this process."""
    async with SlackProcess(0, folder / "journal", ack_s=ACK_S) as server:
        yield server


async def ask(server: SlackProcess, do: str, **what: Any) -> Any:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{server.base_url}/persons/{do}", json={"channel": DM, **what})
        return answer.raise_for_status().json()


async def test_what_was_said_and_shown_outlives_the_server(tmp_path: Path) -> None:
    stage = Stage()
    async with served(tmp_path) as server, connected(server, stage, tmp_path) as chat:
        await ask(server, "say", user=ANN, id="m1", text="one")
        await stage.until_accepted(1)
        posted = await chat.send(Outgoing(HOME, "k", "..."))
        await chat.edit(HOME, posted, "an answer")
    async with served(tmp_path) as server:
        assert await ask(server, "visible") == [{"id": posted, "text": "an answer"}]
        await ask(server, "say", user=ANN, id="m2", text="two")
    async with served(tmp_path) as server, connected(server, stage, tmp_path) as chat:
        await stage.until_accepted(2)
        await chat.edit(HOME, posted, "the answer")
        assert await ask(server, "visible") == [{"id": posted, "text": "the answer"}]
        later = await chat.send(Outgoing(HOME, "k2", "..."))
    assert later > posted
    assert [each.text for each in stage.accepted] == ["one", "two"]


async def test_who_says_it_again_is_delivered_again_and_has_said_it_once(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        first = await ask(server, "say", user=ANN, id="m1", text="one")
    async with served(tmp_path) as server:
        assert await ask(server, "say", user=ANN, id="m1", text="one") == first
        assert len(server.envelopes.pending) == 2
        assert len(server.slack.channels[DM].lines) == 1


async def test_a_request_that_was_torn_from_the_journal_did_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        await ask(server, "say", user=ANN, id="m1", text="one")
        await ask(server, "say", user=ANN, id="m2", text="two")
    journal = tmp_path / "journal"
    journal.write_bytes(journal.read_bytes()[:-1])
    for _ in range(2):
        async with served(tmp_path) as server:
            assert [line.text for line in server.slack.channels[DM].lines.values()] == ["one"]
            assert len(server.envelopes.pending) == 1
