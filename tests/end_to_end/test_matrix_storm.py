"""The promise on a real home server: the daemon and Synapse are killed at random, and each answer is there once, in order."""

from pathlib import Path

import pytest
from tests.end_to_end.matrix_town import Town

from greenroom.supervisor.sandbox.storm import Storm
from greenroom.supervisor.sandbox.storm_tally import Plan

CHATS = 8


@pytest.mark.timeout(900)
async def test_two_hundred_messages_are_each_answered_once_while_daemon_and_home_server_are_killed(
    tmp_path: Path,
) -> None:
    plan = Plan(0.0, chats=CHATS, seed=11, messages_min=200, kills_min=12)
    tally = await Storm(plan, tmp_path, server=Town(tmp_path / "synapse", CHATS)).run()
    assert tally.violations == []
    assert tally.messages >= 200
    assert tally.kills >= 12
    assert tally.server_kills > 0
    cut = "stored answers not confirmed as sent"
    assert cut in (tmp_path / "greenroom.log").read_text(), "a storm that interrupts nothing proves nothing"
