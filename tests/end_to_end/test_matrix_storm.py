"""The promise on a real home server: the daemon and Synapse are killed at random, and each answer is there once, in order."""

import re
from pathlib import Path

import pytest
from tests.end_to_end.matrix_town import Town

from greenroom.supervisor.sandbox.storm import Storm
from greenroom.supervisor.sandbox.storm_tally import Plan

CHATS = 8
INTERRUPTED = re.compile("not confirmed as sent|not yet handed to a run|had open work")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "messages, kills", [pytest.param(40, 5, id="some"), pytest.param(200, 12, id="many", marks=pytest.mark.slow)]
)
async def test_each_message_is_answered_once_while_daemon_and_home_server_are_killed(
    tmp_path: Path, messages: int, kills: int
) -> None:
    plan = Plan(0.0, chats=CHATS, seed=11, messages_min=messages, kills_min=kills)
    tally = await Storm(plan, tmp_path, server=Town(tmp_path / "synapse", CHATS)).run()
    assert tally.violations == []
    assert tally.messages >= messages
    assert tally.kills >= kills
    assert tally.server_kills > 0
    assert INTERRUPTED.search((tmp_path / "greenroom.log").read_text()), (
        "a storm that interrupts nothing proves nothing"
    )
