"""The promise on the real daemon: SIGKILL at any moment, and every message is answered exactly once, in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.supervisor.cli.shell import Shell

from greenroom.supervisor.sandbox.storm import Storm
from greenroom.supervisor.sandbox.storm_tally import Plan, ServerKind


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "messages, kills", [pytest.param(80, 10, id="some"), pytest.param(200, 30, id="many", marks=pytest.mark.slow)]
)
async def test_many_messages_through_many_kills_are_each_answered_once(
    tmp_path: Path, messages: int, kills: int
) -> None:
    tally = await Storm(Plan(0.0, chats=12, seed=20, messages_min=messages, kills_min=kills), tmp_path).run()
    assert tally.violations == []
    assert tally.messages >= messages
    assert tally.kills >= kills
    assert tally.redelivered > 0
    assert tally.questions > 0
    assert tally.resumes > 0, "a storm that interrupts nothing proves nothing"
    kept = json.loads((tmp_path / "storm.json").read_text(encoding="utf-8"))
    assert sum(len(chat["said"]) for chat in kept["chats"]) == tally.messages


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "server",
    [
        ServerKind.PLAIN,
        pytest.param(ServerKind.SLACK, marks=pytest.mark.slow),
        pytest.param(ServerKind.TELEGRAM, marks=pytest.mark.slow),
    ],
)
async def test_a_chat_server_that_is_killed_too_costs_no_answer_and_doubles_none(
    tmp_path: Path, server: ServerKind
) -> None:
    plan = Plan(0.0, chats=8, seed=4, server=server, messages_min=24, kills_min=5)
    tally = await Storm(plan, tmp_path).run()
    assert tally.violations == []
    assert tally.server_kills > 0
    assert tally.resumes > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_two_hundred_messages_at_telegram_are_each_answered_once_through_kills_of_both(tmp_path: Path) -> None:
    plan = Plan(0.0, chats=12, seed=11, server=ServerKind.TELEGRAM, messages_min=430, kills_min=16)
    tally = await Storm(plan, tmp_path).run()
    assert tally.violations == []
    assert tally.server_kills > 0
    kept = json.loads((tmp_path / "storm.json").read_text(encoding="utf-8"))
    there = [chat for chat in kept["chats"] if chat["key"].startswith("telegram:")]
    assert sum(len(chat["said"]) for chat in there) >= 200


def test_the_command_prints_what_happened_and_keeps_nothing_of_a_storm_that_broke_nothing(shell: Shell) -> None:
    shell.env["TMPDIR"] = str(shell.home)
    told = shell.run("sandbox", "storm", "--minutes", "0.02", "--chats", "2", "--seed", "5").stdout
    assert "seed 5: " in told
    assert "0 broken promises" in told
    assert list(shell.home.glob("greenroom-storm-*")) == []


def test_a_storm_that_breaks_a_promise_says_so_and_keeps_the_evidence(shell: Shell) -> None:
    (shell.home / "sitecustomize.py").write_text(
        "from greenroom.platforms.agents import demo_rules\ndemo_rules.echo = lambda line: 'Who knows?'\n"
    )
    shell.env |= {"TMPDIR": str(shell.home), "PYTHONPATH": str(shell.home)}
    done = shell.run("sandbox", "storm", "--minutes", "0.02", "--chats", "2", "--seed", "5", code=1)
    assert "BROKEN  web:local:chat" in done.stdout
    assert "'Who knows?'" in done.stdout
    (kept,) = shell.home.glob("greenroom-storm-*")
    assert f"the evidence is in {kept}" in done.stderr
    assert {each.name for each in kept.iterdir()} >= {"greenroom.db", "greenroom.log", "storm.json"}
